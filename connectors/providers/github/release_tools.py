"""Releases."""

from typing import Annotated, Final

from connectors.base import Context, ToolResult, tool
from connectors.kit.cursors import Cursor, Page, page_of
from connectors.kit.fields import Fields, pick, pick_each
from connectors.kit.tidy import untrusted
from connectors.providers.github import trim
from connectors.providers.github.base import GitHubBase
from connectors.providers.github.types import Limit, Repo

_RESULT: Final = ("tag", "url")
_NONE: Final = "It has no release that is published; github_list_releases shows all."


class ReleaseTools(GitHubBase):
    """Releases of a repository."""

    @tool(
        title="List releases",
        hint="R",
        name="github_list_releases",
        open_world=True,
        default_on=False,
        cache="M",
    )
    async def list_releases(
        self, ctx: Context, repo: Repo, limit: Limit = 10, cursor: Cursor = None, fields: Fields = None
    ) -> Annotated[ToolResult, Page]:
        """Releases, newest first."""
        path = f"{self.scope.demand(repo)}/releases"
        rows, following, _ = await self.page(ctx, "github_list_releases", path, {}, limit, cursor)
        items = pick_each([trim.release(row) for row in rows], fields, always=_RESULT)
        return untrusted(page_of(items, following))

    @tool(
        title="Get the latest release",
        hint="R",
        name="github_get_latest_release",
        open_world=True,
        default_on=False,
        cache="M",
    )
    async def get_latest_release(self, ctx: Context, repo: Repo, fields: Fields = None) -> ToolResult:
        """The latest release that is published, with its notes and files."""
        row = await self.object(ctx, f"{self.scope.demand(repo)}/releases/latest", missing=_NONE)
        return untrusted(pick(trim.release(row, whole=True), fields, always=_RESULT))
