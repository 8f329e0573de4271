"""The one way from a connector to its system over HTTP: guarded, bounded, with a deadline.

A client belongs to one connection in one process. It carries no credential, no cookie and
nothing of the environment: what identifies the caller is added to each request by its
:class:`Auth` and masked in every error. Before a request is sent, the breaker and the pauses
of its connection and credential are asked, both in this process's memory.
"""

import asyncio
import time
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from uuid import UUID

from common import metrics
from connectors.base import ConnectionRef, Context
from connectors.connection_settings import NetworkSettings
from connectors.errors import ConnectorError, RateLimited, TimedOut
from connectors.upstream import breaker as breakers
from connectors.upstream import effects, pauses
from connectors.upstream.answers import Answer
from connectors.upstream.known import look
from connectors.upstream.lines import MAX_WAITING, Line
from connectors.upstream.quota import wish_of
from connectors.upstream.requests import Auth as Auth
from connectors.upstream.requests import Request as Request
from connectors.upstream.requests import url_below
from connectors.upstream.retry import (
    ATTEMPTS,
    LONGEST_WAIT_S,
    Kind,
    Lost,
    asked_to_wait,
    does_no_harm,
    may_have_happened,
    wait_before,
)
from connectors.upstream.sending import NOT_SENT, Missing, failure_of, outcome_of, send_once, time_left
from connectors.upstream.transport import Http

MAX_CLIENTS: Final = 512
IDLE_S: Final = 300.0
SWEEP_S: Final = 30.0
PATIENT_S: Final = 5.0  # who had so long, and does not answer, has failed, whatever its caller hoped for


@dataclass(slots=True)
class _Trip:
    """A request over its sendings; ``verdict`` of the system: None is nothing, empty that it answered."""

    request: Request
    url: str
    attempt: int = 1
    renewed: bool = False
    broken: bool = False  # a sending was lost on a broken way
    doubt: bool = False  # an earlier sending may have taken effect
    wish: float = 0.0  # for how many seconds the last answer wants no further request
    verdict: str | None = None


class Client:
    """A connection's client; see :func:`client_of`."""

    def __init__(self, connection: ConnectionRef, base_url: str, line: Line | None = None) -> None:
        self.base_url = base_url.rstrip("/") + "/"
        self.options: NetworkSettings = connection.network
        self.connector = connection.connector
        self.line = line or Line(self.options.connections)
        self.used = time.monotonic()
        self.active = 0
        self._owner = (connection.tenant_id, connection.id)
        self._patience = min(self.options.connect_s, self.options.read_s, PATIENT_S) * 0.9
        self._http = Http(self.options)

    async def send(self, ctx: Context, request: Request, auth: Auth | None = None) -> Answer:
        """Send a request, repeating it where the rules allow; the answer is ``ok`` or accepted.

        Raises ConnectorError: what the system said, that it could not be reached, that it did
        not answer in time, that it rests after failures, or that it asks for more patience
        than the call has.
        """
        place = (*self._owner, ctx.identity)
        breaker = breakers.breaker_of(*place, self.connector)
        trip = _Trip(request, url_below(self.base_url, request.path))
        probe = False
        self.active += 1
        try:
            if not breaker.looked:
                await look(breaker)
            patience = _patience(ctx) if self.active <= MAX_WAITING else 0.0
            await pauses.obey(place, request.bucket, patience)
            probe = await breaker.enter(ctx)
            self.line.budget.call()
            return await self._send(ctx, trip, auth, place)
        finally:
            self.active -= 1
            self.used = time.monotonic()
            beside = breaker.prober is ctx and not probe  # the call's first request is the probe
            if trip.verdict:
                await breaker.failed(trip.verdict, probe=probe or beside)
            elif trip.verdict is not None:
                if not beside:
                    await breaker.succeeded()
            elif probe:
                breaker.give_back(ctx)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, ctx: Context, trip: _Trip, auth: Auth | None, place: pauses.Place) -> Answer:
        request = trip.request
        own = {**ctx.trace_headers(), **(request.headers or {})}
        headers = dict(await auth.headers(renewed=False)) if auth is not None else {}
        secrets = (*headers.values(), *request.secrets)
        while True:
            got = await self._sent(ctx, trip, (own, headers), secrets, place)
            outcome: Answer | Lost
            if isinstance(got, Missing):
                outcome, failure = got.lost, got.error
            else:
                outcome = got
                if (
                    got.ok
                    or got.status in request.accept
                    # The first deletion, whose answer was lost, has done it.
                    or (got.status == 404 and request.method == "DELETE" and trip.doubt)
                ):
                    trip.verdict = ""
                    return got
                if got.status == 401 and auth is not None and not trip.renewed and trip.attempt < ATTEMPTS:
                    trip.verdict = ""  # it answers, also where there is nothing to renew
                    # A refused request was not executed, so any kind may be sent again.
                    headers = dict(await auth.headers(renewed=True))
                    secrets += tuple(headers.values())  # the former ones may still be quoted
                    trip.renewed = True
                    trip.attempt += 1
                    continue
                failure = failure_of(got, request)
                if request.wish is not None and (told := request.wish(got)):
                    failure = pauses.limited(failure.message, told, status=got.status)
            harmless = does_no_harm(
                request.kind, outcome, broken_before=trip.broken, before_commit=request.before_commit
            )
            again = trip.attempt - 1 - trip.renewed < self.options.retries and trip.attempt < ATTEMPTS
            if not (harmless and again and await self._rested(ctx, trip, outcome, failure, place)):
                trip.verdict = self._verdict(got, request)
                if isinstance(failure, RateLimited):
                    metrics.limited("vendor")
                raise failure
            if may_have_happened(outcome):
                trip.doubt = True
                trip.broken = trip.broken or outcome is Lost.BROKEN or isinstance(outcome, Answer)
            metrics.repeated(self.connector)
            trip.attempt += 1

    async def _sent(
        self,
        ctx: Context,
        trip: _Trip,
        headers: tuple[Mapping[str, str], Mapping[str, str]],
        secrets: tuple[str, ...],
        place: pauses.Place,
    ) -> Answer | Missing:
        """One sending, when there is room for it."""
        request, left = trip.request, time_left(ctx.deadline)
        if left <= 0:
            raise TimedOut("The call's time is over; nothing was sent.", retryable=True)
        await self.line.enter(min(left, self.options.pool_s))
        ctx.sent = True
        started = time.perf_counter()
        got: Answer | Missing | ConnectorError | None = None
        try:
            got = await send_once(
                self._http, trip.url, request, headers, secrets,
                seconds=max(time_left(ctx.deadline), 0.001), attempt=trip.attempt,
            )  # fmt: skip
        except ConnectorError as error:
            got = error
            if error.upstream_status:
                trip.verdict = ""  # it answered, though not with what can be used
            raise
        finally:
            self.line.leave()
            if request.kind is not Kind.READ and _has_effect(got):
                effects.happened()
            if got is not None:
                metrics.sent(self.connector, outcome_of(got), time.perf_counter() - started)
        trip.wish = 0.0
        if isinstance(got, Answer):
            own = request.wish(got) if request.wish is not None else 0.0
            if wish := max(own, wish_of(got.status, got.headers)):
                trip.wish, quota = wish, got.quota
                await pauses.note(place, (request.bucket, quota.resource if quota else request.bucket), wish)
        return got

    async def _rested(
        self, ctx: Context, trip: _Trip, outcome: Answer | Lost, failure: ConnectorError, place: pauses.Place
    ) -> bool:
        """Wait before a repetition; False where the call has no time or no budget for it.

        Raises RateLimited where the system asked for more time than the call has.
        """
        wait = max(wait_before(outcome, trip.attempt), pauses.left_of(place, trip.request.bucket))
        if wait > _patience(ctx):
            if isinstance(outcome, Answer) and (outcome.retry_after or trip.wish):
                trip.verdict = self._verdict(outcome, trip.request)
                metrics.limited("vendor")
                raise pauses.limited(failure.message, wait, status=outcome.status) from failure
            return False
        if not self.line.may_repeat():
            return False
        await asyncio.sleep(wait)
        return True

    def _verdict(self, got: Answer | Missing, request: Request) -> str | None:
        """What a request that failed says of the system."""
        if isinstance(got, Missing):
            return got.error.type if got.waited >= self._patience else None  # its caller was in a hurry
        if got.status < 500 or asked_to_wait(got):
            return ""
        if request.before_commit is not None and request.before_commit(got):
            return ""
        return "http_error"


