"""The tools that count."""

from typing import Annotated

from pydantic import Field

from connectors.base import Context, tool
from connectors.errors import InvalidInput
from connectors.providers.memory import types as t
from connectors.providers.memory.base import MemoryBase
from connectors.providers.memory.values import check_key


class CounterTools(MemoryBase):
    """Tools for whole numbers; the connector inherits them."""

    @tool(title="Add to a number", hint="W", toolset="write", required=True)
    async def cache_incr(
        self,
        ctx: Context,
        key: t.Key,
        amount: Annotated[t.Amount, Field(description="How much to add.")] = 1,
        ttl: Annotated[
            t.Seconds | None, Field(description="Seconds to live of a number that is new.")
        ] = None,
    ) -> t.Number:
        """Add to the whole number under a key and return the sum; a missing key counts as 0.

        Callers at once never lose a step. An existing number keeps its time to live.
        """
        return await self._add(key, amount, ttl)

    @tool(title="Subtract from a number", hint="W", toolset="write", required=True)
    async def cache_decr(
        self,
        ctx: Context,
        key: t.Key,
        amount: Annotated[t.Amount, Field(description="How much to subtract.")] = 1,
        ttl: Annotated[
            t.Seconds | None, Field(description="Seconds to live of a number that is new.")
        ] = None,
    ) -> t.Number:
        """Subtract from the whole number under a key and return the rest; a missing key counts as 0.

        Callers at once never lose a step. An existing number keeps its time to live.
        """
        return await self._add(key, -amount, ttl)

    async def _add(self, key: str, amount: int, ttl: float | None) -> t.Number:
        if abs(amount) > t.MAX_INT:
            raise InvalidInput("The amount does not fit into 64 bits.", code="invalid_amount")
        done = await self.store.add(check_key(key), amount, self.lifetime(ttl))
        if isinstance(done, tuple):
            return {"key": key, "value": int(done[0]), "created": done[1]}
        if "overflow" in done:
            raise InvalidInput(
                f"The result would not fit into 64 bits; {key!r} stays as it was.", code="overflow"
            )
        raise InvalidInput(
            f"{key!r} holds no whole number.", code="not_an_integer", hint="Look at it with cache_get."
        )
