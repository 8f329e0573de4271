"""One contract, two doors: every case runs through the ASGI door and through the Django view."""

import json

import pytest
from django.urls import reverse

from tests.mcp_endpoint.speak import META, MODERN, Post, headers_of, initialize, legacy, modern


def raw(place, body: bytes, **headers) -> Post:
    return Post(place.path, body, list(headers_of(place, **headers).items()))


async def test_a_modern_client_discovers_lists_and_calls(send, place):
    found = (await send(modern(place, "server/discover"))).result
    assert found["supportedVersions"] == [MODERN]
    assert found["resultType"] == "complete"
    assert (found["ttlMs"], found["cacheScope"]) == (30_000, "private")
    assert found["capabilities"]["tools"] == {"listChanged": True}
    assert found["capabilities"]["resources"] == {"listChanged": True, "subscribe": True}
    assert "Add before you shout." in found["instructions"]
    listed = (await send(modern(place, "tools/list"))).result
    names = [tool["name"] for tool in listed["tools"]]
    assert names == sorted(names)
    assert "demo_add" in names
    assert "probe_delete" not in names  # off by default
    assert listed["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "portico"
    answer = await send(modern(place, "tools/call", {"name": "demo_add", "arguments": {"a": 2}}, id="x"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["id"] == "x"
    assert answer.result["structuredContent"] == {"total": 3}
    assert answer.result["content"] == [{"type": "text", "text": '{"total":3}'}]
    assert answer.result["isError"] is False


async def test_a_client_of_the_handshake_era_initializes_and_calls(send, place):
    hello = await send(initialize(place))
    assert hello.result["protocolVersion"] == "2025-11-25"
    assert hello.result["serverInfo"]["name"] == "portico"
    session = hello.headers["mcp-session-id"]
    ready = await send(legacy(place, "notifications/initialized", id=None, mcp_session_id=session))
    assert (ready.status, ready.body) == (202, b"")
    assert (await send(legacy(place, "ping", mcp_session_id=session))).result == {}
    call = legacy(
        place, "tools/call", {"name": "demo_add", "arguments": {"a": 1, "b": 2}}, mcp_session_id=session
    )
    result = (await send(call)).result
    assert result["structuredContent"] == {"total": 3}
    assert "resultType" not in result
    listed = (await send(legacy(place, "tools/list", mcp_session_id=session))).result
    assert "ttlMs" not in listed
    assert (
        await send(legacy(place, "logging/setLevel", {"level": "debug"}, mcp_session_id=session))
    ).result == {}


async def test_an_unknown_version_at_initialize_gets_the_newest_one(send, place):
    assert (await send(initialize(place, "1999-01-01"))).result["protocolVersion"] == "2025-11-25"
    assert (await send(initialize(place, "2025-03-26"))).result["protocolVersion"] == "2025-03-26"


async def test_resources_prompts_and_completion(send, place):
    for speak in (modern, legacy):
        listed = (await send(speak(place, "resources/list"))).result["resources"]
        assert {"demo://rows/1", "probe://motto"} <= {row["uri"] for row in listed}
        templates = (await send(speak(place, "resources/templates/list"))).result["resourceTemplates"]
        assert "demo://rows/{number}" in {row["uriTemplate"] for row in templates}
        (read,) = (await send(speak(place, "resources/read", {"uri": "demo://rows/4"}))).result["contents"]
        assert read == {
            "uri": "demo://rows/4",
            "mimeType": "text/plain",
            "text": f"row 4 of {place.tenant.pk}",
        }
        (read,) = (await send(speak(place, "resources/read", {"uri": "demo://rows/7"}))).result["contents"]
        assert set(read) == {"uri", "mimeType", "blob"}
        prompts = (await send(speak(place, "prompts/list"))).result["prompts"]
        (ask,) = [row for row in prompts if row["name"] == "demo-ask"]
        assert [a["required"] for a in ask["arguments"]] == [True, False]
        got = (
            await send(speak(place, "prompts/get", {"name": "demo-ask", "arguments": {"topic": "soup"}}))
        ).result
        assert got["messages"][0]["content"]["text"] == "Tell me about soup, plain."
        assert got["messages"][1]["content"]["type"] == "resource"
        params = {
            "ref": {"type": "ref/prompt", "name": "demo-ask"},
            "argument": {"name": "topic", "value": "so"},
        }
        completion = (await send(speak(place, "completion/complete", params))).result["completion"]
        assert completion == {"values": ["soup", "soil"], "total": 2, "hasMore": False}


async def test_what_does_not_exist_is_a_protocol_error(send, place):
    cases = [
        ("tools/call", {"name": "demo_nothing"}, "Unknown tool: demo_nothing"),
        ("tools/call", {"name": "probe_delete"}, "Unknown tool: probe_delete"),
        ("prompts/get", {"name": "nothing"}, "Unknown prompt: nothing"),
        ("resources/read", {"uri": "demo://nothing/1"}, "Resource not found"),
    ]
    for method, params, said in cases:
        answer = await send(modern(place, method, params))
        assert (answer.status, answer.error["code"]) == (400, -32602)
        assert said in answer.error["message"]
        answer = await send(legacy(place, method, params))
        assert answer.status == 200
        assert answer.error["code"] == (-32002 if method == "resources/read" else -32602)
    answer = await send(modern(place, "resources/read", {"uri": "demo://nothing/1"}))
    assert answer.error["data"] == {"uri": "demo://nothing/1"}
    missing = await send(modern(place, "prompts/get", {"name": "demo-ask"}))
    assert missing.error["code"] == -32602
    assert "Missing: topic" in missing.error["message"]


async def test_arguments_that_break_the_schema_are_a_result_that_says_how(send, place):
    result = (await send(modern(place, "tools/call", {"name": "demo_add", "arguments": {"a": "x"}}))).result
    assert result["isError"] is True
    assert json.loads(result["content"][0]["text"])["type"] == "validation"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b" ", -32700, "Parse error"),
        (b"{", -32700, "line 1"),
        (b"\xff{}", -32700, "UTF-8"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}', -32700, "same key twice"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}', -32700, "NaN"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":99999999999999999999}}', -32700, "64 bits"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", -32700, "deeper"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, "Batches"),
        (b'"ping"', -32600, "an object"),
        (b'{"id":1,"method":"ping"}', -32600, "jsonrpc"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600, "method"),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, "id"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, "id"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, "id"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', -32600, "params"),
        (b"{}", -32600, "jsonrpc"),
    ],
)
async def test_malformed_bodies_get_their_json_rpc_error(send, place, body, code, said):
    answer = await send(raw(place, body))
    assert answer.status == 400
    assert answer.error["code"] == code
    assert said in answer.error["message"]
    assert answer.json["jsonrpc"] == "2.0"


