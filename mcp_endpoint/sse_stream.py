"""Open HTTP+SSE streams of this worker, and messages on their way to one.

A message may enter another worker than the one that holds the stream: it then goes over the
bus (encrypted), and the holder says that it has it before the client is told so. The upstream
tokens that the client sent with its GET count for the whole stream and never travel.
"""

import asyncio
import contextlib
import secrets
from typing import Any
from uuid import UUID

from django.conf import settings

from common.bus import bus
from mcp_endpoint import streams
from mcp_endpoint.dialogue import Dialogue
from mcp_endpoint.visit import RETRY_AFTER_S, Visit
from mcp_endpoint.wire import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PING,
    STREAM_HEADERS,
    ProtocolError,
    Wire,
    event,
)
from tenants.changes import watcher
from tenants.principals import Caller

KIND, ACK = "sse", "sse-ack"
LAST_WORDS_S = 3.0  # how long calls that a stopping worker ended get to have their errors answered
MAX_WAITING = 200  # messages of one stream that its worker has not begun yet
HANDED_OVER_S = 3.0  # how long the worker that holds the stream may take to say so

_open: dict[str, "_Stream"] = {}
_handed_over: dict[str, tuple[asyncio.AbstractEventLoop, "asyncio.Future[bool]"]] = {}


def new_id() -> str:
    """An id that nobody guesses."""
    return secrets.token_urlsafe(16)


async def run(visit: Visit, wire: Wire, place: tuple[str, str]) -> None:
    """Stream until the client leaves, its key ends or this worker stops.

    ``place`` is the stream's id and its message URL. Raises ProtocolError where it must not
    be opened.
    """
    stream_id, message_url = place
    stream = _Stream(visit, wire)
    await stream.dialogue.start()
    _open[stream_id] = stream
    try:
        client_left = await stream.run((*STREAM_HEADERS, *visit.extra), message_url)
        del _open[stream_id]
        if not client_left and streams.of_loop().closing:
            await stream.drain()
    finally:
        _open.pop(stream_id, None)
        await stream.close()


class _Stream:
    """A stream, and the conversation over it."""

    def __init__(self, visit: Visit, wire: Wire) -> None:
        if visit.caller is None:
            raise ValueError("a stream needs an authenticated visit")
        self.loop = asyncio.get_running_loop()
        self.tenant_id = visit.caller.tenant.id
        self._wire = wire
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._cut = False  # nothing more can be written
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        tokens = {
            name: value
            for name, value in visit.request.lines
            if name.startswith(b"x-") and name.endswith(b"-token")
        }
        self.dialogue = Dialogue(
            visit.caller, self.send, self._ended.set, headers=tokens, ping=self._ping, transport="sse"
        )

    async def run(self, headers: tuple[tuple[bytes, bytes], ...], message_url: str) -> bool:
        """Send the message URL, then whatever there is to send; True where the client ended it."""
        try:
            await self._wire.open(headers)
            await self._wire.write(b"event: endpoint\r\ndata: %b\r\n\r\n" % message_url.encode())
        except OSError:
            return True
        self._taking = self._start(self._take_all())
        self._left = self._start(self._wire.closed())
        ended = self._start(self._ended.wait())
        await asyncio.wait({self._left, ended}, return_when=asyncio.FIRST_COMPLETED)
        return self._left.done() or self._cut

    async def drain(self) -> None:
        """Let the calls of a stopping worker come to their end, while the client waits for them."""
        self._taking.cancel()
        ending = self._start(self.dialogue.finish(settings.PORTICO_DRAIN_S + LAST_WORDS_S))
        await asyncio.wait({self._left, ending}, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """End what runs over it: nobody could be told of it."""
        self._cut = True
        for task in self._tasks:
            task.cancel()
        await self.dialogue.close()

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def send(self, frame: bytes) -> None:
        """Send a frame as an event; dropped where the client has gone."""
        await self._write(event(frame))

    async def _ping(self) -> None:
        await self._write(PING)

    async def _write(self, chunk: bytes) -> None:
        async with self._lock:
            if self._cut:
                return
            try:
                await self._wire.write(chunk)
            except OSError:
                self._cut = True
                self._ended.set()

    async def _take_all(self) -> None:
        while True:
            told = await self._waiting.get()
            await self.dialogue.take(told["message"], told["key"], told["address"])

    def offer(self, told: dict[str, Any]) -> bool:
        """Queue a message, from any thread; False where too many wait already."""
        if self._waiting.qsize() >= MAX_WAITING:
            return False
        self.loop.call_soon_threadsafe(self._waiting.put_nowait, told)
        return True

    def look_again(self) -> None:
        """See soon whether the tenant still serves this transport; from any thread."""
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self.loop.call_soon_threadsafe(lambda: self._start(self._check()))

    async def _check(self) -> None:
        if not await self.dialogue.check() or not self.dialogue.caller.tenant.sse_enabled:
            self._ended.set()


async def hand_over(stream_id: str, message: dict[str, Any], caller: Caller) -> bool:
    """Give a message to the worker that holds the stream; False where too many wait there.

    Raises ProtocolError where no worker has the stream, and
    :class:`~common.bus.MessageTooLargeError`.
    """
    told = {"to": stream_id, "message": message, "key": caller.key_id, "address": caller.address}
    stream = _open.get(stream_id)
    if stream is not None:
        return stream.offer(told)
    ticket = secrets.token_hex(8)
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    _handed_over[ticket] = (asyncio.get_running_loop(), answer)
    try:
        await bus.publish_async(caller.tenant.id, KIND, {**told, "ticket": ticket})
        async with asyncio.timeout(HANDED_OVER_S):
            return await answer
    except TimeoutError:
        if not bus.connected.is_set():
            raise ProtocolError(
                INTERNAL_ERROR, "The message could not be handed to the worker that holds the stream, because "
                "Redis does not answer. Try again in a moment.", status=503,
                headers=((b"retry-after", RETRY_AFTER_S),),
            ) from None  # fmt: skip
        raise ProtocolError(
            INVALID_REQUEST, "The stream of this session has ended; GET it again for a new message URL.",
            status=410,
        ) from None  # fmt: skip
    finally:
        del _handed_over[ticket]


def _heard_message(tenant_id: UUID, body: dict[str, Any]) -> None:
    stream = _open.get(str(body.get("to")))
    if stream is not None and stream.tenant_id == tenant_id:
        with contextlib.suppress(RuntimeError):  # its loop has ended
            bus.publish(tenant_id, ACK, {"ticket": body.get("ticket"), "taken": stream.offer(body)})


def _heard_ack(tenant_id: UUID, body: dict[str, Any]) -> None:
    waits = _handed_over.get(str(body.get("ticket")))
    if waits is not None:
        with contextlib.suppress(RuntimeError):
            waits[0].call_soon_threadsafe(_resolve, waits[1], body.get("taken") is True)


def _resolve(answer: "asyncio.Future[bool]", taken: bool) -> None:
    if not answer.done():
        answer.set_result(taken)


def _tenant_changed(tenant_id: UUID, version: int) -> None:
    for stream in list(_open.values()):
        if stream.tenant_id == tenant_id:
            stream.look_again()


bus.subscribe(KIND, _heard_message)
bus.subscribe(ACK, _heard_ack)
watcher.subscribe(_tenant_changed)
