"""The tools for lists."""

from typing import Annotated, Any

import orjson
from pydantic import Field

from connectors.base import Context, tool
from connectors.errors import InvalidInput
from connectors.providers.memory import types as t
from connectors.providers.memory.base import ANSWER, MemoryBase
from connectors.providers.memory.values import check_key, decode, encode


class ListTools(MemoryBase):
    """Tools that append to lists and read them in parts; the connector inherits them."""

    @tool(title="Append to a list", hint="W", toolset="write")
    async def cache_append_list(
        self,
        ctx: Context,
        key: t.Key,
        items: Annotated[
            list[Any], Field(min_length=1, max_length=1000, description="JSON values to append.")
        ],
        ttl: Annotated[t.Seconds | None, Field(description="Seconds to live of a list that is new.")] = None,
    ) -> t.Appended:
        """Append values to the list under a key, making it when there is none.

        Callers at once never lose an item. An existing list keeps its time to live.
        """
        if not items:
            raise InvalidInput("Give at least one item.", code="invalid_value")
        text = encode(items, most=self.settings.max_value_bytes, key=check_key(key))
        done = await self.store.append(key, text[1:-1], self.lifetime(ttl))
        if done == "no list":
            raise InvalidInput(
                f"{key!r} holds no list.", code="not_a_list", hint="Look at it with cache_get."
            )
        if isinstance(done, str):
            raise InvalidInput(
                f"The list would be larger than {self.settings.max_value_bytes:,} bytes.",
                code="value_too_large",
                hint="Start a new list under another key, or delete this one.",
            )
        return {"key": key, "appended": len(items), "length": len(decode(done[0])), "created": done[1]}

    @tool(title="Get items of a list", hint="R")
    async def cache_get_list(
        self,
        ctx: Context,
        key: t.Key,
        start: Annotated[int, Field(description="First item, from 0; -10 is the tenth from the end.")] = 0,
        limit: Annotated[int, Field(ge=1, le=10_000, description="Most items to give.")] = 1000,
    ) -> t.ListSlice:
        """Read items of the list under a key; found=false when there is none.

        Fewer than limit come where they would make the answer too long: go on at start + count.
        """
        whole = decode(await self.store.get(check_key(key)))
        if whole is not None and not isinstance(whole, list):
            raise InvalidInput(f"{key!r} holds no list.", code="not_a_list", hint="Read it with cache_get.")
        found: list[Any] = whole or []
        first = max(0, len(found) + start) if start < 0 else start
        items = _as_fits(found[first : first + limit])
        return {
            "key": key,
            "found": whole is not None,
            "items": items,
            "count": len(items),
            "length": len(found),
        }


def _as_fits(items: list[Any]) -> list[Any]:
    """The first of the items that one answer has room for, and always one."""
    most = len(items)
    while most > 1 and len(orjson.dumps(items[:most])) > ANSWER:
        most = most * 3 // 4
    return items[:most]
