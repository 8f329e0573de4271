"""The tree of pages: what stands in a space, below and above a page."""

from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import Cursor, next_cursor, page_of, position_of
from connectors.kit.fields import Fields, demand_known, pick_each
from connectors.kit.tidy import small, untrusted
from connectors.providers.confluence import trim
from connectors.providers.confluence.base import V2, ConfluenceBase
from connectors.providers.confluence.types import Limit, PageId, SpaceKey, Title


class TreeTools(ConfluenceBase):
    """Lists of pages. They have no tags, so every write of this connection ends their kept results."""

    @tool(title="List pages", hint="R", open_world=True, cache="M")
    async def confluence_list_pages(
        self,
        ctx: Context,
        space_key: SpaceKey | None = None,
        title: Title | None = None,
        top_level: Annotated[bool, Field(description="Only pages that stand below no other.")] = False,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """The pages of a space, the last changed first."""
        space = await self.space(ctx, space_key)
        bound = {"space": space.id, "title": title, "top": top_level}
        page = await self._list(
            ctx, "confluence_list_pages", f"{V2}/spaces/{space.id}/pages", bound, cursor=cursor, limit=limit,
            row=lambda row: trim.row(self.site.url, row), known=trim.ROW, fields=fields,
            sort="-modified-date", title=title, depth="root" if top_level else None,
        )  # fmt: skip
        return untrusted(page)

    @tool(title="Get child pages", hint="R", open_world=True, cache="M")
    async def confluence_get_children(
        self,
        ctx: Context,
        page_id: PageId,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """The pages directly below a page, in their order."""
        await self.demand_page(ctx, page_id)
        page = await self._list(
            ctx, "confluence_get_children", f"{V2}/pages/{page_id}/direct-children", {"page": page_id},
            cursor=cursor, limit=limit, row=self._node, known=trim.NODE, fields=fields,
        )  # fmt: skip
        return untrusted(page)

    @tool(title="Get pages above", hint="R", open_world=True, cache="M", default_on=False)
    async def confluence_get_ancestors(
        self,
        ctx: Context,
        page_id: PageId,
        limit: Limit = 100,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """The pages above a page, from the top down: the nearest ones, then those above them."""
        demand_known(fields, trim.NODE)
        await self.demand_page(ctx, page_id)
        at = position_of(ctx, "confluence_get_ancestors", {"page": page_id}, cursor) or page_id
        told = await self._get(ctx, f"{V2}/pages/{at}/ancestors", limit=limit)
        rows = told.get("results") or []
        if more := len(rows) >= limit:  # what is above a part is asked for by the id of its first page
            rows = rows[next((place for place, row in enumerate(rows) if not _kind(row)), 0) :]
        ids = [str(row["id"]) for row in rows if row.get("type", "page") == "page" and not row.get("title")]
        titles = await self._titles(ctx, ids) if ids else {}
        items = [
            small(
                id=str(row["id"]),
                title=row.get("title") or titles.get(str(row["id"])),
                type=_kind(row),
                url=self._address(str(row["id"]), row),
            )
            for row in rows
        ]
        following = next_cursor(
            ctx, "confluence_get_ancestors", {"page": page_id}, str(rows[0]["id"]) if more else None
        )
        return untrusted(page_of(pick_each(items, fields), following))

    @tool(title="Get a page tree", hint="R", open_world=True, cache="M", default_on=False)
    async def confluence_get_page_tree(
        self,
        ctx: Context,
        page_id: PageId | None = None,
        space_key: SpaceKey | None = None,
        depth: Annotated[int, Field(ge=1, le=5)] = 2,
        limit: Limit = 100,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """What stands below a page, or below a space's home page, several levels deep."""
        if page_id:
            await self.demand_page(ctx, page_id)
        else:
            space = await self.space(ctx, space_key)
            told = await self._get(ctx, f"{V2}/spaces/{space.id}")
            page_id = str(told.get("homepageId") or "")
            if not page_id:
                raise InvalidInput(
                    f"The space {space.key} has no home page.", hint="confluence_list_pages lists its pages."
                )
        bound = {"page": page_id, "depth": depth}
        page = await self._list(
            ctx, "confluence_get_page_tree", f"{V2}/pages/{page_id}/descendants", bound,
            cursor=cursor, limit=limit, row=self._node, known=trim.NODE, fields=fields, depth=depth,
        )  # fmt: skip
        return untrusted({"root": page_id, **page})

    async def _titles(self, ctx: Context, ids: list[str]) -> dict[str, str]:
        told = await self._get(ctx, f"{V2}/pages", id=ids, limit=len(ids))
        return {str(row["id"]): str(row.get("title") or "") for row in told.get("results") or []}

    def _node(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of the tree; only pages have an address that is made of their id."""
        id = str(row["id"])
        return small(
            id=id,
            title=row.get("title"),
            type=_kind(row),
            parent_id=row.get("parentId"),
            depth=row.get("depth"),
            url=self._address(id, row),
        )

    def _address(self, id: str, row: dict[str, Any]) -> str:
        known = trim.url_of(self.site.url, row)
        return known or ("" if _kind(row) else f"{self.site.url}/wiki/pages/viewpage.action?pageId={id}")


def _kind(row: dict[str, Any]) -> str | None:
    """What a row is, where it is no page: a folder, a whiteboard, a database."""
    kind = str(row.get("type") or "page")
    return None if kind == "page" else kind
