"""What Redis has of breakers: the scripts that change it, and reading it for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import redis

from common.redis import sync_client, tenant_key

ROOM: Final = "breaker"
# So long after its rest a breaker is still shown as open: later nobody seems to use that credential
# (it was replaced, perhaps), and whoever does is let through.
FORGOTTEN_S: Final = 600.0

# A connection's breakers are one hash; fields are "<credential>:<what>". Times are the server's.
# What lies further ahead than a rest was written before the server's clock was set back: it is over.
# A hash of very many is begun anew: callers may bring tokens, and make them up.
FAILED: Final = """
if redis.call('HLEN', KEYS[1]) > 4000 then redis.call('DEL', KEYS[1]) end
local n = redis.call('HINCRBY', KEYS[1], ARGV[1] .. ':n', 1)
redis.call('EXPIRE', KEYS[1], ARGV[5])
if n < tonumber(ARGV[2]) and ARGV[4] == '0' then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1] .. ':until', now + ARGV[3], ARGV[1] .. ':reason', ARGV[6])
redis.call('HDEL', KEYS[1], ARGV[1] .. ':probe')
return 1
"""
PROBE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local rest = tonumber(ARGV[2])
local at = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ':until') or '0')
if at > now and at <= now + rest then return at - now end
local probe = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ':probe') or '0')
if probe > now and probe <= now + rest then return probe - now end
redis.call('HSET', KEYS[1], ARGV[1] .. ':probe', now + ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 0
"""


def key_of(tenant_id: UUID, connection_id: UUID) -> str:
    """The hash of a connection's breakers."""
    return tenant_key(tenant_id, ROOM, connection_id.hex)


@dataclass(frozen=True, slots=True)
class Opened:
    """A breaker that is open, for people: which credential's, why, and for how many seconds yet.

    With no seconds left the next call tries the system.
    """

    credential: str
    reason: str
    seconds: float


def opened_of(tenant_id: UUID, connection_id: UUID) -> list[Opened]:
    """A connection's open breakers, of all workers; empty where Redis is away. For threads."""
    return opened_among(tenant_id, [connection_id])[connection_id]


def opened_among(tenant_id: UUID, connection_ids: Iterable[UUID]) -> dict[UUID, list[Opened]]:
    """The open breakers of several connections of a tenant, asked for in one round trip. For threads."""
    ids = list(connection_ids)
    found: dict[UUID, list[Opened]] = {connection_id: [] for connection_id in ids}
    if not ids:
        return found
    try:
        pipe = sync_client().pipeline(transaction=False)
        for connection_id in ids:
            pipe.hgetall(key_of(tenant_id, connection_id))
        pipe.time()
        *stored, (seconds, micros) = pipe.execute()
    except (redis.RedisError, OSError):
        return found
    now = seconds * 1000 + micros // 1000
    for connection_id, fields in zip(ids, stored, strict=True):
        for name, value in fields.items():
            credential, _, what = name.decode().rpartition(":")
            if what == "until":
                reason = fields.get(f"{credential}:reason".encode(), b"").decode()
                left = (int(float(value)) - now) / 1000
                if left > -FORGOTTEN_S:
                    found[connection_id].append(Opened(credential, reason, max(0.0, left)))
    return found
