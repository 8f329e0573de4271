"""A system that is down, slow or overrun harms its own connection's calls and nobody else's."""

import asyncio
import json
import time

import pytest
from django.conf import settings

from audit.models import AuditEvent
from common.db import in_db
from common.redis import async_client
from connectors.errors import CircuitOpen, ConnectionFailed, RateLimited, UpstreamError
from connectors.services import credential_set
from connectors.services.breakers import breakers_reset
from connectors.upstream import client as client_module
from connectors.upstream import lines
from connectors.upstream.breaker import opened_of
from connectors.upstream.client import Client, Request, client_of, close_all
from connectors.upstream.retry import Kind
from tests.factories import SYSTEM, make_connection
from tests.mcp_endpoint.speak import by_door, make_place, modern
from tests.upstream.conftest import some_connection, until
from tests.upstream.faulty import answer, faulty, silence

ENTRY = "things=tests.upstream.things:Things"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)

READ = Request("GET", "things", Kind.READ)


def furnished(url, *, slug="things", place=None, token="good-token", **network):
    place = place or make_place("operator", ())
    row = make_connection(
        place.tenant, "things", slug, settings={"url": url}, credential_mode="shared", caller_token=True,
        network={"retries": 0, **network},
    )  # fmt: skip
    credential_set(connection=row, values={"token": token}, actor=SYSTEM)
    return place, row


async def called(place, tool="things_get", arguments=None, **more):
    got = await by_door(
        modern(place, "tools/call", {"name": tool, "arguments": arguments or {"number": 1}}, **more)
    )
    if not got.result.get("isError"):
        return "ok"
    return json.loads(got.result["content"][0]["text"])


async def test_tools_of_a_system_that_is_down_stay_listed_and_answer_at_once(double):
    place, row = await in_db(lambda: furnished(double.url))
    double.otherwise = answer(500)
    for _ in range(5):
        assert (await called(place))["type"] == "http_error"
    error = await called(place)
    assert (error["type"], error["retryable"], error["status_code"]) == ("circuit_open", True, 503)
    assert 0 < error["retry_after"] <= 30
    assert len(double.came) == 5
    listed = await by_door(modern(place, "tools/list", {}))
    assert {"things_get", "things_make"} <= {each["name"] for each in listed.result["tools"]}
    outcomes = await in_db(
        lambda: list(
            AuditEvent.objects.for_tenant(place.tenant).filter(kind="call").order_by("seq").values_list("error_type", flat=True)
        )
    )  # fmt: skip
    assert outcomes == ["http_error"] * 5 + ["circuit_open"]
    double.otherwise = answer(200)
    assert await in_db(lambda: breakers_reset(row, actor=SYSTEM)) == 1
    assert await called(place) == "ok"


async def test_one_tenants_bad_credential_never_opens_anothers_breaker(double):
    """Two tenants of one system, which fails for the one and works for the other."""
    bad, bad_row = await in_db(lambda: furnished(double.url, token="bad-token"))
    good, good_row = await in_db(lambda: furnished(double.url))
    double.decide = lambda came: answer(500 if "bad" in came.headers["authorization"] else 200)
    for _ in range(7):
        await called(bad)
        assert await called(good) == "ok"
    assert (await called(bad))["type"] == "circuit_open"
    assert await called(good) == "ok"
    assert await in_db(opened_of, bad.tenant.pk, bad_row.pk)
    assert not await in_db(opened_of, good.tenant.pk, good_row.pk)


async def test_a_callers_own_bad_token_opens_only_its_own(double):
    place, _ = await in_db(lambda: furnished(double.url))
    double.decide = lambda came: answer(500 if "bad" in came.headers["authorization"] else 200)
    for _ in range(6):
        error = await called(place, x_things_token="bad-token-of-a-caller")
    assert error["type"] == "circuit_open"
    assert await called(place) == "ok"
    assert await called(place, x_things_token="another-token") == "ok"


async def test_a_new_credential_begins_with_a_closed_breaker(double):
    place, row = await in_db(lambda: furnished(double.url, token="bad-token"))
    double.decide = lambda came: answer(500 if "bad" in came.headers["authorization"] else 200)
    for _ in range(6):
        error = await called(place)
    assert error["type"] == "circuit_open"
    await in_db(lambda: credential_set(connection=row, values={"token": "good-token"}, actor=SYSTEM))
    assert await called(place) == "ok"


