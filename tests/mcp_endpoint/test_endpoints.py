"""Toolsets, named endpoints, the deferred mode and upstream tokens, as clients meet them."""

import asyncio
import json
import logging
import os
from dataclasses import replace

import httpx2
import pytest
from django.conf import settings

from audit.models import AuditEvent
from common.db import in_db
from connectors.services import endpoint_create, endpoint_update, permission_set
from tenants.services import tenant_update
from tests.factories import SYSTEM, make_connection
from tests.mcp_endpoint.speak import Place, by_door, by_view, initialize, legacy, make_place, modern

VENDOR = "vendor=tests.connectors.token_tools:Vendor"
if VENDOR not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(VENDOR)


@pytest.fixture(scope="module")
def place(database):
    made = make_place()
    endpoint_create(tenant=made.tenant, slug="desk", toolsets=["demo"], actor=SYSTEM)
    endpoint_create(tenant=made.tenant, slug="look", toolsets=["probe"], read_only=True, actor=SYSTEM)
    endpoint_create(tenant=made.tenant, slug="find", deferred=True, actor=SYSTEM)
    endpoint_create(tenant=made.tenant, slug="off", enabled=False, actor=SYSTEM)
    return made


@pytest.fixture(scope="module")
def vendor(database):
    made = make_place(connectors=("demo",))
    make_connection(made.tenant, "vendor", slug="first", caller_token=True, credential_mode="none")
    return made


WHO = {"name": "vendor_who", "arguments": {}}


@pytest.fixture(params=[by_door, by_view], ids=["door", "view"])
def send(request):
    return request.param


def at(post, path: str):
    """The same request at another address."""
    return replace(post, path=path)


def beside(place: Place, endpoint: str) -> str:
    return f"/t/{place.tenant.slug}/e/{endpoint}/mcp"


async def listed(send, post) -> set[str]:
    answer = await send(post)
    return {tool["name"] for tool in answer.result["tools"]}


@pytest.mark.parametrize("speak", [modern, legacy])
async def test_toolsets_in_the_query_or_a_header_narrow_lists_and_calls(place, send, speak):
    everything = await listed(send, speak(place, "tools/list"))
    by_header = await listed(send, speak(place, "tools/list", x_mcp_toolsets="demo"))
    assert by_header == {name for name in everything if name.startswith("demo_")}
    assert await listed(send, speak(place, "tools/list", x_mcp_toolsets=" demo , probe")) == everything
    call = {"name": "probe_echo", "arguments": {"text": "x"}}
    refused = await send(speak(place, "tools/call", call, x_mcp_toolsets="demo"))
    assert refused.error["code"] == -32602
    assert (await send(speak(place, "tools/call", call, x_mcp_toolsets="probe"))).result["isError"] is False


@pytest.mark.parametrize("speak", [modern, legacy])
async def test_a_query_does_the_same(place, speak):
    path = f"{place.path}?toolsets=demo%2Cprobe:write"
    names = await listed(by_view, at(speak(place, "tools/list"), path))
    assert "probe_write" in names and "demo_add" in names and "probe_echo" not in names


async def test_a_query_and_tokens_come_through_a_real_socket(place, vendor, base_url):
    async with httpx2.AsyncClient(base_url=base_url) as http:

        async def ask(post, path):
            return await http.post(path, content=post.body, headers=post.headers)

        answer = await ask(modern(place, "tools/list"), f"{place.path}?toolsets=demo")
        names = [tool["name"] for tool in answer.json()["result"]["tools"]]
        assert names and all(name.startswith("demo_") for name in names)
        assert (await ask(modern(place, "tools/list"), f"{place.path}?toolsets=jira")).status_code == 400
        answer = await ask(modern(place, "tools/list"), f"{beside(place, 'look')}?toolsets=demo")
        assert answer.json()["result"]["tools"] == []
        answer = await ask(modern(vendor, "tools/call", WHO, x_first_token="token-of-BBBB"), vendor.path)
        assert answer.json()["result"]["structuredContent"] == {"used": "BBBB"}


