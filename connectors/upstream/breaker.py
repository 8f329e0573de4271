"""Circuit breakers: a system that fails all the time is left alone for a while.

One breaker per tenant, connection and credential, so that nobody's bad credential or broken
system closes another's. While all is well a call costs nothing but a look into this process's
memory. Failures are counted in Redis for all workers together, openings and closings travel
over the bus, and after the rest one probe, of one worker, tries the system. Without Redis each
process counts for itself.

What counts as a failure: no connection, no answer in time, an answer of 5xx. Never 4xx: those
are the caller's. Nor 503 with ``Retry-After``: that is a wish, see :mod:`connectors.upstream.pauses`.
"""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import redis

from common import metrics
from common.bus import bus
from common.redis import sync_client
from connectors.errors import CircuitOpen
from connectors.upstream.breaker_store import FAILED, FORGOTTEN_S, PROBE, key_of
from connectors.upstream.breaker_store import Opened as Opened
from connectors.upstream.breaker_store import opened_among as opened_among
from connectors.upstream.breaker_store import opened_of as opened_of
from connectors.upstream.shared import asked, tell

logger = logging.getLogger(__name__)

KIND: Final = "breaker"
CONSECUTIVE: Final = 5
WINDOW: Final = 20
REST_S: Final = 30.0
KEPT_S: Final = 86_400
MAX_KNOWN: Final = 20_000
_BEGUN: "set[asyncio.Task[None]]" = set()  # what nobody waits for is held here until it is done


@dataclass(slots=True)
class Breaker:
    """One breaker as this process knows it; see :func:`breaker_of`."""

    tenant_id: UUID
    connection_id: UUID
    credential: str
    connector: str = ""  # for metrics
    failures: int = 0
    open_until: float = 0.0  # of time.monotonic(); 0 while closed
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    looked: bool = False  # whether this process asked what the others know
    prober: object = field(default=None, repr=False)  # the call whose first request tries the system
    asking: tuple[object, asyncio.Event] | None = field(default=None, repr=False)  # who asks for that

    async def enter(self, call: object = None) -> bool:
        """Let a request through, or raise CircuitOpen with the seconds after which to come back.

        True where it is the probe: its outcome decides, and a probe without one is given back
        (:meth:`give_back`). Other requests of the same ``call`` go through beside it.
        """
        if not self.open_until or (call is not None and self.prober is call):
            return False
        if self.asking is not None and call is not None and self.asking[0] is call:
            await self.asking[1].wait()
            if self.prober is call:
                return False
        left = self.open_until - time.monotonic()
        if left > 0:
            raise _resting(left)
        if (left := await self._ask_to_probe(call)) > 0:
            raise _resting(left)
        metrics.breaker(self.connector, "probe")
        return True

    async def succeeded(self) -> None:
        """Take note of a call that the system answered."""
        self.recent.append(True)
        if self.failures or self.open_until:
            was_open, self.failures = bool(self.open_until), 0
            if was_open:
                self._close()
            await asked(lambda client: client.hdel(self._key, *self._fields()))  # type: ignore[arg-type]
            if was_open:
                logger.info("Connection %s answers again", self.connection_id)
                metrics.breaker(self.connector, "closed")
                await self._tell(0.0)

    async def failed(self, reason: str, *, probe: bool = False) -> None:
        """Take note of a counted failure; ``reason`` is one of connectors.errors' types.

        While calls rest already, only a failed ``probe`` is news.
        """
        if self.open_until and not probe:
            return
        probe = probe and bool(self.open_until)  # an admin may have closed it meanwhile
        self.recent.append(False)
        self.failures += 1
        sure = probe or (len(self.recent) == WINDOW and self.recent.count(False) * 2 > WINDOW)
        opened = await asked(
            lambda client: client.eval(  # type: ignore[arg-type]
                FAILED, 1, self._key, self.credential, CONSECUTIVE, int(REST_S * 1000), int(sure), KEPT_S, reason
            )
        )  # fmt: skip
        if opened is None:
            opened = sure or self.failures >= CONSECUTIVE
        if opened:
            is_news = not self.open_until
            self._open(REST_S)
            if is_news:
                logger.warning("Connection %s keeps failing (%s): calls rest", self.connection_id, reason)
                metrics.breaker(self.connector, "opened")
            if is_news or probe:
                await self._tell(REST_S)

    def give_back(self, call: object = None) -> None:
        """Let another call be the probe: this one ended without an outcome. Waits for nothing."""
        if self.prober is not call:
            return  # another request of the call has decided
        self.prober = None
        if self.open_until:
            self.open_until = time.monotonic()
            task = asyncio.get_running_loop().create_task(self._give_back())
            _BEGUN.add(task)
            task.add_done_callback(_BEGUN.discard)

    async def _give_back(self) -> None:
        await asked(lambda client: client.hdel(self._key, f"{self.credential}:probe"))  # type: ignore[arg-type]

    async def _ask_to_probe(self, call: object) -> float:
        """0 for the one call that may try the system now, else the seconds left to rest."""
        self.open_until = time.monotonic() + REST_S  # whoever comes meanwhile waits for the outcome
        answered = asyncio.Event()
        self.asking = (call, answered)
        try:
            left = await asked(
                lambda client: client.eval(  # type: ignore[arg-type]
                    PROBE, 1, self._key, self.credential, int(REST_S * 1000), KEPT_S
                )
            )
        except BaseException:
            self.give_back()
            raise
        finally:
            self.asking = None
            answered.set()
        if not left:
            self.prober = call
            return 0.0
        if self.open_until:
            self.open_until = time.monotonic() + left / 1000
        return float(left) / 1000

    def learn(self, left: float | None) -> None:
        """Take over what Redis says: the seconds of rest that are left, None where it is closed."""
        if left is not None and not self.open_until:
            self._open(min(max(left, 0.0), REST_S))

    def _open(self, seconds: float) -> None:
        self.open_until = time.monotonic() + seconds
        self.prober = None
        self.recent.clear()

    def _close(self) -> None:
        self.failures, self.open_until, self.prober = 0, 0.0, None
        self.recent.clear()

    async def _tell(self, seconds: float) -> None:
        body = {"connection": self.connection_id.hex, "credential": self.credential, "rest": seconds}
        await tell(self.tenant_id, KIND, body)

    @property
    def _key(self) -> str:
        return key_of(self.tenant_id, self.connection_id)

    def _fields(self) -> list[str]:
        return [f"{self.credential}:{what}" for what in ("n", "until", "reason", "probe")]