async def test_http_mistakes_get_their_status_and_a_sentence(send, place, settings):
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    assert (await send(raw(place, ping, content_type="text/plain"))).status == 415
    assert (await send(raw(place, ping, content_type="application/json; charset=utf-8"))).status == 200
    assert (await send(raw(place, ping, accept="text/html"))).status == 406
    assert (await send(raw(place, ping, accept="*/*"))).status == 200
    assert (await send(raw(place, ping, accept=None))).status == 200
    only_events = await send(raw(place, ping, accept="text/event-stream"))
    assert only_events.events == [{"jsonrpc": "2.0", "id": 1, "result": {}}]
    for method in ("GET", "DELETE", "PUT"):
        answer = await send(Post(place.path, b"", list(headers_of(place).items()), method))
        assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")
    settings.PORTICO_MAX_BODY = 2000
    large = raw(place, ping[:-1] + b',"params":{"a":"%s"}}' % (b"x" * 3000))
    answer = await send(large)
    assert answer.status == 413
    assert "2,000 bytes" in answer.error["message"]


async def test_a_stranger_gets_one_answer_whatever_is_there(send, place, other_place):
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    answers = []
    for path, key in [
        (place.path, None),
        (place.path, "Bearer wrong"),
        (place.path, f"Bearer {other_place.key}"),
        (place.path, f"Basic {place.key}"),
        ("/t/no-such-tenant/mcp", f"Bearer {place.key}"),
        ("/t/Not_A_Slug!/mcp", None),
    ]:
        answer = await send(Post(path, ping, list(headers_of(None, authorization=key).items())))
        answer.headers.pop("x-request-id")
        answers.append((answer.status, answer.headers.get("www-authenticate"), answer.body))
    assert len(set(answers)) == 1
    status, challenge, body = answers[0]
    assert (status, challenge) == (401, "Bearer")
    assert "Authorization: Bearer" in json.loads(body)["error"]["message"]


