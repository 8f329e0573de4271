"""The tools for how long keys live."""

from typing import Annotated

from pydantic import Field

from connectors.base import Context, tool
from connectors.providers.memory import types as t
from connectors.providers.memory.base import MemoryBase, in_seconds
from connectors.providers.memory.values import check_key, check_keys


class ExpiryTools(MemoryBase):
    """Tools for times to live; the connector inherits them."""

    @tool(title="Set a key's time to live", hint="I", toolset="write", required=True)
    async def cache_expire(
        self,
        ctx: Context,
        key: t.Key,
        seconds: Annotated[t.Seconds, Field(description="Seconds to live from now; fractions count.")],
    ) -> t.Expiry:
        """Let a key disappear after so many seconds from now; exists=false when it is not there."""
        lifetime = self.lifetime(seconds)
        there, _ = await self.store.expire([check_key(key)], lifetime)
        return {"key": key, "exists": bool(there), "ttl": in_seconds(lifetime) if there else None}

    @tool(title="Get a key's time to live", hint="R", required=True)
    async def cache_ttl(self, ctx: Context, key: t.Key) -> t.Expiry:
        """Tell how many seconds a key has left; ttl is null for a key that stays, or that is not there."""
        left = await self.store.ttl_ms(check_key(key))
        return {"key": key, "exists": left != -2, "ttl": left / 1000 if left >= 0 else None}

    @tool(title="Renew keys", hint="I", toolset="write")
    async def cache_touch(self, ctx: Context, keys: t.Keys, ttl: t.Ttl = None) -> t.Touched:
        """Start the time to live of keys anew without touching their values.

        Without ttl the connection's default holds, which may be that the keys stay.
        """
        checked, lifetime = check_keys(keys), self.lifetime(ttl)
        there, _ = await self.store.expire(checked, lifetime)
        return {"touched": there, "missing": len(checked) - there, "expires_in": in_seconds(lifetime)}
