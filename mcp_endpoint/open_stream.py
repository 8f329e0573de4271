"""One open notification stream: what it was promised, and the way to its client.

It has no task and no queue of its own while nothing happens: frames that are to go out wait in
a bounded set, and a task lives only as long as there are some.
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol
from uuid import UUID

from connectors.catalogue import Catalogue
from mcp_endpoint.wire import ClientGone, dumps
from tenants.principals import Caller

logger = logging.getLogger(__name__)

LISTS: Final = ("tools", "prompts", "resources")
MAX_PENDING = 64 * 1024  # bytes that may wait for a slow client, beyond what its connection buffers
SLOW_S = 60.0  # a client that takes nothing for so long has gone
SUBSCRIPTION_KEY: Final = "io.modelcontextprotocol/subscriptionId"
_PING = b""

SendFrame = Callable[[bytes], Awaitable[None]]
Target = tuple[UUID, str]  # a connection and a URI as its connector writes it


class Keeper(Protocol):
    """Who holds the streams of an event loop: :class:`mcp_endpoint.stream_registry.Streams`."""

    def speaks(self, stream: "Stream") -> bool:
        """Whether news of a session go out on this stream of it."""
        ...

    def remove(self, stream: "Stream") -> None:
        """Forget a stream."""
        ...


class Stream:
    """A stream of one caller. :func:`mcp_endpoint.streams.open` makes it."""

    __slots__ = (
        "_abort", "_broken", "_busy", "_close", "_held", "_keeper", "_pending", "_ping", "_send", "_size", "_waiting",
        "_woken", "caller", "ended", "expires", "head", "last", "lists", "looked", "opened_at", "read", "session",
        "session_expires", "targets", "tasks", "uris", "wants",
    )  # fmt: skip

    def __init__(
        self,
        keeper: "Keeper",
        caller: Caller,
        send: SendFrame,
        *,
        close: Callable[[], None] | None,
        ping: Callable[[], Awaitable[None]] | None,
        abort: Callable[[], None] | None,
        wants: frozenset[str],
        opened_at: float,
    ) -> None:
        self.caller = caller
        self.wants = wants  # of LISTS
        self.opened_at = opened_at
        self.session = ""  # the digest of its session, of the handshake era alone
        self.session_expires = float("inf")
        self.expires = 0.0  # when it ends by the clock; 0 asks for a look at its key
        self.uris: tuple[str, ...] = ()  # as the client named them
        self.targets: Mapping[Target, str] = {}  # those that it may read, to the name it knows
        self.tasks: frozenset[str] = frozenset()
        self.lists: tuple[str, str, str] | None = None  # digests of what it was last told of, as LISTS
        self.head = b""  # the metadata that each notification carries
        self.looked = self.read = 0  # how often a look at its caller, at its subscriptions, was begun
        self.ended = False
        self.last = time.monotonic()
        self._keeper = keeper
        self._send, self._close, self._ping, self._abort = send, close, ping, abort
        self._pending: dict[bytes, None] = {}
        self._size = 0
        self._busy: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[Any] | None = None
        self._woken = False
        self._broken = False
        self._held = True  # nothing goes out before its first frame

    # What it says

    def begin(self, first: bytes) -> None:
        """Send the first frame, where there is one, and from now on what is queued."""
        self._held = False
        if first:
            self._pending = {first: None, **self._pending}
            self._size += len(first)
        self._go_on()

    def list_changed(self, name: str) -> None:
        """Tell that one of :data:`LISTS` changed, where the client wants to know."""
        if name in self.wants:
            self.notify(f"notifications/{name}/list_changed")

    def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Queue a notification, unless an equal one waits already or another stream speaks."""
        if self.session and not self._keeper.speaks(self):
            return
        members = dumps(params or {})[1:-1]
        parts = b",".join(part for part in (self.head, members) if part)
        self.queue(b'{"jsonrpc":"2.0","method":%b,"params":{%b}}' % (dumps(method), parts))

    def queue(self, frame: bytes) -> None:
        """Have a frame sent after those that wait; a client that leaves too many waiting is dropped."""
        if self.ended or frame in self._pending:
            return
        self._pending[frame] = None
        self._size += len(frame)
        if self._size > MAX_PENDING:
            logger.info("A stream was closed because its client does not read")
            self.fail()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._pending and self._busy is None and not self._held:
            self._busy = asyncio.get_running_loop().create_task(self._flush(), context=contextvars.Context())

    def keep_alive(self, now: float, after: float) -> None:
        """Ping a client that heard nothing for ``after`` seconds; drop one that takes nothing."""
        quiet = now - self.last
        if self._busy is not None:
            if quiet > SLOW_S:
                self.fail()
        elif quiet >= after and self._ping is not None:
            self.queue(_PING)

    async def _flush(self) -> None:
        try:
            while self._pending and not self._broken:
                frame = next(iter(self._pending))
                del self._pending[frame]
                self._size -= len(frame)
                if frame:
                    await self._send(frame)
                elif self._ping is not None:
                    await self._ping()
                self.last = time.monotonic()
        except (OSError, ClientGone):
            self.fail()
        except Exception:
            logger.exception("A stream could not be written")
            self.fail()
        finally:
            self._busy = None

    # What it knows of its caller

    def renew(
        self, caller: Caller, catalogue: Catalogue, expires: float, targets: Mapping[Target, str]
    ) -> None:
        """Take what the caller may use now, and tell which of its lists changed."""
        self.caller, self.targets = caller, targets
        self.expires = min(expires, self.session_expires)
        before, self.lists = self.lists, catalogue.lists
        if before is not None and before != self.lists:
            for name, old, new in zip(LISTS, before, self.lists, strict=True):
                if old != new:
                    self.list_changed(name)

    # How it ends

    async def wait(self, gone: Callable[[], Awaitable[None]] | None = None) -> bool:
        """Wait until the stream ends (True) or its client has gone (False).

        For the task that holds the client's connection; ``gone()`` returns once it is lost.
        """
        self._waiting = asyncio.current_task()
        try:
            if self.ended:
                return True
            if gone is None:
                await asyncio.get_running_loop().create_future()
            else:
                await gone()
            return False
        except asyncio.CancelledError:
            task = self._waiting
            if not self._woken or task is None or task.uncancel() > 0:
                raise
            return True
        finally:
            self._waiting = None

    async def drained(self, seconds: float) -> bool:
        """Wait until all that was queued is sent; False where it cannot be in time."""
        if self._busy is not None:
            await asyncio.wait({self._busy}, timeout=seconds)
        return self._busy is None and not self._broken

    def end(self) -> None:
        """End it gracefully: whoever waits is woken, and says goodbye."""
        if self.ended:
            return
        self.ended = True
        if self._waiting is not None:
            self._woken = True
            self._waiting.cancel()
        if self._close is not None:
            self._close()

    def fail(self) -> None:
        """Drop it: nothing more can be sent."""
        self._broken = True
        self._pending.clear()
        if self._busy is not None and self._busy is not asyncio.current_task():
            self._busy.cancel()
        if self._abort is not None:
            self._abort()
        self.end()

    def leave(self) -> None:
        """Forget it; for whoever opened it, when its connection is over."""
        self.ended = True
        self._keeper.remove(self)