async def test_unknown_toolsets_are_told_after_authentication_alone(place, send):
    answer = await send(modern(place, "tools/list", x_mcp_toolsets="jira"))
    assert (answer.status, answer.error["code"]) == (400, -32602)
    assert "jira" in answer.error["message"] and "probe:write" in answer.error["message"]
    stranger = await send(modern(place, "tools/list", x_mcp_toolsets="jira", authorization=None))
    usual = await send(modern(place, "tools/list", authorization=None))
    assert (stranger.status, stranger.body) == (401, usual.body)


@pytest.mark.parametrize("speak", [modern, legacy])
async def test_an_endpoint_has_its_own_selection_and_switches(place, send, speak):
    assert all(
        n.startswith("demo_")
        for n in await listed(send, at(speak(place, "tools/list"), beside(place, "desk")))
    )
    names = await listed(send, at(speak(place, "tools/list"), beside(place, "look")))
    assert "probe_echo" in names and "probe_write" not in names
    both = at(speak(place, "tools/list", x_mcp_toolsets="demo"), beside(place, "look"))
    assert await listed(send, both) == set(), "header and endpoint both narrow"


@pytest.mark.parametrize("name", ["off", "none", "x" * 300, "%C3%A4"])
async def test_an_endpoint_that_is_not_served_is_404_for_callers_and_401_for_strangers(place, send, name):
    path = beside(place, name)
    answer = await send(at(modern(place, "tools/list"), path))
    assert answer.status == 404 and "endpoint" in answer.error["message"]
    stranger = await send(at(modern(place, "tools/list", authorization=None), path))
    usual = await send(modern(place, "tools/list", authorization=None))
    assert (stranger.status, stranger.body) == (401, usual.body)


async def test_sessions_and_pages_work_at_endpoints(place, send, settings):
    settings.PORTICO_PAGE_SIZE = 2
    path = beside(place, "desk")
    opened = await send(at(initialize(place), path))
    session = opened.headers["mcp-session-id"]
    seen, cursor = [], None
    while True:
        params = {"cursor": cursor} if cursor else {}
        answer = (await send(at(legacy(place, "tools/list", params, mcp_session_id=session), path))).result
        seen += [tool["name"] for tool in answer["tools"]]
        cursor = answer.get("nextCursor")
        if cursor is None:
            break
    assert seen == sorted(seen) and len(seen) == 6
    first = (await send(at(legacy(place, "tools/list"), path))).result["nextCursor"]
    elsewhere = await send(at(legacy(place, "tools/list", {"cursor": first}), beside(place, "look")))
    names = {tool["name"] for tool in elsewhere.result["tools"]}
    assert all(name.startswith("probe_") for name in names), "a foreign page shows nothing of its own place"


async def test_a_changed_endpoint_is_seen_at_once(place, send):
    row = await in_db(
        lambda: endpoint_create(tenant=place.tenant, slug=f"new-{send.__name__[3:]}", actor=SYSTEM)
    )
    post = at(modern(place, "tools/list"), beside(place, row.slug))
    whole = await listed(send, post)
    await in_db(lambda: endpoint_update(row, toolsets=["demo"], actor=SYSTEM))
    names = whole
    deadline = asyncio.get_running_loop().time() + 5
    while names == whole and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
        names = await listed(send, post)
    assert names and all(name.startswith("demo_") for name in names)


@pytest.mark.parametrize("speak", [modern, legacy])
async def test_the_deferred_mode_lists_two_tools_and_calls_all(place, send, speak):
    path = beside(place, "find")
    assert await listed(send, at(speak(place, "tools/list"), path)) == {
        "platform_search_tools",
        "platform_call_tool",
    }
    query = {"name": "platform_search_tools", "arguments": {"query": "add two numbers"}}
    found = (await send(at(speak(place, "tools/call", query), path))).result["structuredContent"]["tools"]
    assert found[0]["name"] == "demo_add" and "a" in found[0]["input_schema"]["properties"]
    call = {"name": "platform_call_tool", "arguments": {"name": "demo_add", "arguments": {"a": 2, "b": 3}}}
    assert (await send(at(speak(place, "tools/call", call), path))).result["structuredContent"] == {
        "total": 5
    }
    direct = {"name": "demo_add", "arguments": {"a": 2}}
    assert (await send(at(speak(place, "tools/call", direct), path))).result["structuredContent"] == {
        "total": 3
    }
    unknown = {"name": "platform_call_tool", "arguments": {"name": "nothing"}}
    assert (await send(at(speak(place, "tools/call", unknown), path))).result["isError"] is True
    assert (await send(speak(place, "tools/call", query))).error["code"] == -32602, "not where it is off"