def _has_effect(got: Answer | Missing | ConnectorError | None) -> bool:
    """Whether a request that writes may have been carried out."""
    if isinstance(got, Answer):
        return got.ok or may_have_happened(got)
    return (
        may_have_happened(got.lost) if isinstance(got, Missing) else got is None or got.code not in NOT_SENT
    )


def _patience(ctx: Context) -> float:
    """Seconds that a call waits before it is sent, or sent again."""
    return min(time_left(ctx.deadline), LONGEST_WAIT_S)


_Key: TypeAlias = tuple[UUID, int, str, NetworkSettings]


@dataclass(slots=True)
class _Home:
    """A loop's clients, by use, and what those of one connection share."""

    clients: "OrderedDict[_Key, Client]" = field(default_factory=OrderedDict)
    lines: "weakref.WeakValueDictionary[tuple[UUID, int], Line]" = field(
        default_factory=weakref.WeakValueDictionary
    )
    swept: float = field(default_factory=time.monotonic)


_homes: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Home]" = weakref.WeakKeyDictionary()


def client_of(connection: ConnectionRef, base_url: str) -> Client:
    """The connection's client in this process, made at first use; changed settings make a new one."""
    loop = asyncio.get_running_loop()
    home = _homes.get(loop)
    if home is None:
        for other in [it for it in _homes if it.is_closed()]:
            _homes.pop(other, None)  # its open connections would keep it for ever
        home = _homes[loop] = _Home()
    key = (connection.id, connection.version, base_url, connection.network)
    client = home.clients.get(key)
    known, now = client is not None, time.monotonic()
    if client is None:
        size = connection.network.connections
        line = home.lines.get((connection.id, size))
        if line is None:
            line = home.lines[connection.id, size] = Line(size)
        client = home.clients[key] = Client(connection, base_url, line)
    client.used = now
    home.clients.move_to_end(key)
    if not known or now - home.swept > SWEEP_S:
        _drop_idle(loop, home, now)
    return client


def _drop_idle(loop: asyncio.AbstractEventLoop, home: _Home, now: float) -> None:
    """Close clients that nobody used for a while, and the oldest beyond the limit."""
    home.swept = now
    for key, client in list(home.clients.items())[:-1]:
        if client.active or (client.used > now - IDLE_S and len(home.clients) <= MAX_CLIENTS):
            continue
        del home.clients[key]
        loop.create_task(client.aclose())


async def close_all() -> None:
    """Close this loop's clients, at the end of the process."""
    home = _homes.pop(asyncio.get_running_loop(), None)
    for client in list(home.clients.values()) if home is not None else ():
        await client.aclose()
