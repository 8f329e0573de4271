"""What bad input gets: the right status and a sentence that helps, nothing half-written."""

import json

import pytest
from django.conf import settings

from audit.models import AuditEvent
from tenants import services
from tests.factories import SYSTEM, make_key, make_tenant, unique
from tests.live import environment, manage
from tests.mcp_endpoint.speak import MODERN, Place, Post, headers_of, legacy, make_place, modern


def raw(place, body, **headers):
    return Post(place.path, body, list(headers_of(place, **headers).items()))


def call(place, tool, speak=modern, **arguments):
    return speak(place, "tools/call", {"name": tool, "arguments": arguments})


PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'

# name: (request, HTTP status, JSON-RPC code, words of the sentence)
PROTOCOL = {
    "no JSON": (lambda p: raw(p, b"{"), 400, -32700, "line 1"),
    "no body": (lambda p: raw(p, b""), 400, -32700, ""),
    "no UTF-8": (lambda p: raw(p, b"\xff\xfe"), 400, -32700, "UTF-8"),
    "the same key twice": (
        lambda p: raw(p, b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}'), 400, -32700, "same key twice"),
    "the same argument twice": (
        lambda p: raw(p, b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"probe_echo",'
                         b'"arguments":{"text":"a","text":"b"}}}'), 400, -32700, "same key twice"),
    "a number beyond 64 bits": (
        lambda p: raw(p, b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"probe_number",'
                         b'"arguments":{"number":99999999999999999999}}}'), 400, -32700, "64 bits"),
    "NaN": (lambda p: raw(p, b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}'), 400, -32700, "NaN"),
    "too deep": (lambda p: raw(p, b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"), 400, -32700, "deeper"),
    "a batch": (lambda p: raw(p, b"[" + PING + b"]"), 400, -32600, "Batches"),
    "no JSON-RPC": (lambda p: raw(p, b'{"hello":1}'), 400, -32600, "jsonrpc"),
    "a wrong content type": (lambda p: raw(p, PING, content_type="text/plain"), 415, -32600, "application/json"),
    "a wrong accept": (lambda p: raw(p, PING, accept="text/html"), 406, -32600, "application/json"),
    "a GET": (lambda p: Post(p.path, b"", list(headers_of(p).items()), "GET"), 405, -32600, "POST"),
    "another host": (lambda p: raw(p, PING, host="evil.example.com"), 400, -32600, "host"),
    "another origin": (lambda p: raw(p, PING, origin="https://evil.example.com"), 403, -32600, "PORTICO_ALLOWED_ORIGINS"),
    "too large": (
        lambda p: raw(p, b"x" * (settings.PORTICO_MAX_BODY + 1)), 413, -32600, f"{settings.PORTICO_MAX_BODY:,} bytes"),
    "a header that disagrees with the body": (
        lambda p: modern(p, "tools/list", mcp_method="tools/call"), 400, -32020, ""),
    "a version nobody knows": (
        lambda p: raw(p, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2099-01-01",
            "io.modelcontextprotocol/clientCapabilities": {}}}}).encode(),
            mcp_protocol_version="2099-01-01", mcp_method="tools/list"), 400, -32022, ""),
    "an unknown method": (lambda p: modern(p, "no/such"), 404, -32601, ""),
    "an unknown method, handshake era": (lambda p: legacy(p, "no/such"), 200, -32601, ""),
    "an unknown tool": (lambda p: call(p, "nothing"), 400, -32602, "Unknown tool: nothing"),
    "an unknown tool, handshake era": (lambda p: call(p, "nothing", legacy), 200, -32602, "Unknown tool"),
    "a tool that is off": (lambda p: call(p, "probe_delete"), 400, -32602, "Unknown tool: probe_delete"),
    "an unknown resource": (lambda p: modern(p, "resources/read", {"uri": "probe://none"}), 400, -32602, "not found"),
    "an unknown prompt": (lambda p: modern(p, "prompts/get", {"name": "none"}), 400, -32602, "Unknown prompt"),
    "a prompt without its argument": (
        lambda p: modern(p, "prompts/get", {"name": "probe-greet"}), 400, -32602, "Missing: who"),
    "a cursor that was made up": (lambda p: modern(p, "tools/list", {"cursor": "x"}), 400, -32602, "Invalid cursor"),
    "an unknown session": (lambda p: legacy(p, "tools/list", mcp_session_id="x"), 404, None, "initialize again"),
}  # fmt: skip


@pytest.fixture(scope="module")
def place(database):
    return make_place(connectors=("probe",))


@pytest.mark.parametrize("name", PROTOCOL)
def test_a_mistake_gets_its_error_and_a_sentence(live, place, name):
    make, status, code, words = PROTOCOL[name]
    line = live.line()
    answer = line.send(make(place))
    assert answer.status == status, answer.body
    assert answer.json["jsonrpc"] == "2.0"
    assert code is None or answer.error["code"] == code
    assert words in answer.error["message"]
    assert len(answer.error["message"]) > 10
    line.close()
    assert live.line().call(place, "probe_echo", text="x").status == 200


ARGUMENTS = {
    "a missing argument": ("probe_echo", {}, "text"),
    "a wrong type": ("probe_echo", {"text": 7}, "text"),
    "an argument that is not there": ("probe_echo", {"text": "x", "colour": "red"}, "colour"),
    "a number out of range": ("probe_number", {"number": 11}, "10"),
    "a string for a number": ("probe_number", {"number": "3"}, "number"),
}


