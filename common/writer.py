"""Group commit: many small writes of one process, few transactions.

One thread per process owns one database connection. Callers queue jobs; the thread takes
all that wait, hands each kind's payloads to the handler of that kind, commits once and
tells every caller. A call that waits for its job therefore sees its write durable, and a
burst of calls costs one commit. Handlers run in their registered order, which is the
house's lock order: objects, Tenant, AuditHead.

A failing batch is halved until the bad job stands alone and fails alone. When the database
is away, jobs fail at once, except those with a deadline: they are tried again until then.
Before a second try the handlers look for what the first one wrote after all: a connection
can be lost between a commit and its answer.
"""

import asyncio
import atexit
import copy
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)

logger = logging.getLogger(__name__)

Handler = Callable[[Sequence[Any]], Sequence[Any]]
Finder = Callable[[Sequence[Any]], Sequence[Any | None]]

MAX_BATCH = 500
MAX_QUEUE = 20_000
MAX_PER_OWNER = 5_000
RETRY_S = 0.25


class QueueFullError(RuntimeError):
    """More jobs wait than the process, or one tenant, may hold; nothing was queued."""


class WriterUnavailableError(RuntimeError):
    """The database did not take the write; the job was not executed."""


@dataclass(slots=True)
class Job:
    """One queued write. ``result`` is set by the writer thread, then ``waiter`` is woken."""

    kind: str
    payload: Any
    waiter: "asyncio.Future[Any] | Future[Any] | None"
    loop: asyncio.AbstractEventLoop | None = None
    owner: str = ""
    deadline: float | None = None
    result: Any = None
    tried: bool = False


