"""Limits and quotas on the way of a call, with real Redis servers."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from audit.models import AuditEvent
from common.db import in_db
from common.redis import sync_client
from common.redis_server import socket_client, start_server
from connectors import limits as door
from connectors import registry
from connectors.asking import InputRequired
from connectors.call_info import CallInfo
from connectors.channel import Channel
from connectors.errors import RateLimited
from connectors.limiting.calendar import month_of
from connectors.limiting.step import Step
from connectors.limiting.use import usage_of_limits
from connectors.limits import charge
from connectors.models import UsageCursor, UsageDay, UsageLimit
from connectors.pipeline import call_tool
from connectors.reading import get_prompt, read_resource
from connectors.services import connection_update, limit_create, limit_delete, limit_update
from connectors.snapshot import load
from connectors.upstream.breaker import breaker_of
from tests.connectors.limited import Limited
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant
from tests.live import ROOT, environment, eventually


@pytest.fixture(scope="module", autouse=True)
def registered(database):
    registry.BUILT_IN["limited"] = "tests.connectors.limited:Limited"
    yield
    del registry.BUILT_IN["limited"]


@pytest.fixture
def tenant():
    made = make_tenant(time_zone="Europe/Berlin")
    make_connection(made, "limited")
    return made


@pytest.fixture
def step(monkeypatch):
    """A process's counters of this test's own."""
    made = Step()
    monkeypatch.setattr(door, "step", made)
    return made


async def limited(tenant, calls, period="hour", **whose):
    return await in_db(limit_create, tenant=tenant, calls=calls, period=period, actor=SYSTEM, **whose)


async def called(caller, name="limited_light", **arguments):
    result = await call_tool(caller, name, arguments)
    return json.loads(result.content[0].text) if result.is_error else {}


async def granted(caller, times, name="limited_light"):
    return [not await called(caller, name) for _ in range(times)].count(True)


def executed(tenant):
    return Limited.executed.get(tenant.pk, 0)


async def use_of(tenant, row):
    return (await in_db(usage_of_limits, tenant))[row.pk]


# -- which limits hold for whom ------------------------------------------------------------


@pytest.mark.parametrize("period", ["second", "minute", "hour", "day", "month"])
async def test_a_tenant_has_no_more_calls_than_its_limit(tenant, period):
    row = await limited(tenant, 3, period)
    one, other = await in_db(make_caller, tenant), await in_db(make_caller, tenant, role="admin")
    if period == "second":  # it goes on by itself: what is granted in the first second is what counts
        await granted(one, 3)
        use = await use_of(tenant, row)
        assert use.used + use.left == 3
        return
    assert await granted(one, 2) + await granted(other, 3) == 3
    assert executed(tenant) == 3
    use = await use_of(tenant, row)
    assert (use.used, use.left) == (3, 0)
    assert use.resets_at > datetime.now(tz=UTC)


async def test_a_second_later_the_next_call_is_granted(tenant):
    await limited(tenant, 1, "second")
    caller = await in_db(make_caller, tenant)
    await called(caller)
    said = await called(caller)
    until = time.monotonic() + 10
    while said and time.monotonic() < until:
        assert said["retry_after"] <= 1.0
        await asyncio.sleep(said["retry_after"])
        said = await called(caller)
    assert said == {}


async def test_a_keys_limit_is_of_that_key_alone(tenant):
    one, other = await in_db(make_caller, tenant), await in_db(make_caller, tenant)
    await limited(tenant, 2, key=one.key_id)
    assert await granted(one, 4) == 2
    assert await granted(other, 4) == 4
    said = await called(one)
    assert said["error"] == "This access key's limit is reached: 2 calls per hour."
    assert (said["type"], said["limit"], said["scope"]) == ("rate_limit", "2/hour", "key")
    assert 3_590 < said["retry_after"] <= 3_600
    assert said["retryable"] and "60 minutes" in said["hint"]


async def test_a_tools_and_a_connections_limit_leave_the_rest_alone(tenant):
    caller = await in_db(make_caller, tenant)
    await in_db(make_connection, tenant, "limited", "second")
    await limited(tenant, 1, connection="limited", tool="limited_light")
    await limited(tenant, 3, connection="limited")
    assert await granted(caller, 3) == 1
    assert (await called(caller))["error"] == (
        "The tool limited:limited_light's limit is reached: 1 calls per hour."
    )
    assert await granted(caller, 3, "limited_heavy") == 2
    assert (await called(caller, "limited_heavy"))["scope"] == "connection"
    assert await granted(caller, 4, "second__limited_light") == 4


async def test_two_tenants_never_share_a_limit(tenant):
    other = await in_db(make_tenant)
    await in_db(make_connection, other, "limited")
    for place in (tenant, other):
        await limited(place, 2)
        assert await granted(await in_db(make_caller, place), 3) == 2


async def test_a_tools_own_limit_and_the_tenants_hold_at_once_and_the_longer_wait_is_told(tenant):
    await limited(tenant, 3, "day")
    caller = await in_db(make_caller, tenant)
    assert await granted(caller, 4, "limited_own") == 3
    said = await called(caller, "limited_own")
    assert (said["limit"], said["scope"]) == ("3/day", "tenant")


async def test_what_an_admin_changes_holds_at_once_and_what_was_counted_stays(tenant):
    row = await limited(tenant, 2)
    caller = await in_db(make_caller, tenant)
    assert await granted(caller, 3) == 2
    await in_db(limit_update, row, calls=3, actor=SYSTEM)
    assert await granted(caller, 3) == 1
    await in_db(limit_update, row, enabled=False, actor=SYSTEM)
    assert await granted(caller, 2) == 2
    await in_db(limit_update, row, enabled=True, actor=SYSTEM)
    assert await granted(caller, 1) == 0
    await in_db(limit_delete, row, actor=SYSTEM)
    assert await granted(caller, 2) == 2


async def test_resources_and_prompts_are_counted_where_a_limit_is_not_a_tools(tenant):
    await limited(tenant, 1, connection="limited", tool="limited_light")
    caller = await in_db(make_caller, tenant)
    for _ in range(2):
        await read_resource(caller, "limited://thing")
    await limited(tenant, 2, connection="limited")
    await read_resource(caller, "limited://thing")
    await get_prompt(caller, "limited-greet", {})
    for asked in (read_resource(caller, "limited://thing"), get_prompt(caller, "limited-greet", {})):
        with pytest.raises(RateLimited):
            await asked
    assert await granted(caller, 1, "limited_heavy") == 0


# -- what is debited is what was executed --------------------------------------------------


async def test_one_full_limit_leaves_the_others_untouched(tenant):
    wide = await limited(tenant, 10)
    month = await limited(tenant, 10, "month")
    await limited(tenant, 1, connection="limited", tool="limited_light")
    caller = await in_db(make_caller, tenant)
    assert await granted(caller, 5) == 1
    assert ((await use_of(tenant, wide)).used, (await use_of(tenant, month)).used) == (1, 1)


async def test_refused_and_invalid_calls_and_those_of_an_open_breaker_cost_nothing(tenant):
    row = await limited(tenant, 10)
    caller = await in_db(make_caller, tenant)
    await call_tool(caller, "limited_light", {"number": "none"})
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    breaker = breaker_of(tenant.pk, entry.connection.ref.id, "")
    for _ in range(5):
        await breaker.failed("timeout")
    assert (await called(caller))["type"] == "circuit_open"
    assert (await use_of(tenant, row)).used == 0
    assert executed(tenant) == 0


async def test_an_answer_from_the_cache_costs_nothing(tenant):
    row = await limited(tenant, 10)
    caller = await in_db(make_caller, tenant)
    for _ in range(3):
        await called(caller, "limited_kept")
    assert (await use_of(tenant, row)).used == executed(tenant) == 1


async def test_a_call_that_ends_with_questions_is_given_back(tenant):
    row = await limited(tenant, 10)
    caller = await in_db(make_caller, tenant)

    class Asking(Channel):
        async def ask(self, requests, state=None):
            raise InputRequired(requests, state)

    with pytest.raises(InputRequired):
        await call_tool(caller, "limited_ask", {}, channel=Asking())
    assert (await use_of(tenant, row)).used == 0
    await called(caller)
    assert (await use_of(tenant, row)).used == 1


async def test_a_call_that_is_given_up_while_it_waits_for_its_turn_is_given_back(tenant):
    row = await limited(tenant, 10)
    caller = await in_db(make_caller, tenant)
    entry = await rested(tenant, 60_000)
    await charge(caller, entry, time.monotonic() + 60)
    key = entry.limits.interval_key
    await in_db(sync_client().set, key, int(time.time() * 1_000) + 4_000)
    waiting = asyncio.create_task(charge(caller, entry, time.monotonic() + 60))
    await eventually_used(tenant, row, 2)
    waiting.cancel()
    await eventually_used(tenant, row, 1)
    assert int(sync_client().get(key)) < int(time.time() * 1_000) + 5_000


async def eventually_used(tenant, row, expected):
    until = time.monotonic() + 15
    while (await use_of(tenant, row)).used != expected:
        assert time.monotonic() < until, "it never happened"
        await asyncio.sleep(0.01)


# -- quotas of a month ---------------------------------------------------------------------


async def test_a_quota_is_counted_by_weight_and_says_when_the_month_is_over(tenant):
    row = await limited(tenant, 12, "month")
    caller = await in_db(make_caller, tenant)
    assert await granted(caller, 3, "limited_heavy") == 2
    said = await called(caller, "limited_heavy")
    assert said["error"] == ("This tenant's quota of this month is used up: 10 of 12; this call costs 5.")
    assert (said["code"], said["type"], said["retryable"]) == ("quota", "rate_limit", False)
    assert "00:00 (Europe/Berlin)" in said["hint"]
    month = month_of("Europe/Berlin")
    assert abs(time.time() + said["retry_after"] - month.ends) < 60
    assert await granted(caller, 3) == 2
    use = await use_of(tenant, row)
    assert (use.used, use.left, use.resets_at.timestamp()) == (12, 0, month.ends)
    key = f"portico:{tenant.pk.hex}:limit:{row.pk.hex}:month:{month.label}"
    assert month.ends - time.time() < sync_client().ttl(key) < month.ends - time.time() + 90_000


async def test_the_next_month_begins_anew_in_the_tenants_time_zone(tenant, step):
    await limited(tenant, 1, "month")
    caller = await in_db(make_caller, tenant)
    limits = (await in_db(load, tenant.pk)).tools["limited_light"].limits
    ends = month_of("Europe/Berlin").ends
    deadline = time.monotonic() + 30
    await step.spend(limits, caller, deadline, ends - 1)
    with pytest.raises(RateLimited) as refused:
        await step.spend(limits, caller, deadline, ends - 1)
    assert refused.value.retry_after == 1.0
    await step.spend(limits, caller, deadline, ends)
    with pytest.raises(RateLimited):
        await step.spend(limits, caller, deadline, ends)


def days_of(tenant, *, calls, tool="limited_light", cached=0, day=None, connection="limited"):
    UsageDay(
        tenant=tenant, day=day or month_of("Europe/Berlin").first_day, connection=connection, tool=tool,
        principal_id=str(tenant.pk), calls=calls, cached=cached,
    ).save()  # fmt: skip


async def test_a_counter_that_is_lost_begins_with_what_the_database_knows(tenant):
    row = await limited(tenant, 50, "month")
    tool = await limited(tenant, 50, "month", connection="limited", tool="limited_heavy")
    caller = await in_db(make_caller, tenant)
    first = month_of("Europe/Berlin").first_day
    await in_db(days_of, tenant, calls=10, cached=3)
    await in_db(days_of, tenant, calls=2, tool="limited_heavy")
    await in_db(days_of, tenant, calls=9, connection="gone", tool="gone")
    await in_db(days_of, tenant, calls=1_000, day=first - timedelta(days=1))
    last = await in_db(
        lambda: AuditEvent.objects.for_tenant(tenant).order_by("-seq").values_list("seq", flat=True)[0]
    )
    await in_db(UsageCursor(tenant=tenant, seq=last).save)
    assert (await use_of(tenant, row)).used == 7 + 10 + 9  # known before the first call
    assert await granted(caller, 1) == 1  # the audit has it, the days do not
    sync_client().delete(*sync_client().keys(f"portico:{tenant.pk.hex}:limit:*"))
    assert await granted(caller, 40) == 50 - 27
    assert (await use_of(tenant, row)).used == 50
    assert (await use_of(tenant, tool)).used == 10


async def test_a_keys_lost_counter_begins_with_that_keys_calls_in_the_audit(tenant):
    one, other = await in_db(make_caller, tenant), await in_db(make_caller, tenant)
    row = await limited(tenant, 10, "month", key=one.key_id)
    assert await granted(one, 2, "limited_heavy") == 2
    await granted(one, 3, "limited_heavy")
    await granted(other, 3)
    sync_client().delete(*sync_client().keys(f"portico:{tenant.pk.hex}:limit:*"))
    assert (await use_of(tenant, row)).used == 10
    assert await granted(one, 1) == 0


async def test_a_burst_on_a_lost_counter_asks_the_database_once(tenant, step, monkeypatch):
    from connectors.limiting import step as module

    await limited(tenant, 5, "month")
    caller = await in_db(make_caller, tenant)
    await in_db(days_of, tenant, calls=2)
    await in_db(UsageCursor(tenant=tenant, seq=0).save)
    asked, real = [], module.used_so_far
    monkeypatch.setattr(module, "used_so_far", lambda *args: asked.append(1) or real(*args))
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    found = await asyncio.gather(
        *[charge(caller, entry, time.monotonic() + 30) for _ in range(30)], return_exceptions=True
    )
    assert sum(not isinstance(one, Exception) for one in found) == 3
    assert len(asked) <= 2, "a call that Redis answered before it had the counter may ask once more"


# -- rest between calls --------------------------------------------------------------------


async def rested(tenant, interval_ms, tool="limited_light"):
    """The tool of a connection whose calls are so far apart."""
    row = (await in_db(load, tenant.pk)).connections[0].ref.id

    def change():
        from connectors.models import Connection

        found = Connection.objects.for_tenant(tenant).select_related("tenant").get(pk=row)
        connection_update(found, network={"min_interval_ms": interval_ms}, actor=SYSTEM)

    await in_db(change)
    return (await in_db(load, tenant.pk)).tools[tool]


async def test_calls_of_a_connection_wait_for_their_turns(tenant):
    await rested(tenant, 60)
    caller = await in_db(make_caller, tenant)
    began = time.monotonic()
    answers = await asyncio.gather(*[called(caller, number=number) for number in range(5)])
    assert answers == [{}] * 5
    assert time.monotonic() - began >= 4 * 0.06
    assert executed(tenant) == 5


async def test_a_turn_that_is_too_far_off_is_refused_at_once(tenant):
    row = await limited(tenant, 100)
    entry = await rested(tenant, 30_000)
    caller = await in_db(make_caller, tenant)
    assert await called(caller) == {}
    said = await called(caller)
    assert (said["type"], said["limit"], said["scope"]) == ("rate_limit", "1/30000ms", "connection")
    assert 0 < said["retry_after"] <= 30
    assert (await use_of(tenant, row)).used == 1
    entry = await rested(tenant, 1_000)
    await in_db(sync_client().set, entry.limits.interval_key, int(time.time() * 1_000) + 900)
    result = await call_tool(caller, "limited_light", {}, info=CallInfo(timeout=0.2))
    assert result.is_error and result.error_type == "rate_limit"  # its deadline comes before its turn


# -- over all processes --------------------------------------------------------------------

# Another process: as many calls at once as it is told, and how many were granted.
SPENDER = """
import asyncio, json, sys, time
import django
django.setup()
from connectors import registry
registry.BUILT_IN["limited"] = "tests.connectors.limited:Limited"
from uuid import UUID
from connectors.errors import RateLimited
from connectors.limits import charge
from connectors.snapshot import load
from tenants.models import Principal
from tenants.selectors import caller_of
tenant, calls = UUID(sys.argv[1]), int(sys.argv[2])
entry = load(tenant).tools["limited_light"]
caller = caller_of(Principal.objects.for_tenant(tenant).select_related("tenant", "user")[0])
async def main():
    async def one():
        try:
            return (await charge(caller, entry, time.monotonic() + 60)).slot_ms
        except RateLimited:
            return 0
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(await asyncio.gather(*[one() for _ in range(calls)])), flush=True)
asyncio.run(main())
"""


def spend_in_processes(tenant, processes, calls):
    """What each of some processes got that all began together: the turns of what was granted."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SPENDER, str(tenant.pk), str(calls)],
            cwd=ROOT, env=environment(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(processes)
    ]  # fmt: skip
    try:
        for process in running:
            assert process.stdout.readline() == "ready\n"
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in running]
    finally:
        for process in running:
            process.communicate(timeout=30)


