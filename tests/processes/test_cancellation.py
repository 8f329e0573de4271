"""Who gives up, and whose call ends: over real sockets, in two workers."""

import statistics
import time

import pytest
from django.conf import settings

from audit.models import AuditEvent
from audit.selectors import calls_of, views_of
from tests.factories import make_key
from tests.live import Line, Live, eventually
from tests.mcp_endpoint.speak import initialize, legacy, make_place, modern, unique
from tests.processes.waiting import ENTRY, FOLDER, noted

CALLS = 50
WITHIN_S = 0.25  # of 95 in 100 calls, from the close of the socket to the connector's cancellation

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def live(database, notes, tmp_path_factory):
    server = Live(tmp_path_factory.mktemp("live"), PORTICO_CONNECTORS=ENTRY, **{FOLDER: str(notes)})
    yield server
    server.stop()


@pytest.fixture
def place(live):
    return make_place(connectors=("waiting",))


def begin(line, place, tool, word, *, tell=False, era=modern, **more):
    """Send a call without waiting for its answer."""
    meta = {"progressToken": 1}
    params = {"name": tool, "arguments": {"word": word, "tell": tell}}
    if era is legacy:
        params["_meta"] = meta
        post = legacy(place, "tools/call", params, x_request_id=word, **more)
    else:
        post = modern(place, "tools/call", params, meta=meta, x_request_id=word, **more)
    line.http.request(post.method, post.path, post.body, dict(post.headers))


def row_of(place, word):
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(request_id=word, phase="done")
    return eventually(rows.first)


def test_a_modern_client_that_leaves_cancels_its_call_at_once(live, notes, place):
    begun = []
    for number in range(CALLS):
        line, word = Line(live.port), unique()
        begin(line, place, "waiting_read", word, tell=number % 2 == 0)  # with an open stream, and without
        begun.append((line, word))
    for _, word in begun:
        eventually(lambda word=word: noted(notes, word, "started"), 30)
    took = []
    for line, word in begun:
        closed = time.monotonic()
        line.close()
        took.append(eventually(lambda word=word: noted(notes, word, "cancelled"), 30) - closed)
    assert statistics.quantiles(took, n=20)[-1] < WITHIN_S, sorted(took)
    for _, word in begun:
        assert row_of(place, word).outcome == "cancelled"


def test_a_write_that_was_sent_before_its_client_left_has_an_unknown_outcome(live, notes, place):
    line, word = Line(live.port), unique()
    begin(line, place, "waiting_write", word)
    eventually(lambda: noted(notes, word, "started"))
    line.close()
    row = row_of(place, word)
    assert (row.outcome, row.error_type) == ("unknown", "cancelled")
    (view,) = views_of(place.tenant, calls_of(place.tenant))
    assert view.outcome == "unknown"
    assert view.attempt is not None
    _, admin = make_key(place.tenant, role="admin")
    told = Line(live.port).get(f"/api/v1/tenants/{place.tenant.slug}/audit?outcome=unknown", admin).json
    assert [event["call_id"] for event in told["results"]] == [row.call_id]
    assert "look at the system" in told["results"][0]["message"]


def test_a_session_cancels_its_request_from_another_worker(live, notes, place):
    with live.lines() as (one, other):
        session = one.send(initialize(place)).headers["mcp-session-id"]
        stranger = one.send(initialize(place)).headers["mcp-session-id"]
        for tool, outcome in (("waiting_read", "cancelled"), ("waiting_write", "unknown")):
            word = unique()
            begin(one, place, tool, word, era=legacy, id="r-1", mcp_session_id=session)
            eventually(lambda word=word: noted(notes, word, "started"))
            for token, request_id in ((stranger, "r-1"), (session, "r-2")):
                assert other.send(cancelled(place, token, request_id)).status == 202
            assert other.send(legacy(place, "ping", mcp_session_id=session)).status == 200
            assert noted(notes, word, "cancelled") is None
            sent = time.monotonic()
            assert other.send(cancelled(place, session, "r-1")).status == 202
            assert eventually(lambda word=word: noted(notes, word, "cancelled")) - sent < 1
            assert one.read().error == {"code": -32800, "message": "Request cancelled"}
            assert row_of(place, word).outcome == outcome


def test_a_client_of_the_handshake_era_that_leaves_cancels_nothing(live, notes, place):
    line, word = Line(live.port), unique()
    session = line.send(initialize(place)).headers["mcp-session-id"]
    begin(line, place, "waiting_read", word, era=legacy, id="r-1", mcp_session_id=session)
    eventually(lambda: noted(notes, word, "started"))
    line.close()
    other = Line(live.port)
    for _ in range(5):
        assert other.send(legacy(place, "ping", mcp_session_id=session)).status == 200
    assert noted(notes, word, "cancelled") is None
    other.send(cancelled(place, session, "r-1"))
    assert row_of(place, word).outcome == "cancelled"


def test_a_level_that_one_worker_was_told_holds_in_the_other(live, place):
    with live.lines() as (one, other):
        session = one.send(initialize(place)).headers["mcp-session-id"]

        def lines_of(line):
            call = legacy(
                place, "tools/call", {"name": "waiting_log", "arguments": {}}, mcp_session_id=session
            )
            return [event["params"]["data"] for event in line.send(call).events if "method" in event]

        assert lines_of(other) == ["an info line", "an error line"]
        level = legacy(place, "logging/setLevel", {"level": "error"}, mcp_session_id=session)
        assert one.send(level).status == 200
        eventually(lambda: lines_of(other) == ["an error line"])
        assert lines_of(one) == ["an error line"]


def cancelled(place, session, request_id):
    return legacy(
        place, "notifications/cancelled", {"requestId": request_id}, id=None, mcp_session_id=session
    )
