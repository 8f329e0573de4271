"""One connection's part of Redis.

Every value is a Redis string under ``portico:<tenant>:memory:<connection>:k:<key>``. Beside
them an index tells which keys there are and how much they take, and the same Lua script that
changes a value changes the index, so limits hold under any number of writers. Redis expires
keys by itself; each write first takes what has expired out of the index (see
``lua/common.lua``), so an expired key never counts against a limit.

Walks and flushes go over the connection's own index (HSCAN), never over the server's keys:
they cost what the connection holds, and there is no pattern that leads out of it.
"""

import asyncio
import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import redis.exceptions
from django.conf import settings

from common.redis import async_client, tenant_key
from connectors.errors import Conflict, ConnectionFailed, ConnectorError, TimedOut, UpstreamError
from connectors.providers.memory.settings import MemorySettings

_LUA = Path(__file__).parent / "lua"
_COMMON = (_LUA / "common.lua").read_text()

# The process's Redis connections are shared with limits and caches, and asking for one more than
# there are is an error: of a burst of calls, so many ask at once and the others wait their turn.
AT_ONCE = 32
_turns: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = (
    weakref.WeakKeyDictionary()
)


def _turn() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    turn = _turns.get(loop)
    if turn is None:
        turn = _turns[loop] = asyncio.Semaphore(AT_ONCE)
    return turn


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the digest by which the server knows it."""

    source: str
    digest: str

    @classmethod
    def named(cls, name: str) -> "Script":
        """The script in ``lua/<name>.lua`` with the shared part before it."""
        source = _COMMON + (_LUA / f"{name}.lua").read_text()
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


PUT, DROP, EXPIRE, ADD, APPEND, PAGE, USAGE = map(
    Script.named, ("put", "drop", "expire", "add", "append", "page", "usage")
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What is in use, and by whom; bytes are those of keys and values as JSON text."""

    keys: int
    bytes: int
    tenant_keys: int
    tenant_bytes: int


class Full(Conflict):
    """A limit on keys or bytes forbids the write."""