def test_processes_share_a_window_and_a_month_to_the_call(tenant):
    make_caller(tenant)
    limit_create(tenant=tenant, calls=70, period="hour", actor=SYSTEM)
    month = limit_create(tenant=tenant, calls=1_000, period="month", actor=SYSTEM)
    found = spend_in_processes(tenant, 3, 60)
    assert sum(slot > 0 for slots in found for slot in slots) == 70
    assert usage_of_limits(tenant)[month.pk].used == 70


async def test_processes_share_the_turns_of_a_connection(tenant):
    await in_db(make_caller, tenant)
    await rested(tenant, 100)
    found = await asyncio.to_thread(spend_in_processes, tenant, 2, 8)
    slots = sorted(slot for own in found for slot in own if slot)
    assert len(slots) == 16
    assert all(later - earlier >= 100 for earlier, later in itertools.pairwise(slots))


# -- what it costs, and Redis that is away -------------------------------------------------


async def test_a_tool_without_limits_asks_nobody(tenant, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    one, other = await in_db(make_caller, tenant), await in_db(make_caller, tenant)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    assert entry.limits is None and entry.connection.limits is None
    asked = charge(one, entry, 0.0)
    with pytest.raises(StopIteration):
        asked.send(None)
    await limited(tenant, 1, key=other.key_id)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    asked = charge(one, entry, 0.0)
    with pytest.raises(StopIteration):
        asked.send(None)


async def test_a_full_window_is_refused_without_redis(tenant, step):
    row = await limited(tenant, 1, "day")
    caller = await in_db(make_caller, tenant)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    await charge(caller, entry, time.monotonic() + 30)
    with pytest.raises(RateLimited):
        await charge(caller, entry, time.monotonic() + 30)
    sync_client().delete(f"portico:{tenant.pk.hex}:limit:{row.pk.hex}:day")
    with pytest.raises(RateLimited) as refused:
        await charge(caller, entry, time.monotonic() + 30)
    assert 86_300 < refused.value.retry_after <= 86_400
    await charge(caller, replace(entry, limits=(await raised(tenant, row)).limits), time.monotonic() + 30)


async def raised(tenant, row):
    await in_db(limit_update, row, calls=2, actor=SYSTEM)
    return (await in_db(load, tenant.pk)).tools["limited_light"]


@pytest.fixture
def server(tmp_path_factory, settings):
    """A Redis server of this test's own, which it may stop."""
    folder = tmp_path_factory.mktemp("r")
    running = {"process": start_server(folder, durable=True)}
    settings.REDIS_URL = f"unix://{folder / 'redis.sock'}"
    yield folder, running
    running["process"].kill()
    running["process"].wait()


async def test_without_redis_the_process_counts_and_with_it_again_everything_recovers(
    tenant, step, server, caplog
):
    folder, running = server
    await limited(tenant, 4)
    month = await limited(tenant, 100, "month")
    caller = await in_db(make_caller, tenant)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]

    async def spent(times):
        found = 0
        for _ in range(times):
            try:
                await charge(caller, entry, time.monotonic() + 30)
                found += 1
            except RateLimited:
                pass
        return found

    assert await spent(3) == 3
    with socket_client(folder) as client:  # a busy disk may hold its file up beyond the kill
        client.set("last", 1)  # it waits for what this client has written, and so for all before it
        client.execute_command("WAITAOF", 1, 0, 10_000)
    running["process"].kill()
    running["process"].wait()
    assert await spent(6) == 4  # counted anew, in this process
    assert step.line.is_away
    said = [record.getMessage() for record in caplog.records if "Redis is not reachable" in record.message]
    assert len(said) == 1 and "per process" in said[0]
    running["process"] = start_server(folder, durable=True)
    await eventually_async(lambda: spent(1), lambda: not step.line.is_away)
    assert [r for r in caplog.records if "Redis is back" in r.message]
    key = f"portico:{tenant.pk.hex}:limit:{month.pk.hex}:month:{month_of('Europe/Berlin').label}"

    async def counted():
        from common.redis import async_client

        return int(await async_client().get(key))

    assert await counted() >= 3 + 4  # the months learn what was debited meanwhile


