"""A small HTTP proxy that adds an access key: the conformance suite cannot send one.

Each request gets a connection of its own to the server, so that requests fall to all of its
workers. Host, Origin and every other header stay as they came; bodies and event streams
pass in both directions as they come; whoever closes first closes both sides.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

MAX_HEAD = 64 * 1024
PATH = "/mcp"


class Proxy:
    """``PATH`` here is ``path`` at the server on ``port``, with the key."""

    def __init__(self, port: int, path: str, key: str) -> None:
        self._port = port
        self._path = path.encode()
        self._key = key.encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of a client, from its head to the end of its answer."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            writer.close()
            return
        inner_writer.write(self._keyed(head))
        ways = [
            asyncio.create_task(_pass_on(reader, inner_writer)),
            asyncio.create_task(_pass_on(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for side in (inner_writer, writer):
                with contextlib.suppress(OSError, RuntimeError):
                    side.close()

    def _keyed(self, head: bytes) -> bytes:
        """The request's head with the key, for the server's own path, for this request alone."""
        request_line, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        method, target, version = request_line.split(b" ", 2)
        if target.startswith(PATH.encode()):
            target = self._path + target.removeprefix(PATH.encode())
        kept = [line for line in lines if not line.lower().startswith((b"connection:", b"authorization:"))]
        kept += [b"Authorization: Bearer " + self._key, b"Connection: close"]
        return b"\r\n".join([b" ".join((method, target, version)), *kept]) + b"\r\n\r\n"


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()


@contextlib.contextmanager
def proxied(server_port: int, path: str, key: str, *, port: int = 0) -> Iterator[str]:
    """The URL of a proxy in a thread of this process; ``port`` 0 takes a free one."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        started, over = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def run() -> None:
            proxy = Proxy(server_port, path, key)
            async with await asyncio.start_server(proxy.serve, sock=listening, limit=MAX_HEAD):
                started.set()
                await over.wait()

        def work() -> None:
            loop.run_until_complete(run())
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        started.wait(10)
        try:
            yield f"http://localhost:{listening.getsockname()[1]}{PATH}"
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(10)
