"""Requests, calls and errors by client: told apart, bounded, kept while Redis is away, shown to admins."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.test import Client
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.test import APIClient

import common.redis
from common.db import in_db
from common.redis import sync_client, tenant_key
from mcp_endpoint.client_counts import DAY_S, KEPT_DAYS, MAX_CLIENTS, OTHER, ROOM, clients_of, counts
from tenants.principals import ClientInfo
from tests.factories import make_key, make_member, make_tenant
from tests.live import Live
from tests.mcp_endpoint.speak import META, by_door, by_view, initialize, legacy, make_place, modern
from tests.mcp_endpoint.test_sse import client_of as sse_client_of
from tests.mcp_endpoint.test_stdio import Process
from tests.services import free_port

HTTP = ("2026-07-28", "http")


def named(name, version="1.0"):
    return {**META, "io.modelcontextprotocol/clientInfo": {"name": name, "version": version}}


def nobody():
    """A client of a Redis that is not there, and that gives up at once."""
    return redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0))


def told(place, **more):
    counts.flush()
    return {
        (row.name, row.version, row.revision, row.transport): (row.requests, row.calls, row.errors)
        for row in clients_of(place.tenant.pk, **more)
    }


async def test_requests_calls_and_errors_are_counted_by_client_version_and_revision():
    place = await in_db(make_place)
    add = {"name": "demo_add", "arguments": {"a": 1}}
    for _ in range(3):
        await by_door(modern(place, "tools/call", add, meta=named("new")))
    await by_door(modern(place, "tools/call", {"name": "demo_add", "arguments": {}}, meta=named("new")))
    await by_door(modern(place, "tools/call", {"name": "nobody", "arguments": {}}, meta=named("new")))
    await by_view(modern(place, "tools/list", meta=named("new", "2.0")))
    await by_door(modern(place, "no/such", meta=named("new", "2.0")))
    session = (await by_door(initialize(place, "2025-06-18", "old"))).headers["mcp-session-id"]
    await by_door(legacy(place, "tools/call", add, mcp_session_id=session, version="2025-06-18"))
    await by_door(legacy(place, "notifications/initialized", id=None, mcp_session_id=session))
    await by_door(legacy(place, "ping", version=None))
    assert told(place) == {
        ("new", "1.0", *HTTP): (5, 5, 2),
        ("new", "2.0", *HTTP): (2, 0, 1),
        ("old", "1.0", "2025-06-18", "http"): (2, 1, 0),
        ("", "", "2025-03-26", "http"): (1, 0, 0),
    }


async def test_strangers_and_other_tenants_count_nowhere():
    place, other = await in_db(make_place), await in_db(make_place)
    stranger = modern(place, "tools/list")
    stranger.headers = [(name, value) for name, value in stranger.headers if name != "authorization"]
    assert (await by_door(stranger)).status == 401
    assert (await by_door(modern(other, "tools/list"))).status == 200
    assert told(place) == {}
    assert len(told(other)) == 1


async def test_a_name_that_is_hostile_is_only_a_name():
    place = await in_db(make_place)
    names = ["other", '","","",""]', "a\x00b\ud800", "x" * 5000, "<script>", "0 0 0 0", ""]
    for name in names:
        post = modern(place, "tools/list", meta=named(name))
        await by_door(post)
    found = told(place)
    assert ("other", "1.0", *HTTP) in found
    assert ("<script>", "1.0", *HTTP) in found
    assert all(len(name) <= 64 for name, *_ in found)
    assert (OTHER, "", "", "") not in found


def test_a_tenant_has_a_bounded_number_of_clients_in_a_day_and_the_rest_counts_together():
    place = make_place()
    for round in range(2):  # the second is cut by Redis, which knows more than this process does
        for number in range(MAX_CLIENTS - 50):
            kind = ("2026-07-28", "http", ClientInfo(f"c{round}-{number}", "1"))
            counts.add(place.tenant.pk, kind, call=True, error=False)
        counts.flush()
    for number in range(MAX_CLIENTS + 7):  # this by the process itself
        kind = ("2026-07-28", "http", ClientInfo(f"many-{number}", "1"))
        counts.add(place.tenant.pk, kind, call=False, error=True)
    found = told(place)
    assert len(found) == MAX_CLIENTS + 1
    assert found[(OTHER, "", "", "")] == (100 + MAX_CLIENTS + 7, 100, MAX_CLIENTS + 7)
    assert sum(requests for requests, _, _ in found.values()) == 2 * (MAX_CLIENTS - 50) + MAX_CLIENTS + 7
    key = tenant_key(place.tenant.pk, ROOM, int(time.time()) // DAY_S)
    assert 89 * DAY_S < sync_client().ttl(key) <= KEPT_DAYS * DAY_S


def test_days_are_apart_and_asked_for_by_their_number():
    place = make_place()
    kind = ("2026-07-28", "http", ClientInfo("daily", "1"))
    counts.add(place.tenant.pk, kind, call=True, error=False)
    assert told(place)[("daily", "1", *HTTP)] == (1, 1, 0)
    today = int(time.time()) // DAY_S
    held = sync_client().hgetall(tenant_key(place.tenant.pk, ROOM, today))
    sync_client().hset(tenant_key(place.tenant.pk, ROOM, today - 3), mapping=held)
    assert told(place, days=3)[("daily", "1", *HTTP)] == (1, 1, 0)
    assert told(place, days=4)[("daily", "1", *HTTP)] == (2, 2, 0)


def test_what_redis_does_not_take_is_kept_and_nothing_is_counted_twice(monkeypatch, caplog):
    place = make_place()
    kind = ("2025-11-25", "stdio", ClientInfo("patient", "1"))
    counts.flush()
    with monkeypatch.context() as away:
        away.setattr(common.redis, "_sync", nobody())
        counts.add(place.tenant.pk, kind, call=True, error=False)
        counts.flush()
        counts.add(place.tenant.pk, kind, call=True, error=True)
        counts.flush()
    assert "wait for Redis" in caplog.text
    assert told(place) == {("patient", "1", "2025-11-25", "stdio"): (2, 2, 1)}
    assert told(place) == {("patient", "1", "2025-11-25", "stdio"): (2, 2, 1)}


def test_every_worker_of_a_server_adds_its_numbers_and_the_last_ones_when_it_stops(tmp_path):
    place = make_place()
    live = Live(tmp_path, workers=2)
    try:
        with live.lines() as lines:
            for line in lines:
                for _ in range(4):
                    assert line.call(place, "probe_echo", text="x").status == 200
    finally:
        live.stop()
    assert told(place) == {("tester", "1.0", *HTTP): (8, 8, 0)}


@pytest.fixture(scope="module")
def shown(database):
    tenant = make_tenant()
    for name, transport in (("new<b>", "http"), ("ancient", "sse")):
        kind = ("2024-11-05" if transport == "sse" else "2026-07-28", transport, ClientInfo(name, "9.9"))
        counts.add(tenant.pk, kind, call=True, error=name == "ancient")
    counts.flush()
    return tenant


def ask(tenant, role, query=""):
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(tenant, role=role)[1]}")
    return api.get(f"/api/v1/tenants/{tenant.slug}/clients{query}")


def test_the_api_lists_clients_for_admins_alone(shown):
    answer = ask(shown, "admin").json()
    rows = {row["name"]: row for row in answer["results"]}
    assert answer["count"] == 2
    assert set(rows) == {"new<b>", "ancient"}
    old = rows["ancient"]
    seen = datetime.fromisoformat(old.pop("last_seen"))
    assert datetime.now(UTC) - seen < timedelta(hours=1)
    assert old == {
        "name": "ancient", "version": "9.9", "revision": "2024-11-05", "transport": "sse",
        "requests": 1, "calls": 1, "errors": 1,
    }  # fmt: skip
    assert ask(shown, "operator").status_code == 403
    assert ask(make_tenant(), "admin").json()["results"] == []
    for days in ("0", "91", "x", "-1", "1" * 99, "\u0661"):
        assert ask(shown, "admin", f"?days={days}").status_code == 400, days


def test_the_api_says_when_redis_is_away(shown, monkeypatch):
    monkeypatch.setattr("mcp_endpoint.client_counts.sync_client", nobody)
    answer = ask(shown, "admin")
    assert (answer.status_code, answer["content-type"]) == (503, "application/problem+json")


def test_the_apis_description_has_the_route(shown):
    described = json.loads(APIClient().get("/api/v1/schema", headers={"accept": "application/json"}).content)
    operation = described["paths"]["/api/v1/tenants/{slug}/clients"]["get"]
    assert operation["operationId"] == "clients_list"


def home(tenant, role):
    client = Client()
    client.force_login(make_member(tenant, role).user)
    return client.get("/admin/").content.decode()


def test_the_home_page_shows_clients_to_admins_alone(shown, monkeypatch):
    page = home(shown, "admin")
    assert "ancient" in page
    assert "HTTP+SSE" in page
    assert "new&lt;b&gt;" in page
    assert "new<b>" not in page
    assert "ancient" not in home(shown, "operator")
    assert "No client yet." in home(make_tenant(), "admin")
    monkeypatch.setattr("mcp_endpoint.client_counts.sync_client", nobody)
    assert "does not answer" in home(shown, "admin")


async def test_the_older_transport_counts_under_its_name(base_url):
    place = await in_db(make_place)
    async with sse_client_of(base_url, place) as client:
        await client.call_tool("demo_add", {"a": 1})
    found = told(place)
    assert {transport for _, _, _, transport in found} == {"sse"}
    assert sum(calls for _, calls, _ in found.values()) == 1
    assert {name for name, *_ in found} == {"mcp"}, "from the session that the stream remembers"


def test_standard_input_counts_under_its_name_and_the_last_numbers_when_it_ends():
    place = make_place()
    process = Process(place)
    about = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "desk", "version": "3"},
    }
    process.send({"id": 1, "method": "initialize", "params": about}, {"method": "notifications/initialized"})
    assert "result" in process.line()
    process.send({"id": 2, "method": "tools/call", "params": {"name": "demo_add", "arguments": {"a": 1}}})
    assert "result" in process.line()
    process.finish()
    assert told(place) == {("desk", "3", "2025-11-25", "stdio"): (2, 1, 0)}