async def test_a_system_that_hangs_slows_no_other_connection(double):
    place, _ = await in_db(lambda: furnished(double.url, connections=2, pool_s=0.3, read_s=20))
    await in_db(lambda: furnished(double.url, slug="well", place=place, token="well-token"))

    def decide(came):
        return answer(200) if "well" in came.headers["authorization"] else silence

    double.decide = decide
    hanging = [asyncio.create_task(called(place)) for _ in range(12)]
    await until(lambda: len(double.came) == 2)
    for _ in range(20):
        assert await called(place, "well__things_get") == "ok"
    busy, _ = await asyncio.wait(hanging, return_when=asyncio.FIRST_COMPLETED)
    assert {task.result()["code"] for task in busy} == {"busy"}
    await until(lambda: sum(task.done() for task in hanging) == 10)
    assert not [task for task in hanging if task.done() and task.result()["code"] != "busy"]
    assert sum("well" not in came.headers["authorization"] for came in double.came) == 2
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)


async def test_more_calls_than_may_wait_are_refused_at_once(double, ctx, monkeypatch):
    monkeypatch.setattr(lines, "MAX_WAITING", 3)
    client = Client(some_connection(connections=1, pool_s=30.0, read_s=30.0), double.url)
    double.otherwise = silence
    tasks = [asyncio.create_task(client.send(ctx(60), READ)) for _ in range(6)]
    await until(lambda: sum(task.done() for task in tasks) == 2)
    for task in tasks:
        if task.done():
            with pytest.raises(ConnectionFailed, match="Too many calls"):
                task.result()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert (client.line.waiting, client.line.room._value) == (0, 1)
    await client.aclose()


async def test_waiting_in_our_own_queue_says_nothing_of_the_system(double, ctx):
    client = Client(some_connection(connections=1, pool_s=0.01, read_s=30.0), double.url)
    double.otherwise = silence
    hanging = asyncio.create_task(client.send(ctx(60, identity="c"), READ))
    await until(lambda: double.came)
    for _ in range(8):
        with pytest.raises(ConnectionFailed):
            await client.send(ctx(60, identity="c"), READ)
    hanging.cancel()
    await asyncio.wait([hanging])
    double.otherwise = answer(200)
    assert (await client.send(ctx(identity="c"), READ)).ok
    await client.aclose()


async def test_a_breaker_answers_faster_than_any_system(double, ctx):
    client = Client(some_connection(retries=0), double.url)
    double.otherwise = answer(500)
    for _ in range(5):
        with pytest.raises(Exception, match="500"):
            await client.send(ctx(identity="c"), READ)
    started = time.perf_counter()
    for _ in range(200):
        with pytest.raises(CircuitOpen):
            await client.send(ctx(identity="c"), READ)
    assert time.perf_counter() - started < 2
    assert len(double.came) == 5
    await client.aclose()


@pytest.mark.parametrize("hangs", [False, True], ids=["refuses", "hangs"])
async def test_while_redis_is_away_calls_go_on_and_this_process_counts_for_itself(
    double, ctx, settings, hangs, caplog
):
    async with faulty() as mute:  # takes connections and says nothing that Redis would
        settings.REDIS_URL = mute.url.replace("http", "redis") + "/0" if hangs else "redis://127.0.0.1:1/0"
        client = Client(some_connection(retries=0), double.url)
        started = time.monotonic()
        assert (await client.send(ctx(identity="c"), READ)).ok
        double.script = [answer(429, retry_after="300")]
        with pytest.raises(RateLimited):
            await client.send(ctx(identity="limited"), READ)
        double.otherwise = answer(500)
        for _ in range(5):
            with pytest.raises(UpstreamError):
                await client.send(ctx(identity="c"), READ)
        with pytest.raises(CircuitOpen):
            await client.send(ctx(identity="c"), READ)
        with pytest.raises(RateLimited):
            await client.send(ctx(identity="limited"), READ)
        assert time.monotonic() - started < 20
        assert len(double.came) == 7
        assert caplog.text.count("Redis is not reachable: breakers and pauses") == 1
        await client.aclose()
        await async_client().aclose()


async def test_clients_that_nobody_uses_and_those_at_the_end_are_closed(double, ctx, monkeypatch):
    idle, used = some_connection(), some_connection()
    forgotten = client_of(idle, double.url)
    await forgotten.send(ctx(), READ)
    assert double.open == 1
    monkeypatch.setattr(client_module, "IDLE_S", 0.0)
    monkeypatch.setattr(client_module, "SWEEP_S", 0.0)
    await client_of(used, double.url).send(ctx(), READ)
    await until(lambda: double.open == 1)
    assert client_of(idle, double.url) is not forgotten
    await close_all()
    await until(lambda: double.open == 0)


async def test_two_addresses_of_a_connection_share_its_room(double, ctx):
    one = some_connection()
    assert client_of(one, double.url).line is client_of(one, f"{double.url}/other").line
    assert client_of(some_connection(), double.url).line is not client_of(one, double.url).line
    await close_all()
