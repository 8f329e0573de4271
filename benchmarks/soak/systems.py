"""Twenty systems on sockets of their own, in a process of their own; five of them break on demand.

``python -m benchmarks.soak.systems N`` prints one JSON line with the ports, then reads one JSON
object per line from standard input: ``{"broken": {"3": "silent"}}`` breaks these and mends all
others. Each line is answered with how many requests each system has had.
"""

import asyncio
import json
import os
import sys

import uvloop

THINK_S = 0.004  # what a healthy system takes for an answer
BODY = b'{"id":7,"name":"A thing","state":"open","tags":["a","b"],"text":"' + b"x" * 600 + b'"}'
GOOD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
BAD = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy"
WAYS = ("refuse", "silent", "error", "reset", "drip")


class System:
    """One system: healthy, or broken in one of the ways."""

    def __init__(self) -> None:
        self.way = ""
        self.requests = 0
        self.port = 0
        self.server: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=256)
        self.port = self.server.sockets[0].getsockname()[1]

    async def become(self, way: str) -> None:
        """Break in this way, or mend ("")."""
        if way == self.way:
            return
        former, self.way = self.way, way
        for writer in list(self.writers):
            writer.transport.abort()
        if way == "refuse" and self.server is not None:
            self.server.close()
            self.server = None
        if former == "refuse":
            await self.listen()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                await self.answer(writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError, RuntimeError):  # uvloop's own word for closed
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter) -> None:
        if self.way == "silent":
            await asyncio.sleep(3600)
        elif self.way == "error":
            writer.write(BAD)
        elif self.way == "reset":
            writer.write(GOOD[:200])
            await writer.drain()
            writer.transport.abort()
        elif self.way == "drip":
            for at in range(len(GOOD)):
                if writer.is_closing():
                    return
                writer.write(GOOD[at : at + 1])
                await writer.drain()
                await asyncio.sleep(0.2)
        else:
            await asyncio.sleep(THINK_S)
            writer.write(GOOD)


async def main(count: int) -> None:
    systems = [System() for _ in range(count)]
    for system in systems:
        await system.listen()
    print(json.dumps([system.port for system in systems]), flush=True)
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        broken = json.loads(line)["broken"]
        for number, system in enumerate(systems):
            await system.become(broken.get(str(number), ""))
        print(json.dumps([system.requests for system in systems]), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(sys.argv[2])})
    uvloop.run(main(int(sys.argv[1])))
