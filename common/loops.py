"""Running async work from threads that have no event loop: background tasks, commands, plain views.

A process has one loop for all of it, in a thread of its own, which goes on between two
pieces of work: clients of Redis and of other systems belong to their loop, and a loop per
piece of work would open every connection anew.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

CANCEL_S = 10.0  # so long cancelled work may take to end; time limits leave room for it

_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_making = threading.Lock()


def run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the process's own loop and return its result, or raise what it raised.

    Blocks: never for code that runs in an event loop. The work has the calling thread's
    context. Where the wait is interrupted (a task's time limit, Ctrl-C), the work is cancelled
    and has :data:`CANCEL_S` seconds to end before the interruption goes on.
    """
    loop = _running_loop()
    if threading.current_thread() is _thread:
        work.close()
        raise RuntimeError("run_in_loop was called in the loop that it would wait for")
    ended = threading.Event()
    begun: list[asyncio.Task[T]] = []

    def begin() -> None:
        task = loop.create_task(work)
        begun.append(task)
        task.add_done_callback(end)

    def end(task: "asyncio.Task[T]") -> None:
        if not task.cancelled():
            task.exception()  # it is known, also where nobody waits any more
        ended.set()

    def cancel() -> None:
        if begun:
            begun[0].cancel()
        else:  # interrupted before it was handed over
            work.close()
            ended.set()

    try:
        loop.call_soon_threadsafe(begin)
        ended.wait()
    except BaseException:
        loop.call_soon_threadsafe(cancel)
        ended.wait(CANCEL_S)
        raise
    return begun[0].result()


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    if _loop is not None:
        return _loop
    with _making:
        if _loop is None:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=_serve, args=(loop,), name="portico-loop", daemon=True)
            thread.start()
            _loop, _thread = loop, thread
    return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def has_loop() -> bool:
    """Whether any work was run yet."""
    return _loop is not None


def stop_loop() -> None:
    """Cancel what runs in the loop and end it; the next piece of work begins a new one."""
    global _loop, _thread
    with _making:
        loop, thread = _loop, _thread
        _loop = _thread = None
    if loop is None or thread is None:
        return
    with contextlib.suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(CANCEL_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(CANCEL_S)
    if not thread.is_alive():
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _forget() -> None:
    """In a forked child: the parent's thread did not come along."""
    global _loop, _thread, _making
    _loop = _thread = None
    _making = threading.Lock()


os.register_at_fork(after_in_child=_forget)
