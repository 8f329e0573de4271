"""Running ORM work from the event loop, in a small thread pool of our own.

``sync_to_async`` funnels through one thread and Django's ASGI handler starts a thread per
request; here a handful of threads keep their connections across jobs.
"""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")

_pool: ThreadPoolExecutor | None = None


def _executor() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(settings.PORTICO_DB_THREADS, thread_name_prefix="portico-db")
    return _pool


def _job(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return function(*args, **kwargs)
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close_at = None  # these few threads keep their connections, whatever CONN_MAX_AGE says
            connection.close_if_unusable_or_obsolete()


async def in_db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous function that uses the ORM in the pool and return its result."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_executor(), functools.partial(_job, function, *args, **kwargs))


def shut_down_pool() -> None:
    """End the pool's threads and close their connections (at worker shutdown and in tests)."""
    global _pool
    if _pool is not None:
        # Every thread must close its own: none may take a second job before all have their first.
        together = threading.Barrier(_pool._max_workers)
        for _ in range(_pool._max_workers):
            _pool.submit(_close_own, together)
        _pool.shutdown(wait=True)
        _pool = None


def _close_own(together: threading.Barrier) -> None:
    with contextlib.suppress(threading.BrokenBarrierError):
        together.wait(5)
    connections.close_all()
