"""Running doubles: in the test's own loop, in a thread, or in a process of their own."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from urllib.request import Request, urlopen

from tests.doubles.documents import ROOT
from tests.doubles.double import Double
from tests.doubles.line import Server

D = TypeVar("D", bound=Double)


@asynccontextmanager
async def serving(double: D, port: int = 0) -> AsyncIterator[D]:
    """The double on a socket of the running loop."""
    server = Server(double.serve)
    double.url = await server.start(port)
    try:
        yield double
    finally:
        await server.stop()


@contextmanager
def serving_in_thread(double: D, port: int = 0) -> Iterator[D]:
    """The double in a thread with a loop of its own: for tests that block theirs, or have none."""
    loop = asyncio.new_event_loop()
    server = Server(double.serve)
    thread = threading.Thread(target=loop.run_forever, name=f"double-{double.vendor}", daemon=True)
    thread.start()
    try:
        double.url = asyncio.run_coroutine_threadsafe(server.start(port), loop).result(10)
        yield double
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Remote:
    """A double in another process, by its control address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def plan(self, **values: Any) -> None:
        """Plan a fault, such as ``plan(fault="reset", times=2)``."""
        self._send("POST", "faults", values)

    def clear(self) -> None:
        """Plan no faults."""
        self._send("DELETE", "faults")

    def reset(self) -> None:
        """Make its state new."""
        self._send("POST", "reset")

    def report(self) -> dict[str, Any]:
        """What came in: ``counts``, ``operations``, ``violations``."""
        found: dict[str, Any] = self._send("GET", "report")
        return found

    def _send(self, method: str, what: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        with urlopen(Request(f"{self.url}/__double__/{what}", data, method=method), timeout=10) as answer:
            return json.loads(answer.read() or b"null")


@contextmanager
def serving_in_process(*vendors: str) -> Iterator[dict[str, Remote]]:
    """Doubles in one process of their own, by vendor."""
    command = [sys.executable, "-m", "tests.doubles", *vendors, "--json"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        started = process.stdout.readline()
        assert started, "the doubles did not start"
        yield {vendor: Remote(url) for vendor, url in json.loads(started).items()}
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
