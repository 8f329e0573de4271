"""A caller's trace goes on into the audit, into the system and into spans; a wrong one is ignored."""

import hashlib
import json
import os
import socket

import pytest
from django.conf import settings

from audit.models import AuditEvent
from common import tracing
from common.db import in_db
from portico import telemetry
from tests.live import Live, environment, run_code
from tests.mcp_endpoint.collector import Collector
from tests.mcp_endpoint.speak import by_door, initialize, legacy, make_place, modern, unique

TRACED = "traced=tests.mcp_endpoint.traced:Traced"
if TRACED not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(TRACED)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
SERVER, INTERNAL, ERROR = 2, 1, 2

INVALID = {
    "nothing": "",
    "no text": 7,
    "a version that must not be": f"ff-{TRACE}-{SPAN}-01",
    "a trace of zeros": f"00-{'0' * 32}-{SPAN}-01",
    "a span of zeros": f"00-{TRACE}-{'0' * 16}-01",
    "capitals": PARENT.upper(),
    "too short": PARENT[:-1],
    "more than version 00 has": PARENT + "-more",
    "a line break at its end": PARENT + "\n",
    "other digits": PARENT.replace("4", "\u0664"),
    "a very long one": f"01-{TRACE}-{SPAN}-01-" + "x" * 9999,
}


@pytest.mark.parametrize("why", INVALID)
def test_a_wrong_traceparent_is_no_trace(why):
    assert tracing.parse(INVALID[why], STATE) is None


def test_a_later_version_is_read_as_far_as_it_is_known():
    found = tracing.parse(f"cc-{TRACE}-{SPAN}-03-what-the-future-brings")
    assert found.headers() == {"traceparent": f"00-{TRACE}-{SPAN}-03"}


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (STATE, STATE),
        ("a=1 , \t,b=2,", "a=1,b=2"),
        ("t@v=1", "t@v=1"),
        ("a=1\r\nx-evil: 1", ""),
        ("A=1", ""),
        ("a=ü", ""),
        ("a", ""),
        ("a=" + "x" * 600, ""),
        (",".join(f"a{n}=1" for n in range(33)), ""),
        (["a=1"], ""),
    ],
)
def test_a_tracestate_is_passed_on_where_it_is_one(state, kept):
    assert tracing.parse(PARENT, state).state == kept


@pytest.fixture(scope="module")
def place(database):
    return make_place(connectors=("traced",))


def call(place, speak=modern, meta=None, tool="traced_onward", note="", **headers):
    post = speak(place, "tools/call", {"name": tool, "arguments": {"note": note}}, **headers)
    if meta:
        body = json.loads(post.body)
        body["params"].setdefault("_meta", {}).update(meta)
        post.body = json.dumps(body).encode()
    return post


async def row_of(place, request_id):
    return await in_db(AuditEvent.objects.for_tenant(place.tenant).get, request_id=request_id)


@pytest.mark.parametrize("speak", [modern, legacy])
@pytest.mark.parametrize("where", ["meta", "header"])
async def test_the_callers_trace_goes_on_below_a_span_of_each_call(place, speak, where):
    told = {"traceparent": PARENT, "tracestate": STATE}
    ids = set()
    for _ in range(2):
        request_id = unique("r")
        asked = {"meta": told} if where == "meta" else told
        answer = await by_door(call(place, speak, x_request_id=request_id, **asked))
        sent = answer.result["structuredContent"]
        version, trace, span, flags = sent["traceparent"].split("-")
        assert (version, trace, flags, sent["tracestate"]) == ("00", TRACE, "01", STATE)
        ids.add(span)
        assert (await row_of(place, request_id)).trace_id == TRACE
    assert len(ids) == 2
    assert SPAN not in ids


async def test_the_messages_trace_goes_before_the_one_of_its_http_request(place):
    outer = f"00-{'ab' * 16}-{'cd' * 8}-01"
    answer = await by_door(call(place, meta={"traceparent": PARENT}, traceparent=outer, tracestate="a=1"))
    sent = answer.result["structuredContent"]
    assert sent["traceparent"].split("-")[1] == TRACE
    assert "tracestate" not in sent


@pytest.mark.parametrize("parent", [None, f"00-{'0' * 32}-{SPAN}-01", "\x00", 7])
async def test_without_a_valid_trace_a_new_one_begins_that_the_audit_finds_by_its_call(place, parent):
    request_id = unique("r")
    meta = {} if parent is None else {"traceparent": parent}
    answer = await by_door(call(place, legacy, meta, x_request_id=request_id))
    if answer.status != 200 or "error" in answer.json:
        assert type(parent) is int  # the schema wants a text there
        return
    sent = answer.result["structuredContent"]["traceparent"].split("-")
    row = await row_of(place, request_id)
    assert row.trace_id == ""
    assert sent[1] == str(row.call_id).replace("-", "")
    assert sent[3] == "00"


