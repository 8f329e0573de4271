"""Async work of threads runs in one loop that goes on between two pieces of it."""

import asyncio
import contextvars
import os
import signal
import threading
import time

import pytest

from common.loops import run_in_loop, stop_loop

word = contextvars.ContextVar("word", default="none")


async def its_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_work_of_several_threads_runs_in_one_loop() -> None:
    first = run_in_loop(its_loop())
    seen: list[asyncio.AbstractEventLoop] = []
    threads = [threading.Thread(target=lambda: seen.append(run_in_loop(its_loop()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [first] * 3


def test_what_work_left_behind_goes_on_between_two_pieces() -> None:
    done = threading.Event()

    async def soon() -> None:
        await asyncio.sleep(0.01)
        done.set()

    async def leave() -> "asyncio.Task[None]":
        return asyncio.create_task(soon())

    task = run_in_loop(leave())
    assert done.wait(10)
    assert task is not None


def test_work_has_the_context_of_its_thread_and_its_failure_is_raised() -> None:
    async def read() -> str:
        return word.get()

    async def fail() -> None:
        raise KeyError("gone")

    word.set("here")
    assert run_in_loop(read()) == "here"
    with pytest.raises(KeyError, match="gone"):
        run_in_loop(fail())


class TimeIsOver(Exception):
    pass


def test_interrupted_work_is_cancelled_and_ends_before_the_interruption_goes_on() -> None:
    ended: list[str] = []
    running = threading.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    def over(*_: object) -> None:
        raise TimeIsOver

    def interrupt() -> None:
        running.wait(10)
        os.kill(os.getpid(), signal.SIGUSR2)

    former = signal.signal(signal.SIGUSR2, over)
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(TimeIsOver):
            run_in_loop(work())
    finally:
        signal.signal(signal.SIGUSR2, former)
    assert ended == ["cleaned up"]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_a_loop_of_its_own() -> None:
    run_in_loop(its_loop())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - seen through the pipe
        try:
            os.write(writer, b"1" if not run_in_loop(its_loop()).is_closed() else b"0")
        finally:
            os._exit(0)
    os.close(writer)
    os.set_blocking(reader, False)
    end, said = time.monotonic() + 20, None
    while said is None and time.monotonic() < end:
        try:
            said = os.read(reader, 1)
        except BlockingIOError:
            time.sleep(0.02)
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert said == b"1"


def test_a_stopped_loop_is_replaced() -> None:
    first = run_in_loop(its_loop())
    stop_loop()
    assert first.is_closed()
    assert run_in_loop(its_loop()) is not first


def test_work_is_refused_in_the_loop_itself() -> None:
    async def again() -> None:
        run_in_loop(its_loop())

    with pytest.raises(RuntimeError, match="wait for"):
        run_in_loop(again())
