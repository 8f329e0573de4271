"""Pauses that vendors ask for: until then no worker sends what would only be refused.

A pause belongs to a tenant, a connection, the credential that was limited and the vendor's
bucket (GitHub limits its search apart from the rest). Who finds one out tells the other
workers over the bus and leaves it in Redis for those that begin later; looking one up is a
look into this process's memory.
"""

import asyncio
import logging
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import redis

from common import metrics
from common.bus import bus
from common.redis import sync_client, tenant_key
from connectors.errors import RateLimited
from connectors.upstream.quota import VENDOR_LIMIT
from connectors.upstream.shared import asked, tell

logger = logging.getLogger(__name__)

KIND: Final = "pause"
ROOM: Final = "pause"
SHORTEST_S: Final = 0.05  # what is over so soon is not worth telling
MAX_KNOWN: Final = 20_000

# A connection's pauses are one hash; fields are "<credential>|<bucket>", values the server's
# milliseconds. Of two pauses the longer one holds; the hash ends with its longest.
_NOTE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('HLEN', KEYS[1]) > 1000 then redis.call('DEL', KEYS[1]) end
local upto = now + tonumber(ARGV[1])
for i = 2, #ARGV do
  local old = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0')
  if upto > old then redis.call('HSET', KEYS[1], ARGV[i], upto) end
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 1
"""

Place = tuple[UUID, UUID, str]  # tenant, connection, whose credential
# Of time.monotonic(). A plain dict: a copy of its keys is made in one step, whatever the loop does meanwhile.
_until: dict[tuple[UUID, UUID, str, str], float] = {}


def left_of(place: Place, bucket: str) -> float:
    """Seconds for which the vendor wants no request of this bucket; 0.0 where it takes them."""
    if not _until:
        return 0.0
    key = (*place, bucket)
    until = _until.get(key)
    if until is None:
        return 0.0
    left = until - time.monotonic()
    if left <= 0:
        _until.pop(key, None)
        return 0.0
    return left


async def obey(place: Place, bucket: str, patience: float) -> None:
    """Wait for the end of a pause, at most ``patience`` seconds.

    Raises RateLimited with the time to come back where it takes longer; nothing was sent then.
    """
    while left := left_of(place, bucket):
        if left > patience:
            metrics.limited("vendor")
            raise limited("The system asked to be left alone until its limit begins anew.", left)
        before = time.monotonic()
        # Not all at one moment: who waited together would meet the next limit together.
        await asyncio.sleep(left + random.random() * min(left, 1.0) / 10)  # noqa: S311  not for security
        patience -= time.monotonic() - before


def limited(message: str, seconds: float, *, status: int = 0) -> RateLimited:
    """The error of who must come back later because the vendor says so."""
    return RateLimited(
        message,
        code=VENDOR_LIMIT,
        retryable=True,
        retry_after=round(seconds, 1),
        hint="Come back then.",
        upstream_status=status,
    )


async def note(place: Place, buckets: Iterable[str], seconds: float) -> None:
    """Take note of a vendor's wish for these buckets, here and in the other workers."""
    named = sorted({clean(bucket) for bucket in buckets})
    if seconds < SHORTEST_S:
        return
    _take(place, named, seconds)
    tenant_id, connection_id, credential = place
    fields = [f"{credential}|{bucket}" for bucket in named]
    await asked(
        lambda client: client.eval(  # type: ignore[arg-type]
            _NOTE, 1, key_of(tenant_id, connection_id), int(seconds * 1000), *fields
        )
    )
    body = {"connection": connection_id.hex, "credential": credential, "buckets": named, "seconds": seconds}
    await tell(tenant_id, KIND, body)


def learn(place: Place, stored: dict[bytes, bytes], now_ms: int) -> None:
    """Take over what Redis has of a credential's pauses."""
    for name, value in stored.items():
        credential, _, bucket = name.decode().rpartition("|")
        if credential == place[2] and (left := (int(float(value)) - now_ms) / 1000) > 0:
            _take(place, [bucket], left)


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause, for people: whose credential's, of which of the vendor's buckets, for how many seconds yet."""

    credential: str
    bucket: str
    seconds: float


def paused_of(tenant_id: UUID, connection_id: UUID) -> list[Paused]:
    """A connection's pauses, of all workers; none where Redis is away. For threads."""
    try:
        pipe = sync_client().pipeline(transaction=False)
        pipe.hgetall(key_of(tenant_id, connection_id))
        pipe.time()
        stored, (seconds, micros) = pipe.execute()
    except (redis.RedisError, OSError):
        return []
    found, now = [], seconds * 1000 + micros // 1000
    for name, value in stored.items():
        credential, _, bucket = name.decode().rpartition("|")
        if (left := (int(float(value)) - now) / 1000) > 0:
            found.append(Paused(credential, bucket, left))
    return found


def lift(tenant_id: UUID, connection_id: UUID) -> None:
    """End a connection's pauses in every worker: an admin has raised the vendor's limit. For threads."""
    try:
        sync_client().delete(key_of(tenant_id, connection_id))
    except (redis.RedisError, OSError):
        logger.warning("The pauses of connection %s are lifted here alone: Redis is away", connection_id)
    bus.publish(tenant_id, KIND, {"connection": connection_id.hex, "lifted": True})


def clean(bucket: str) -> str:
    """A bucket's name as keys have it: whatever a header says, it is short and plain."""
    return "".join(letter for letter in bucket[:60] if letter.isalnum() or letter in "-_.")


def key_of(tenant_id: UUID, connection_id: UUID) -> str:
    """The hash of a connection's pauses."""
    return tenant_key(tenant_id, ROOM, connection_id.hex)


def _take(place: Place, buckets: Iterable[str], seconds: float) -> None:
    until = time.monotonic() + seconds
    for bucket in buckets:
        key = (*place, bucket)
        _until[key] = max(until, _until.pop(key, 0.0))
    while len(_until) > MAX_KNOWN:
        _until.pop(next(iter(_until)), None)


def _heard(tenant_id: UUID, body: dict[str, Any]) -> None:
    """Obey what another worker was told; in the bus's thread."""
    if body.get("lifted"):
        connection_id = UUID(body["connection"])
        for key in [key for key in list(_until) if key[:2] == (tenant_id, connection_id)]:
            _until.pop(key, None)
        return
    _take((tenant_id, UUID(body["connection"]), body["credential"]), body["buckets"], float(body["seconds"]))


bus.subscribe(KIND, _heard)
