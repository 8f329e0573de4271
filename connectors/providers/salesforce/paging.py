"""Lists of Salesforce, a page at a time: by offset for queries of ours, by locator for everybody else's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connectors.calling import Context
from connectors.kit.cursors import next_cursor, page_of, position_of
from connectors.kit.tables import as_table, columns_of, flat
from connectors.kit.tidy import UNTRUSTED, untrusted
from connectors.providers.salesforce import trim
from connectors.providers.salesforce.base import SalesforceBase, part
from connectors.providers.salesforce.queries import advice, nothing_found, query_of
from connectors.providers.salesforce.types import MAX_OFFSET
from connectors.results import Text, ToolResult

LEAST_BATCH: Final = 200  # Salesforce's batches have 200 to 2000 rows


class PagedBase(SalesforceBase):
    """Queries and their pages."""

    async def _page(
        self,
        ctx: Context,
        tool: str,
        object: str,
        fields: Sequence[str],
        conditions: Sequence[str],
        *,
        order_by: str,
        limit: int,
        cursor: str | None,
    ) -> tuple[dict[str, Any], str]:
        """A page of a query put together here, and the query."""
        whole = query_of(object, fields, conditions, order_by=order_by)
        offset = int(position_of(ctx, tool, {"q": whole}, cursor) or 0)
        asked = query_of(object, fields, conditions, order_by=order_by, limit=limit + 1, offset=offset)
        rows, instance = await self._rows(ctx, asked)
        items = trim.records(rows[:limit])
        items = items[: trim.fitting(items)]
        following = offset + len(items) if len(rows) > len(items) else None
        if following is not None and following > MAX_OFFSET:
            return trim.listed(ended(page_of(items)), instance), whole
        return trim.listed(page_of(items, next_cursor(ctx, tool, {"q": whole}, following)), instance), whole

    async def _rows(self, ctx: Context, query: str) -> tuple[list[dict[str, Any]], str]:
        """The first batch of a query, held against the allow-list."""
        await self._demand_query(ctx, query)
        found, instance = await self._get(
            ctx, "query", {"q": query}, advise=lambda said: advice(query, said), needs=("records",)
        )
        return list(found["records"]), instance

    async def _batched(
        self,
        ctx: Context,
        tool: str,
        key: Mapping[str, Any],
        first: tuple[str, Mapping[str, Any]],
        *,
        limit: int,
        cursor: str | None,
        advise: Callable[[str], str] | None = None,
        format: str = "json",
    ) -> dict[str, Any]:
        """A page of what Salesforce sends in batches: ``first`` is its path and parameters.

        The position is a batch's locator and a place in it, so that no row is left out where
        a page ends within a batch.
        """
        locator, place = position_of(ctx, tool, key, cursor) or (None, 0)
        path, params = (f"query/{part(locator)}", None) if locator else first
        headers = {"sforce-query-options": f"batchSize={max(LEAST_BATCH, limit)}"}
        found, instance = await self._get(ctx, path, params, headers=headers, advise=advise)
        # A parent's relationship leads to one record, and to no list.
        rows = list(found["records"] or ()) if "records" in found else [found]
        items = trim.records(rows[place : place + limit])
        items = items[: trim.fitting(items, format)]
        position: Any = None
        if place + len(items) < len(rows):
            position = [locator, place + len(items)]
        elif not found.get("done", True) and found.get("nextRecordsUrl"):
            position = [str(found["nextRecordsUrl"]).rpartition("/")[2], 0]
        page = page_of(items, next_cursor(ctx, tool, key, position), found.get("totalSize"))
        return trim.listed(page, instance)


def ended(page: Mapping[str, Any]) -> dict[str, Any]:
    """The last page that OFFSET reaches of a list that goes on."""
    hint = (
        f"There are more, but only the first {MAX_OFFSET:,} rows can be paged through here: narrow the condition down, "
        "or page with salesforce_query, which has no such end."
    )
    return {**page, "truncated": True, "hint": hint}


def with_note(page: Mapping[str, Any], query: str) -> dict[str, Any]:
    """The page; where it is empty, with what may be wrong with the query."""
    note = nothing_found(query) if not page["count"] and page["next_cursor"] is None else ""
    return {**page, "hint": note} if note else dict(page)


def told(page: Any, format: str, *, selected: Sequence[str] = ()) -> ToolResult:
    """A page of strangers' texts, in the form that was asked for; ``selected`` are a table's columns."""
    if format == "json":
        return untrusted(page)
    table = as_table(page, format, columns=_columns(page["items"], selected))
    beside = tuple(
        Text(f"{name}: {page[name]}") for name in (trim.RECORD_URL, "hint") if page.get(name)
    )  # also for who reads the table alone
    return ToolResult(table.structured, (*table.content, *beside), dict(UNTRUSTED))


def _columns(rows: Sequence[Mapping[str, Any]], selected: Sequence[str]) -> list[str]:
    """A table's columns in the order of the query, the same on all of its pages: also the empty ones."""
    rest = {name.lower(): name for name in columns_of(map(flat, rows))}
    return [*(rest.pop(name.lower(), name) for name in selected), *rest.values()]