class Store:
    """Reads and writes of one connection. Keys and values were checked by the caller."""

    def __init__(self, tenant_id: UUID, connection_id: UUID, limits: MemorySettings) -> None:
        self.limits = limits
        self._connection = connection_id.hex
        self._base = tenant_key(tenant_id, "memory", "")
        self._data = f"{self._base}{self._connection}:k:"
        self._keys = (f"{self._base}expiries", f"{self._base}totals", f"{self._base}{self._connection}:sizes")

    # Reading

    async def get(self, key: str) -> bytes | None:
        """The stored text, or None."""
        return await self._guard(lambda client: client.get(self._data + key))  # type: ignore[no-any-return]

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The stored texts in the order of the keys."""
        return await self._guard(lambda client: client.mget([self._data + key for key in keys]))  # type: ignore[no-any-return]

    async def exists(self, keys: Sequence[str]) -> list[bool]:
        """Which of the keys are there."""

        async def ask(client: Any) -> list[bool]:
            async with client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.exists(self._data + key)
                return [bool(found) for found in await pipe.execute()]

        return await self._guard(ask)  # type: ignore[no-any-return]

    async def ttl_ms(self, key: str) -> int:
        """Milliseconds the key has left; -1 without an expiry, -2 when it is not there."""
        return int(await self._guard(lambda client: client.pttl(self._data + key)))

    async def page(self, cursor: int, pattern: str, count: int) -> tuple[int, list[str]]:
        """About ``count`` of the connection's keys that match, and where to go on (0 at the end)."""
        answer = await self._run(PAGE, cursor, pattern, count)
        return int(answer[1]), [key.decode() for key in answer[2:]]

    async def usage(self) -> Usage:
        """What is in use now, without what has expired."""
        answer = await self._run(USAGE)
        return Usage(
            keys=int(answer[3]),
            bytes=int(answer[4]),
            tenant_keys=int(answer[1]),
            tenant_bytes=int(answer[2]),
        )

    async def ping(self) -> None:
        """Come back when Redis answered."""
        await self._guard(lambda client: client.ping())

    # Writing; a ttl is in milliseconds and 0 keeps the key

    async def put(
        self, entries: Sequence[tuple[str, str]], ttl: int, only_if: str = ""
    ) -> tuple[bool, int, int, bytes | None]:
        """Store all entries or none: (stored, how many are new, expiry in ms or 0, what was kept)."""
        flat = orjson.dumps([text for entry in entries for text in entry])
        answer = await self._run(PUT, flat, ttl, only_if, *self._limits())
        if answer[0] == b"kept":
            return False, 0, 0, answer[1] if len(answer) > 1 else None
        return True, int(answer[1]), int(answer[2]), None

    async def drop(self, keys: Sequence[str]) -> int:
        """Delete keys; how many were there."""
        return int((await self._run(DROP, orjson.dumps(list(keys))))[1])

    async def drop_matching(self, pattern: str, batch: int = 1000) -> int:
        """Delete the connection's keys that match, batch by batch; how many there were."""
        cursor, gone = 0, 0
        while True:
            cursor, keys = await self.page(cursor, pattern, batch)
            for first in range(0, len(keys), batch):
                gone += await self.drop(keys[first : first + batch])
            if cursor == 0:
                return gone

    async def expire(self, keys: Sequence[str], ttl: int) -> tuple[int, int]:
        """Give keys a new time to live: (how many are there, expiry in ms or 0)."""
        answer = await self._run(EXPIRE, orjson.dumps(list(keys)), ttl)
        return int(answer[1]), int(answer[2])

    async def add(self, key: str, amount: int, ttl: int) -> tuple[bytes, bool] | str:
        """Add to an integer: (its text, whether the key is new), or the reason why not."""
        verb = "INCRBY" if amount >= 0 else "DECRBY"
        answer = await self._run(ADD, key, verb, abs(amount), ttl, *self._limits(), once=True)
        return answer[1].decode() if answer[0] == b"bad" else (answer[1], bool(answer[2]))

    async def append(self, key: str, items: str, ttl: int) -> tuple[bytes, bool] | str:
        """Append JSON items to a list: (the list's text, whether it is new), or the reason why not."""
        most = self.limits.max_value_bytes
        answer = await self._run(APPEND, key, items, most, ttl, *self._limits(), once=True)
        return answer[1].decode() if answer[0] == b"bad" else (answer[1], bool(answer[2]))

    # How it is done

    def in_force(self) -> dict[str, int]:
        """The limits on keys and bytes: the connection's own, and those of all the tenant's together."""
        return {
            "max_keys": self.limits.max_keys,
            "max_bytes": self.limits.max_bytes,
            "tenant_keys": settings.PORTICO_MEMORY_TENANT_KEYS,
            "tenant_bytes": settings.PORTICO_MEMORY_TENANT_BYTES,
        }

    def _limits(self) -> tuple[int, ...]:
        return tuple(self.in_force().values())  # in the order that lua/common.lua's over() reads them

    async def _run(self, script: Script, *arguments: Any, once: bool = False) -> list[Any]:
        """Run a script; ``once`` for those that must not be repeated when an answer was lost."""
        rest = (*self._keys, self._base, self._connection, *arguments)

        async def evaluate(client: Any) -> list[Any]:
            try:
                return await client.evalsha(script.digest, 3, *rest)  # type: ignore[no-any-return]
            except redis.exceptions.NoScriptError:
                return await client.eval(script.source, 3, *rest)  # type: ignore[no-any-return]

        while True:
            answer: list[Any] = await self._guard(evaluate, once=once)
            if answer[0] == b"full":
                raise self._full(answer[1].decode())
            if answer[0] != b"again":  # else: more has expired than one script takes away
                return answer

    async def _guard(self, ask: Any, *, once: bool = False) -> Any:
        """Ask Redis; a dropped connection is tried again where that does no harm."""
        for last in (once, True):
            try:
                async with _turn():
                    return await ask(async_client())
            except redis.exceptions.RedisError as error:
                dropped = isinstance(error, redis.exceptions.ConnectionError)
                if dropped and not last and not _unsent(error):
                    continue
                raise _explained(error, once=once) from error
        raise AssertionError("unreachable")

    def _full(self, limit: str) -> Full:
        used = self.in_force()
        whose = "tenant's memory connections together" if limit.startswith("tenant") else "connection"
        unit = "keys" if limit.endswith("keys") else "bytes"
        return Full(
            f"There is no room: the {whose} may hold {used[limit]:,} {unit}. Nothing was stored.",
            code="memory_full",
            hint="Delete what is no longer needed (cache_delete, cache_delete_pattern), give keys a ttl, "
            "or ask an admin to raise the limit. cache_info shows what is in use.",
            details={"limit": limit, "maximum": used[limit]},
        )


def _unsent(error: redis.exceptions.RedisError) -> bool:
    """Whether there never was a connection, so that nothing can have been done ("Error 111 connecting")."""
    return isinstance(error, redis.exceptions.MaxConnectionsError) or str(error).startswith("Error")


def _explained(error: redis.exceptions.RedisError, *, once: bool) -> ConnectorError:
    """Redis's trouble as a sentence for the caller; no address and no key of the inside."""
    if isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
        kind = TimedOut if isinstance(error, redis.exceptions.TimeoutError) else ConnectionFailed
        if once and not _unsent(error):
            return kind(
                "The memory server did not answer in time; the change may have been made.",
                hint="Read the key with cache_get before you try again.",
            )
        return kind(
            "The memory server cannot be reached.",
            retryable=True,
            retry_after=2,
            hint="Try again in a moment. If it goes on, tell the administrator that Redis is down.",
        )
    if isinstance(error, redis.exceptions.OutOfMemoryError) or "OOM" in str(error):
        return UpstreamError(
            "The memory server is full.",
            code="server_full",
            retryable=True,
            retry_after=30,
            hint="Delete what is no longer needed, or tell the administrator to give Redis more memory.",
        )
    return UpstreamError(
        "The memory server refused the command.",
        hint="Tell the administrator; manage.py doctor checks the Redis server.",
    )