async def test_the_path_with_and_without_a_slash_is_one(send, place):
    post = modern(place, "tools/call", {"name": "demo_add", "arguments": {"a": 1}})
    assert reverse("mcp", args=[place.tenant.slug]).rstrip("/") == place.path
    post.path += "/"
    assert (await send(post)).status == 200


async def test_web_pages_need_an_allowed_origin(send, place, settings):
    settings.PORTICO_ALLOWED_ORIGINS = ["http://localhost:6274"]
    post = modern(place, "tools/list", origin="http://evil.example.com")
    answer = await send(post)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    answer = await send(modern(place, "tools/list", origin="http://localhost:6274"))
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://localhost:6274"
    assert "Mcp-Session-Id" in answer.headers["access-control-expose-headers"]
    assert (await send(modern(place, "tools/list", origin="http://testserver"))).status == 200
    for odd in ("null", "http://[", "http://[::1", "file://", "\xe4"):
        assert (await send(modern(place, "tools/list", origin=odd))).status == 403, odd
    ask = {"origin": "http://localhost:6274", "access-control-request-method": "POST",
           "access-control-request-headers": "authorization, mcp-param-region"}  # fmt: skip
    answer = await send(Post(place.path, b"", list(ask.items()), "OPTIONS"))
    assert answer.status == 204
    assert "mcp-param-region" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "http://localhost:6274"
    ask["origin"] = "http://evil.example.com"
    assert (await send(Post(place.path, b"", list(ask.items()), "OPTIONS"))).status == 403


async def test_a_host_that_is_not_ours_is_refused(send, place):
    post = modern(place, "tools/list", host="evil.example.com")
    assert (await send(post)).status == 400


async def test_routing_headers_must_agree_with_the_body(send, place):
    call = {"name": "demo_add", "arguments": {"a": 1}}
    for wrong in (
        {"mcp_name": "demo_other"},
        {"mcp_name": None},
        {"mcp_method": "tools/list"},
        {"mcp_method": None},
        {"mcp_protocol_version": "2025-11-25"},
        {"mcp_protocol_version": None},
    ):
        answer = await send(modern(place, "tools/call", call, **wrong))
        assert (answer.status, answer.error["code"]) == (400, -32020), wrong
    encoded = await send(modern(place, "tools/call", call, mcp_name="=?base64?ZGVtb19hZGQ=?="))
    assert encoded.status == 200


async def test_mirrored_parameters_are_checked_by_the_tools_schema(send, place):
    call = {"name": "demo_route", "arguments": {"region": "south"}}
    assert (await send(modern(place, "tools/call", call, mcp_param_region="south"))).status == 200
    assert (
        await send(modern(place, "tools/call", call, mcp_param_region="=?base64?c291dGg=?="))
    ).status == 200
    for wrong in ({"mcp_param_region": "north"}, {}):
        answer = await send(modern(place, "tools/call", call, **wrong))
        assert (answer.status, answer.error["code"]) == (400, -32020)
    answer = await send(modern(place, "tools/call", {"name": "demo_route"}, mcp_param_region="south"))
    assert answer.error["code"] == -32020
    assert (await send(modern(place, "tools/call", {"name": "demo_route"}))).status == 200


