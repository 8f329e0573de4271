"""Deleting, moving and copying pages; who the connection is."""

from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import ConnectorError, InvalidInput, NotFound
from connectors.kit.tidy import person, small, untrusted
from connectors.providers.confluence import trim
from connectors.providers.confluence.base import V1, V2, ConfluenceBase, demand_title
from connectors.providers.confluence.types import PageId, SpaceKey, Title
from connectors.providers.confluence.writing_tools import taken
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind


class ManagingTools(ConfluenceBase):
    """What changes where pages are, and whether they are."""

    @tool(
        title="Delete a page", hint="DI", toolset="delete", open_world=True, default_on=False,
        tags=("confluence:page:{page_id}",),
    )  # fmt: skip
    async def confluence_delete_page(
        self,
        ctx: Context,
        page_id: PageId,
        purge: Annotated[bool, Field(description="Also out of the trash: for good.")] = False,
    ) -> ToolResult:
        """Put a page into the trash of its space; a draft is gone for good."""
        try:
            page = await self.page(ctx, page_id, body=False)
        except NotFound:
            if not purge:
                raise
            page = await self.page(ctx, page_id, body=False, status="trashed")
        draft, trashed = page.get("status") == "draft", page.get("status") == "trashed"
        if not trashed:
            await self._delete(ctx, page_id, "draft" if draft else "")
        if purge and not draft:
            try:
                await self._delete(ctx, page_id, "purge")
            except ConnectorError as error:
                error.hint = "The page is in the trash; to purge it, one administers its space."
                raise
        return untrusted(
            {"id": page_id, "title": page.get("title"), "deleted": True, "purged": purge or draft}
        )

    async def _delete(self, ctx: Context, page_id: str, how: str) -> None:
        params = {how: "true"} if how else None
        await self._send(ctx, Request("DELETE", f"{V2}/pages/{page_id}", Kind.REPEATABLE, params=params))

    @tool(title="Move a page", hint="I", toolset="write", open_world=True, default_on=False)
    async def confluence_move_page(
        self,
        ctx: Context,
        page_id: PageId,
        target_id: PageId,
        position: Annotated[
            Literal["append", "before", "after"], Field(description="Below the target, or beside it.")
        ] = "append",
    ) -> ToolResult:
        """Move a page, with all below it, to another place in the tree."""
        if page_id == target_id:
            raise InvalidInput("A page cannot be moved to itself.")
        await self.page(ctx, page_id, body=False)
        target = await self.page(ctx, target_id, body=False)
        if position != "append" and not target.get("parentId"):  # so says the vendor of this request
            raise InvalidInput(
                f"The page {target_id} stands at the top of its space: beside it a page is in no tree.",
                hint='Use position="append" with the page that it belongs below.',
            )
        path = f"{V1}/content/{page_id}/move/{position}/{target_id}"
        await self._send(ctx, Request("PUT", path, Kind.REPEATABLE))
        moved = await self.page(ctx, page_id, body=False)
        return untrusted(trim.page(self.site.url, moved, target["space_key"]))

    @tool(
        title="Copy a page", hint="W", toolset="write", open_world=True, default_on=False,
        tags=("confluence:page:{parent_id}",),
    )  # fmt: skip
    async def confluence_copy_page(
        self,
        ctx: Context,
        page_id: PageId,
        title: Title,
        parent_id: Annotated[PageId, Field(description="The page that the copy stands below.")] | None = None,
        space_key: Annotated[SpaceKey, Field(description="Instead: at the top of this space.")] | None = None,
        attachments: bool = True,
        labels: bool = True,
    ) -> ToolResult:
        """Copy a page, without those below it."""
        demand_title(title)
        await self.page(ctx, page_id, body=False)
        if parent_id:
            key = str((await self.page(ctx, parent_id, body=False))["space_key"])
            if space_key and space_key.casefold() != key.casefold():
                raise InvalidInput(
                    f"The page {parent_id} is in the space {key}, not in {space_key}.",
                    hint="Give parent_id or space_key.",
                )
            where = {"type": "parent_page", "value": parent_id}
        else:
            key = (await self.space(ctx, space_key)).key
            where = {"type": "space", "value": key}
        body = {
            "copyAttachments": attachments,
            "copyLabels": labels,
            "pageTitle": title,
            "destination": where,
        }
        look = (
            f'Check with confluence_get_page(title="{title[:100]}", space_key="{key}") before trying again.'
        )
        request = Request("POST", f"{V1}/content/{page_id}/copy", Kind.ONCE, json=body, look_first=look)
        try:
            told = await self._json(ctx, request)
        except InvalidInput as error:
            raise taken(error, title, key) from None
        return untrusted(
            small(
                id=str(told["id"]),
                title=told.get("title"),
                space=key,
                parent_id=parent_id,
                url=trim.url_of(self.site.url, told),
            )
        )

    @tool(title="Get connection info", hint="R", open_world=True, default_on=False)
    async def confluence_connection_info(self, ctx: Context) -> ToolResult:
        """Whose account this is, at which site, which spaces it is limited to, what is left of the limit."""
        place = await self.place(ctx)
        answer = await self._send(ctx, Request("GET", self.whoami, Kind.READ))
        quota = answer.quota
        left: dict[str, Any] = {"limit": quota.limit, "remaining": quota.remaining} if quota else {}
        return untrusted(
            small(
                account=person(answer.json()),
                site=self.site.url,
                way=place.way,
                only_spaces=self.settings.spaces,
                default_space=self.settings.default_space,
                quota=left,
            )
        )