async def test_a_wrapped_call_needs_no_mirrored_headers_and_streams_progress(place):
    path = beside(place, "find")
    call = {
        "name": "platform_call_tool",
        "arguments": {"name": "demo_route", "arguments": {"region": "south"}},
    }
    answer = await by_door(at(modern(place, "tools/call", call), path))
    assert answer.result["structuredContent"] == {"region": "south"}
    tell = {"name": "platform_call_tool", "arguments": {"name": "demo_tell", "arguments": {}}}
    streamed = await by_door(at(modern(place, "tools/call", tell, meta={"progressToken": "p"}), path))
    assert [e["method"] for e in streamed.events[:-1]].count("notifications/progress") >= 3
    assert streamed.result["content"][0]["text"] == "told"


async def test_the_tenants_switch_defers_its_own_address(send):
    place = await in_db(make_place)
    await in_db(lambda: tenant_update(tenant=place.tenant, deferred_tools=True, actor=SYSTEM))
    assert await listed(send, modern(place, "tools/list")) == {"platform_search_tools", "platform_call_tool"}
    told = (await send(modern(place, "server/discover"))).result["instructions"]
    assert "platform_search_tools" in told


@pytest.mark.parametrize("speak", [modern, legacy])
@pytest.mark.parametrize("header", ["x_first_token", "x_vendor_token"])
async def test_a_token_in_a_header_reaches_its_connection(vendor, send, speak, header):
    answer = await send(speak(vendor, "tools/call", WHO, **{header: "token-of-BBBB"}))
    assert answer.result["structuredContent"] == {"used": "BBBB"}
    without = await send(speak(vendor, "tools/call", WHO))
    assert without.result["isError"] and "X-First-Token" in without.body.decode()
    read = await send(speak(vendor, "resources/read", {"uri": "vendor://who"}, **{header: "token-of-BBBB"}))
    assert read.result["contents"][0]["text"] == "BBBB"
    prompt = await send(speak(vendor, "prompts/get", {"name": "vendor-who"}, **{header: "token-of-BBBB"}))
    assert prompt.result["messages"][0]["content"]["text"] == "used BBBB"
    ref = {"ref": {"type": "ref/prompt", "name": "vendor-who"}, "argument": {"name": "word", "value": ""}}
    words = await send(speak(vendor, "completion/complete", ref, **{header: "token-of-BBBB"}))
    assert words.result["completion"]["values"] == ["BBBB"]


async def test_tokens_for_nothing_here_change_nothing(vendor, send):
    answer = await send(modern(vendor, "tools/call", WHO, x_first_token="token-of-BBBB", x_csrf_token="abc"))
    assert answer.result["structuredContent"] == {"used": "BBBB"}
    assert (await send(modern(vendor, "tools/list", x_other_token="abc"))).status == 200


@pytest.mark.parametrize("value", ["x" * 8193, "a b", "tab\there", "ünïcode"])
async def test_a_value_that_is_no_token_is_refused_without_showing_it(vendor, value):
    answer = await by_door(modern(vendor, "tools/call", WHO, x_first_token=value))
    assert answer.status == 400 and "x-first-token" in answer.error["message"]
    assert value not in answer.body.decode()


async def test_a_token_that_came_twice_is_refused(vendor):
    post = modern(vendor, "tools/call", WHO, x_first_token="one")
    post.headers.append(("x-first-token", "two"))
    assert (await by_door(post)).status == 400


@pytest.mark.parametrize("speak", [modern, legacy])
async def test_nothing_that_leaves_portico_has_a_planted_token(vendor, send, speak, caplog):
    planted = f"planted-{os.urandom(8).hex()}"
    bodies = []
    with caplog.at_level(logging.DEBUG):
        for how in ("said", "crash"):
            call = {"name": "vendor_fail", "arguments": {"how": how}}
            bodies.append(await send(speak(vendor, "tools/call", call, x_first_token=planted)))
        for method, params in (
            ("tools/call", WHO),
            ("tools/list", {}),
            ("tools/call", {"name": "none"}),
            ("nothing", {}),
        ):
            bodies.append(await send(speak(vendor, method, params, x_first_token=planted)))
    assert planted not in "".join(answer.body.decode() + str(answer.headers) for answer in bodies)
    assert planted not in caplog.text
    rows = await in_db(lambda: [str(row.__dict__) for row in AuditEvent.objects.for_tenant(vendor.tenant)])
    assert rows and planted not in "".join(rows)


