"""Which repositories there are."""

import asyncio
from typing import Annotated, Any, Final, Literal

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, NotPermitted
from connectors.kit.cursors import Cursor, Page, next_cursor, page_of, position_of
from connectors.kit.fields import Fields, pick, pick_each
from connectors.kit.tidy import untrusted
from connectors.providers.github import trim
from connectors.providers.github.account_tools import AccountTools
from connectors.providers.github.scope import login_of
from connectors.providers.github.types import Limit, Repo

_RESULT = ("repo", "url")
_LIST: Final = "github_list_repositories"
_UNSEEN: Final = frozenset({404, 451})
MOST_ASKED: Final = 25  # repositories of an allow-list that one call asks for
_SORTED: Final = {
    "created": ("created_at", True), "updated": ("updated_at", True), "pushed": ("pushed_at", True),
    "full_name": ("full_name", False),
}  # fmt: skip


class RepositoryTools(AccountTools):
    """Repositories."""

    @tool(
        title="List repositories",
        hint="R",
        name="github_list_repositories",
        aliases=("list_repositories",),
        open_world=True,
        required=True,
        cache="M",
        tags=("repositories",),
    )
    async def list_repositories(
        self,
        ctx: Context,
        username: str | None = None,
        org: str | None = None,
        sort: Literal["created", "updated", "pushed", "full_name"] = "pushed",
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Repositories of this credential, of a user or of an organisation."""
        if username and org:
            raise InvalidInput("Name a user or an organisation, not both.", code="bad_arguments")
        if not (username or org or self.scope.owners or await self.is_app(ctx)) and self.scope.repositories:
            return await self._allowed(ctx, sort, limit, cursor, fields)
        if owner := org or username:
            self.scope.demand_owner(login_of(owner))
        # Without a direction names ascend and times descend.
        params: dict[str, Any] = {"sort": sort}
        rows_in = ""
        if org:
            path = f"orgs/{login_of(org)}/repos"
        elif username:
            path = f"users/{login_of(username)}/repos"
        elif await self.is_app(ctx):
            path, params, rows_in = "installation/repositories", {}, "repositories"
        else:
            path = "user/repos"
        rows, turn, _ = await self.page(
            ctx, _LIST, path, params, limit, cursor, rows_in=rows_in,
            keep=lambda row: self.scope.has(str(row.get("full_name", ""))),
        )  # fmt: skip
        items = pick_each([trim.repository(row) for row in rows], fields, always=_RESULT)
        return untrusted(turn.page(ctx, items))

    async def _allowed(
        self, ctx: Context, sort: str, limit: int, cursor: str | None, fields: list[str] | None
    ) -> ToolResult:
        """The repositories that the allow-list names: among all of an account they may be few and far between."""
        query = {"sort": sort, "allowed": sorted(self.scope.repositories)}
        start = position_of(ctx, _LIST, query, cursor) or 0
        if not isinstance(start, int) or start < 0:
            raise InvalidInput("This cursor is of no use any more.", code="bad_cursor")
        end = start + min(limit, MOST_ASKED)
        told = await asyncio.gather(*(self._seen(ctx, name) for name in query["allowed"][start:end]))
        rows = [row for row in told if row is not None and self.scope.has(str(row.get("full_name")))]
        key, newest = _SORTED[sort]
        rows.sort(key=lambda row: str(row.get(key) or "").lower(), reverse=newest)
        following = next_cursor(ctx, _LIST, query, end if end < len(query["allowed"]) else None)
        items = pick_each([trim.repository(row) for row in rows], fields, always=_RESULT)
        return untrusted(page_of(items, following))

    async def _seen(self, ctx: Context, name: str) -> dict[str, Any] | None:
        """A repository of the allow-list; None where it is not seen, or has moved elsewhere."""
        try:
            answer = await self.ask(ctx, self.scope.demand(name), accept=_UNSEEN)
        except NotPermitted as error:
            if error.code != "repository_moved":
                raise
            return None
        row = answer.json() if answer.ok else None
        return row if isinstance(row, dict) else None

    @tool(
        title="Get a repository",
        hint="R",
        name="github_get_repository",
        open_world=True,
        cache="M",
        tags=("repositories",),
    )
    async def get_repository(self, ctx: Context, repo: Repo, fields: Fields = None) -> ToolResult:
        """A repository: default branch, visibility, what the credential may do in it."""
        row = await self.object(ctx, self.scope.demand(repo))
        return untrusted(pick(trim.repository(row, whole=True), fields, always=_RESULT))
