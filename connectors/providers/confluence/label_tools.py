"""Labels of pages."""

from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.kit.cursors import Cursor
from connectors.kit.tidy import small, untrusted
from connectors.providers.confluence.base import V1, V2, ConfluenceBase
from connectors.providers.confluence.types import Limit, PageId
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

Label = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\s:;,.?&\[\]()#^*!@]+$")]
Labels = Annotated[list[Label], Field(min_length=1, max_length=20)]


class LabelTools(ConfluenceBase):
    """Labels as they are read, added and removed."""

    @tool(
        title="Get labels", hint="R", open_world=True, cache="M", default_on=False,
        tags=("confluence:page:{page_id}",),
    )  # fmt: skip
    async def confluence_get_labels(
        self, ctx: Context, page_id: PageId, limit: Limit = 100, cursor: Cursor = None
    ) -> ToolResult:
        """A page's labels."""
        await self.demand_page(ctx, page_id)
        page = await self._list(
            ctx, "confluence_get_labels", f"{V2}/pages/{page_id}/labels", {"page": page_id},
            cursor=cursor, limit=limit, row=_label, known=(),
        )  # fmt: skip
        return untrusted(page)

    @tool(title="Add labels", hint="I", toolset="write", open_world=True, tags=("confluence:page:{page_id}",))
    async def confluence_add_labels(self, ctx: Context, page_id: PageId, labels: Labels) -> ToolResult:
        """Label a page; labels that it has already stay."""
        await self.demand_page(ctx, page_id)
        body = [{"prefix": "global", "name": name.lower()} for name in labels]
        told = await self._json(
            ctx, Request("POST", f"{V1}/content/{page_id}/label", Kind.REPEATABLE, json=body)
        )
        names = [str(row.get("name") or row.get("label")) for row in told.get("results") or []]
        return untrusted({"page_id": page_id, "labels": names})

    @tool(
        title="Remove a label", hint="DI", toolset="delete", open_world=True, default_on=False,
        tags=("confluence:page:{page_id}",),
    )  # fmt: skip
    async def confluence_remove_label(self, ctx: Context, page_id: PageId, label: Label) -> ToolResult:
        """Take a label from a page."""
        await self.demand_page(ctx, page_id)
        request = Request(
            "DELETE", f"{V1}/content/{page_id}/label", Kind.REPEATABLE, params={"name": label.lower()}
        )
        await self._send(ctx, request)
        return untrusted({"page_id": page_id, "label": label.lower(), "removed": True})


def _label(row: dict[str, Any]) -> dict[str, Any]:
    prefix = row.get("prefix")
    return small(id=str(row["id"]), name=row.get("name"), prefix=None if prefix == "global" else prefix)
