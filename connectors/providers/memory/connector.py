"""The memory connector: 20 tools over one connection's part of Redis."""

import math
import time
from typing import Annotated, Any, Literal, cast

import redis.exceptions
from pydantic import Field

from common import signing
from common.redis import async_client
from connectors.base import CheckResult, ConnectionRef, Connector, Context, tool
from connectors.errors import ConnectorError, InvalidInput
from connectors.providers.memory import types as t
from connectors.providers.memory.purge import purge_connection
from connectors.providers.memory.settings import MemorySettings
from connectors.providers.memory.store import Store
from connectors.providers.memory.values import check_key, check_keys, check_pattern, decode, encode

CURSOR = "memory-scan"
CURSOR_SECONDS = 24 * 3600
STEP = 1000  # keys looked at per step of a walk
ANSWER_BYTES = 50_000  # of values in one answer, which holds 60,000 characters in all


class Memory(Connector):
    """Values that agents keep between calls, shared by a tenant's callers of one connection."""

    slug = "memory"
    title = "Memory"
    description = "Keys and JSON values that agents keep between calls, with expiry, counters and lists."
    icon = "memory"
    built_in = True
    Settings = MemorySettings
    instructions = (
        "Keeps JSON values under keys, shared by everybody who uses this connection. Name keys in parts "
        "(project:42:summary) so that cache_keys and cache_delete_pattern can find them by pattern. Give "
        "short-lived values a ttl. Read several keys with cache_mget and write several with cache_mset. Count "
        "with cache_incr, never by reading and writing back. Do not store passwords or other secrets here."
    )
    settings: MemorySettings

    @classmethod
    def on_deleted(cls, connection: ConnectionRef) -> None:
        """Take the connection's keys out of Redis."""
        purge_connection(connection.tenant_id, connection.id)

    def __init__(self, connection: Any, settings: Any) -> None:
        super().__init__(connection, settings)
        self.store = Store(connection.tenant_id, connection.id, settings)

    # One value

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
        lifetime = self._lifetime(ttl)
        stored, created, _, _ = await self.store.put([(key, text)], lifetime, only_if or "")
        return {
            "key": key,
            "stored": stored,
            "created": bool(created),
            "size_bytes": len(text.encode()),
            "expires_in": _seconds(lifetime) if stored else None,
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
        stored, _, _, kept = await self.store.put([(key, text)], self._lifetime(ttl), "absent")
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

    # Time to live

    @tool(title="Set a key's time to live", hint="I", toolset="write", required=True)
    async def cache_expire(
        self,
        ctx: Context,
        key: t.Key,
        seconds: Annotated[t.Seconds, Field(description="Seconds to live from now; fractions count.")],
    ) -> t.Expiry:
        """Let a key disappear after so many seconds from now; exists=false when it is not there."""
        lifetime = self._lifetime(seconds)
        there, _ = await self.store.expire([check_key(key)], lifetime)
        return {"key": key, "exists": bool(there), "ttl": _seconds(lifetime) if there else None}

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
        checked, lifetime = check_keys(keys), self._lifetime(ttl)
        there, _ = await self.store.expire(checked, lifetime)
        return {"touched": there, "missing": len(checked) - there, "expires_in": _seconds(lifetime)}

    # Finding keys

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
        items = sorted(found)[:limit]
        return {"items": items, "count": len(items), "truncated": len(found) > limit}

    @tool(title="Page through keys", hint="R", required=True)
    async def cache_scan(
        self,
        ctx: Context,
        cursor: Annotated[
            str | None,
            Field(max_length=2000, description="next_cursor of the page before; left out: the first page."),
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

    # Many values

    @tool(title="Get several values", hint="R", required=True)
    async def cache_mget(self, ctx: Context, keys: t.Keys) -> t.FoundMany:
        """Read the values of several keys at once; those that are not there are listed as missing.

        Values that would make the answer too long are listed as omitted: ask for them in a further call.
        """
        checked = check_keys(keys)
        answer: t.FoundMany = {"values": {}, "missing": [], "omitted": [], "count": 0}
        room = ANSWER_BYTES
        for key, text in zip(checked, await self.store.get_many(checked), strict=True):
            if text is None:
                answer["missing"].append(key)
            elif len(text) > room:
                answer["omitted"].append(key)
            else:
                answer["values"][key] = decode(text)
                room -= len(text)
        answer["count"] = len(answer["values"])
        return answer

    @tool(title="Set several values", hint="I", toolset="write", required=True)
    async def cache_mset(
        self,
        ctx: Context,
        data: Annotated[
            dict[str, Any],
            Field(
                min_length=1, max_length=10_000, description="Keys with their JSON values, at most 10,000."
            ),
        ],
        ttl: t.Ttl = None,
    ) -> t.StoredMany:
        """Store several values at once, all or none: nobody sees a part of them."""
        if not 1 <= len(data) <= 10_000:
            raise InvalidInput("Give 1 to 10,000 entries per call.", code="invalid_data")
        most = self.settings.max_value_bytes
        entries = [(check_key(key), encode(value, most=most, key=key)) for key, value in data.items()]
        lifetime = self._lifetime(ttl)
        _, created, _, _ = await self.store.put(entries, lifetime)
        return {"stored": len(entries), "created": created, "expires_in": _seconds(lifetime)}

    # Counters and lists

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
        done = await self.store.append(key, text[1:-1], self._lifetime(ttl))
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
        """Read items of the list under a key; found=false when there is none."""
        whole = decode(await self.store.get(check_key(key)))
        if whole is not None and not isinstance(whole, list):
            raise InvalidInput(f"{key!r} holds no list.", code="not_a_list", hint="Read it with cache_get.")
        found: list[Any] = whole or []
        first = max(0, len(found) + start) if start < 0 else start
        items = found[first : first + limit]
        return {
            "key": key,
            "found": whole is not None,
            "items": items,
            "count": len(items),
            "length": len(found),
        }

    # The whole

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

    # Helpers

    async def _add(self, key: str, amount: int, ttl: float | None) -> t.Number:
        if abs(amount) > t.MAX_INT:
            raise InvalidInput("The amount does not fit into 64 bits.", code="invalid_amount")
        done = await self.store.add(check_key(key), amount, self._lifetime(ttl))
        if isinstance(done, tuple):
            return {"key": key, "value": int(done[0]), "created": done[1]}
        if "overflow" in done:
            raise InvalidInput(
                f"The result would not fit into 64 bits; {key!r} stays as it was.", code="overflow"
            )
        raise InvalidInput(
            f"{key!r} holds no whole number.", code="not_an_integer", hint="Look at it with cache_get."
        )

    def _lifetime(self, ttl: float | None) -> int:
        """Milliseconds to live for what the caller asked; 0 keeps the key."""
        cap = self.settings.max_ttl
        if ttl is None:
            ttl = self.settings.default_ttl or cap
            return ttl * 1000 if ttl else 0
        if not (math.isfinite(ttl) and 0 < ttl <= t.YEAR):
            raise InvalidInput(
                f"A time to live is more than 0 and at most {t.YEAR:,} seconds.", code="invalid_ttl"
            )
        if cap is not None and ttl > cap:
            raise InvalidInput(
                f"Nothing lives longer than {cap:,} seconds on this connection.",
                code="ttl_too_long",
                hint=f"Give a ttl of at most {cap}, or leave it out.",
            )
        return max(1, round(ttl * 1000))

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


def _seconds(lifetime: int) -> float | None:
    return lifetime / 1000 if lifetime else None
