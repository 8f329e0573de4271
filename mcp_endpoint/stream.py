"""The event stream of a running request: opened by its first event, kept alive by comments.

Until something is sent the answer can still be plain JSON with its own HTTP status. A
handler that stays silent for ``PING_S`` opens the stream, so that no proxy on the way gives
up; from then on a comment goes out whenever nothing else did.
"""

import asyncio
from collections.abc import Callable

from mcp_endpoint.wire import PING, STREAM_HEADERS, Header, Wire, event

PING_S = 15.0
ATTEND_AFTER_S = 0.05  # calls that end sooner cost no task; a client that leaves is noticed after it


class EventStream:
    """One request's way to stream, over the wire that its door lent."""

    __slots__ = (
        "_attendant",
        "_headers",
        "_lock",
        "_on_close",
        "_timer",
        "_wire",
        "allowed",
        "closed",
        "opened",
    )

    def __init__(
        self, wire: Wire, *, allowed: bool, headers: tuple[Header, ...], on_close: Callable[[], None] | None
    ) -> None:
        self._wire = wire
        self._headers = headers
        self._on_close = on_close
        self._lock: asyncio.Lock | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._attendant: asyncio.Task[None] | None = None
        self.allowed = allowed
        self.opened = False
        self.closed = False

    def attend(self) -> None:
        """Watch over a request that takes longer than a moment."""
        self._timer = asyncio.get_running_loop().call_later(ATTEND_AFTER_S, self._start)

    def leave(self) -> None:
        """Stop watching: the handler has finished."""
        if self._timer is not None:
            self._timer.cancel()
        if self._attendant is not None:
            self._attendant.cancel()

    async def send(self, frame: bytes) -> None:
        """Send a frame as an event, opening the stream if need be; dropped where the client takes none."""
        await self._write(event(frame))

    async def _write(self, chunk: bytes) -> None:
        if not self.allowed or self.closed:
            return
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            try:
                if not self.opened:
                    self.opened = True
                    await self._wire.open((*STREAM_HEADERS, *self._headers))
                await self._wire.write(chunk)
            except OSError:  # the client has gone
                self._close()

    def _close(self) -> None:
        self.closed = True
        if self._on_close is not None:
            self._on_close()

    def _start(self) -> None:
        self._attendant = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        pings = asyncio.ensure_future(self._keep_alive())
        try:
            await self._wire.closed()
            self._close()
        finally:
            pings.cancel()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(PING_S)
            await self._write(PING)
