"""Pull requests."""

import re
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import Conflict, InvalidInput
from connectors.kit.cursors import Cursor, Page
from connectors.kit.fields import Fields, pick, pick_each
from connectors.kit.tidy import cut, small, untrusted, visible
from connectors.providers.github import trim
from connectors.providers.github.answers import DIFF, next_page
from connectors.providers.github.base import GitHubBase, record_of
from connectors.providers.github.issue_tools import small_body
from connectors.providers.github.scope import branch_of, file_path, in_path
from connectors.providers.github.sizes import ROOM, beginning
from connectors.providers.github.types import Body, Branch, Comment, Limit, Number, OpenState, Repo, Text
from connectors.upstream.retry import Kind

MOST: Final = 100
MAX_DIFF: Final = 40_000  # characters as JSON
MIN_DIFF: Final = 5_000  # beside long lists, which are cut instead
_MISSING: Final = "github_list_pull_requests finds the number."
_RESULT: Final = ("number", "url")
_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
Part = Literal["files", "reviews", "comments", "checks", "diff"]


class LineComment(BaseModel):
    """A comment on a line of the diff; LEFT is the side before the change."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    line: Annotated[int, Field(ge=1)]
    body: Comment
    side: Literal["LEFT", "RIGHT"] = "RIGHT"


class PullTools(GitHubBase):
    """Pull requests of a repository."""

    @tool(title="List pull requests", hint="R", name="github_list_pull_requests", open_world=True, cache="S")
    async def list_pull_requests(
        self,
        ctx: Context,
        repo: Repo,
        state: OpenState = "open",
        head: Annotated[str | None, Field(description="A branch, or owner:branch.")] = None,
        base: str | None = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Pull requests, newest first."""
        place = self.scope.demand(repo)
        side = _head(head) if head else None
        if side and ":" not in side:
            side = f"{repo.strip().partition('/')[0]}:{side}"
        params = {"state": state, "head": side, "base": branch_of(base) if base else None}
        rows, turn, _ = await self.page(
            ctx, "github_list_pull_requests", f"{place}/pulls", params, limit, cursor
        )
        items = pick_each([trim.pull(row) for row in rows], fields, always=_RESULT)
        return untrusted(turn.page(ctx, items))

    @tool(
        title="Get a pull request",
        hint="R",
        name="github_get_pull_request",
        open_world=True,
        cache="S",
        tags=("number:{pull_number}",),
    )
    async def get_pull_request(
        self,
        ctx: Context,
        repo: Repo,
        pull_number: Number,
        include: Annotated[list[Part] | None, Field(max_length=5)] = None,
        fields: Fields = None,
    ) -> ToolResult:
        """A pull request; include adds its files, reviews, comments, checks or diff."""
        place = self.scope.demand(repo)
        path = f"{place}/pulls/{pull_number}"
        row = await self.object(ctx, path, missing=_MISSING)
        made = pick(trim.pull(row, whole=True), fields, always=_RESULT)
        for part in dict.fromkeys(include or ()):
            room = max(MIN_DIFF, min(MAX_DIFF, ROOM - len(orjson.dumps(made)))) if part == "diff" else 0
            told, more = await self._part(ctx, part, place, path, row, room)
            made[f"{part}_list" if part == "comments" else part] = told
            if more:
                made["truncated"] = [*made.get("truncated", ()), part]
        return untrusted(made)

    @tool(
        title="Create a pull request",
        hint="W",
        name="github_create_pull_request",
        aliases=("create_pull_request",),
        toolset="write",
        open_world=True,
        required=True,
        tags=("pulls",),
    )
    async def create_pull_request(
        self,
        ctx: Context,
        repo: Repo,
        title: Text,
        head: Annotated[
            str, Field(min_length=1, max_length=356, description="Branch, or owner:branch of a fork.")
        ],
        base: Branch = None,
        body: Body = None,
        draft: bool = False,
    ) -> ToolResult:
        """Propose to merge head into base."""
        place = self.scope.demand(repo)
        into = await self.branch_or_default(ctx, repo, base)
        side = _head(head)
        self._demand_fork(repo, side.rpartition(":")[0])
        sent = small_body(title=title, head=side, base=into, body=body, draft=draft or None)
        look = f"Check with github_list_pull_requests(head={head!r}) before trying again."
        said = (await self.write(ctx, "POST", f"{place}/pulls", sent, look_first=look)).json()
        made = {name: said.get(name) for name in ("number", "title", "draft")}
        return untrusted(small(**made, url=said.get("html_url")))

    @tool(
        title="Change a pull request",
        hint="I",
        name="github_update_pull_request",
        toolset="write",
        default_on=False,
        open_world=True,
        tags=("number:{pull_number}",),
    )
    async def update_pull_request(
        self,
        ctx: Context,
        repo: Repo,
        pull_number: Number,
        title: Text | None = None,
        body: Body = None,
        state: Literal["open", "closed"] | None = None,
        base: str | None = None,
    ) -> ToolResult:
        """Change, close or reopen a pull request; what is left out stays."""
        sent = small_body(title=title, body=body, state=state, base=branch_of(base) if base else None)
        if not sent:
            raise InvalidInput(
                "Nothing is to be changed.", code="nothing_to_do", hint="Name at least one field."
            )
        path = f"{self.scope.demand(repo)}/pulls/{pull_number}"
        said = (await self.write(ctx, "PATCH", path, sent, kind=Kind.REPEATABLE, missing=_MISSING)).json()
        return untrusted(pick(trim.pull(said), ("number", "title", "state", "base", "url"), always=()))

    @tool(
        title="Review a pull request",
        hint="W",
        name="github_review_pull_request",
        toolset="write",
        default_on=False,
        open_world=True,
        tags=("number:{pull_number}",),
    )
    async def review_pull_request(
        self,
        ctx: Context,
        repo: Repo,
        pull_number: Number,
        event: Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"],
        body: Body = None,
        comments: Annotated[list[LineComment] | None, Field(max_length=50)] = None,
    ) -> ToolResult:
        """Approve, ask for changes or comment, also on lines of the diff."""
        if event != "APPROVE" and not body:
            raise InvalidInput(f"A review of {event} needs a body.", code="no_body")
        path = f"{self.scope.demand(repo)}/pulls/{pull_number}/reviews"
        notes = [{**one.model_dump(), "path": file_path(one.path)} for one in comments or ()]
        sent = small_body(event=event, body=body, comments=notes or None)
        look = f"Check with github_get_pull_request(pull_number={pull_number}, include=['reviews']) first."
        said = (await self.write(ctx, "POST", path, sent, look_first=look, missing=_MISSING)).json()
        return untrusted(small(id=said.get("id"), state=said.get("state"), url=said.get("html_url")))

    @tool(
        title="Merge a pull request",
        hint="D",
        name="github_merge_pull_request",
        toolset="admin",
        default_on=False,
        open_world=True,
        tags=("number:{pull_number}", "contents", "branches", "repositories"),
    )
    async def merge_pull_request(
        self,
        ctx: Context,
        repo: Repo,
        pull_number: Number,
        sha: Annotated[str, Field(pattern="^[0-9a-f]{40}$", description="head_sha as it was reviewed.")],
        method: Literal["merge", "squash", "rebase"] = "merge",
        commit_title: Annotated[str | None, Field(max_length=256)] = None,
    ) -> dict[str, Any]:
        """Merge, unless the head has moved since it was reviewed."""
        path = f"{self.scope.demand(repo)}/pulls/{pull_number}/merge"
        sent = small_body(sha=sha, merge_method=method, commit_title=commit_title)
        look = f"Check with github_get_pull_request(pull_number={pull_number}) before trying again."
        answer = await self.write(
            ctx, "PUT", path, sent, look_first=look, missing=_MISSING, accept=frozenset({405})
        )
        said = answer.json()
        if answer.status == 405:
            raise Conflict(
                f"GitHub does not merge it: {str(said.get('message', ''))[:300]}",
                code="not_mergeable",
                upstream_status=405,
                hint="github_get_pull_request(include=['checks', 'reviews']) shows what is in the way.",
            )
        return small(number=pull_number, merged=said.get("merged"), sha=said.get("sha"))

    def _demand_fork(self, repo: str, owner: str) -> None:
        """Refuse another owner's fork that the allow-list does not have: its commits would be read here."""
        own, _, name = repo.strip().partition("/")
        if owner and owner.lower() != own.lower():
            self.scope.demand(f"{owner}/{name}")

    async def _part(
        self, ctx: Context, part: Part, place: str, path: str, row: dict[str, Any], room: int
    ) -> tuple[Any, bool]:
        """What belongs to a pull request, of each list the first hundred; and whether there is more."""
        if part == "diff":
            text = visible((await self.ask(ctx, path, media=DIFF)).text)
            shown = len(beginning(text, room))
            return cut(text, shown), len(text) > shown
        if part == "checks":
            sha = str((row.get("head") or {}).get("sha", ""))
            answer = await self.ask(ctx, f"{place}/commits/{in_path(sha)}/check-runs", {"per_page": MOST})
            checks = record_of(answer).get("check_runs") or ()
            return [trim.check_run(one) for one in checks], next_page(answer) is not None
        one_of = {"files": trim.changed_file, "reviews": trim.review, "comments": trim.comment}[part]
        answer = await self.ask(ctx, f"{path}/{part}", {"per_page": MOST})
        rows = answer.json()
        told = [one_of(one) for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []
        return told, next_page(answer) is not None


def _head(name: str) -> str:
    """A branch, with the owner of its fork before a colon. Raises InvalidInput."""
    owner, colon, branch = name.strip().rpartition(":")
    if colon and not _OWNER.fullmatch(owner):
        raise InvalidInput(
            f"{owner[:60]!r} is no owner.", code="bad_head", hint="Write branch or owner:branch."
        )
    return f"{owner}{colon}{branch_of(branch)}"
