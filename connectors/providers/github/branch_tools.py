"""Branches, commits, and what differs between them."""

from typing import Annotated, Any, Final

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.kit.cursors import Cursor, Page
from connectors.kit.fields import Fields, pick, pick_each
from connectors.kit.tidy import untrusted
from connectors.providers.github import trim
from connectors.providers.github.answers import next_page
from connectors.providers.github.base import GitHubBase, record_of
from connectors.providers.github.moments import moment
from connectors.providers.github.scope import branch_of, file_path, in_path, ref_of
from connectors.providers.github.types import Branch, Limit, Repo, Since, Text

_MISSING: Final = "github_list_branches names the branches."
_RESULT: Final = ("sha", "url")
MAX_FILES: Final = 100
MOST_COMPARED: Final = 300  # files that GitHub tells of a comparison


class BranchTools(GitHubBase):
    """Branches and history."""

    @tool(
        title="List branches",
        hint="R",
        name="github_list_branches",
        aliases=("list_branches",),
        open_world=True,
        required=True,
        cache="S",
    )
    async def list_branches(
        self, ctx: Context, repo: Repo, limit: Limit = 25, cursor: Cursor = None, fields: Fields = None
    ) -> Annotated[ToolResult, Page]:
        """A repository's branches."""
        path = f"{self.scope.demand(repo)}/branches"
        rows, turn, _ = await self.page(ctx, "github_list_branches", path, {}, limit, cursor)
        items = pick_each([trim.branch(row) for row in rows], fields, always=("name",))
        return untrusted(turn.page(ctx, items))

    @tool(
        title="Get a branch",
        hint="R",
        name="github_get_branch_info",
        aliases=("get_branch_info",),
        open_world=True,
        required=True,
        cache="S",
    )
    async def get_branch_info(self, ctx: Context, repo: Repo, branch_name: Text) -> ToolResult:
        """A branch and its last commit."""
        row = await self.branch_row(ctx, repo, branch_of(branch_name))
        last = row.get("commit")
        made = trim.branch(row)
        return untrusted(
            {**made, "commit": trim.commit(last, whole=True) if isinstance(last, dict) else None}
        )

    @tool(
        title="Create a branch",
        hint="W",
        name="github_create_branch",
        aliases=("create_branch",),
        toolset="write",
        open_world=True,
        required=True,
        tags=("branches",),
    )
    async def create_branch(
        self, ctx: Context, repo: Repo, branch_name: Text, source_branch: Branch = None
    ) -> ToolResult:
        """A new branch at the last commit of another."""
        place, name = self.scope.demand(repo), branch_of(branch_name)
        source = await self.branch_or_default(ctx, repo, source_branch)
        found = await self.object(ctx, f"{place}/git/ref/heads/{in_path(source)}", missing=_MISSING)
        body = {"ref": f"refs/heads/{name}", "sha": found["object"]["sha"]}
        look = f"Check with github_get_branch_info(branch_name={name!r}) before trying again."
        said = (await self.write(ctx, "POST", f"{place}/git/refs", body, look_first=look)).json()
        return ToolResult(structured={"name": name, "sha": said["object"]["sha"], "source_branch": source})

    @tool(
        title="List commits",
        hint="R",
        name="github_list_commits",
        open_world=True,
        cache="M",
        tags=("contents",),
    )
    async def list_commits(
        self,
        ctx: Context,
        repo: Repo,
        branch: Branch = None,
        path: str = "",
        since: Since = None,
        limit: Limit = 10,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Commits, newest first; path: only those that changed it."""
        params = {
            "sha": self.branch(branch),
            "path": file_path(path, root=True) or None,
            "since": moment(since),
        }
        place = f"{self.scope.demand(repo)}/commits"
        rows, turn, _ = await self.page(
            ctx,
            "github_list_commits",
            place,
            params,
            limit,
            cursor,
            missing=_MISSING if params["sha"] else "",
        )
        items = pick_each([trim.commit(row) for row in rows], fields, always=_RESULT)
        return untrusted(turn.page(ctx, items))

    @tool(
        title="Get a commit",
        hint="R",
        name="github_get_commit",
        open_world=True,
        cache="M",
        tags=("contents",),
    )
    async def get_commit(
        self,
        ctx: Context,
        repo: Repo,
        ref: Text,
        detail: Annotated[bool, Field(description="With each file's patch.")] = False,
        fields: Fields = None,
    ) -> ToolResult:
        """A commit (sha, branch or tag) and the files it changed."""
        place = f"{self.scope.demand(repo)}/commits/{in_path(ref_of(ref))}"
        answer = await self.ask(ctx, place, {"per_page": MAX_FILES}, missing=_MISSING)
        row = record_of(answer)
        files = [trim.changed_file(one, patch=detail) for one in row.get("files") or ()]
        made = {**trim.commit(row, whole=True), "files": files, "stats": trim.stats(row.get("stats"))}
        if next_page(answer):
            made["truncated"] = True
        return untrusted(pick(made, fields, always=_RESULT))

    @tool(
        title="Compare commits",
        hint="R",
        name="github_compare_commits",
        open_world=True,
        default_on=False,
        cache="M",
        tags=("contents",),
    )
    async def compare_commits(
        self,
        ctx: Context,
        repo: Repo,
        base: Text,
        head: Text,
        detail: Annotated[bool, Field(description="With each file's patch.")] = False,
    ) -> ToolResult:
        """What head has that base has not."""
        basehead = f"{in_path(ref_of(base))}...{in_path(ref_of(head))}"
        place = f"{self.scope.demand(repo)}/compare/{basehead}"
        answer = await self.ask(ctx, place, {"per_page": MAX_FILES}, missing=_MISSING)
        row = record_of(answer)
        numbers = {name: row.get(name) for name in ("status", "ahead_by", "behind_by", "total_commits")}
        commits = [trim.commit(one) for one in row.get("commits") or ()]
        files = [trim.changed_file(one, patch=detail) for one in row.get("files") or ()]
        made = {**numbers, "commits": commits, "files": files, "url": row.get("html_url")}
        if next_page(answer) or len(files) >= MOST_COMPARED:
            made["truncated"] = True
        return untrusted(made)

    async def branch_row(self, ctx: Context, repo: str, name: str) -> dict[str, Any]:
        """A branch as GitHub tells it."""
        path = f"{self.scope.demand(repo)}/branches/{in_path(name)}"
        row: dict[str, Any] = await self.object(ctx, path, missing=_MISSING)
        return row
