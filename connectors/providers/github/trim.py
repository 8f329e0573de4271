"""GitHub's records as small ones: what people read, the address of each, nothing empty.

Unknown members are left out, missing ones tolerated: versions of GitHub differ.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.kit.tidy import cut, people, person, small, visible

EXCERPT: Final = 300
LONG: Final = 20_000
PATCH: Final = 4_000
ASSETS: Final = 30  # files that a list tells of each release
_Row = Mapping[str, Any]


def repository(row: _Row, *, whole: bool = False) -> dict[str, Any]:
    """A repository."""
    made = small(
        repo=row.get("full_name"),
        description=_cut(row.get("description"), EXCERPT),
        private=row.get("private"),
        archived=row.get("archived") or None,
        fork=row.get("fork") or None,
        language=row.get("language"),
        topics=_texts(row.get("topics") or ()),
        stars=row.get("stargazers_count"),
        open_issues=row.get("open_issues_count"),
        default_branch=row.get("default_branch"),
        pushed_at=row.get("pushed_at"),
        url=row.get("html_url"),
    )
    if whole:
        rights = row.get("permissions")
        made |= small(
            visibility=row.get("visibility"),
            homepage=row.get("homepage"),
            license=_of(row.get("license"), "spdx_id"),
            forks=row.get("forks_count"),
            size_kb=row.get("size"),
            created_at=row.get("created_at"),
            permissions=[name for name, has in rights.items() if has] if isinstance(rights, dict) else None,
        )
    return made


def issue(row: _Row, *, whole: bool = False) -> dict[str, Any]:
    """An issue; in lists its text is an excerpt."""
    made = small(
        number=row.get("number"),
        repo=_repo_of(row),
        title=row.get("title"),
        state=row.get("state"),
        state_reason=row.get("state_reason"),
        user=person(row.get("user")),
        labels=_labels(row.get("labels")),
        assignees=people(row.get("assignees")),
        milestone=_of(row.get("milestone"), "title"),
        comments=row.get("comments"),
        created_at=row.get("created_at"),
        updated_at=row.get("updated_at"),
        closed_at=row.get("closed_at"),
        is_pull_request=True if row.get("pull_request") else None,
        body=_cut(row.get("body"), LONG if whole else EXCERPT),
        url=row.get("html_url"),
    )
    if whole:
        made |= small(closed_by=person(row.get("closed_by")), locked=row.get("locked") or None)
    return made


def comment(row: _Row) -> dict[str, Any]:
    """A comment on an issue or a pull request, also one on a line of it."""
    return small(
        id=row.get("id"),
        user=person(row.get("user")),
        body=_cut(row.get("body"), LONG),
        path=row.get("path"),
        line=row.get("line"),
        created_at=row.get("created_at"),
        updated_at=row.get("updated_at") if row.get("updated_at") != row.get("created_at") else None,
        url=row.get("html_url"),
    )


def pull(row: _Row, *, whole: bool = False) -> dict[str, Any]:
    """A pull request."""
    made = small(
        number=row.get("number"),
        title=row.get("title"),
        state=row.get("state"),
        draft=row.get("draft") or None,
        merged_at=row.get("merged_at"),
        user=person(row.get("user")),
        head=_side(row.get("head")),
        base=_of(row.get("base"), "ref"),
        head_sha=_of(row.get("head"), "sha"),
        labels=_labels(row.get("labels")),
        assignees=people(row.get("assignees")),
        reviewers=people(row.get("requested_reviewers")),
        created_at=row.get("created_at"),
        updated_at=row.get("updated_at"),
        closed_at=row.get("closed_at"),
        body=_cut(row.get("body"), LONG if whole else EXCERPT),
        url=row.get("html_url"),
    )
    if whole:
        names = (
            "merged", "mergeable", "mergeable_state", "comments", "review_comments", "commits", "additions",
            "deletions", "changed_files", "merge_commit_sha",
        )  # fmt: skip
        made |= small(**{name: row.get(name) for name in names}, merged_by=person(row.get("merged_by")))
    return made


def changed_file(row: _Row, *, patch: bool = True) -> dict[str, Any]:
    """A file of a commit, a comparison or a pull request."""
    return small(
        path=row.get("filename"),
        status=row.get("status"),
        previous_path=row.get("previous_filename"),
        additions=row.get("additions"),
        deletions=row.get("deletions"),
        patch=_cut(row.get("patch"), PATCH) if patch else None,
    )


def stats(said: Any) -> dict[str, Any]:
    """How many lines a commit changed."""
    return {name: _of(said, name) for name in ("additions", "deletions", "total")}


def review(row: _Row) -> dict[str, Any]:
    """A review of a pull request."""
    return small(
        id=row.get("id"),
        user=person(row.get("user")),
        state=row.get("state"),
        body=_cut(row.get("body"), LONG),
        submitted_at=row.get("submitted_at"),
        commit=row.get("commit_id"),
        url=row.get("html_url"),
    )


def check_run(row: _Row) -> dict[str, Any]:
    """A check of a commit."""
    return small(
        id=row.get("id"),
        name=row.get("name"),
        status=row.get("status"),
        conclusion=row.get("conclusion"),
        completed_at=row.get("completed_at"),
        title=_of(row.get("output"), "title"),
        url=row.get("html_url") or row.get("details_url"),
    )


def branch(row: _Row) -> dict[str, Any]:
    """A branch, as lists tell it."""
    return small(name=row.get("name"), sha=_of(row.get("commit"), "sha"), protected=row.get("protected"))


def commit(row: _Row, *, whole: bool = False) -> dict[str, Any]:
    """A commit; in lists only the beginning of its message."""
    told = row.get("commit")
    inner: _Row = told if isinstance(told, Mapping) else row
    author = inner.get("author")
    message = str(inner.get("message") or "")
    return small(
        sha=row.get("sha"),
        message=_cut(message, LONG) if whole else _cut(message.partition("\n")[0], EXCERPT),
        author=person(row["author"] if _of(row.get("author"), "login") else _named(author)),
        date=_of(author, "date"),
        parents=[parent["sha"] for parent in row.get("parents") or () if "sha" in parent] if whole else None,
        url=row.get("html_url"),
    )


def entry(row: _Row) -> dict[str, Any]:
    """A file or folder of a folder."""
    kinds = {"blob": "file", "tree": "dir", "commit": "submodule"}
    kind = "symlink" if row.get("mode") == "120000" else str(row.get("type") or "")
    return small(
        path=row.get("path"),
        type=kinds.get(kind, kind),
        size=row.get("size") if kinds.get(kind, kind) == "file" else None,
        sha=row.get("sha"),
    )


def written(said: _Row) -> dict[str, Any]:
    """What a change of a file made."""
    content = said.get("content") or {}
    made = said.get("commit") or {}
    return small(
        path=content.get("path"),
        sha=content.get("sha"),
        commit=made.get("sha"),
        url=content.get("html_url") or made.get("html_url"),
    )


def release(row: _Row, *, whole: bool = False) -> dict[str, Any]:
    """A release."""
    assets = [one for one in row.get("assets") or () if isinstance(one, Mapping)]
    return small(
        tag=row.get("tag_name"),
        name=row.get("name"),
        draft=row.get("draft") or None,
        prerelease=row.get("prerelease") or None,
        published_at=row.get("published_at"),
        author=person(row.get("author")),
        body=_cut(row.get("body"), LONG if whole else EXCERPT),
        assets=[
            small(name=one.get("name"), size=one.get("size"), url=one.get("browser_download_url"))
            for one in (assets if whole else assets[:ASSETS])
        ],
        assets_total=None if whole or len(assets) <= ASSETS else len(assets),
        url=row.get("html_url"),
    )


def workflow(row: _Row) -> dict[str, Any]:
    """A workflow."""
    names = ("id", "name", "path", "state")
    return small(**{name: row.get(name) for name in names}, url=row.get("html_url"))


def run(row: _Row) -> dict[str, Any]:
    """A run of a workflow."""
    names = (
        "id",
        "name",
        "display_title",
        "event",
        "status",
        "conclusion",
        "head_branch",
        "head_sha",
        "run_attempt",
    )
    return small(
        **{name: row.get(name) for name in names},
        actor=person(row.get("actor")),
        created_at=row.get("created_at"),
        updated_at=row.get("updated_at"),
        url=row.get("html_url"),
    )


def job(row: _Row) -> dict[str, Any]:
    """A job of a run, with its steps that failed."""
    steps = [one for one in row.get("steps") or () if isinstance(one, Mapping)]
    names = ("id", "name", "status", "conclusion", "started_at", "completed_at")
    return small(
        **{name: row.get(name) for name in names},
        failed_steps=_texts(one.get("name") for one in steps if one.get("conclusion") == "failure"),
        url=row.get("html_url"),
    )


def _named(author: Any) -> Any:
    return {"name": author.get("name")} if isinstance(author, Mapping) else None


def _labels(labels: Any) -> list[str]:
    found = labels if isinstance(labels, list) else []
    return _texts(one.get("name", "") if isinstance(one, Mapping) else one for one in found)


def _texts(values: Iterable[Any]) -> list[str]:
    return [visible(str(value)) for value in values if value is not None]


def _side(side: Any) -> str | None:
    """A head with its owner where it comes from a fork."""
    if not isinstance(side, Mapping):
        return None
    label = side.get("label")
    return str(label) if label else side.get("ref")


def _repo_of(row: _Row) -> str | None:
    """The repository of an issue that a search found."""
    _, found, name = str(row.get("repository_url") or "").partition("/repos/")
    return name if found else None


def _of(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _cut(text: Any, limit: int) -> str | None:
    return cut(text, limit) if isinstance(text, str) else None
