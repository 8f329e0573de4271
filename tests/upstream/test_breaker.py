import asyncio
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
import redis

from common.bus import bus
from common.db import in_db
from common.redis import sync_client
from connectors.errors import CircuitOpen
from connectors.upstream import breaker as breaker_module
from connectors.upstream import breaker_store, pauses
from connectors.upstream.breaker import Breaker, breaker_of, open_here, opened_among, opened_of, reset
from connectors.upstream.known import look

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
    assert sum(result is True for result in entered) == 1
    assert sum(isinstance(result, CircuitOpen) for result in entered) == 3
    await one.failed("connection", probe=True)  # another rest
    assert await refused(one) > 0.1
    await asyncio.sleep(0.25)
    assert await one.enter()
    await one.succeeded()
    assert not await one.enter()
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


async def test_a_probe_without_an_outcome_is_given_back_and_the_next_call_tries(place, monkeypatch):
    monkeypatch.setattr(breaker_module, "REST_S", 0.2)
    one, other = Breaker(*place, "c"), Breaker(*place, "c")
    await fail(one, 5)
    await asyncio.sleep(0.25)
    monkeypatch.setattr(breaker_module, "REST_S", 60.0)  # so long a lost probe would keep the others away
    assert await one.enter()
    await refused(one)
    one.give_back()
    await asyncio.gather(*breaker_module._BEGUN)
    other._open(0)
    assert await other.enter()


async def test_a_clock_that_is_set_back_lets_nobody_rest_for_hours(place, monkeypatch):
    """What stands in Redis is of the server's clock, an hour ahead of the one it has now."""
    breaker = breaker_of(*place, "c")
    await fail(breaker, 5)
    key, ahead = breaker_store.key_of(*place), int((time.time() + 3600) * 1000)
    await in_db(lambda: sync_client().hset(key, mapping={"c:until": ahead, "c:probe": ahead}))
    later = Breaker(*place, "c")
    await look(later)
    assert 0 < await refused(later) <= 30
    breaker._open(0)
    assert await breaker.enter() is True


async def test_the_call_that_tries_may_send_all_its_requests(place, monkeypatch):
    monkeypatch.setattr(breaker_module, "REST_S", 0.2)
    breaker, trying = breaker_of(*place, "c"), object()
    await fail(breaker, 5)
    await asyncio.sleep(0.25)
    assert await breaker.enter(trying) is True
    assert await breaker.enter(trying) is False  # beside the probe, which it is not
    with pytest.raises(CircuitOpen):
        await breaker.enter(object())


async def test_failures_of_calls_that_were_under_way_do_not_prolong_the_rest(place):
    breaker = breaker_of(*place, "c")
    await fail(breaker, 5)
    until = breaker.open_until
    await breaker.failed("timeout")
    assert breaker.open_until == until


async def test_a_worker_that_begins_later_learns_that_calls_rest(place):
    await fail(Breaker(*place, "c"), 5)
    later = Breaker(*place, "c")
    await look(later)
    assert 28 < await refused(later) <= 30
    unharmed = Breaker(*place, "another")
    await look(unharmed)
    assert not await unharmed.enter()


async def test_an_admins_reset_is_obeyed_while_new_credentials_come(place, monkeypatch):
    """Messages come in a thread of their own, and callers may bring a token of its own with each call."""
    monkeypatch.setattr(breaker_module, "_known", type(breaker_module._known)())
    monkeypatch.setattr(pauses, "_until", type(pauses._until)())
    monkeypatch.setattr(breaker_module, "MAX_KNOWN", 2_000)
    monkeypatch.setattr(pauses, "MAX_KNOWN", 2_000)
    over, interval = threading.Event(), sys.getswitchinterval()

    def come() -> None:
        while not over.is_set():
            breaker_of(uuid.uuid4(), uuid.uuid4(), "c")
            pauses._take((uuid.uuid4(), uuid.uuid4(), "c"), ["search"], 60)

    coming = threading.Thread(target=come)
    coming.start()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(50):
            breaker_of(*place, "c")._open(30)
            breaker_module._heard(place[0], {"connection": place[1].hex, "credential": None, "rest": 0.0})
            pauses._heard(place[0], {"connection": place[1].hex, "lifted": True})
            open_here()
    finally:
        sys.setswitchinterval(interval)
        over.set()
        coming.join()


async def test_a_breaker_that_nobody_has_used_for_long_is_not_shown_as_open(place, monkeypatch):
    kind = uuid.uuid4().hex
    await fail(breaker_of(*place, "a credential that was replaced", kind), 5)
    assert open_here()[kind] == 1
    monkeypatch.setattr(breaker_store, "FORGOTTEN_S", -60.0)
    monkeypatch.setattr(breaker_module, "FORGOTTEN_S", -60.0)
    assert await in_db(opened_of, *place) == []
    assert kind not in open_here()


async def test_the_breakers_of_a_page_of_connections_are_asked_for_together(place, monkeypatch):
    tenant, sick = place
    await fail(breaker_of(tenant, sick, "c"), 5)
    sent = []
    real = redis.client.Pipeline.execute
    monkeypatch.setattr(redis.client.Pipeline, "execute", lambda self: sent.append(1) or real(self))
    others = [uuid.uuid4() for _ in range(20)]
    found = await in_db(opened_among, tenant, [*others, sick])
    assert [found[other] for other in others] == [[]] * 20
    assert [opened.reason for opened in found[sick]] == ["timeout"]
    assert sent == [1]


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
    monkeypatch.setattr(breaker_module, "asked", None)
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
