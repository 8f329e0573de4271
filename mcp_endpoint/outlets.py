"""Ways to a client that stay open: what a stream of notifications is sent through."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from mcp_endpoint.wire import PING, STREAM_HEADERS, Header, Wire, event


class Outlet(Protocol):
    """Frames, pings, and how it ends."""

    async def send(self, frame: bytes) -> None:
        """Send a JSON-RPC frame. Raises OSError where the client has gone."""
        ...

    async def ping(self) -> None:
        """Keep the connection alive."""
        ...

    async def gone(self) -> None:
        """Return once the client has gone; may never return."""
        ...

    def abort(self) -> None:
        """Cut the client off."""
        ...


class FrameOutlet:
    """Plain frames among those of other requests, as stdio and HTTP+SSE send them."""

    __slots__ = ("_send",)

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send

    async def send(self, frame: bytes) -> None:
        """Send a frame."""
        await self._send(frame)

    async def ping(self) -> None:
        """Nothing: the transport keeps itself alive."""

    async def gone(self) -> None:
        """Never: the transport cancels its requests when its client leaves."""
        await asyncio.get_running_loop().create_future()

    def abort(self) -> None:
        """Nothing: the connection is not this request's own."""


class HttpOutlet:
    """Server-sent events over a wire, opened by the first of them."""

    __slots__ = ("_headers", "_wire", "opened")

    def __init__(self, wire: Wire, headers: tuple[Header, ...]) -> None:
        self._wire = wire
        self._headers = headers
        self.opened = False

    async def start(self) -> None:
        """Send the headers, unless they have gone."""
        if not self.opened:
            self.opened = True
            await self._wire.open((*STREAM_HEADERS, *self._headers))

    async def send(self, frame: bytes) -> None:
        """Send a frame as an event."""
        await self.start()
        await self._wire.write(event(frame))

    async def ping(self) -> None:
        """Send a comment."""
        await self.start()
        await self._wire.write(PING)

    async def gone(self) -> None:
        """Return once the client has gone."""
        await self._wire.closed()

    def abort(self) -> None:
        """Cut the connection off."""
        self._wire.abort()
