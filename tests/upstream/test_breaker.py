import asyncio
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from common.bus import bus
from common.db import in_db
from common.redis import sync_client
from connectors.errors import CircuitOpen
from connectors.upstream import breaker as breaker_module
from connectors.upstream.breaker import Breaker, breaker_of, opened_of, reset

ROOT = Path(__file__).resolve().parents[2]

# Another worker: says "open" or "closed" of one breaker whenever that changes.
OTHER = """
import sys, time
sys.path[:0] = [{root!r}, {root!r} + "/platform"]
import django
django.setup()
from uuid import UUID
from common.bus import bus
from connectors.upstream.breaker import breaker_of
bus.start(); bus.connected.wait(10)
said = None
while True:
    now = "open" if breaker_of(UUID(sys.argv[1]), UUID(sys.argv[2]), "c").open_until else "closed"
    if now != said:
        print(now, flush=True)
        said = now
    time.sleep(0.01)
"""


@pytest.fixture
def place():
    return uuid.uuid4(), uuid.uuid4()


async def refused(breaker) -> float:
    with pytest.raises(CircuitOpen) as caught:
        await breaker.enter()
    assert caught.value.retryable
    return caught.value.retry_after


async def fail(breaker, times):
    for _ in range(times):
        await breaker.enter()
        await breaker.failed("timeout")


async def test_five_failures_in_a_row_open_it_and_four_do_not(place):
    breaker = breaker_of(*place, "c")
    await fail(breaker, 4)
    await breaker.succeeded()
    await fail(breaker, 4)
    await breaker.enter()
    await breaker.failed("http_error")
    assert 29 < await refused(breaker) <= 30
    (opened,) = await in_db(opened_of, *place)
    assert (opened.credential, opened.reason) == ("c", "http_error")
    assert 28 < opened.seconds <= 30


async def test_more_than_half_of_twenty_calls_open_it(place):
    breaker = breaker_of(*place, "c")
    for _ in range(9):
        await breaker.succeeded()
    for _ in range(5):
        await fail(breaker, 2)
        await breaker.enter()
        await breaker.succeeded()
    assert breaker.recent.count(False) == 10
    await fail(breaker, 1)
    assert await refused(breaker) > 0


async def test_failures_of_several_workers_are_counted_together(place):
    workers = [Breaker(*place, "c") for _ in range(5)]
    for worker in workers:
        await fail(worker, 1)
    assert workers[-1].open_until
    assert await in_db(opened_of, *place)


async def test_another_tenant_connection_or_credential_goes_on(place):
    tenant, connection = place
    await fail(breaker_of(tenant, connection, "c"), 5)
    for other in (
        breaker_of(tenant, connection, "another credential"),
        breaker_of(tenant, uuid.uuid4(), "c"),
        breaker_of(uuid.uuid4(), connection, "c"),
    ):
        await other.enter()


async def test_after_the_rest_one_probe_of_one_worker_decides(place, monkeypatch):
    monkeypatch.setattr(breaker_module, "REST_S", 0.2)
    one, other = Breaker(*place, "c"), Breaker(*place, "c")
    await fail(one, 5)
    other._open(0.2)
    await asyncio.sleep(0.25)
    entered = await asyncio.gather(*(b.enter() for b in (one, one, other, other)), return_exceptions=True)
    assert sum(result is None for result in entered) == 1
    assert sum(isinstance(result, CircuitOpen) for result in entered) == 3
    await one.failed("connection")  # the probe failed: another rest
    assert await refused(one) > 0.1
    await asyncio.sleep(0.25)
    await one.enter()
    await one.succeeded()
    await one.enter()
    assert not one.open_until
    assert await in_db(opened_of, *place) == []


async def test_other_workers_obey_and_an_admin_resets_them_all(place):
    tenant, connection = place
    assert await asyncio.to_thread(bus.connected.wait, 10)
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-c", OTHER.format(root=str(ROOT)), str(tenant), str(connection)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "DJANGO_SETTINGS_MODULE": "portico.settings"},
    )  # fmt: skip
    try:
        read = process.stdout.readline
        assert (await asyncio.to_thread(read)).strip() == "closed"
        breaker = breaker_of(tenant, connection, "c")
        await fail(breaker, 5)
        assert (await asyncio.wait_for(asyncio.to_thread(read), 10)).strip() == "open"
        await in_db(reset, tenant, connection)
        assert (await asyncio.wait_for(asyncio.to_thread(read), 10)).strip() == "closed"
        await breaker.enter()
    finally:
        process.kill()
        process.wait()


async def test_without_redis_each_process_counts_for_itself(place, settings, monkeypatch):
    import redis.asyncio

    async def away(*_, **__):
        raise redis.ConnectionError

    monkeypatch.setattr(redis.asyncio.Redis, "eval", away)
    monkeypatch.setattr(breaker_module, "REST_S", 0.1)
    breaker = breaker_of(*place, "c")
    await fail(breaker, 5)
    assert await refused(breaker) > 0
    await asyncio.sleep(0.12)
    await breaker.enter()
    await breaker.succeeded()
    await breaker.enter()


async def test_a_closed_breaker_asks_nobody(place, monkeypatch):
    monkeypatch.setattr(breaker_module, "async_client", None)
    breaker = breaker_of(*place, "c")
    started = time.perf_counter()
    for _ in range(10_000):
        await breaker.enter()
        await breaker.succeeded()
    assert time.perf_counter() - started < 2


async def test_what_is_stored_is_of_the_tenant_and_has_an_end(place):
    await fail(breaker_of(*place, "c"), 1)
    keys = await in_db(lambda: list(sync_client().scan_iter(f"*{place[1].hex}*")))
    assert [key.decode().split(":")[1] for key in keys] == [place[0].hex]
    assert 0 < await in_db(sync_client().ttl, keys[0]) <= 86_400
