"""Versions of pages: who changed what, what a page said then, how two of them differ."""

import asyncio
import difflib
from typing import Annotated, Any, Final

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.kit.cursors import Cursor
from connectors.kit.fields import Fields
from connectors.kit.tidy import cut, untrusted, visible
from connectors.providers.confluence import trim
from connectors.providers.confluence.base import V2, ConfluenceBase
from connectors.providers.confluence.bodies import markdown_of
from connectors.providers.confluence.types import Limit, PageId

Number = Annotated[int, Field(ge=1, description="A version's number.")]
MAX_LINES: Final = 4_000  # comparing takes the square of it at worst
MAX_DIFF: Final = 20_000
_TAGS: Final = ("confluence:page:{page_id}",)


class HistoryTools(ConfluenceBase):
    """Versions as they are listed, read and compared."""

    @tool(title="Get a page's history", hint="R", open_world=True, cache="L", tags=_TAGS)
    async def confluence_get_page_history(
        self,
        ctx: Context,
        page_id: PageId,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """A page's versions, the last first; `by` is a key of `people`."""
        await self.demand_page(ctx, page_id)
        page = await self._list(
            ctx, "confluence_get_page_history", f"{V2}/pages/{page_id}/versions", {"page": page_id},
            cursor=cursor, limit=limit, row=trim.version, known=trim.VERSION, fields=fields, sort="-modified-date",
        )  # fmt: skip
        people = _told_once(page["items"])
        return untrusted({**page, "people": people} if people else page)

    @tool(title="Get a page's version", hint="R", open_world=True, cache="L", tags=_TAGS, default_on=False)
    async def confluence_get_page_version(
        self,
        ctx: Context,
        page_id: PageId,
        version: Number,
        start: Annotated[int, Field(ge=0, description="next_start of the part before.")] = 0,
        max_chars: Annotated[int, Field(ge=500, le=50_000)] = 20_000,
    ) -> ToolResult:
        """What a page said at a version, as Markdown."""
        record = await self.page(ctx, page_id, version=version)
        text = visible(await markdown_of(record))
        part = text[start : start + max_chars]
        made = {
            **trim.page(self.site.url, record, record["space_key"]),
            "content": part,
            "characters": len(text),
        }
        if start + len(part) < len(text):
            made["next_start"] = start + len(part)
        return untrusted(made)

    @tool(title="Compare versions", hint="R", open_world=True, cache="L", tags=_TAGS, default_on=False)
    async def confluence_diff_versions(
        self,
        ctx: Context,
        page_id: PageId,
        from_version: Number,
        to_version: Annotated[int, Field(ge=1, description="The last one unless said.")] | None = None,
    ) -> ToolResult:
        """How two versions of a page differ, as a unified diff of their Markdown."""
        former = await self.page(ctx, page_id, version=from_version)
        later = await self.page(ctx, page_id, version=to_version)
        whole = [visible(await markdown_of(one)).splitlines() for one in (former, later)]
        before, after = [lines[:MAX_LINES] for lines in whole]
        first, last = [f"version {trim.version_of(one)}" for one in (former, later)]
        lines = await asyncio.to_thread(
            lambda: list(difflib.unified_diff(before, after, first, last, lineterm="", n=2))
        )
        made = {
            "id": page_id,
            "from_version": from_version,
            "to_version": trim.version_of(later),
            "diff": cut("\n".join(lines), MAX_DIFF),
        }
        if any(len(one) > MAX_LINES for one in whole):
            made["truncated"] = f"Compared are the first {MAX_LINES:,} lines."
        elif not lines:
            made["hint"] = (
                "Their Markdown is the same; confluence_get_page with raw shows the storage format."
            )
        if former.get("title") != later.get("title"):
            made["titles"] = [former.get("title"), later.get("title")]
        return untrusted(made)


def _told_once(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The people of the rows by a short key, which stands in the rows instead: few people make most versions."""
    people: list[Any] = []
    for row in rows:
        if "by" in row:
            if row["by"] not in people:
                people.append(row["by"])
            row["by"] = f"p{people.index(row['by']) + 1}"
    return {f"p{number}": one for number, one in enumerate(people, 1)}
