"""The memory connector: its 20 tools, those over the whole of it, and its test."""

import time
from typing import Annotated, cast

import redis.exceptions
from pydantic import Field

from common.redis import async_client
from connectors.base import CheckResult, ConnectionRef, Context, tool
from connectors.errors import ConnectorError, InvalidInput
from connectors.providers.memory import types as t
from connectors.providers.memory.batches import BatchTools
from connectors.providers.memory.counters import CounterTools
from connectors.providers.memory.entries import EntryTools
from connectors.providers.memory.expiry import ExpiryTools
from connectors.providers.memory.lists import ListTools
from connectors.providers.memory.patterns import PatternTools
from connectors.providers.memory.purge import purge_connection


class Memory(ListTools, CounterTools, BatchTools, PatternTools, ExpiryTools, EntryTools):
    """Values that agents keep between calls, shared by a tenant's callers of one connection."""

    slug = "memory"
    title = "Memory"
    description = "Keys and JSON values that agents keep between calls, with expiry, counters and lists."
    icon = "memory"
    built_in = True
    instructions = (
        "Keeps JSON values under keys, shared by everybody who uses this connection. Name keys in parts "
        "(project:42:summary) so that cache_keys and cache_delete_pattern can find them by pattern. Give "
        "short-lived values a ttl. Read several keys with cache_mget and write several with cache_mset. Count "
        "with cache_incr, never by reading and writing back. Do not store passwords or other secrets here."
    )

    @classmethod
    def on_deleted(cls, connection: ConnectionRef) -> None:
        """Take the connection's keys out of Redis."""
        purge_connection(connection.tenant_id, connection.id)

    @tool(title="Delete everything", hint="DI", toolset="delete", required=True)
    async def cache_flush(
        self,
        ctx: Context,
        confirm: Annotated[
            bool, Field(description="Must be true: everything in this connection goes.")
        ] = False,
    ) -> t.Flushed:
        """Delete all keys of this connection, and of no other connection or tenant."""
        if confirm is not True:
            raise InvalidInput(
                "This deletes every key of the connection.",
                code="confirmation_required",
                hint="Call again with confirm=true, or delete a part with cache_delete_pattern.",
            )
        return {"deleted": await self.store.drop_matching("*"), "connection": self.connection.slug}

    @tool(title="Show what is in use", hint="R", required=True)
    async def cache_info(self, ctx: Context) -> t.Info:
        """Tell how many keys and bytes this connection and all memory of the tenant hold, and the limits."""
        used = await self.store.usage()
        limits = self.store.in_force()
        return {
            "connection": self.connection.slug,
            "keys": used.keys,
            "bytes": used.bytes,
            "tenant_keys": used.tenant_keys,
            "tenant_bytes": used.tenant_bytes,
            "limits": cast(
                t.Limits,
                {
                    **limits,
                    "max_value_bytes": self.settings.max_value_bytes,
                    "default_ttl": self.settings.default_ttl,
                    "max_ttl": self.settings.max_ttl,
                },
            ),
        }

    @tool(title="Ping the memory server", hint="R", required=True)
    async def cache_ping(self, ctx: Context) -> t.Pong:
        """Ask whether the memory server answers, and how fast."""
        start = time.perf_counter()
        await self.store.ping()
        return {"ok": True, "latency_ms": round((time.perf_counter() - start) * 1000, 3)}

    async def check(self, ctx: Context) -> CheckResult:
        """Ping, and warn when the server throws keys away when it is full."""
        try:
            pong = await self.cache_ping(ctx)
            used = await self.store.usage()
        except ConnectorError as error:
            return CheckResult(False, f"{error.message} {error.hint}")
        details = {"latency_ms": pong["latency_ms"], "keys": used.keys, "bytes": used.bytes}
        try:
            policy = (await async_client().info("memory")).get("maxmemory_policy", "noeviction")
        except redis.exceptions.RedisError:  # a managed server may forbid INFO
            policy = "noeviction"
        if policy != "noeviction":
            return CheckResult(
                False,
                f"The Redis server drops data when it is full (maxmemory-policy {policy}); set noeviction.",
                details,
            )
        return CheckResult(True, f"The memory server answers; {used.keys:,} keys are kept.", details)
