"""Group commit: many small writes of one process, few transactions.

One thread per process owns one database connection. Callers queue jobs; the thread takes
all that wait, hands each kind's payloads to the handler of that kind, commits once and
tells every caller. A call that waits for its job therefore sees its write durable, and a
burst of calls costs one commit. Handlers run in their registered order, which is the
house's lock order: objects, Tenant, AuditHead.

A failing batch is halved until the bad job stands alone and fails alone.
"""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError, connection, transaction

logger = logging.getLogger(__name__)

Handler = Callable[[Sequence[Any]], Sequence[Any]]

MAX_BATCH = 500
MAX_QUEUE = 20_000


class QueueFullError(RuntimeError):
    """More jobs wait than the process may hold; nothing was queued."""


class WriterUnavailableError(RuntimeError):
    """The database did not take the write; the job was not executed."""


@dataclass(slots=True)
class Job:
    """One queued write. ``result`` is set by the writer thread, then ``waiter`` is woken."""

    kind: str
    payload: Any
    waiter: "asyncio.Future[Any] | Future[Any] | None"
    loop: asyncio.AbstractEventLoop | None = None
    result: Any = None
    queued_at: float = field(default_factory=time.monotonic)


class GroupWriter:
    """The process's writer thread, started at first use (so always after the fork)."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[int, Handler]] = {}
        self._queue: deque[Job] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._stopping = False
        self._busy = False
        self.last_error: str | None = None

    def register(self, kind: str, handler: Handler, *, order: int) -> None:
        """Name the handler of a kind of job.

        ``handler(payloads)`` runs inside a transaction in the writer thread and returns one
        result per payload, in order. A result that is an exception instance is raised to
        that job's caller alone; an exception raised by the handler itself rolls back.
        Handlers run in ascending ``order`` (audit is last, at 100).
        """
        self._handlers[kind] = (order, handler)

    @property
    def depth(self) -> int:
        """How many jobs wait, for health and metrics."""
        return len(self._queue)

    def submit(self, kind: str, payload: Any) -> "Future[Any]":
        """Queue a job from a thread; the future resolves after its commit."""
        waiter: Future[Any] = Future()
        self._put(Job(kind, payload, waiter))
        return waiter

    async def submit_async(self, kind: str, payload: Any) -> Any:
        """Queue a job from the event loop and wait for its commit.

        Cancelling the wait does not cancel the write.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Any] = loop.create_future()
        self._put(Job(kind, payload, waiter, loop))
        return await waiter

    def submit_later(self, kind: str, payload: Any) -> None:
        """Queue a job nobody waits for; a failure is logged."""
        self._put(Job(kind, payload, None))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that is queued now is written; False when time ran out."""
        end = time.monotonic() + timeout
        while self._queue or self._busy:
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True

    def stop(self, timeout: float = 10.0) -> None:
        """Write what is queued and end the thread; the next job starts a new one."""
        thread = self._thread
        if thread is None or self._pid != os.getpid():
            return
        with self._wake:
            self._stopping = True
            self._wake.notify()
        thread.join(timeout)
        self._thread = None

    def _put(self, job: Job) -> None:
        if len(self._queue) >= MAX_QUEUE:
            raise QueueFullError("Too many writes are waiting for the database; try again in a moment.")
        if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
            self._start()
        with self._wake:
            self._queue.append(job)
            self._wake.notify()

    def _start(self) -> None:
        with self._wake:
            alive = self._thread is not None and self._thread.is_alive() and self._pid == os.getpid()
            if alive:
                return
            if self._pid != os.getpid():
                self._queue.clear()  # a fork copied the parent's jobs; the parent writes those
            self._pid = os.getpid()
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="portico-writer", daemon=True)
            self._thread.start()
        atexit.register(self.stop)

    def _run(self) -> None:
        try:
            while True:
                with self._wake:
                    while not self._queue and not self._stopping:
                        self._wake.wait()
                    if not self._queue:
                        return
                    batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
                    self._busy = True
                try:
                    self._write(batch)
                finally:
                    self._busy = False
                self._wake_callers(batch)
        finally:
            connection.close()

    def _write(self, batch: list[Job]) -> None:
        try:
            self._attempt(batch)
        except OperationalError as error:
            connection.close()
            self.last_error = type(error).__name__
            if self._retry_once(batch):
                return
            logger.error("The database did not take %d writes: %s", len(batch), type(error).__name__)
            for job in batch:
                job.result = WriterUnavailableError("The database is not available.")
        except Exception as error:  # a poison row must not take its neighbours with it
            if len(batch) == 1:
                logger.warning("One write of kind %s failed: %s", batch[0].kind, type(error).__name__)
                batch[0].result = error
                return
            middle = len(batch) // 2
            self._write(batch[:middle])
            self._write(batch[middle:])

    def _retry_once(self, batch: list[Job]) -> bool:
        """Try again on a new connection: a restarted database drops the old ones."""
        try:
            self._attempt(batch)
        except Exception:
            connection.close()
            return False
        return True

    def _attempt(self, batch: list[Job]) -> None:
        by_kind: dict[str, list[Job]] = {}
        for job in batch:
            by_kind.setdefault(job.kind, []).append(job)
        with transaction.atomic():
            for kind in sorted(by_kind, key=lambda k: self._handlers[k][0]):
                jobs = by_kind[kind]
                results = self._handlers[kind][1]([job.payload for job in jobs])
                for job, result in zip(jobs, results, strict=True):
                    job.result = result
        self.last_error = None

    def _wake_callers(self, batch: list[Job]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        for job in batch:
            if job.loop is not None:
                by_loop.setdefault(job.loop, []).append(job)
            elif isinstance(job.waiter, Future):
                _settle(job)
            elif isinstance(job.result, BaseException):
                logger.error("A write of kind %s was lost: %s", job.kind, type(job.result).__name__)
        for loop, jobs in by_loop.items():
            try:
                loop.call_soon_threadsafe(_settle_all, jobs)
            except RuntimeError:  # the loop was closed while its jobs were written
                logger.warning("%d writes were committed after their callers had gone", len(jobs))


def _settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        _settle(job)


def _settle(job: Job) -> None:
    waiter = job.waiter
    if waiter is None or waiter.done():
        return
    if isinstance(job.result, BaseException):
        waiter.set_exception(job.result)
    else:
        waiter.set_result(job.result)


writer = GroupWriter()