class GroupWriter:
    """The process's writer thread, started at first use (so always after the fork)."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[int, Handler]] = {}
        self._alone: dict[str, Handler] = {}
        self._finders: dict[str, Finder] = {}
        self._before_stop: list[Callable[[], None]] = []
        self.last_error: str | None = None
        self._reset()
        os.register_at_fork(after_in_child=self._reset)
        atexit.register(self.stop)

    def _reset(self) -> None:
        # A fork copies the parent's queue, which the parent writes, and may copy a held lock.
        self._queue: deque[Job] = deque()
        self._waiting: dict[str, int] = {}
        self._wake = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._idle = False
        self._busy = False

    def register(
        self,
        kind: str,
        handler: Handler,
        *,
        order: int,
        alone: Handler | None = None,
        find: Finder | None = None,
    ) -> None:
        """Name the handler of a kind of job.

        ``handler(payloads)`` runs inside a transaction in the writer thread and returns one
        result per payload, in order. A result that is an exception instance is raised to
        that job's caller alone; an exception raised by the handler itself rolls back.
        Handlers run in ascending ``order`` (audit is last, at 100). ``alone`` takes batches of
        nothing but this kind instead, outside any transaction, and commits by itself.
        ``find(payloads)`` gives the result of each payload that is in the database already, and
        None for the others; a kind without it must bear being written twice.
        """
        self._handlers[kind] = (order, handler)
        if alone is not None:
            self._alone[kind] = alone
        if find is not None:
            self._finders[kind] = find

    def before_stop(self, function: Callable[[], None]) -> None:
        """Call ``function`` when the writer is asked to stop, while jobs can still be queued."""
        self._before_stop.append(function)

    @property
    def depth(self) -> int:
        """How many jobs wait, for health and metrics."""
        return len(self._queue)

    def submit(
        self, kind: str, payload: Any, *, owner: str = "", deadline: float | None = None
    ) -> "Future[Any]":
        """Queue a job from a thread; the future resolves after its commit.

        ``owner`` (a tenant) may have :data:`MAX_PER_OWNER` jobs waiting. With a ``deadline``
        (of ``time.monotonic()``) a database that is away is tried again until then.
        """
        waiter: Future[Any] = Future()
        self._put(Job(kind, payload, waiter, None, owner, deadline))
        return waiter

    async def submit_async(
        self, kind: str, payload: Any, *, owner: str = "", deadline: float | None = None
    ) -> Any:
        """Queue a job from the event loop and wait for its commit; see :meth:`submit`.

        Cancelling the wait does not cancel the write.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Any] = loop.create_future()
        self._put(Job(kind, payload, waiter, loop, owner, deadline))
        return await waiter

    def submit_later(
        self, kind: str, payload: Any, *, owner: str = "", deadline: float | None = None
    ) -> None:
        """Queue a job nobody waits for; a failure is logged."""
        self._put(Job(kind, payload, None, None, owner, deadline))

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
        for function in self._before_stop:
            try:
                function()
            except Exception:
                logger.exception("A last write could not be queued")
        thread = self._thread
        if thread is None:
            return
        with self._wake:
            self._stopping = True
            self._wake.notify()
        thread.join(timeout)
        if self._queue:
            logger.error("%d writes were still waiting for the database at the end", len(self._queue))
        self._thread = None

    def _put(self, job: Job) -> None:
        with self._wake:
            waiting = self._waiting.get(job.owner, 0)
            if len(self._queue) >= MAX_QUEUE or (job.owner and waiting >= MAX_PER_OWNER):
                raise QueueFullError("Too many writes are waiting for the database; try again in a moment.")
            self._waiting[job.owner] = waiting + 1
            self._queue.append(job)
            if self._idle:
                self._wake.notify()
            elif self._thread is None or not self._thread.is_alive():
                self._stopping = False
                self._thread = threading.Thread(target=self._run, name="portico-writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        _own_connection()
        try:
            while (batch := self._take()) is not None:
                try:
                    self._write(batch)
                finally:
                    self._busy = False
                again = [job for job in batch if job.result is _TRY_AGAIN]
                self._finish([job for job in batch if job.result is not _TRY_AGAIN] if again else batch)
                if again:
                    self._put_back(again)
        finally:
            connection.close()

    def _gather(self) -> None:
        """Step aside while callers that run right now are still adding jobs to this batch."""
        seen = 0
        for _ in range(8):
            if len(self._queue) <= seen:
                return
            seen = len(self._queue)
            time.sleep(0)

    def _take(self) -> list[Job] | None:
        with self._wake:
            while not self._queue:
                if self._stopping:
                    return None
                self._idle = True
                self._wake.wait()
                self._idle = False
            self._busy = True
        self._gather()
        with self._wake:
            if len(self._queue) <= MAX_BATCH:
                batch = list(self._queue)
                self._queue.clear()
                self._waiting.clear()
            else:
                batch = [self._queue.popleft() for _ in range(MAX_BATCH)]
                for job in batch:
                    self._waiting[job.owner] -= 1
            return batch

    def _put_back(self, jobs: list[Job]) -> None:
        """Keep jobs for another try, before those that came meanwhile, and rest for a moment.

        A job without a deadline that arrives meanwhile ends the rest, so that it can fail fast.
        """
        with self._wake:
            for job in jobs:
                job.result = None
                self._waiting[job.owner] = self._waiting.get(job.owner, 0) + 1
            self._queue.extendleft(reversed(jobs))
            if all(job.deadline is not None for job in self._queue):
                self._idle = True
                self._wake.wait(RETRY_S)
                self._idle = False

    def _write(self, batch: list[Job]) -> None:
        try:
            self._attempt(batch)
        except (OperationalError, InterfaceError) as error:
            connection.close()
            for job in batch:
                job.tried = True
            was_up, self.last_error = self.last_error is None, type(error).__name__
            if was_up:  # a restarted database drops the old connections and takes new ones
                self._write(batch)
            else:
                self._give_up_or_keep(batch, error)
        except Exception as error:  # a poison row must not take its neighbours with it
            if len(batch) == 1:
                logger.warning("One write of kind %s failed: %s", batch[0].kind, type(error).__name__)
                batch[0].result = error
                return
            middle = len(batch) // 2
            self._write(batch[:middle])
            self._write(batch[middle:])

    def _give_up_or_keep(self, batch: list[Job], error: Exception) -> None:
        now, lost = time.monotonic(), 0
        for job in batch:
            if job.deadline is not None and job.deadline > now:
                job.result = _TRY_AGAIN
            else:
                lost += 1
                job.result = WriterUnavailableError("The database is not available.")
        logger.error(
            "The database did not take %d writes (%s); %d are kept for another try",
            len(batch), type(error).__name__, len(batch) - lost,
        )  # fmt: skip

    def _attempt(self, batch: list[Job]) -> None:
        if connection.connection is None:
            _connect()
        if any(job.tried for job in batch):
            batch = self._not_written(batch)
        by_kind = _by_kind(batch)
        if len(by_kind) == 1 and (alone := self._alone.get(batch[0].kind)) is not None:
            _hand_out(batch, alone([job.payload for job in batch]))
        elif batch:
            with transaction.atomic():
                for kind in sorted(by_kind, key=lambda k: self._handlers[k][0]):
                    jobs = by_kind[kind]
                    _hand_out(jobs, self._handlers[kind][1]([job.payload for job in jobs]))
        self.last_error = None

    def _not_written(self, batch: list[Job]) -> list[Job]:
        """The jobs that an earlier try did not write; the others get their results."""
        for kind, jobs in _by_kind([job for job in batch if job.tried]).items():
            _hand_out(jobs, [None] * len(jobs))  # what was rolled back has no result
            if (find := self._finders.get(kind)) is not None:
                _hand_out(jobs, find([job.payload for job in jobs]))
        return [job for job in batch if not job.tried or job.result is None]

    def _finish(self, batch: list[Job]) -> None:
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


_TRY_AGAIN = object()


def _own_connection() -> None:
    """Give the writer thread a connection outside the pool, which tells quickly that nobody answers."""
    own = connections.create_connection(DEFAULT_DB_ALIAS)
    own.settings_dict = copy.deepcopy(own.settings_dict)
    if own.vendor == "postgresql":
        options = own.settings_dict.setdefault("OPTIONS", {})
        options.pop("pool", None)
        options.setdefault("connect_timeout", 3)
        options.setdefault("tcp_user_timeout", 10_000)
        options["application_name"] = "portico-writer"
    connections[DEFAULT_DB_ALIAS] = own


def _connect() -> None:
    """Connect with durable commits, and never wait for a lock longer than a call may take."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SET synchronous_commit TO on; SET lock_timeout TO '15s'; SET standard_conforming_strings TO on"
            )
        elif connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous=FULL")


def _by_kind(batch: Sequence[Job]) -> dict[str, list[Job]]:
    kinds: dict[str, list[Job]] = {}
    for job in batch:
        kinds.setdefault(job.kind, []).append(job)
    return kinds


def _hand_out(jobs: Sequence[Job], results: Sequence[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        job.result = result


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
