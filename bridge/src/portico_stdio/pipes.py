"""Standard input and output as lines, with threads: what works on every system."""

import asyncio
import contextlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

MAX_WAITING = 100  # lines that may wait; then the client has to


class Pipes:
    """One JSON text per line. Must be made inside the running event loop."""

    def __init__(self, source: BinaryIO, sink: BinaryIO, secrets: list[str]) -> None:
        self._source, self._sink = source, sink
        self._secrets = secrets
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(MAX_WAITING)
        self._pen = ThreadPoolExecutor(1, thread_name_prefix="stdout")
        self.broken = False  # nobody reads what is written
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def read(self) -> bytes | None:
        """The next line, None at the end."""
        line = await self._lines.get()
        self._room.release()
        return line

    async def write(self, text: bytes) -> None:
        """Write a JSON text as a line; lines of several tasks never mix."""
        if not self.broken:
            await self._loop.run_in_executor(self._pen, self._write, text)

    def log(self, text: str) -> None:
        """Tell whoever looks at standard error; never a secret."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        with contextlib.suppress(OSError, ValueError):
            print(f"portico-stdio: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Write what waits."""
        self._pen.shutdown()

    def _write(self, text: bytes) -> None:
        try:
            self._sink.write(text + b"\n")
            self._sink.flush()
        except (OSError, ValueError):
            self.broken = True
            self._tell(None)

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := self._source.readline():
                self._room.acquire()
                self._tell(line)
        self._tell(None)

    def _tell(self, line: bytes | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
