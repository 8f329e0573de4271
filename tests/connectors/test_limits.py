"""Which limits hold for whom, what is debited, and the rest between calls, with a real Redis server."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from common.db import in_db
from common.redis import sync_client
from connectors.asking import InputRequired
from connectors.call_info import CallInfo
from connectors.channel import Channel
from connectors.errors import CircuitOpen, RateLimited
from connectors.limiting.use import usage_of_limits
from connectors.limits import charge
from connectors.models import Connection, UsageLimit
from connectors.pipeline import call_tool
from connectors.reading import complete, get_prompt, list_resources, read_resource
from connectors.services import limit_create, limit_delete, limit_update
from connectors.services.checks import examine
from connectors.snapshot import load
from connectors.upstream.breaker import breaker_of
from tests.connectors.limiting import (
    called,
    eventually_used,
    executed,
    granted,
    limited,
    registered,
    rested,
    step,
    tenant,
    use_of,
)
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant
from tests.live import eventually

__all__ = ["registered", "step", "tenant"]  # fixtures


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


async def test_a_call_that_its_system_was_not_asked_for_costs_nothing(tenant):
    row = await limited(tenant, 10)
    caller = await in_db(make_caller, tenant)
    assert (await called(caller, "limited_paused", sent=False))["retry_after"] == 5
    with pytest.raises(CircuitOpen):
        await read_resource(caller, "limited://paused")
    assert (await use_of(tenant, row)).used == 0
    assert (await called(caller, "limited_paused", sent=True))["retry_after"] == 5
    assert (await use_of(tenant, row)).used == 1


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


# -- rest between calls --------------------------------------------------------------------


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


async def test_lists_completions_and_tests_of_a_connection_wait_for_their_turns_and_are_no_calls(tenant):
    row = await limited(tenant, 100)
    entry = await rested(tenant, 100)
    caller = await in_db(make_caller, tenant)
    connection = await in_db(Connection.objects.for_tenant(tenant).select_related("tenant").get)
    began = time.monotonic()
    assert await called(caller) == {}
    listed = await list_resources(caller)
    found = await complete(caller, "resource", "limited://rows/{number}", "number", "", {})
    tested = await examine(connection, caller)
    assert time.monotonic() - began >= 3 * 0.1
    assert "limited://rows/2" in [each.uri for each in listed]
    assert (found, tested.result.ok, executed(tenant)) == (["3"], True, 4)
    assert (await use_of(tenant, row)).used == 1
    await in_db(sync_client().set, entry.limits.interval_key, int(time.time() * 1_000) + 60_000)
    assert await complete(caller, "resource", "limited://rows/{number}", "number", "", {}) == []
    assert "limited://thing" in [each.uri for each in await list_resources(caller)]
    assert executed(tenant) == 4
    assert (await examine(connection, caller)).result.ok, "many calls are no reason to call it broken"


def test_limits_of_what_is_removed_are_gone(tenant):
    from connectors.services import connection_delete

    limit_create(tenant=tenant, calls=1, period="hour", connection="limited", actor=SYSTEM)
    row = UsageLimit.objects.for_tenant(tenant).select_related("connection__tenant").get()
    connection_delete(row.connection, actor=SYSTEM)
    assert not UsageLimit.objects.for_tenant(tenant).exists()
    assert eventually(lambda: not usage_of_limits(tenant) and True)