async def test_a_call_with_a_token_is_answered_in_line_and_never_waits_as_a_task(vendor):
    capable = {
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    }
    call = {"name": "vendor_long", "arguments": {}}
    answer = await by_door(modern(vendor, "tools/call", call, meta=capable, x_first_token="token-of-BBBB"))
    assert answer.result["resultType"] == "complete"
    assert json.loads(answer.result["content"][0]["text"]) == {"used": "BBBB"}


async def test_the_platforms_own_key_is_no_token(vendor, send):
    answer = await send(modern(vendor, "tools/call", WHO))
    assert answer.result["isError"], "the connector got something that nobody brought"


async def test_what_a_stream_of_http_and_sse_was_opened_with_counts_for_its_messages(vendor, base_url):
    await in_db(lambda: endpoint_create(tenant=vendor.tenant, slug="sse", toolsets=["vendor"], actor=SYSTEM))
    path = f"/t/{vendor.tenant.slug}/e/sse/sse"
    key = {"authorization": f"Bearer {vendor.key}"}
    async with (
        asyncio.timeout(20),
        httpx2.AsyncClient(base_url=base_url, headers=key, timeout=20) as http,
        http.stream("GET", path, headers={"x-first-token": "token-of-BBBB"}) as stream,
    ):
        lines = stream.aiter_lines()

        async def data() -> str:
            while not (line := await anext(lines)).startswith("data: "):
                pass
            return line.removeprefix("data: ")

        where = await data()
        hello = json.loads(initialize(vendor).body)
        for message in (
            hello,
            {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
            {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": WHO},
        ):
            assert (await http.post(where, json=message)).status_code == 202
        answers = {message["id"]: message for message in [json.loads(await data()) for _ in range(3)]}
    assert {tool["name"] for tool in answers[2]["result"]["tools"]} >= {"vendor_who"}
    assert all(tool["name"].startswith("vendor_") for tool in answers[2]["result"]["tools"])
    assert answers[3]["result"]["structuredContent"] == {"used": "BBBB"}


async def test_a_wrapped_call_asks_the_person_and_goes_on_with_their_answer():
    place = await in_db(lambda: make_place(connectors=("demo",)))
    await in_db(
        lambda: permission_set(
            tenant=place.tenant, role="operator", allow=[], deny=[], confirm=["demo:demo_add"], actor=SYSTEM
        )
    )
    await in_db(lambda: tenant_update(tenant=place.tenant, deferred_tools=True, actor=SYSTEM))
    capable = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
    call = {"name": "platform_call_tool", "arguments": {"name": "demo_add", "arguments": {"a": 2}}}
    asked = (await by_door(modern(place, "tools/call", call, meta=capable))).result
    assert asked["resultType"] == "input_required"
    (key,) = asked["inputRequests"]
    again = {**call, "inputResponses": {key: {"action": "accept", "content": {}}}}
    again["requestState"] = asked["requestState"]
    answer = (await by_door(modern(place, "tools/call", again, meta=capable, id=2))).result
    assert answer["structuredContent"] == {"total": 3}
    other = {**again, "arguments": {"name": "demo_add", "arguments": {"a": 9}}}
    refused = await by_door(modern(place, "tools/call", other, meta=capable, id=3))
    assert refused.error["code"] == -32602, "an answer is for the call that was asked about"


async def test_a_wrapped_call_becomes_a_task_as_the_tools_own_would():
    place = await in_db(lambda: make_place(connectors=("demo",)))
    await in_db(make_connection, place.tenant, "vendor", "first")
    await in_db(lambda: tenant_update(tenant=place.tenant, deferred_tools=True, actor=SYSTEM))
    capable = {
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    }
    direct = {"name": "vendor_long", "arguments": {}}
    wrapped = {"name": "platform_call_tool", "arguments": direct}
    kinds = {
        (await by_door(modern(place, "tools/call", call, meta=capable))).result["resultType"]
        for call in (direct, wrapped)
    }
    assert kinds == {"task"}
