"""Circuit breakers: a system that fails all the time is left alone for a while.

One breaker per tenant, connection and credential, so that nobody's bad credential or broken
system closes another's. While all is well a call costs nothing but a look into this process's
memory. Failures are counted in Redis for all workers together, openings and closings travel
over the bus, and after the rest one probe, of one worker, tries the system. Without Redis each
process counts for itself.

What counts as a failure: no connection, no answer in time, an answer of 5xx. Never 4xx: those
are the caller's.
"""

import logging
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import redis

from common.bus import bus
from common.redis import async_client, sync_client, tenant_key
from connectors.errors import CircuitOpen

logger = logging.getLogger(__name__)

KIND: Final = "breaker"
ROOM: Final = "breaker"
CONSECUTIVE: Final = 5
WINDOW: Final = 20
REST_S: Final = 30.0
KEPT_S: Final = 86_400
MAX_KNOWN: Final = 20_000

# A connection's breakers are one hash; fields are "<credential>:<what>". Times are the server's.
_FAILED = """
local n = redis.call('HINCRBY', KEYS[1], ARGV[1] .. ':n', 1)
redis.call('EXPIRE', KEYS[1], ARGV[5])
if n < tonumber(ARGV[2]) and ARGV[4] == '0' then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1] .. ':until', now + ARGV[3], ARGV[1] .. ':reason', ARGV[6])
redis.call('HDEL', KEYS[1], ARGV[1] .. ':probe')
return 1
"""
_PROBE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local at = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ':until') or '0')
if at > now then return at - now end
local probe = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ':probe') or '0')
if probe > now then return probe - now end
redis.call('HSET', KEYS[1], ARGV[1] .. ':probe', now + ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 0
"""


@dataclass(slots=True)
class Breaker:
    """One breaker as this process knows it; see :func:`breaker_of`."""

    tenant_id: UUID
    connection_id: UUID
    credential: str
    failures: int = 0
    open_until: float = 0.0  # of time.monotonic(); 0 while closed
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))

    async def enter(self) -> None:
        """Let a call through, or raise CircuitOpen with the seconds after which to come back."""
        if not self.open_until:
            return
        left = self.open_until - time.monotonic()
        if left <= 0:
            left = await self._ask_to_probe()
        if left > 0:
            raise _resting(left)

    async def succeeded(self) -> None:
        """Take note of a call that the system answered."""
        self.recent.append(True)
        if self.failures or self.open_until:
            was_open, self.failures = bool(self.open_until), 0
            if was_open:
                self._close()
            try:
                await async_client().hdel(self._key, *self._fields())  # type: ignore[misc]
            except (redis.RedisError, OSError):
                return
            if was_open:
                logger.info("Connection %s answers again", self.connection_id)
                await self._tell(0.0)

    async def failed(self, reason: str) -> None:
        """Take note of a counted failure; ``reason`` is one of connectors.errors' types."""
        self.recent.append(False)
        self.failures += 1
        mostly = len(self.recent) == WINDOW and self.recent.count(False) * 2 > WINDOW
        try:
            opened = await async_client().eval(  # type: ignore[misc]
                _FAILED,
                1,
                self._key,
                self.credential,
                CONSECUTIVE,
                int(REST_S * 1000),
                int(mostly),
                KEPT_S,
                reason,
            )
        except (redis.RedisError, OSError):
            opened = mostly or self.failures >= CONSECUTIVE
        if opened:
            if not self.open_until:
                logger.warning("Connection %s keeps failing (%s): calls rest", self.connection_id, reason)
            self._open(REST_S)
            await self._tell(REST_S)

    async def _ask_to_probe(self) -> float:
        """0 for the one call that may try the system now, else the seconds left to rest."""
        try:
            left = await async_client().eval(  # type: ignore[misc]
                _PROBE, 1, self._key, self.credential, int(REST_S * 1000), KEPT_S
            )
        except (redis.RedisError, OSError):
            left = 0
        # Whether or not this call is the one, the others of this process wait for its outcome.
        self._open(max(left / 1000, 0.001) if left else REST_S)
        return float(left) / 1000

    def _open(self, seconds: float) -> None:
        self.open_until = time.monotonic() + seconds
        self.recent.clear()

    def _close(self) -> None:
        self.failures, self.open_until = 0, 0.0
        self.recent.clear()

    async def _tell(self, seconds: float) -> None:
        body = {"connection": self.connection_id.hex, "credential": self.credential, "rest": seconds}
        await bus.publish_async(self.tenant_id, KIND, body)

    @property
    def _key(self) -> str:
        return _key_of(self.tenant_id, self.connection_id)

    def _fields(self) -> list[str]:
        return [f"{self.credential}:{what}" for what in ("n", "until", "reason", "probe")]


_known: "OrderedDict[tuple[UUID, UUID, str], Breaker]" = OrderedDict()


def breaker_of(tenant_id: UUID, connection_id: UUID, credential: str = "") -> Breaker:
    """The breaker of a connection and a credential (its id, or a digest of a caller's own token)."""
    key = (tenant_id, connection_id, credential)
    found = _known.get(key)
    if found is None:
        found = _known[key] = Breaker(*key)
        if len(_known) > MAX_KNOWN:
            _known.popitem(last=False)
    return found


def demand_closed(tenant_id: UUID, connection_id: UUID, credential: str) -> None:
    """Raise CircuitOpen while this breaker rests; never takes the probe, so the client still may."""
    found = _known.get((tenant_id, connection_id, credential)) if _known else None
    if found is not None and found.open_until and (left := found.open_until - time.monotonic()) > 0:
        raise _resting(left)


def _resting(seconds: float) -> CircuitOpen:
    return CircuitOpen(
        "The system behind this connection keeps failing, so it is left alone for a moment.",
        retryable=True,
        retry_after=round(seconds, 1),
        hint="Come back then, or go on without it.",
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A breaker that is open, for people: which credential's, why, and for how many seconds yet."""

    credential: str
    reason: str
    seconds: float


def opened_of(tenant_id: UUID, connection_id: UUID) -> list[Opened]:
    """A connection's open breakers, of all workers; empty where Redis is away."""
    try:
        client = sync_client()
        stored: dict[bytes, bytes] = client.hgetall(_key_of(tenant_id, connection_id))  # type: ignore[assignment]
        seconds, micros = client.time()  # type: ignore[misc]
    except (redis.RedisError, OSError):
        return []
    now = seconds * 1000 + micros // 1000
    found = []
    for name, value in stored.items():
        credential, _, what = name.decode().rpartition(":")
        if what == "until":
            reason = stored.get(f"{credential}:reason".encode(), b"").decode()
            found.append(Opened(credential, reason, max(0.0, (int(float(value)) - now) / 1000)))
    return found


def reset(tenant_id: UUID, connection_id: UUID) -> None:
    """Close a connection's breakers in every worker: an admin has mended the system."""
    try:
        sync_client().delete(_key_of(tenant_id, connection_id))
    except (redis.RedisError, OSError):
        logger.warning("The breakers of connection %s are closed here alone: Redis is away", connection_id)
    bus.publish(tenant_id, KIND, {"connection": connection_id.hex, "credential": None, "rest": 0.0})


def _heard(tenant_id: UUID, body: dict[str, Any]) -> None:
    """Obey what another worker found out; in the bus's thread, on plain attributes."""
    connection_id, credential, rest = UUID(body["connection"]), body["credential"], float(body["rest"])
    for key, breaker in list(_known.items()):
        if key[:2] == (tenant_id, connection_id) and credential in (None, key[2]):
            if rest:
                breaker._open(rest)
            else:
                breaker._close()
    if rest and credential is not None and (tenant_id, connection_id, credential) not in _known:
        breaker_of(tenant_id, connection_id, credential)._open(rest)


def _key_of(tenant_id: UUID, connection_id: UUID) -> str:
    return tenant_key(tenant_id, ROOM, connection_id.hex)


bus.subscribe(KIND, _heard)
