"""Looking up names of hosts, so that one name server that is silent holds up nobody else's names.

A look-up blocks its thread for as long as the machine's resolver likes, and nothing ends it
early. So look-ups have threads of their own, apart from those that the rest of the process
shares, and one name takes one thread, however many calls wait for it.
"""

import asyncio
import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeAlias

THREADS: Final = 32
Found: TypeAlias = list[tuple[Any, ...]]

_pool: ThreadPoolExecutor | None = None
_running: "dict[tuple[str, int], Future[Found]]" = {}


async def look_up(host: str, port: int) -> Found:
    """The rows of ``getaddrinfo`` for TCP. Raises OSError or UnicodeError as that does."""
    global _pool
    key = (host, port)
    future = _running.get(key)
    if future is None:
        if _pool is None:
            _pool = ThreadPoolExecutor(THREADS, thread_name_prefix="portico-names")
        future = _running[key] = _pool.submit(_ask, host, port)
        future.add_done_callback(lambda _: _running.pop(key, None))
    answer = asyncio.wrap_future(future)
    answer.add_done_callback(_known)
    return await asyncio.shield(answer)  # who leaves does not end it for the others


def _known(answer: "asyncio.Future[Found]") -> None:
    """Nobody shall be told that nobody asked, where whoever asked has left."""
    if not answer.cancelled():
        answer.exception()


def _ask(host: str, port: int) -> Found:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _forget() -> None:
    """In a forked child: the parent's threads did not come along."""
    global _pool
    _pool = None
    _running.clear()


os.register_at_fork(after_in_child=_forget)
