"""``subscriptions/listen``: what is acknowledged, who hears what, and when it ends."""

from datetime import timedelta

import pytest
from django.utils import timezone

from common.db import in_db
from connectors.snapshot import connection_ref
from connectors.updates import resource_updated, resource_updated_async
from mcp_endpoint import streams
from tenants import services
from tests.factories import SYSTEM, make_connection, make_key, make_service_account
from tests.mcp_endpoint.listening import (
    PROMPTS,
    RESOURCES,
    SUBSCRIPTION,
    TOOLS,
    UPDATED,
    Listener,
    another,
    listen,
    listening,
    switch,
)
from tests.mcp_endpoint.speak import Place, by_door, eventually, make_place, modern

ORDERS = "restaurant://live_orders"
PLAN = "goal://GOAL-0001/plan"


@pytest.fixture
async def cafe(database):
    """A tenant of the test's own: goals, and the probe's tools."""
    return await in_db(make_place, connectors=("goals", "probe"))


async def ref_of(place: Place, slug: str):
    return connection_ref(await in_db(place.tenant.connections.get, slug=slug), "UTC")


async def test_it_is_acknowledged_first_with_what_is_honoured(cafe):
    stream = await listen(
        cafe, id="mine", toolsListChanged=True, promptsListChanged=False, somethingElse=True,
        resourceSubscriptions=[PLAN, "probe://motto", "goal://GOAL-0001/no/such", "other://x", PLAN],
    )  # fmt: skip
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["x-accel-buffering"] == "no"
    assert await stream.next() == {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {
            "notifications": {"toolsListChanged": True, "resourceSubscriptions": [PLAN]},
            "_meta": {SUBSCRIPTION: "mine"},
        },
    }
    await stream.leave()


async def test_nothing_asked_for_is_nothing_honoured(cafe):
    stream = await Listener(modern(cafe, "subscriptions/listen", {"notifications": {}})).opened()
    assert (await stream.next())["params"]["notifications"] == {}
    await switch(cafe, "probe_write", False)
    await in_db(services.access_key_revoke, key=cafe.access_key, actor=SYSTEM)
    (last,) = await stream.end()
    assert "result" in last


async def test_only_the_callers_whose_list_changed_hear_of_it(cafe):
    elsewhere = await in_db(make_place, connectors=("probe",))
    viewer = await another(cafe, "viewer")
    writer, reader, stranger = await listening(cafe), await listening(viewer), await listening(elsewhere)
    await switch(cafe, "probe_write", False)
    heard = await writer.next()
    assert heard == {
        "jsonrpc": "2.0", "method": TOOLS, "params": {"_meta": {SUBSCRIPTION: 1}},
    }  # fmt: skip
    await switch(cafe, "probe_echo", False)  # the viewer had this one, and never the other
    await switch(elsewhere, "probe_write", False)
    assert await reader.method() == TOOLS
    assert await writer.method() == TOOLS
    assert await stranger.method() == TOOLS
    for stream in (writer, reader, stranger):
        await end_with_result(stream)


async def end_with_result(stream: Listener) -> None:
    """Have a stream end from inside and see that nothing but its result was left."""
    open_ones = [s for group in streams.of_loop().of_tenant.values() for s in group]
    before = len(open_ones)
    mine = next(s for s in open_ones if s._waiting is stream.running.task)
    mine.end()
    (last,) = await stream.end()
    assert last["result"]["resultType"] == "complete"
    assert last["result"]["_meta"][SUBSCRIPTION] == 1
    assert streams.of_loop().count() == before - 1


async def test_a_narrowed_key_hears_of_its_tools_alone(cafe):
    other = await another(cafe)
    mine, theirs = await listening(cafe), await listening(other)
    await in_db(services.access_key_update, key=cafe.access_key, deny=["probe:probe_write"], actor=SYSTEM)
    assert await mine.method() == TOOLS
    await in_db(services.access_key_revoke, key=other.access_key, actor=SYSTEM)
    (last,) = await theirs.end()
    assert "result" in last
    await mine.leave()


async def test_a_new_connection_changes_three_lists_and_each_stream_hears_what_it_asked_for(cafe):
    tools, rest = (
        await listening(cafe, toolsListChanged=True),
        await listening(cafe, promptsListChanged=True, resourcesListChanged=True),
    )
    await in_db(make_connection, cafe.tenant, "demo")
    assert await tools.method() == TOOLS
    assert {await rest.method(), await rest.method()} == {PROMPTS, RESOURCES}
    await end_with_result(tools)
    await end_with_result(rest)


async def test_many_changes_at_once_are_told_once(cafe):
    stream = await listening(cafe)
    for enabled in (False, True, False, True, False):
        await switch(cafe, "probe_write", enabled)
    seen = [await stream.method()]
    await in_db(services.access_key_revoke, key=cafe.access_key, actor=SYSTEM)
    seen += [frame["method"] for frame in (await stream.end())[:-1]]
    assert set(seen) == {TOOLS}
    assert len(seen) <= 3


def revoked(place):
    services.access_key_revoke(key=place.access_key, actor=SYSTEM)


def suspended(place):
    services.tenant_suspend(tenant=place.tenant, actor=SYSTEM)


def removed(place):
    services.service_account_remove(account=place.access_key.principal, actor=SYSTEM)


