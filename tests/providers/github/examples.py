"""A GitHub that answers as its own document shows: with the examples of each operation."""

from typing import Any

import orjson

from tests.doubles.double import Route
from tests.doubles.examples import examples_of
from tests.doubles.github import GitHub
from tests.doubles.messages import Answer, Request
from tests.providers.github.conftest import REPO

ROWS = ("workflows", "workflow_runs", "jobs", "check_runs", "items", "repositories")
LOG = "line 1\nline 2\n"
_STRANGE = {"deep": [{"deeper": None}], "number": 1.5}


class Shown(GitHub):
    """``variant`` picks one of several examples, ``strange`` adds members that nobody knows.

    A list has as many rows as are asked for where ``full``, all of them the example's.
    """

    def fill(self) -> None:
        super().fill()
        self.variant = 0
        self.strange = self.full = False
        self.shown: dict[str, int] = {}  # operations, and how many examples each has
        self.sent = 0  # bytes of answers

    def _answer(self, found: Route, request: Request) -> Answer:
        operation = self._operation_of(found)
        accept = request.headers.get("accept", "")
        if operation.endswith("logs-for-workflow-run") or "diff" in accept or "raw" in accept:
            return Answer(200, body=LOG.encode())
        examples = examples_of("github", operation)
        self.shown[operation] = len(examples)
        if not examples:
            return Answer(204, body=b"")
        said = examples[self.variant % len(examples)]
        said = _filled(said, request.number("per_page", 1)) if self.full else said
        said = _strange(said) if self.strange else said
        payload = orjson.dumps(said)
        self.sent += len(payload)
        return Answer(200, body=payload, headers={"content-type": "application/json"})


def _filled(said: Any, number: int) -> Any:
    if isinstance(said, dict):
        return {name: _filled(rows, number) if name in ROWS else rows for name, rows in said.items()}
    if not isinstance(said, list) or not said:
        return said
    rows = (said * number)[:number]
    return [{name: value for name, value in row.items() if name != "pull_request"} for row in rows]


def _strange(said: Any) -> Any:
    if isinstance(said, dict):
        return {"surprise": _STRANGE, **{name: _strange(value) for name, value in said.items()}}
    return [_strange(one) for one in said] if isinstance(said, list) else said


_RUN, _SHA = {"repo": REPO, "run_id": 1}, "6dcb09b5b57875f334f61aebed695e2e4193db5e"
_ISSUE, _PULL = {"repo": REPO, "issue_number": 1}, {"repo": REPO, "pull_number": 1}
_FILE = {"repo": REPO, "file_path": "README.md", "commit_message": "m"}
# A call of every tool, some in several ways.
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("github_connection_info", {}),
    ("github_get_me", {}),
    ("github_list_repositories", {}),
    ("github_list_repositories", {"username": "octocat"}),
    ("github_list_repositories", {"org": "github"}),
    ("github_get_repository", {"repo": REPO}),
    ("github_search_repositories", {"query": "tetris", "limit": 10}),
    ("github_search_issues", {"query": "bug", "limit": 10}),
    ("github_search_code", {"query": "addClass", "limit": 10}),
    ("github_get_file_content", {"repo": REPO, "file_path": "README.md"}),
    ("github_get_directory_tree", {"repo": REPO, "recursive": True}),
    ("github_get_directory_tree", {"repo": REPO, "path": "README.md"}),
    ("github_list_branches", {"repo": REPO}),
    ("github_get_branch_info", {"repo": REPO, "branch_name": "main"}),
    ("github_create_branch", {"repo": REPO, "branch_name": "x"}),
    ("github_list_commits", {"repo": REPO, "limit": 25}),
    ("github_get_commit", {"repo": REPO, "ref": "main", "detail": True}),
    ("github_compare_commits", {"repo": REPO, "base": "a", "head": "b", "detail": True}),
    ("github_create_or_update_file", {**_FILE, "content": "x", "sha": _SHA}),
    ("github_delete_file", {**_FILE, "sha": _SHA}),
    ("github_commit_multiple_files", {
        "repo": REPO, "branch": "main", "commit_message": "m",
        "files": [{"path": "a", "content": "//79", "encoding": "base64"}, {"path": "file.rb", "delete": True}],
    }),
    ("github_list_issues", {"repo": REPO}),
    ("github_get_issue", {**_ISSUE, "include_comments": True}),
    ("github_create_issue", {"repo": REPO, "title": "t"}),
    ("github_update_issue", {**_ISSUE, "title": "t"}),
    ("github_add_issue_comment", {**_ISSUE, "body": "b"}),
    ("github_list_labels", {"repo": REPO}),
    ("github_list_pull_requests", {"repo": REPO}),
    ("github_get_pull_request", {**_PULL, "include": ["files", "reviews", "comments", "checks", "diff"]}),
    ("github_create_pull_request", {"repo": REPO, "title": "t", "head": "x"}),
    ("github_update_pull_request", {**_PULL, "title": "t"}),
    ("github_review_pull_request", {**_PULL, "event": "APPROVE"}),
    ("github_merge_pull_request", {**_PULL, "sha": _SHA}),
    ("github_list_releases", {"repo": REPO, "limit": 25}),
    ("github_get_latest_release", {"repo": REPO}),
    ("github_create_release", {"repo": REPO, "tag": "v1"}),
    ("github_upload_release_asset", {"repo": REPO, "tag": "v1", "filename": "a.txt", "text": "a"}),
    ("github_list_workflows", {"repo": REPO}),
    ("github_list_workflow_runs", {"repo": REPO, "limit": 25}),
    ("github_get_workflow_run", _RUN),
    ("github_get_job_logs", {**_RUN, "failed_only": False}),
    ("github_run_workflow", {"repo": REPO, "workflow": "ci.yml", "ref": "main"}),
    ("github_rerun_failed_jobs", _RUN),
]  # fmt: skip
