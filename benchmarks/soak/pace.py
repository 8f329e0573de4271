"""A load generator that keeps a pace: so many calls per second for each connection, whatever they take.

Reads one JSON object per line and answers with one::

    {"port": 8000, "seconds": 15, "rate": 8, "requests": [["<base64>", ...], ...]}
    -> [{"sent": n, "done": n, "good": n, "open": n, "p50": ms, "p99": ms}, ...]

``requests`` has a list for each connection. A call is sent at its time, over an idle keep-alive
connection or a new one; ``open`` counts answers of the type circuit_open.
"""

import asyncio
import base64
import json
import os
import random
import sys
import time
from itertools import cycle

import uvloop


class Peer(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self.buffer = b""
        self.waiting: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.waiting

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        if self.is_whole(head):
            answer, self.buffer = self.buffer, b""
            if self.waiting and not self.waiting.done():
                self.waiting.set_result(answer)

    def is_whole(self, head: int) -> bool:
        """Whether an answer whose header ends at ``head`` is there; a slow call's is a stream of chunks."""
        _, announced, length = self.buffer[:head].lower().partition(b"content-length:")
        if not announced:
            return self.buffer.endswith(b"\r\n0\r\n\r\n")
        return len(self.buffer) >= head + 4 + int(length.split(b"\r\n", 1)[0])

    def connection_lost(self, error) -> None:
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(ConnectionError("closed"))


class Line:
    """The calls of one connection."""

    def __init__(self, port: int, requests: list[str], pool: list[Peer]) -> None:
        self.port, self.pool = port, pool
        self.requests = cycle([base64.b64decode(request) for request in requests])
        self.sent, self.good, self.open = 0, 0, 0
        self.times: list[float] = []

    async def go(self, rate: float, seconds: float) -> None:
        running: set[asyncio.Task[None]] = set()
        begin = time.perf_counter() + random.random() / rate
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            task = asyncio.create_task(self.one(next(self.requests)))
            running.add(task)
            task.add_done_callback(running.discard)
        if running:
            await asyncio.wait(running, timeout=seconds)

    async def one(self, request: bytes) -> None:
        started = time.perf_counter()
        self.sent += 1
        try:
            peer = self.pool.pop() if self.pool else None
            if peer is None or peer.transport.is_closing():
                loop = asyncio.get_running_loop()
                _, peer = await loop.create_connection(Peer, "127.0.0.1", self.port)
            answer = await peer.ask(request)
        except OSError:
            return
        self.times.append(time.perf_counter() - started)
        if answer.startswith(b"HTTP/1.1 200") and b'"isError":true' not in answer:
            self.good += 1
        self.open += b"circuit_open" in answer
        self.pool.append(peer)

    def found(self) -> dict:
        times = sorted(self.times) or [0.0]
        return {
            "sent": self.sent,
            "done": len(self.times),
            "good": self.good,
            "open": self.open,
            "p50": times[len(times) // 2] * 1000,
            "times": [round(value * 1000, 3) for value in times],
        }


async def main() -> None:
    pool: list[Peer] = []
    for line in sys.stdin:
        order = json.loads(line)
        lines = [Line(order["port"], requests, pool) for requests in order["requests"]]
        await asyncio.gather(*(one.go(order["rate"], order["seconds"]) for one in lines))
        print(json.dumps([one.found() for one in lines]), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(sys.argv[1])})
    uvloop.run(main())