def test_only_the_standard_variables_switch_spans_on():
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert not telemetry.wanted({})
    assert telemetry.wanted(endpoint)
    assert telemetry.wanted({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    assert not telemetry.wanted({**endpoint, "OTEL_SDK_DISABLED": "true"})
    assert not telemetry.wanted({**endpoint, "OTEL_TRACES_EXPORTER": "none"})
    assert telemetry.problem(endpoint) == ""
    assert "http/protobuf" in telemetry.problem({**endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


def test_where_nothing_is_configured_no_exporter_is_even_imported():
    code = (
        "import sys, portico.asgi; from portico import telemetry; telemetry.start(); from common import tracing\n"
        "print(json.dumps([tracing.tracer is None, [m for m in sys.modules if m.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'google.protobuf'))]]))"
    )
    env = {name: value for name, value in environment().items() if not name.startswith("OTEL_")}
    assert run_code(code, env) == [True, []]


def served(tmp_path, url, **more):
    named = f"{os.environ['PORTICO_CONNECTORS']},{TRACED}"
    # Far apart, so that only the end of the process can have sent them.
    return Live(tmp_path, workers=1, PORTICO_CONNECTORS=named, OTEL_EXPORTER_OTLP_ENDPOINT=url,
                OTEL_BSP_SCHEDULE_DELAY="600000", **more)  # fmt: skip


def test_spans_reach_a_collector_and_tell_nothing_that_is_not_theirs(place, tmp_path):
    collector, secret = Collector(), "what-only-the-caller-knows"
    live = served(tmp_path, collector.url, OTEL_SERVICE_NAME="gate", OTEL_EXPORTER_OTLP_HEADERS="x-token=abc")
    try:
        line = live.line()
        told = {"traceparent": PARENT, "tracestate": STATE}
        sent = line.send(call(place, meta=told, note=secret, id="ok", x_request_id="traced-1")).result
        token = line.send(initialize(place)).headers["mcp-session-id"]
        line.send(call(place, legacy, tool="traced_fail", note=secret, id=2, mcp_session_id=token,
                       x_request_id="traced-2"))  # fmt: skip
        line.send(call(place, tool=secret, id=3))
        line.send(modern(place, secret, id=4))
        line.send(modern(place, "tools/list", id=5, meta={"traceparent": f"00-{'1' * 32}-{SPAN}-00"}))
        assert not collector.bodies
        assert secret not in live.text()
    finally:
        live.stop()
    spans = {span.get("jsonrpc.request.id", span["name"]): span for span in collector.spans()}
    assert {resource["service.name"] for resource in collector.resources()} == {"gate"}
    assert {headers["x-token"] for headers in collector.headers} == {"abc"}

    ok, inner = spans["ok"], spans["execute_tool traced_onward"]
    assert (ok["name"], ok["kind"], ok["status"]) == ("tools/call traced_onward", SERVER, 0)
    assert (ok["trace"], ok["parent"], ok["state"]) == (TRACE, SPAN, STATE)
    assert (ok["mcp.method.name"], ok["mcp.protocol.version"]) == ("tools/call", "2026-07-28")
    assert (ok["gen_ai.tool.name"], ok["gen_ai.operation.name"]) == ("traced_onward", "execute_tool")
    assert (ok["portico.tenant"], ok["portico.request.id"]) == (place.tenant.slug, "traced-1")
    assert (ok["network.transport"], ok["network.protocol.name"]) == ("tcp", "http")
    assert "mcp.session.id" not in ok
    assert (inner["kind"], inner["trace"], inner["parent"]) == (INTERNAL, TRACE, ok["id"])
    assert inner["portico.connection"] == "traced"
    assert sent["structuredContent"]["traceparent"] == f"00-{TRACE}-{inner['id']}-01"

    failed = spans["2"]
    assert (failed["name"], failed["status"]) == ("tools/call traced_fail", ERROR)
    assert failed["error.type"] == "tool_error"
    assert failed["mcp.session.id"] == hashlib.sha256(token.encode()).hexdigest()[:32]
    assert spans["execute_tool traced_fail"]["error.type"] == "validation"
    row = AuditEvent.objects.for_tenant(place.tenant).get(request_id="traced-2")
    assert row.trace_id == failed["trace"]

    unknown = spans["3"]
    assert unknown["name"] == "tools/call"
    assert (unknown["error.type"], unknown["rpc.response.status_code"]) == ("-32602", "-32602")
    assert spans["4"]["name"] == "_OTHER"
    assert spans["4"]["error.type"] == "-32601"
    assert "5" not in spans, "the caller's trace is not sampled"

    raw = b"".join(collector.bodies)
    for kept in (secret, place.key, token, "traceparent", "Unknown tool"):
        assert kept.encode() not in raw, kept
    assert all(span["events"] == 0 and span["said"] == "" for span in spans.values())
    collector.close()


def test_a_collector_that_is_away_costs_no_call_and_hardly_delays_the_end(place, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        live = served(tmp_path, f"http://127.0.0.1:{closed.getsockname()[1]}")
        try:
            assert live.line().send(call(place)).status == 200
        finally:
            live.stop()
        assert live.process.returncode == 0, "it was killed, since it did not end within 10 seconds"
        assert "Traceback" not in live.text()


def test_wrong_variables_are_named_and_stop_nothing(place, tmp_path):
    live = served(tmp_path, "http://127.0.0.1:9", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    try:
        assert live.line().send(call(place)).status == 200
        assert "No spans are sent" in live.text()
    finally:
        live.stop()
