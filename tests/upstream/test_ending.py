"""The loop of background work ends without losing a token, and closes what it has opened."""

import asyncio
import threading

from celery.signals import worker_process_shutdown, worker_shutdown

from common.loops import has_loop, run_in_loop
from connectors.upstream import tokens
from connectors.upstream.client import Request, client_of
from connectors.upstream.ending import end_loop
from connectors.upstream.retry import Kind
from portico import celery
from tests.upstream.conftest import some_connection, until

READ = Request("GET", "things", Kind.READ)


async def test_the_end_of_a_worker_closes_its_clients_and_stores_a_token_first(double, ctx):
    stored = threading.Event()

    async def work() -> None:
        assert (await client_of(some_connection(), double.url).send(ctx(), READ)).ok
        tokens._working.add(renewal := asyncio.create_task(renewed()))
        renewal.add_done_callback(tokens._ended)

    async def renewed() -> None:
        await asyncio.sleep(0.1)
        stored.set()

    await asyncio.to_thread(run_in_loop, work())
    assert double.open == 1
    await asyncio.to_thread(celery._end_loop)
    assert stored.is_set() and not has_loop()
    await until(lambda: double.open == 0)
    for signal in (worker_process_shutdown, worker_shutdown):
        assert any(receiver() is celery._end_loop for _, receiver in signal.receivers)


async def test_a_loop_that_something_holds_is_left_behind(ctx):
    held = threading.Event()

    async def hold() -> None:
        held.wait(30)

    waiting = threading.Thread(target=lambda: run_in_loop(hold()), daemon=True)
    waiting.start()
    await until(has_loop)
    ending = asyncio.create_task(asyncio.to_thread(end_loop, 0.1))
    await until(lambda: not has_loop())
    held.set()
    await ending
    await asyncio.to_thread(waiting.join, 10)