async def test_the_modern_ladder_refuses_with_its_own_codes(send, place):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": dict(META)}}
    version = "io.modelcontextprotocol/protocolVersion"
    body["params"]["_meta"][version] = "2099-01-01"
    post = raw(place, json.dumps(body).encode(), mcp_protocol_version="2099-01-01", mcp_method="tools/list")
    answer = await send(post)
    assert (answer.status, answer.error["code"]) == (400, -32022)
    assert answer.error["data"] == {"supported": [MODERN], "requested": "2099-01-01"}
    del body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
    body["params"]["_meta"][version] = MODERN
    post = raw(place, json.dumps(body).encode(), mcp_protocol_version=MODERN, mcp_method="tools/list")
    answer = await send(post)
    assert (answer.status, answer.error["code"]) == (400, -32602)
    for gone in (
        "ping",
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
        "no/such",
    ):
        answer = await send(modern(place, gone))
        assert (answer.status, answer.error["code"]) == (404, -32601), gone
    posted = raw(place, b'{"jsonrpc":"2.0","id":1,"result":{}}', mcp_protocol_version=MODERN)
    assert (await send(posted)).status == 400
    posted = raw(place, b'{"jsonrpc":"2.0","id":1,"result":{}}', mcp_protocol_version="2025-11-25")
    assert (await send(posted)).status == 202
    notified = raw(place, b'{"jsonrpc":"2.0","method":"notifications/any"}', mcp_protocol_version=MODERN)
    assert (await send(notified)).status == 202
    notified = raw(
        place, b'{"jsonrpc":"2.0","method":"notifications/any"}', mcp_protocol_version="2099-01-01"
    )
    assert (await send(notified)).error["code"] == -32022


async def test_the_handshake_era_is_lenient(send, place):
    call = {"name": "demo_add", "arguments": {"a": 1}}
    session = (await send(initialize(place, "2025-06-18"))).headers["mcp-session-id"]
    for version in (None, "2024-11-05", "2025-03-26", "2025-11-25"):
        answer = await send(legacy(place, "tools/call", call, version=version, mcp_session_id=session))
        assert answer.status == 200
        assert (await send(legacy(place, "tools/call", call, version=version))).status == 200
    odd = initialize(place)
    odd.headers.append(("mcp-method", "initialize"))
    assert (await send(odd)).status == 200
    answer = await send(legacy(place, "no/such"))
    assert (answer.status, answer.error["code"]) == (200, -32601)
    answer = await send(legacy(place, "tools/call", {"arguments": {}}))
    assert (answer.status, answer.error["code"]) == (200, -32602)
    assert "name: Field required" in answer.error["message"]


async def test_progress_and_log_lines_come_before_the_answer(send, place):
    call = {"name": "demo_tell", "arguments": {}}
    meta = {"progressToken": "p1", "io.modelcontextprotocol/logLevel": "info"}
    answer = await send(modern(place, "tools/call", call, meta=meta))
    *told, last = answer.events
    assert answer.headers["cache-control"].startswith("no-cache")
    assert answer.headers["x-accel-buffering"] == "no"
    progress = [m["params"] for m in told if m["method"] == "notifications/progress"]
    assert progress == [
        {"progressToken": "p1", "progress": n, "total": 3, "message": f"step {n}"} for n in (1, 2, 3)
    ]
    lines = [m["params"]["data"] for m in told if m["method"] == "notifications/message"]
    assert lines == ["line 1", "line 2", "line 3"]
    assert last["result"]["content"][0]["text"] == "told"
    plain = await send(modern(place, "tools/call", call))
    assert plain.headers["content-type"] == "application/json"
    session = (await send(initialize(place))).headers["mcp-session-id"]
    await send(legacy(place, "logging/setLevel", {"level": "warning"}, mcp_session_id=session))
    quiet = await send(
        legacy(place, "tools/call", {**call, "_meta": {"progressToken": 5}}, mcp_session_id=session)
    )
    assert {m["method"] for m in quiet.events[:-1]} == {"notifications/progress"}
    json_only = await send(modern(place, "tools/call", call, meta=meta, accept="application/json"))
    assert json_only.result["content"][0]["text"] == "told"


async def test_the_request_id_comes_back(send, place):
    answer = await send(modern(place, "tools/list", x_request_id="abc-1"))
    assert answer.headers["x-request-id"] == "abc-1"
    answer = await send(modern(place, "tools/list", x_request_id="not good\u00e9"))
    assert answer.headers["x-request-id"].isalnum()
