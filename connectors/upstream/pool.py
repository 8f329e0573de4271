"""Connections to systems that stay open between requests."""

import asyncio
import ssl
from typing import Final, cast

import httpcore2

from connectors.upstream.network import GuardedBackend

IDLE_CONNECTION_S: Final = 30
SURPLUS_S: Final = 1.0  # so long more than the setting says stay open: calls of a burst come again


class Pool:
    """Idle connections of one client, and new ones where none is of use.

    How many requests run at once is bounded by the client's line already, so nobody waits here.
    The library's own pool, which keeps a queue, looks through all of its connections twice for
    each request: a fifth of what a request costs.
    """

    def __init__(self, tls: ssl.SSLContext, most_idle: int) -> None:
        self._tls = tls
        self._most_idle = most_idle
        self._network = GuardedBackend()
        self._idle: list[httpcore2.AsyncHTTPConnection] = []  # the one used last at the end
        self._trimming: asyncio.Task[None] | None = None

    async def take(self, origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection:
        """An idle connection to an origin, or a new one, for one request; then :meth:`give_back`."""
        while self._idle and self._idle[0].has_expired():
            await self._idle.pop(0).aclose()
        for position in reversed(range(len(self._idle))):
            if self._idle[position].can_handle_request(origin):
                connection = self._idle.pop(position)
                if not connection.has_expired():
                    return connection
                await connection.aclose()
        return httpcore2.AsyncHTTPConnection(
            origin, ssl_context=self._tls, keepalive_expiry=IDLE_CONNECTION_S, network_backend=self._network
        )

    async def give_back(self, connection: httpcore2.AsyncHTTPConnection) -> None:
        """Keep a connection whose request has ended, where it is of use for another."""
        if not connection.is_idle() or connection.is_closed() or _has_more(connection):
            await connection.aclose()
            return
        self._idle.append(connection)
        if len(self._idle) <= self._most_idle:
            return
        if not self._most_idle:
            await self._trim()
        elif self._trimming is None or self._trimming.done():
            self._trimming = asyncio.get_running_loop().create_task(self._trim_soon())

    async def aclose(self) -> None:
        """Close the idle connections, and those under way as they are given back."""
        self._most_idle = 0
        if self._trimming is not None:
            self._trimming.cancel()
        await self._trim()

    async def _trim_soon(self) -> None:
        await asyncio.sleep(SURPLUS_S)
        await self._trim()

    async def _trim(self) -> None:
        while len(self._idle) > self._most_idle:
            await self._idle.pop(0).aclose()


def _has_more(connection: httpcore2.AsyncHTTPConnection) -> bool:
    """Whether more came in than an answer: the next request would take it for its own.

    The library keeps those bytes to itself, so this reaches into it; the test of it holds the way.
    """
    inner = cast("httpcore2.AsyncHTTP11Connection", connection._connection)
    return bool(inner._h11_state.trailing_data[0])
