"""A server on a socket that answers as each request's script says, and remembers what came in."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n"


def answer(status: int, body: bytes = b'{"ok":true}', **headers: str) -> bytes:
    """A whole HTTP answer; underscores in names become hyphens."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class Came:
    """A request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Step = bytes | Callable[[asyncio.StreamWriter], "asyncio.Future[None]"]


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection before any answer."""
    writer.transport.abort()


async def half(writer: asyncio.StreamWriter) -> None:
    """Break the connection in the middle of the body."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
    await writer.drain()
    writer.transport.abort()


async def silence(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.sleep(60)


@dataclass
class Faulty:
    """The server: ``script`` is what it does with the coming requests; then it says ``otherwise``."""

    url: str = ""
    script: list[object] = field(default_factory=list)
    otherwise: bytes = answer(200)
    decide: Callable[[Came], object] | None = None  # what to do with a request, instead of both
    came: list[Came] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most: int = 0  # connections that were open at one time

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.came.append(Came(method, target, headers, body))
                if self.decide is not None:
                    step = self.decide(self.came[-1])
                else:
                    step = self.script.pop(0) if self.script else self.otherwise
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await step(writer)
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def faulty(tls: ssl.SSLContext | None = None) -> AsyncIterator[Faulty]:
    """A running server."""
    double = Faulty()
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0, ssl=tls)
    double.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield double
    finally:
        server.close()
