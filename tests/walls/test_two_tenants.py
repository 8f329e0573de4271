"""Two tenants with the same connectors: whatever one holds, the other does not reach over MCP."""

import json

import pytest

from common.db import in_db
from common.redis import sync_client
from connectors.pipeline import call_tool
from mcp_endpoint.handlers import HANDLERS
from tests.factories import make_caller, make_key
from tests.mcp_endpoint.speak import Place, by_door, by_view, initialize, legacy, make_place, modern

CONNECTORS = ("goals", "memory", "restaurant", "probe")
PARAMS = {
    "tools/call": {"name": "probe_echo", "arguments": {"text": "x"}},
    "resources/read": {"uri": "probe://motto"},
    "prompts/get": {"name": "probe-greet", "arguments": {"who": "x"}},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "probe-greet"},
        "argument": {"name": "who", "value": ""},
    },
    "logging/setLevel": {"level": "info"},
}


@pytest.fixture(scope="module")
def left(database):
    return make_place(connectors=CONNECTORS)


@pytest.fixture(scope="module")
def right(database):
    return make_place(connectors=CONNECTORS)


def carried(place: Place, key: str) -> Place:
    """A tenant's address with somebody else's key."""
    return Place(place.tenant, key, None)


@pytest.mark.parametrize("send", [by_door, by_view])
@pytest.mark.parametrize("method", sorted({*HANDLERS, "server/discover", "initialize"}))
async def test_every_method_refuses_the_other_tenants_people(left, right, send, method):
    owner = (await in_db(make_key, left.tenant, "owner"))[1]
    absent = Place(type("Nowhere", (), {"slug": "no-such-tenant"}), "", None)
    bodies = set()
    for key in (owner, left.key):
        for place in (carried(right, key), carried(absent, key)):
            for speak in (modern, legacy):
                answer = await send(speak(place, method, PARAMS.get(method, {})))
                assert answer.status == 401
                bodies.add(answer.body)
    for place in (right, absent):
        answer = await send(modern(place, method, PARAMS.get(method, {}), authorization=None))
        bodies.add(answer.body)
    assert len(bodies) == 1, "the answers tell the tenants apart"


@pytest.mark.parametrize("speak", [modern, legacy])
async def test_the_same_name_means_each_tenants_own_thing(left, right, speak):
    async def call(place, tool, **arguments):
        return (await by_door(speak(place, "tools/call", {"name": tool, "arguments": arguments}))).result

    async def read(place, uri):
        return await by_door(speak(place, "resources/read", {"uri": uri}))

    mark = f"left-{speak.__name__}"
    goal = (await call(left, "create_goal", description=mark))["structuredContent"]["id"]
    key = f"key-{speak.__name__}"
    await call(left, "cache_set", key=key, value=mark)
    file = (await call(left, "probe_file", text=mark))["structuredContent"]
    dish = (await call(left, "list_menu_items", limit=1))["structuredContent"]
    assert dish
    assert mark in (await read(left, f"goal://{goal}")).body.decode()
    assert (await read(left, file["uri"])).status == 200

    seen = [
        await call(right, "get_goal", goal_id=goal),
        await call(right, "list_goals"),
        await call(right, "get_agent_status"),
        await call(right, "cache_get", key=key),
        await call(right, "cache_keys", pattern="*"),
        await call(right, "cache_scan"),
        await call(right, "cache_info"),
        (await read(right, f"goal://{goal}")).json,
        (await read(right, file["uri"])).json,
        (await by_door(speak(right, "resources/list"))).json,
        (await by_door(speak(right, "completion/complete", {
            "ref": {"type": "ref/resource", "uri": "goal://{id}"}, "argument": {"name": "id", "value": ""},
        }))).json,
    ]  # fmt: skip
    for answer in seen:
        text = json.dumps(answer).replace(file["uri"], "")
        assert mark not in text
    assert "error" in seen[7] and "error" in seen[8]
    await call(right, "cache_flush", confirm=True)
    assert (await call(left, "cache_get", key=key))["structuredContent"]["value"] == mark


async def test_the_answers_that_name_a_tenant_name_the_callers(left, right):
    for place in (left, right):
        for speak in (modern, legacy):
            post = speak(place, "resources/read", {"uri": "probe://things/lamp"})
            (contents,) = (await by_door(post)).result["contents"]
            assert json.loads(contents["text"])["tenant"] == str(place.tenant.pk)


async def test_sessions_and_cursors_of_one_tenant_are_nothing_to_the_other(left, right, settings):
    session = (await by_door(initialize(left))).headers["mcp-session-id"]
    assert (await by_door(legacy(left, "tools/list", mcp_session_id=session))).status == 200
    for method in sorted(HANDLERS):
        answer = await by_door(legacy(right, method, PARAMS.get(method, {}), mcp_session_id=session))
        assert answer.status == 404, method
    settings.PORTICO_PAGE_SIZE = 2
    for method in ("tools/list", "resources/list", "resources/templates/list"):
        for speak in (modern, legacy):
            cursor = (await by_door(speak(left, method))).result["nextCursor"]
            assert (await by_door(speak(left, method, {"cursor": cursor}))).status == 200
            answer = await by_door(speak(right, method, {"cursor": cursor}))
            assert "Invalid cursor" in answer.error["message"]


async def test_a_tools_own_cursor_is_nothing_to_the_other_tenant(left, right):
    ours, theirs = await in_db(make_caller, left.tenant), await in_db(make_caller, right.tenant)
    for number in range(3):
        for caller in (ours, theirs):
            await call_tool(caller, "create_goal", {"description": f"goal {number}"})
            await call_tool(caller, "cache_set", {"key": f"key {number}", "value": number})
    for tool, size in (("list_goals", "limit"), ("list_menu_items", "limit"), ("list_inventory", "limit")):
        first = (await call_tool(ours, tool, {size: 1})).structured
        assert first["next_cursor"], tool
        refused = await call_tool(theirs, tool, {size: 1, "cursor": first["next_cursor"]})
        assert refused.is_error and refused.error_type == "validation", (tool, refused)


async def test_every_key_in_redis_begins_with_its_tenant(left, right):
    caller = await in_db(make_caller, left.tenant)
    await call_tool(caller, "cache_set", {"key": right.tenant.pk.hex, "value": "x"})
    await call_tool(caller, "probe_limited", {})
    await call_tool(caller, "expensive_operation", {"data": "x"})
    names = [key.decode(errors="replace") for key in sync_client().scan_iter("*")]
    # Celery's own queues and bindings carry ids of tasks, nobody's data.
    # Counts of sign-ins to the admin are kept by address: nobody's tenant is known yet.
    others = ("_kombu", "celery", "portico:celery", "unacked", "portico-limits:LIMITER/sign-in/")
    ours = [name for name in names if not name.startswith(others)]
    assert any(left.tenant.pk.hex in name for name in ours)
    for name in ours:
        head = name.split(":")[1] if name.startswith("portico:") else name.split("/")[1]
        assert len(head) == 32 and int(head, 16) >= 0, name
