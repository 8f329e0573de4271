"""The tools that find keys by pattern: listing, paging, deleting."""

from typing import Annotated

from pydantic import Field

from common import signing
from connectors.base import Context, tool
from connectors.errors import InvalidInput
from connectors.providers.memory import types as t
from connectors.providers.memory.base import ANSWER, MemoryBase, characters
from connectors.providers.memory.values import check_pattern

CURSOR = "memory-scan"
CURSOR_SECONDS = 24 * 3600
STEP = 1000  # keys looked at per step of a walk
FITTING = 50  # keys that an answer has room for, however long they are


class PatternTools(MemoryBase):
    """Tools over the keys that match a pattern; the connector inherits them."""

    @tool(title="List keys", hint="R", required=True)
    async def cache_keys(
        self,
        ctx: Context,
        pattern: t.Pattern = "*",
        limit: Annotated[int, Field(ge=1, le=10_000, description="Most keys to list.")] = 1000,
    ) -> t.KeyList:
        """List this connection's keys that match a pattern, in alphabetical order.

        truncated=true says that there are more: narrow the pattern, or page with cache_scan.
        """
        check_pattern(pattern)
        found: set[str] = set()
        cursor = 0
        while len(found) <= limit:
            ctx.check_cancelled()
            cursor, keys = await self.store.page(cursor, pattern, STEP)
            found.update(keys)
            if cursor == 0:
                break
        items = _as_fits(sorted(found)[:limit])
        return {"items": items, "count": len(items), "truncated": len(found) > len(items)}

    @tool(title="Page through keys", hint="R", required=True)
    async def cache_scan(
        self,
        ctx: Context,
        cursor: Annotated[
            str | None,
            Field(max_length=4000, description="next_cursor of the page before; left out: the first page."),
        ] = None,
        match: t.Pattern = "*",
        count: Annotated[
            int,
            Field(
                ge=1, le=1000, description="About how many keys to look at; a page may hold more or fewer."
            ),
        ] = 100,
    ) -> t.KeyPage:
        """Page through this connection's keys that match a pattern, until next_cursor is null.

        A key that is there the whole time is given at least once; one that comes or goes meanwhile may be.
        An empty page is not the end while next_cursor is set.
        """
        check_pattern(match)
        bind = f"{self.connection.tenant_id}:{self.connection.id}:{ctx.caller.principal_id}"
        start = self._open_cursor(cursor, match, bind) if cursor else 0
        following, keys = await self.store.page(start, match, count)
        if characters(keys) > ANSWER:  # cut by the pipeline, the rest of the page would be lost
            following, keys = await self.store.page(start, match, FITTING)
        sealed = (
            signing.seal(CURSOR, [following, match], bind=bind, max_age=CURSOR_SECONDS) if following else None
        )
        items = sorted(set(keys))
        return {"items": items, "count": len(items), "next_cursor": sealed}

    @tool(title="Delete keys by pattern", hint="DI", toolset="delete")
    async def cache_delete_pattern(
        self,
        ctx: Context,
        pattern: t.Pattern,
        dry_run: Annotated[bool, Field(description="Only count what would be deleted.")] = False,
    ) -> t.PatternDeleted:
        """Delete this connection's keys that match a pattern; try it with dry_run=true first."""
        check_pattern(pattern)
        if not dry_run:
            deleted = await self.store.drop_matching(pattern)
            return {"pattern": pattern, "matched": deleted, "deleted": deleted}
        found: set[str] = set()
        cursor = -1
        while cursor != 0:
            ctx.check_cancelled()
            cursor, keys = await self.store.page(max(cursor, 0), pattern, STEP)
            found.update(keys)
        return {"pattern": pattern, "matched": len(found), "deleted": 0}

    def _open_cursor(self, cursor: str, match: str, bind: str) -> int:
        wrong = InvalidInput(
            "The cursor is not one of this listing, or it is too old.",
            code="invalid_cursor",
            hint="Start again without a cursor.",
        )
        try:
            following, pattern = signing.unseal(CURSOR, cursor, bind=bind)
        except signing.BadToken as error:
            raise wrong from error
        if pattern != match:
            raise InvalidInput(
                "The cursor belongs to another pattern.",
                code="invalid_cursor",
                hint=f"Go on with match={pattern!r}, or start again without a cursor.",
            )
        return int(following)


def _as_fits(keys: list[str]) -> list[str]:
    """The first of the keys that one answer has room for."""
    most = len(keys)
    while characters(keys[:most]) > ANSWER:
        most = most * 3 // 4
    return keys[:most]
