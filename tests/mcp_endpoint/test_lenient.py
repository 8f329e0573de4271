"""Where real clients of the handshake era do less, or other, than its text asks: they are served."""

import json

import pytest

from mcp_endpoint.sdk import HANDSHAKE_VERSIONS, NEWEST_HANDSHAKE_VERSION
from tests.mcp_endpoint.speak import Post, initialize, legacy

ADD = {"name": "demo_add", "arguments": {"a": 2, "b": 3}}
TELL = {"name": "demo_tell", "arguments": {}, "_meta": {"progressToken": 1}}


def plain(place, method, params=None, *, id=1, **headers) -> Post:
    """What a program with an HTTP library and no MCP library sends."""
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        message["params"] = params
    sent = {
        "content_type": "application/json",
        "accept": "*/*",
        "authorization": f"Bearer {place.key}",
        **headers,
    }
    lines = [(name.replace("_", "-"), value) for name, value in sent.items() if value is not None]
    return Post(place.path, json.dumps(message).encode(), lines)


def hello(version) -> dict:
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "plain", "version": "1"}}


async def test_a_plain_http_client_of_2024_gets_json(send, place):
    answer = await send(plain(place, "initialize", hello("2024-11-05")))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.result["protocolVersion"] == "2024-11-05"
    # It neither confirms that it is initialized nor echoes the session nor tells a version.
    listed = await send(plain(place, "tools/list"))
    assert listed.headers["content-type"] == "application/json"
    assert "demo_add" in {tool["name"] for tool in listed.result["tools"]}
    called = await send(plain(place, "tools/call", ADD))
    assert json.loads(called.result["content"][0]["text"]) == {"total": 5}


async def test_who_takes_anything_gets_json_even_when_it_asks_for_progress(send, place):
    answer = await send(plain(place, "tools/call", TELL))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.result["content"][0]["text"] == "told"


@pytest.mark.parametrize("accept", [None, "application/json", "application/*", "*/*;q=0.8", "text/html, */*"])
async def test_an_incomplete_accept_is_no_reason_to_refuse(send, place, accept):
    answer = await send(plain(place, "initialize", hello("2025-11-25"), accept=accept))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


async def test_who_takes_only_a_stream_gets_one(send, place):
    answer = await send(plain(place, "tools/call", ADD, accept="text/event-stream"))
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.result["structuredContent"] == {"total": 5}


@pytest.mark.parametrize("version", sorted(HANDSHAKE_VERSIONS))
async def test_the_version_header_may_be_missing_after_initialize(send, place, version):
    started = await send(initialize(place, version=version))
    assert started.result["protocolVersion"] == version
    session = started.headers["mcp-session-id"]
    ready = legacy(place, "notifications/initialized", id=None, version=None, mcp_session_id=session)
    assert (await send(ready)).status == 202
    answer = await send(legacy(place, "tools/call", ADD, version=None, mcp_session_id=session))
    assert json.loads(answer.result["content"][0]["text"]) == {"total": 5}


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18"])
async def test_another_version_than_was_negotiated_may_be_claimed(send, place, version):
    session = (await send(initialize(place, version=version))).headers["mcp-session-id"]
    listed = {}
    for claimed in (version, NEWEST_HANDSHAKE_VERSION):
        answer = await send(legacy(place, "tools/list", version=claimed, mcp_session_id=session))
        assert answer.status == 200
        listed[claimed] = answer.result["tools"]
    assert listed[version] == listed[NEWEST_HANDSHAKE_VERSION]


async def test_a_session_says_more_than_the_newest_version_claimed_regardless(send, place):
    session = (await send(initialize(place, "2025-06-18"))).headers["mcp-session-id"]
    claimed = legacy(place, "tools/call", ADD, version="2026-07-28", mcp_session_id=session)
    assert (await send(claimed)).result["structuredContent"] == {"total": 5}
    stranger = legacy(place, "tools/call", ADD, version="2026-07-28", mcp_session_id=session + "x")
    assert (
        await send(stranger)
    ).status == 400  # no session of ours, so it is of 2026-07-28, without its envelope


async def test_the_session_need_not_be_echoed(send, place):
    await send(initialize(place))
    assert (await send(legacy(place, "tools/call", ADD))).result["structuredContent"] == {"total": 5}


async def test_an_outworn_session_does_not_stand_in_the_way_of_a_new_one(send, place):
    post = initialize(place)
    post.headers.append(("mcp-session-id", "of-yesterday"))
    answer = await send(post)
    assert answer.status == 200 and answer.headers["mcp-session-id"] != "of-yesterday"


async def test_a_routing_header_without_a_version_is_of_the_handshake_era(send, place):
    started = await send(
        legacy(place, "initialize", hello("2025-11-25"), version=None, mcp_method="initialize")
    )
    assert started.result["protocolVersion"] == "2025-11-25"
    answer = await send(
        legacy(place, "tools/call", ADD, version=None, mcp_method="tools/call", mcp_name="demo_add")
    )
    assert answer.status == 200 and not answer.result.get("isError")


@pytest.mark.parametrize("asked", ["2026-07-28", "2099-01-01", "1.0", ""])
async def test_a_version_that_is_not_known_at_initialize_gets_a_known_one(send, place, asked):
    for header in (None, asked or None):
        answer = await send(legacy(place, "initialize", hello(asked), version=header))
        assert answer.result["protocolVersion"] == NEWEST_HANDSHAKE_VERSION


async def test_parameters_may_be_absent_or_null(send, place):
    for body in ({}, {"params": None}, {"params": {}}):
        post = legacy(place, "tools/list")
        post.body = json.dumps({"jsonrpc": "2.0", "id": "a", "method": "tools/list", **body}).encode()
        assert (await send(post)).result["tools"]


async def test_an_answer_and_an_unknown_notification_are_taken_quietly(send, place):
    session = (await send(initialize(place))).headers["mcp-session-id"]
    post = legacy(place, "notifications/whatever", {"x": 1}, id=None, mcp_session_id=session)
    assert (await send(post)).status == 202
    post.body = json.dumps({"jsonrpc": "2.0", "id": 99, "result": {}}).encode()
    assert (await send(post)).status == 202


async def test_the_body_may_name_its_charset(send, place):
    answer = await send(plain(place, "ping", content_type="application/json; charset=utf-8"))
    assert answer.status == 200