def kept_to_another_network(place):
    services.access_key_update(key=place.access_key, networks=["10.9.0.0/16"], actor=SYSTEM)


@pytest.mark.parametrize("change", [revoked, suspended, removed, kept_to_another_network])
async def test_a_stream_ends_with_its_key(cafe, change):
    stream = await listening(cafe)
    await in_db(change, cafe)
    (last,) = await stream.end()
    assert last["id"] == 1
    assert last["result"]["resultType"] == "complete"
    assert last["result"]["_meta"][SUBSCRIPTION] == 1


async def test_a_stream_ends_when_its_key_expires_by_the_clock(cafe):
    soon = timezone.now() + timedelta(seconds=1.5)
    stream = await listening(await another(cafe, expires_at=soon))
    (last,) = await stream.end()
    assert "result" in last
    assert timezone.now() >= soon


async def test_a_subscriber_hears_of_its_resources_from_threads_and_from_the_loop(cafe):
    goals = await ref_of(cafe, "goals")
    stream = await listening(cafe, resourceSubscriptions=[PLAN])
    deaf = await listening(cafe, toolsListChanged=True)
    for _ in range(20):
        await in_db(resource_updated, goals, PLAN)
    assert await stream.next() == {
        "jsonrpc": "2.0", "method": UPDATED, "params": {"_meta": {SUBSCRIPTION: 1}, "uri": PLAN},
    }  # fmt: skip
    await eventually(lambda: not streams.of_loop()._updated)
    await resource_updated_async(goals, "goal://GOAL-0002/plan", PLAN)
    assert await stream.method() == UPDATED
    await end_with_result(stream)
    await end_with_result(deaf)


async def test_each_order_is_told_to_the_subscribers_of_its_restaurant_alone(database):
    cafe = await in_db(make_place, connectors=("restaurant",))
    await in_db(make_connection, cafe.tenant, "restaurant", "second")
    elsewhere = await in_db(make_place, connectors=("restaurant",))
    second = "restaurant://second/live_orders"
    first, other, both, stranger = (
        await listening(cafe, resourceSubscriptions=[ORDERS]),
        await listening(cafe, resourceSubscriptions=[second]),
        await listening(cafe, resourceSubscriptions=[ORDERS, second]),
        await listening(elsewhere, resourceSubscriptions=[ORDERS]),
    )
    await order(cafe, "second__")
    assert (await other.next())["params"]["uri"] == second
    assert (await both.next())["params"]["uri"] == second
    await order(cafe)
    assert (await first.next())["params"]["uri"] == ORDERS
    assert (await both.next())["params"]["uri"] == ORDERS
    for stream in (first, other, both, stranger):
        await end_with_result(stream)


async def order(place: Place, prefix: str = "") -> None:
    items = await called(place, f"{prefix}list_inventory", {"limit": 1})
    data = {"customer": "Ada", "items": [{"item_id": items["items"][0]["item_id"], "quantity": 1}]}
    assert "order_id" in await called(place, f"{prefix}process_order", {"order_data": data})


async def called(place: Place, tool: str, arguments):
    answer = await by_door(modern(place, "tools/call", {"name": tool, "arguments": arguments}))
    assert not answer.result.get("isError"), answer.result
    return answer.result["structuredContent"]


async def test_plans_tell_of_their_changes(database):
    place = await in_db(make_place, connectors=("goals",))
    goal = (await called(place, "create_goal", {"description": "Open a bakery"}))["id"]
    stream = await listening(place, resourceSubscriptions=[f"goal://{goal}/plan", f"goal://{goal}"])
    await called(
        place,
        "break_down_goal",
        {"goal_id": goal, "subtasks": [{"title": "Find an oven", "description": "Hot."}]},
    )
    heard = {(await stream.next())["params"]["uri"] for _ in range(2)}
    assert heard == {f"goal://{goal}/plan", f"goal://{goal}"}
    await stream.leave()


async def test_news_of_a_resource_stop_with_the_right_to_read_it(cafe):
    goals = await ref_of(cafe, "goals")
    stream = await listening(cafe, resourceSubscriptions=[PLAN], toolsListChanged=True)
    await in_db(services.access_key_update, key=cafe.access_key, deny=["goals:*"], actor=SYSTEM)
    assert await stream.method() == TOOLS
    await in_db(resource_updated, goals, PLAN)
    await switch(cafe, "probe_write", False)
    assert await stream.method() == TOOLS
    await end_with_result(stream)


async def test_a_caller_cannot_subscribe_to_what_it_may_not_read(cafe):
    blind = await another(cafe, deny=["goals:*"])
    stream = await listen(blind, resourceSubscriptions=[PLAN])
    assert (await stream.next())["params"]["notifications"] == {}
    await stream.leave()


async def test_two_keys_of_one_principal_end_separately(cafe):
    account = await in_db(make_service_account, cafe.tenant)
    keys = [await in_db(make_key, cafe.tenant, principal=account) for _ in range(2)]
    one, two = [await listening(Place(cafe.tenant, secret, key)) for key, secret in keys]
    await in_db(services.access_key_revoke, key=keys[0][0], actor=SYSTEM)
    await one.end()
    await switch(cafe, "probe_write", False)
    assert await two.method() == TOOLS
    await two.leave()
