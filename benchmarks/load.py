"""A load generator in a process of its own: keep-alive connections over a raw asyncio protocol.

Reads one JSON object per line from standard input and writes one per line to standard output::

    {"port": 8000, "connections": 16, "seconds": 2, "requests": ["<base64 of a whole request>"]}
    -> {"calls": n, "seconds": s, "errors": n, "p50": ms, "p99": ms}

Requests are sent round-robin; a response is counted as an error unless its status is 200
and its body has no ``"isError":true`` and no ``"error"`` member.
"""

import asyncio
import base64
import json
import os
import sys
import time
from itertools import cycle

import uvloop


class Peer(asyncio.Protocol):
    """One connection: sends the next request when an answer is complete."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.buffer = b""
        self.sent = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(next(self.run.requests))

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        lowered = self.buffer[:head].lower()
        at = lowered.find(b"content-length:")
        if at < 0:
            self.run.errors += 1
            self.run.sample = self.buffer[:500]
            self.run.finish()
            return
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.buffer) < head + 4 + length:
            return
        body = self.buffer[head + 4 :]
        ok = (
            self.buffer.startswith(b"HTTP/1.1 200")
            and b'"isError":true' not in body
            and b'"error":{' not in body
        )
        self.buffer = b""
        self.run.done(time.perf_counter() - self.sent, ok, body)
        if not self.run.over:
            self.send()

    def connection_lost(self, error) -> None:
        if not self.run.over:
            self.run.errors += 1
            self.run.finish()


class Run:
    """One measurement."""

    def __init__(self, spec: dict) -> None:
        self.requests = cycle([base64.b64decode(r) for r in spec["requests"]])
        self.spec = spec
        self.times: list[float] = []
        self.errors = 0
        self.sample = b""
        self.over = False
        self.finished = asyncio.get_running_loop().create_future()
        self.end = float("inf")

    def done(self, seconds: float, ok: bool, body: bytes) -> None:
        self.times.append(seconds)
        if not ok:
            self.errors += 1
            self.sample = body[:500]
            self.finish()
        if time.perf_counter() >= self.end or len(self.times) >= self.spec.get("calls", 10**9):
            self.finish()

    def finish(self) -> None:
        self.over = True
        if not self.finished.done():
            self.finished.set_result(None)

    async def go(self) -> dict:
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self.end = started + self.spec.get("seconds", 3600)
        peers = [
            (await loop.create_connection(lambda: Peer(self), "127.0.0.1", self.spec["port"]))[0]
            for _ in range(self.spec["connections"])
        ]
        await self.finished
        took = time.perf_counter() - started
        for transport in peers:
            transport.close()
        times = sorted(self.times) or [0.0]
        return {
            "calls": len(self.times),
            "seconds": took,
            "errors": self.errors,
            "sample": self.sample.decode("utf-8", "replace"),
            "p50": times[len(times) // 2] * 1000,
            "p99": times[min(len(times) - 1, int(len(times) * 0.99))] * 1000,
        }


async def main() -> None:
    for line in sys.stdin:
        print(json.dumps(await Run(json.loads(line)).go()), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in sys.argv[1].split(",")})
    uvloop.run(main())
