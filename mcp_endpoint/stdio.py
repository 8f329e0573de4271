"""One tenant over standard input and output: newline-delimited JSON-RPC in one process.

Both eras speak it (specification of 2025-11-25 and 2026-07-28, "stdio"): a line is a message,
and nothing but messages goes out. Reading and writing block, so each has a thread of its own;
that works alike on Linux, macOS and Windows.
"""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

from django.conf import settings

from mcp_endpoint import messages
from mcp_endpoint.dialogue import Dialogue
from mcp_endpoint.process_end import end_process
from mcp_endpoint.wire import INVALID_REQUEST, ProtocolError
from tenants.changes import watcher
from tenants.principals import Caller

logger = logging.getLogger(__name__)

DRAIN_S = 5.0  # what calls still get when the client has closed its side


async def serve(
    caller: Caller, source: BinaryIO, sink: BinaryIO, headers: Mapping[bytes, bytes] | None = None
) -> None:
    """Serve a caller until ``source`` ends, its key does, or the process is told to stop.

    ``headers`` are upstream tokens as an HTTP client would send them, for all calls.

    Calls that still run when ``source`` ends get :data:`DRAIN_S` seconds. Every record of the
    audit is written when this returns. Raises ProtocolError where the caller may not come.
    """
    watcher.start()
    conversation = _Conversation(caller, source, sink, headers)
    try:
        await conversation.run()
    finally:
        await end_process()


class _Conversation:
    """The two threads and what goes between them."""

    def __init__(
        self, caller: Caller, source: BinaryIO, sink: BinaryIO, headers: Mapping[bytes, bytes] | None
    ) -> None:
        self._source, self._sink = source, sink
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(100)  # lines that may wait; then the client has to
        self._ended = asyncio.Event()
        self._at_once = False  # nobody reads any more: let nothing finish
        self._pen = ThreadPoolExecutor(1, thread_name_prefix="portico-stdout")
        self._dialogue = Dialogue(caller, self._send, self._end, headers=headers)

    async def run(self) -> None:
        """Take lines until the end of input."""
        await self._dialogue.start()
        threading.Thread(target=self._read, name="portico-stdin", daemon=True).start()
        ended = asyncio.create_task(self._ended.wait())
        try:
            with _stop_signals(self._loop, self._end):
                while (line := await self._next(ended)) is not None:
                    await self._take(line)
        finally:
            ended.cancel()
            await self._dialogue.finish(0 if self._at_once else DRAIN_S)
            self._pen.shutdown()

    async def _next(self, ended: "asyncio.Task[Any]") -> bytes | None:
        """The next line; None at the end of input, or where the conversation was ended."""
        line = asyncio.ensure_future(self._lines.get())
        try:
            await asyncio.wait({line, ended}, return_when=asyncio.FIRST_COMPLETED)
            return line.result() if line.done() and not ended.done() else None
        finally:
            line.cancel()
            self._room.release()

    async def _take(self, line: bytes) -> None:
        text = line.strip()
        if not text:
            return
        try:
            if len(text) > settings.PORTICO_MAX_BODY:
                limit = f"A message may have {settings.PORTICO_MAX_BODY:,} bytes."
                raise ProtocolError(INVALID_REQUEST, limit)
            message = messages.parse(text)
        except ProtocolError as error:
            await self._dialogue.refuse(error)
            return
        await self._dialogue.take(message)

    def _end(self) -> None:
        self._at_once = True
        self._ended.set()

    def _read(self) -> None:
        """The thread that reads; it may hang in a read for as long as the process lives."""
        put = self._lines.put_nowait
        with contextlib.suppress(RuntimeError):  # the loop has ended
            try:
                while line := self._source.readline():
                    self._room.acquire()
                    self._loop.call_soon_threadsafe(put, line)
            except (OSError, ValueError):  # closed while it was read
                logger.info("Standard input was lost")
            self._loop.call_soon_threadsafe(put, None)

    async def _send(self, frame: bytes) -> None:
        if not self._at_once:
            await self._loop.run_in_executor(self._pen, self._write, frame)

    def _write(self, frame: bytes) -> None:
        try:
            self._sink.write(frame + b"\n")  # JSON as we write it has no line breaks
            self._sink.flush()
        except (OSError, ValueError):  # nobody reads: the client has gone
            self._loop.call_soon_threadsafe(self._end)


@contextlib.contextmanager
def _stop_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Any:
    """End cleanly on SIGTERM and Ctrl-C, so that what runs is recorded."""
    wanted = [signal.SIGINT, signal.SIGTERM]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in wanted}
    for number in wanted:
        # Not the loop's own handlers: those do not exist on Windows.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
