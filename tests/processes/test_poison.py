"""A call with poison in it fails or passes by itself; the calls beside it do not notice."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from audit.models import AuditEvent
from audit.verification import verify
from tests.mcp_endpoint.speak import META, initialize, legacy, make_place, modern

GOOD = 30


def with_client_name(place, name):
    meta = {**META, "io.modelcontextprotocol/clientInfo": {"name": name, "version": name}}
    return modern(place, "tools/call", {"name": "probe_echo", "arguments": {"text": "x"}}, meta=meta)


def echo(place, text, tool="probe_echo"):
    return modern(place, "tools/call", {"name": tool, "arguments": {"text": text}})


def escaped(place, text):
    """JSON in which a character stands as an escape, as some clients write it."""
    post = echo(place, "PLACEHOLDER")
    post.body = post.body.replace(b"PLACEHOLDER", text)
    return post


POISON = {
    "a NUL": (lambda place: escaped(place, b"a\\u0000b"), {200}),
    "a NUL in a call that writes": (lambda place: echo(place, "a\x00b", "probe_write"), {200}),
    "a lone surrogate": (lambda place: escaped(place, b"\\ud800"), {200, 400}),
    "half a pair, the wrong way": (lambda place: escaped(place, b"\\udc00\\ud800"), {200, 400}),
    "a NUL as a tool's name": (
        lambda place: modern(place, "tools/call", {"name": "a\x00\ud800", "arguments": {}}, mcp_name="a"),
        {400},
    ),
    "an argument of 3 MB": (lambda place: echo(place, "x" * 3_000_000), {200, 413}),
    "an argument of 10 MB": (lambda place: echo(place, "x" * 10_000_000), {413}),
    "a client's name of 5,000 characters": (lambda place: with_client_name(place, "n" * 5000), {200}),
    "a client's name of NULs and surrogates": (lambda place: with_client_name(place, "\x00\ud800" * 9), {200, 400}),
    "a trace id that is none": (
        lambda place: modern(place, "tools/call", {"name": "probe_echo", "arguments": {"text": "x"}},
                             meta={"traceparent": "\x00" * 500}), {200, 400}),
    "a request id of odd bytes": (
        lambda place: modern(place, "tools/call", {"name": "probe_echo", "arguments": {"text": "x"}},
                             x_request_id="\xff" * 200), {200}),
    "a user agent of 5,000 characters": (
        lambda place: modern(place, "tools/call", {"name": "probe_echo", "arguments": {"text": "x"}},
                             user_agent="u" * 5000), {200}),
    "deep arguments": (
        lambda place: escaped(place, b'x", "deep": ' + b"[" * 60 + b"]" * 60 + b', "z": "'), {200, 400}),
}  # fmt: skip


@pytest.mark.parametrize("name", POISON)
def test_poison_hurts_its_own_call_alone(live, name):
    place = make_place(connectors=("probe",))
    make, expected = POISON[name]

    def good(number):
        line = live.line()
        mark = f"good-{number}"
        answers = [line.send(echo(place, mark, tool)) for tool in ("probe_echo", "probe_write")]
        line.close()
        return all(a.status == 200 and mark in json.dumps(a.result["structuredContent"]) for a in answers)

    def poison(_):
        line = live.line()
        answer = line.send(make(place))
        line.close()
        return answer

    with ThreadPoolExecutor(8) as pool:
        goods = [pool.submit(good, number) for number in range(GOOD // 2)]
        poisoned = [pool.submit(poison, number) for number in range(3)]
        goods += [pool.submit(good, number) for number in range(GOOD // 2, GOOD)]
        answers = [each.result(30) for each in poisoned]
        assert all(each.result(30) for each in goods), "a good call was hurt"
    for answer in answers:
        assert answer.status in expected, (answer.status, answer.body[:300])
        said = answer.json
        assert "result" in said or said["error"]["message"]
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call", phase="done", outcome="ok")
    assert rows.filter(arguments__contains="good-").count() == GOOD * 2
    executed = sum(answer.status == 200 for answer in answers)
    assert (
        AuditEvent.objects.for_tenant(place.tenant).filter(kind="call", phase="done").count()
        >= GOOD * 2 + executed
    )
    for row in AuditEvent.objects.for_tenant(place.tenant):
        assert len(row.client_name) <= 200 and "\x00" not in row.client_name + row.arguments
        assert len(row.arguments) < 200_000
    assert verify(place.tenant.pk.hex).ok


def test_a_long_client_name_at_initialize_makes_a_session_that_works(live):
    place = make_place(connectors=("probe",))
    line = live.line()
    hello = line.send(initialize(place, client="n" * 5000))
    session = hello.headers["mcp-session-id"]
    assert len(session) < 1024
    call = {"name": "probe_echo", "arguments": {"text": "x"}}
    assert line.send(legacy(place, "tools/call", call, mcp_session_id=session)).status == 200
    (row,) = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call")
    assert row.client_name.startswith("nnn") and len(row.client_name) == 64
