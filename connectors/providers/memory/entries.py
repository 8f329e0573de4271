"""The tools for single entries: storing, reading and deleting, and asking which are there."""

from typing import Annotated, Literal

from pydantic import Field

from connectors.base import Context, tool
from connectors.providers.memory import types as t
from connectors.providers.memory.base import MemoryBase, in_seconds
from connectors.providers.memory.values import check_key, check_keys, decode, encode


class EntryTools(MemoryBase):
    """Tools for single entries; the connector inherits them."""

    @tool(title="Set a value", hint="I", toolset="write", required=True)
    async def cache_set(
        self,
        ctx: Context,
        key: t.Key,
        value: t.Value,
        ttl: t.Ttl = None,
        only_if: Annotated[
            Literal["absent", "present"] | None,
            Field(description="Store only when the key is absent, or only when it is present."),
        ] = None,
    ) -> t.Stored:
        """Store a JSON value under a key, replacing what was there, and start its time to live anew.

        With only_if="absent" the call works as a lock: of many callers exactly one gets stored=true.
        """
        text = encode(value, most=self.settings.max_value_bytes, key=check_key(key))
        lifetime = self.lifetime(ttl)
        stored, created, _, _ = await self.store.put([(key, text)], lifetime, only_if or "")
        return {
            "key": key,
            "stored": stored,
            "created": bool(created),
            "size_bytes": len(text.encode()),
            "expires_in": in_seconds(lifetime) if stored else None,
        }

    @tool(title="Get a value", hint="R", required=True)
    async def cache_get(self, ctx: Context, key: t.Key) -> t.Found:
        """Read the value of a key; found=false when there is none or it has expired."""
        data = await self.store.get(check_key(key))
        return {"key": key, "found": data is not None, "value": decode(data)}

    @tool(title="Get a value or set it", hint="I", toolset="write")
    async def cache_get_or_set(
        self, ctx: Context, key: t.Key, value: t.Value, ttl: t.Ttl = None
    ) -> t.GotOrSet:
        """Read the value of a key, or store this one when there is none; callers at once all get the same value."""
        text = encode(value, most=self.settings.max_value_bytes, key=check_key(key))
        stored, _, _, kept = await self.store.put([(key, text)], self.lifetime(ttl), "absent")
        return {"key": key, "value": value if stored else decode(kept), "created": stored}

    @tool(title="Delete keys", hint="DI", toolset="delete", required=True)
    async def cache_delete(self, ctx: Context, keys: t.Keys) -> t.Deleted:
        """Delete keys with their values; keys that are not there are counted as missing."""
        checked = check_keys(keys)
        deleted = await self.store.drop(checked)
        return {"deleted": deleted, "missing": len(checked) - deleted}

    @tool(title="Ask which keys exist", hint="R", required=True)
    async def cache_exists(self, ctx: Context, keys: t.Keys) -> t.Exists:
        """Tell for each key whether it is there, without reading its value."""
        checked = check_keys(keys)
        found = dict(zip(checked, await self.store.exists(checked), strict=True))
        return {"exists": found, "count": sum(found.values())}