@pytest.mark.parametrize("speak", [modern, legacy])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_against_the_schema_are_a_failed_result_and_one_call_in_the_audit(live, name, speak):
    place = make_place(connectors=("probe",))
    tool, arguments, words = ARGUMENTS[name]
    answer = live.line().send(call(place, tool, speak, **arguments))
    assert answer.status == 200
    assert answer.result["isError"] is True
    said = json.loads(answer.result["content"][0]["text"])
    assert said["type"] == "validation"
    assert words in said["error"]
    (row,) = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call")
    assert (row.outcome, row.error_type, row.phase) == ("error", "validation", "done")


def test_what_has_a_caller_is_recorded_once_and_what_only_looks_is_not(live):
    place = make_place(connectors=("probe",))
    line = live.line()
    line.send(call(place, "nothing"))
    line.send(call(place, "probe_delete"))
    line.send(call(place, "probe_write", text="x"))
    for method in ("server/discover", "tools/list", "resources/list", "prompts/list"):
        assert line.send(modern(place, method)).status == 200
    line.send(legacy(place, "ping"))
    rows = AuditEvent.objects.for_tenant(place.tenant).exclude(kind="config")
    assert sorted(rows.values_list("kind", "phase", "outcome")) == [
        ("call", "attempt", "started"), ("call", "done", "ok"),
        ("denial", "done", "denied"), ("denial", "done", "denied"),
    ]  # fmt: skip
    assert len(set(rows.filter(kind="call").values_list("call_id", flat=True))) == 1


def test_strangers_get_one_answer_whatever_is_there(live, place):
    suspended = make_place(connectors=("probe",))
    services.tenant_suspend(tenant=suspended.tenant, actor=SYSTEM)
    revoked = make_place(connectors=("probe",))
    services.access_key_revoke(key=revoked.access_key, actor=SYSTEM)
    other = make_place(connectors=("probe",))
    slugs = {
        "its tenant is suspended": (suspended.tenant.slug, suspended.key),
        "it was revoked": (revoked.tenant.slug, revoked.key),
        "it is of another tenant": (place.tenant.slug, other.key),
        "there is no such tenant": ("no-such-tenant", place.key),
        "it is malformed": (place.tenant.slug, "ptc_x"),
        "nobody has it": (place.tenant.slug, "ptc_0123456789ab_" + "x" * 43),
        "there is none": (place.tenant.slug, ""),
    }
    bodies, line = set(), live.line()
    for why, (slug, key) in slugs.items():
        at = Place(type("T", (), {"slug": slug}), key, None)
        answer = line.send(raw(at, PING, **({} if key else {"authorization": None})))
        assert answer.status == 401, why
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer" in answer.error["message"]
        bodies.add(answer.body)
    assert len(bodies) == 1


def api(line, method, path, body, key):
    headers = [("authorization", f"Bearer {key}"), ("content-type", "application/json")]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return line.send(Post(path, data, headers, method))


def test_the_api_answers_mistakes_with_problems_and_writes_nothing(live):
    tenant = make_tenant()
    key = make_key(tenant, role="owner")[1]
    base, line = f"/api/v1/tenants/{tenant.slug}", live.line()
    made = api(line, "PUT", f"{base}/connections/goals", {"connector": "goals"}, key)
    assert made.status == 201
    cases = [
        ("POST", f"{base}/access-keys", b"{", 400, ""),
        ("POST", f"{base}/access-keys", {}, 400, ""),
        ("POST", f"{base}/access-keys", {"name": "x", "service_account": "x", "allow": ["no-colon"]}, 400, "allow"),
        ("POST", f"{base}/access-keys", {"name": "x", "service_account": "x", "networks": ["300.1.1.1"]}, 400, "networks"),
        ("PUT", f"{base}/connections/Bad_Slug", {"connector": "goals"}, 400, "slug"),
        ("PUT", f"{base}/connections/other", {"connector": "none"}, 400, "connector"),
        ("PUT", f"{base}/connections/probe", {"connector": "probe", "settings": {"count": 99}}, 400, "settings.count"),
        ("POST", f"{base}/connections", {"connector": "goals", "slug": "goals"}, 409, "slug"),
        ("POST", f"{base}/service-accounts", {"name": "x", "role": "king"}, 400, "role"),
        ("POST", f"{base}/invitations", {"email": "nobody", "role": "viewer"}, 400, "email"),
        ("POST", "/api/v1/tenants", {"slug": unique("t")}, 403, ""),
        ("PATCH", base, {"time_zone": "Mars/Base"}, 400, "time_zone"),
        ("GET", f"{base}/connections/none", b"", 404, ""),
        ("POST", f"{base}/call-tool", {"name": "none", "arguments": {}}, 404, ""),
    ]  # fmt: skip
    before = AuditEvent.objects.for_tenant(tenant).filter(kind="config").count()
    for method, path, body, status, field in cases:
        answer = api(line, method, path, body, key)
        assert answer.status == status, (method, path, body, answer.body)
        assert answer.headers["content-type"].startswith("application/problem+json")
        problem = answer.json
        assert problem["title"] and (problem.get("detail") or problem.get("errors"))
        if field:
            assert field in [error["field"] for error in problem["errors"]], (path, problem)
    assert AuditEvent.objects.for_tenant(tenant).filter(kind="config").count() == before
    assert tenant.connections.count() == 1
    assert not tenant.principals.exclude(access_keys__isnull=False).exists(), "a half-made account stayed"


def test_a_start_without_keys_in_production_says_what_to_write():
    env = environment(PORTICO_ENV="production", PORTICO_KEYS="", SECRET_KEY="x" * 60)
    failed = manage("check", env=env)
    assert failed.returncode != 0
    assert "PORTICO_KEYS" in failed.stderr
    assert "openssl rand -base64 32" in failed.stderr
    assert MODERN
