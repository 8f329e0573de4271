"""A call from a client to a system on the network: what reaches the system, and what comes back."""

import json

import pytest
from django.conf import settings

from audit.models import AuditEvent
from common.db import in_db
from connectors.services import credential_set
from tests.factories import SYSTEM, make_connection
from tests.mcp_endpoint.speak import by_door, by_view, make_place, modern
from tests.upstream.faulty import answer, reset

ENTRY = "things=tests.upstream.things:Things"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SHARED, BROUGHT = "shared-planted-token", "brought-planted-token"


@pytest.fixture
async def place(double):
    return await in_db(_place, double.url)


def _place(url):
    place = make_place("operator", ())
    things = make_connection(
        place.tenant, "things", settings={"url": url}, credential_mode="shared", caller_token=True
    )
    credential_set(connection=things, values={"token": SHARED}, actor=SYSTEM)
    return place


def call(place, tool, meta=None, **more):
    arguments = more.pop("arguments")
    return modern(place, "tools/call", {"name": tool, "arguments": arguments}, meta=meta or {}, **more)


def rows_of(place):
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call").order_by("seq")
    return list(rows.values("phase", "outcome", "error_type", "upstream_status", "trace_id", "message"))


@pytest.mark.parametrize("send", [by_door, by_view])
async def test_a_callers_trace_goes_on_to_the_system_and_its_key_does_not(place, double, send):
    meta = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
    got = await send(call(place, "things_get", meta, arguments={"number": 7}))
    assert got.result["structuredContent"] == {"thing": {"ok": True}}
    (came,) = double.came
    assert came.target == "/things/7"
    _, trace, span, _ = came.headers["traceparent"].split("-")
    assert trace == TRACE and span != SPAN
    assert came.headers["tracestate"] == "vendor=1"
    assert came.headers["authorization"] == f"Bearer {SHARED}"
    assert place.key not in str(came.headers)
    assert [row["trace_id"] for row in await in_db(rows_of, place)] == [TRACE]


@pytest.mark.parametrize("send", [by_door, by_view])
async def test_a_token_that_the_caller_brought_reaches_the_system_for_this_call_alone(place, double, send):
    for brought, used in ((BROUGHT, BROUGHT), (None, SHARED)):
        more = {"x_things_token": brought} if brought else {}
        assert (await send(call(place, "things_get", arguments={"number": 1}, **more))).status == 200
        assert double.came[-1].headers["authorization"] == f"Bearer {used}"
        assert not [name for name in double.came[-1].headers if name.endswith("-token")]
    assert BROUGHT not in str(await in_db(rows_of, place))


async def test_a_systems_error_is_an_error_result_in_its_words_without_its_token(place, double):
    said = json.dumps({"message": f"No thing 7 for Bearer {SHARED}"}).encode()
    double.script = [answer(404, said)]
    got = await by_door(call(place, "things_get", arguments={"number": 7}))
    error = json.loads(got.result["content"][0]["text"])
    assert got.result["isError"] and (error["type"], error["status_code"]) == ("not_found", 404)
    assert "No thing 7" in error["error"] and SHARED not in str(error)
    (row,) = await in_db(rows_of, place)
    assert (row["error_type"], row["upstream_status"]) == ("not_found", 404)
    assert SHARED not in str(row)


async def test_a_write_whose_answer_is_lost_is_sent_once_and_says_so(place, double):
    double.script = [reset]
    got = await by_door(call(place, "things_make", arguments={"name": "x"}))
    error = json.loads(got.result["content"][0]["text"])
    assert (error["type"], error["retryable"]) == ("connection", False)
    assert "may have taken effect" in error["hint"]
    assert len(double.came) == 1
    assert [row["phase"] for row in await in_db(rows_of, place)] == ["attempt", "done"]
