"""HTTP/1.1 on a socket: h11 reads and frames, and whoever wants to break things gets the bytes."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import h11

from tests.doubles.messages import Answer, Request

MAX_BODY = 50_000_000


class Gone(Exception):
    """The connection is over."""


class Line:
    """One client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER)
        self.requests = 0
        self._method = ""

    async def receive(self) -> Request:
        """The next request. Raises Gone at the end of the connection."""
        if self.requests:
            try:
                self._http.start_next_cycle()
            except h11.LocalProtocolError as error:
                raise Gone from error
        head = await self._event()
        if not isinstance(head, h11.Request):
            raise Gone
        if self._http.they_are_waiting_for_100_continue:
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise Gone
        if not isinstance(event, h11.EndOfMessage):
            raise Gone
        self.requests += 1
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        path, _, query = head.target.decode("latin-1").partition("?")
        host = headers.get("host") or "{}:{}".format(*self._writer.get_extra_info("sockname")[:2])
        self._method = head.method.decode()
        return Request(self._method, path, query, headers, bytes(body), f"http://{host}")

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer; the connection lives on where the client wants that."""
        await self.write(self.framed(answer))

    def framed(self, answer: Answer) -> bytes:
        """The bytes of a whole answer; for who sends them in another way than at once."""
        headers = answer.all_headers()
        payload = answer.payload
        if answer.status not in (204, 304):
            headers["content-length"] = str(len(payload))
        bodyless = answer.status in (204, 304) or self._method == "HEAD"
        response = h11.Response(status_code=answer.status, headers=list(headers.items()))
        parts = [self._http.send(response)]
        if payload and not bodyless:
            parts.append(self._http.send(h11.Data(data=payload)))
        parts.append(self._http.send(h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    async def write(self, data: bytes) -> None:
        """Send bytes as they are. Raises Gone where nobody listens."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Gone from error

    async def gone(self) -> None:
        """Wait until the client hangs up."""
        with suppress(OSError):
            while await self._reader.read(65_536):
                pass

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        wire = self._writer.get_extra_info("socket")
        with suppress(OSError):
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        """End the connection in order."""
        with suppress(OSError, RuntimeError):
            self._writer.close()

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise Gone from error
            if event is not h11.NEED_DATA:
                return event
            try:
                self._http.receive_data(await self._reader.read(65_536))
            except OSError as error:
                raise Gone from error


App: TypeAlias = Callable[[Request, Line], Awaitable[None]]


class Server:
    """A listening socket on loopback that hands each request to an app."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.url = ""
        self.connections = 0

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> str:
        """Listen; 0 takes a free port. Returns the URL."""
        self._server = await asyncio.start_server(self._connected, host, port)
        self.url = f"http://{host}:{self._server.sockets[0].getsockname()[1]}"
        return self.url

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        line = Line(reader, writer)
        try:
            while True:
                await self._app(await line.receive(), line)
        except (Gone, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._tasks.discard(task)
            line.close()
