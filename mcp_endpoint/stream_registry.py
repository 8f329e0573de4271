"""The open streams of one event loop: who is told what, and when each of them ends.

Bursts of news are told once. One timer looks at the clock for all streams: keys that expire,
clients that hear nothing.
"""

import asyncio
import contextlib
import contextvars
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from django.db import Error as DatabaseError
from redis import RedisError

from common.bus import bus
from common.log_context import tenant_context
from connectors import pipeline
from connectors.snapshot import TenantGoneError
from mcp_endpoint import session_uris
from mcp_endpoint.open_stream import Stream, Target
from mcp_endpoint.speakers import Speakers
from mcp_endpoint.targets import targets_of
from mcp_endpoint.wire import INTERNAL_ERROR, RETRY_AFTER_S, ProtocolError, unavailable
from tenants import access

logger = logging.getLogger(__name__)

MAX_OF_TENANT: Final = 1_000  # open streams of one tenant in one worker
COALESCE_S: Final = 0.1
TICK_S: Final = 1.0
PING_S: Final = 15.0
AWAY = (access.AccessUnavailable, DatabaseError, RedisError)


class Streams:
    """The streams of one event loop. Only the ``…_from_thread`` methods may be called elsewhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.closing = False
        self.speakers = Speakers()
        self.of_tenant: dict[UUID, dict[Stream, None]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._changed: set[UUID] = set()
        self._updated: dict[UUID, set[Target]] = {}
        self._again: set[UUID] = set()  # what could not be looked at, for the next tick
        self._deaf = False  # the bus was away, so news may have been missed
        self._soon: asyncio.TimerHandle | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def count(self, tenant_id: UUID | None = None) -> int:
        """How many are open, of one tenant or of all; from any thread."""
        if tenant_id is not None:
            return len(self.of_tenant.get(tenant_id, ()))
        return sum(len(streams) for streams in list(self.of_tenant.values()))

    def add(self, stream: Stream) -> None:
        """Take a stream in. Raises ProtocolError where there are too many, or this worker stops."""
        tenant_id = stream.caller.tenant.id
        if self.closing:
            raise unavailable("This server is being restarted; connect again in a moment.")
        if len(self.of_tenant.get(tenant_id, ())) >= MAX_OF_TENANT:
            raise ProtocolError(
                INTERNAL_ERROR,
                f"This tenant has {MAX_OF_TENANT:,} open streams here, the most it may have; close some.",
                status=429,
                headers=((b"retry-after", RETRY_AFTER_S),),
            )
        self.of_tenant.setdefault(tenant_id, {})[stream] = None
        self._empty.clear()
        if self._ticker is None:
            self._ticker = self.loop.call_later(TICK_S, self._tick, context=contextvars.Context())

    def speaks(self, stream: Stream) -> bool:
        """Whether news of its session go out on this stream."""
        return self.speakers.speaks(stream)

    def remove(self, stream: Stream) -> None:
        """Forget a stream."""
        tenant_id = stream.caller.tenant.id
        here = self.of_tenant.get(tenant_id, {})
        here.pop(stream, None)
        if not here:
            self.of_tenant.pop(tenant_id, None)
        if not self.of_tenant:
            self._empty.set()
        if stream.session and self.speakers.leave(stream):
            self._start(self.speakers.left(stream))

    def from_thread(self, tenant_id: UUID, callback: Callable[..., Any], *arguments: Any) -> None:
        """Have a callback run in the loop, where it has streams of this tenant."""
        if tenant_id in self.of_tenant:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(callback, *arguments, context=contextvars.Context())

    # News

    def tenant_changed(self, tenant_id: UUID) -> None:
        """Look at a tenant's streams again, soon."""
        self._changed.add(tenant_id)
        self._run_soon()

    def resources_updated(self, tenant_id: UUID, targets: list[Target]) -> None:
        """Tell the subscribers of resources, soon."""
        if not targets:
            return
        self._updated.setdefault(tenant_id, set()).update(targets)
        self._run_soon()

    def session_changed(self, tenant_id: UUID, session: str) -> None:
        """A session subscribed or unsubscribed somewhere."""
        for stream in self.speakers.of(session):
            if stream.caller.tenant.id == tenant_id:
                self._start(self._reread(stream))

    def stream_elsewhere(self, session: str, opened_at: float, closed: bool) -> None:
        """Another worker opened or closed a stream of a session."""
        if self.speakers.of(session):
            self._start(self.speakers.heard(session, opened_at, closed))

    def task_notice(self, tenant_id: UUID, task_id: str, method: str, params: Mapping[str, Any]) -> None:
        """Tell who listens to a durable task."""
        for stream in list(self.of_tenant.get(tenant_id, ())):
            if task_id in stream.tasks:
                stream.notify(method, params)

    def _run_soon(self) -> None:
        if self._soon is None:
            self._soon = self.loop.call_later(COALESCE_S, self._run, context=contextvars.Context())

    def _run(self) -> None:
        self._soon = None
        self._start(self._work())

    def _start(self, work: Any) -> None:
        task = self.loop.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """First who may hear what, then what there is to hear."""
        changed, self._changed = self._changed, set()
        updated, self._updated = self._updated, {}
        for tenant_id in changed:
            await self._renew_all(tenant_id)
        for tenant_id, targets in updated.items():
            for stream in list(self.of_tenant.get(tenant_id, ())):
                for target in stream.targets.keys() & targets:
                    stream.notify("notifications/resources/updated", {"uri": stream.targets[target]})

    async def _renew_all(self, tenant_id: UUID) -> None:
        for number, stream in enumerate(list(self.of_tenant.get(tenant_id, ()))):
            if number % 50 == 49:
                await asyncio.sleep(0)  # many streams must not hold up the calls
            tenant_context.set(stream.caller.tenant.slug)
            try:
                await self.renew(stream)
            except AWAY:
                self._again.add(tenant_id)  # no answer is no reason to end it
                return
            except Exception:
                logger.exception("A stream could not be looked at again")
                self._again.add(tenant_id)

    async def renew(self, stream: Stream) -> None:
        """Look at a stream's key and lists again: it ends, or is told what changed."""
        stream.looked += 1
        look = stream.looked
        caller = await access.recheck(stream.caller)
        if caller is None:
            stream.end()
            return
        try:
            catalogue = await pipeline.catalogue(caller)
        except TenantGoneError:
            stream.end()
            return
        if stream.looked == look:  # else a later look knows better
            targets = targets_of(catalogue, stream.uris)
            stream.renew(caller, catalogue, access.expires_at(caller), targets)

    async def read(self, stream: Stream) -> None:
        """Read a session's subscriptions, and look at its stream again. Raises :data:`AWAY`."""
        stream.read += 1
        reading = stream.read
        uris = await session_uris.load(stream.caller.tenant.id, stream.session)
        if stream.read == reading:  # else a later one knows better
            stream.uris = uris
            await self.renew(stream)

    async def _reread(self, stream: Stream, *, missed: bool = False) -> None:
        try:
            await self.read(stream)
            if missed:
                self.resources_updated(stream.caller.tenant.id, list(stream.targets))
        except AWAY as error:
            logger.warning("A session's subscriptions could not be read: %s", type(error).__name__)

    # The clock

    def _tick(self) -> None:
        self._ticker = None
        if not self.of_tenant:
            return
        self._ticker = self.loop.call_later(TICK_S, self._tick, context=contextvars.Context())
        now, seconds = time.monotonic(), time.time()
        for tenant_id, streams in list(self.of_tenant.items()):
            for stream in list(streams):
                if stream.expires > seconds:
                    stream.keep_alive(now, PING_S)
                elif stream.expires:
                    stream.end()
                else:
                    self._again.add(tenant_id)
        again, self._again = self._again, set()
        for tenant_id in again:
            self.tenant_changed(tenant_id)
        if not bus.connected.is_set():
            self._deaf = True
        elif self._deaf:
            self._deaf = False
            self._catch_up()

    def _catch_up(self) -> None:
        """The bus is back: what was missed is read again, and told to whoever may have missed it."""
        for tenant_id, streams in self.of_tenant.items():
            for stream in streams:
                if stream.session:
                    self._start(self._reread(stream, missed=True))
                else:
                    self.resources_updated(tenant_id, list(stream.targets))

    async def end_all(self, seconds: float) -> None:
        """Refuse new streams and end the open ones; who cannot say goodbye in time is cut off."""
        self.closing = True
        everyone = [stream for streams in self.of_tenant.values() for stream in streams]
        for stream in everyone:
            stream.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        for stream in [stream for streams in self.of_tenant.values() for stream in streams]:
            stream.fail()