# A plain dict: a copy of its items is made in one step, whatever the loop and the bus do meanwhile.
_known: dict[tuple[UUID, UUID, str], Breaker] = {}


def breaker_of(tenant_id: UUID, connection_id: UUID, credential: str = "", connector: str = "") -> Breaker:
    """The breaker of a connection and a credential (:attr:`connectors.base.Context.identity`)."""
    key = (tenant_id, connection_id, credential)
    found = _known.get(key)
    if found is None:
        found = _known[key] = Breaker(*key, connector)
        if len(_known) > MAX_KNOWN:
            _known.pop(next(iter(_known)), None)
    return found


def demand_closed(tenant_id: UUID, connection_id: UUID, credential: str) -> None:
    """Raise CircuitOpen while this breaker rests; never takes the probe, so the client still may."""
    found = _known.get((tenant_id, connection_id, credential)) if _known else None
    if found is not None and found.open_until and (left := found.open_until - time.monotonic()) > 0:
        raise _resting(left)


def open_here() -> dict[str, int]:
    """How many breakers are open as this process knows it, by connector; for metrics (portico.metrics)."""
    counts: dict[str, int] = {}
    since = max(0.0, time.monotonic() - FORGOTTEN_S)
    for breaker in list(_known.values()):
        if breaker.open_until > since:
            counts[breaker.connector] = counts.get(breaker.connector, 0) + 1
    return counts


def _resting(seconds: float) -> CircuitOpen:
    return CircuitOpen(
        "The system behind this connection keeps failing, so it is left alone for a moment.",
        retryable=True,
        retry_after=round(seconds, 1),
        hint="Come back then, or go on without it.",
    )


def reset(tenant_id: UUID, connection_id: UUID) -> None:
    """Close a connection's breakers in every worker: an admin has mended the system. For threads."""
    try:
        sync_client().delete(key_of(tenant_id, connection_id))
    except (redis.RedisError, OSError):
        logger.warning("The breakers of connection %s are closed here alone: Redis is away", connection_id)
    bus.publish(tenant_id, KIND, {"connection": connection_id.hex, "credential": None, "rest": 0.0})


def _heard(tenant_id: UUID, body: dict[str, Any]) -> None:
    """Obey what another worker found out; in the bus's thread, on plain attributes."""
    connection_id, credential, rest = UUID(body["connection"]), body["credential"], float(body["rest"])
    if credential is not None:
        known = _known.get((tenant_id, connection_id, credential))
        affected = [known] if known is not None else []
    else:
        affected = [it for key, it in list(_known.items()) if key[:2] == (tenant_id, connection_id)]
    for breaker in affected:
        if rest:
            breaker._open(rest)
        else:
            breaker._close()
    if rest and credential is not None and not affected:
        breaker_of(tenant_id, connection_id, credential)._open(rest)


bus.subscribe(KIND, _heard)