async def eventually_async(act, check, seconds=15.0):
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it never happened"
        await act()
        await asyncio.sleep(0.05)


async def test_a_redis_that_hangs_holds_no_call_up(tenant, step, server):
    _, running = server
    await limited(tenant, 1_000)
    caller = await in_db(make_caller, tenant)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    await charge(caller, entry, time.monotonic() + 30)
    os.kill(running["process"].pid, signal.SIGSTOP)
    try:
        found = await asyncio.wait_for(
            asyncio.gather(*[charge(caller, entry, time.monotonic() + 30) for _ in range(20)]), 15
        )
        assert all(debit.local for debit in found)
    finally:
        os.kill(running["process"].pid, signal.SIGCONT)
    await eventually_async(
        lambda: charge(caller, entry, time.monotonic() + 30), lambda: not step.line.is_away
    )


def test_the_use_of_limits_is_not_known_while_redis_is_away(tenant, monkeypatch, settings):
    import redis

    from connectors.limiting import use

    row = limit_create(tenant=tenant, calls=1, period="hour", actor=SYSTEM)
    nowhere = redis.Redis(unix_socket_path="/nowhere/redis.sock", retry=None)
    monkeypatch.setattr(use, "sync_client", lambda: nowhere)
    assert usage_of_limits(tenant)[row.pk].used is None


def test_limits_of_what_is_removed_are_gone(tenant):
    from connectors.services import connection_delete

    limit_create(tenant=tenant, calls=1, period="hour", connection="limited", actor=SYSTEM)
    row = UsageLimit.objects.for_tenant(tenant).select_related("connection__tenant").get()
    connection_delete(row.connection, actor=SYSTEM)
    assert not UsageLimit.objects.for_tenant(tenant).exists()
    assert eventually(lambda: not usage_of_limits(tenant) and True)
