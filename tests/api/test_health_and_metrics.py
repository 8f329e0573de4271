"""What people see of how Portico is: health and figures, each only of their own tenants."""

import asyncio

import pytest
import yaml
from rest_framework.test import APIClient

from connectors.models import Connection
from connectors.upstream import breaker
from tests.factories import make_caller, make_connection, make_key, make_member, make_tenant, make_user


def client(secret: str = "", user: object = None) -> APIClient:
    made = APIClient()
    if secret:
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    if user:
        made.force_login(user)
    return made


def called(tenant, *names: str) -> None:
    """Call tools of a tenant's probe, whatever comes of it."""
    from connectors.pipeline import call_tool

    caller = make_caller(tenant)

    async def all_of_them():
        for name in names:
            await call_tool(caller, name, {"text": "x"} if name == "probe_echo" else {})

    asyncio.run(all_of_them())


@pytest.fixture
def tenant():
    made = make_tenant()
    make_connection(made, "probe")
    return made


def test_a_tenants_last_hour_is_summed_up_from_its_audit(tenant):
    called(tenant, "probe_echo", "probe_echo", "probe_echo", "probe_fail")
    answer = client(make_key(tenant, role="viewer")[1]).get("/api/v1/metrics").json()
    (mine,) = answer["tenants"]
    assert answer["platform"] is None
    assert mine["slug"] == tenant.slug
    assert mine["hour"] == mine["day"]
    assert (mine["hour"]["calls"], mine["hour"]["errors"], mine["hour"]["limited"]) == (4, 1, 0)
    assert 0 < mine["hour"]["p50_ms"] <= mine["hour"]["p95_ms"]
    assert (mine["breakers"], mine["open_streams"]) == ([], 0)
    assert set(mine["cache"]) == {"hits", "misses", "stale", "entries", "bytes", "rate"}


def test_nothing_called_has_no_percentiles_and_no_rate(tenant):
    (mine,) = client(make_key(tenant)[1]).get("/api/v1/metrics").json()["tenants"]
    assert mine["hour"] == {
        "calls": 0,
        "errors": 0,
        "limited": 0,
        "cached": 0,
        "p50_ms": None,
        "p95_ms": None,
    }
    assert mine["cache"]["rate"] is None


def test_an_open_breaker_is_named_by_its_connection_and_not_by_its_credential(tenant):
    row = Connection.objects.for_tenant(tenant).get()

    async def fail():
        one = breaker.breaker_of(tenant.pk, row.pk, "somebody-s-credential", "probe")
        for _ in range(breaker.CONSECUTIVE):
            await one.failed("connection")

    asyncio.run(fail())
    answer = client(make_key(tenant)[1]).get("/api/v1/metrics")
    (opened,) = answer.json()["tenants"][0]["breakers"]
    assert (opened["connection"], opened["reason"]) == ("probe", "connection")
    assert 0 < opened["seconds"] <= breaker.REST_S
    assert b"somebody-s-credential" not in answer.content
    breaker.reset(tenant.pk, row.pk)


def test_each_sees_the_figures_of_their_own_tenants_alone(tenant):
    other = make_tenant()
    person = make_user()
    make_member(tenant, "viewer", user=person)
    shown = client(user=person).get("/api/v1/metrics").json()["tenants"]
    assert [one["slug"] for one in shown] == [tenant.slug]
    assert client(user=person).get(f"/api/v1/metrics?tenant={tenant.slug}").status_code == 200
    for path in (f"/api/v1/metrics?tenant={other.slug}", "/api/v1/metrics?tenant=no-such-tenant"):
        assert client(user=person).get(path).status_code == 404
    assert client(user=make_user()).get("/api/v1/metrics").json() == {"platform": None, "tenants": []}
    assert client().get("/api/v1/metrics").status_code == 401


def test_a_superuser_sees_the_platform_as_well(tenant):
    called(tenant, "probe_echo")
    root = client(user=make_user(superuser=True))
    found = root.get(f"/api/v1/metrics?tenant={tenant.slug}").json()
    assert [one["slug"] for one in found["tenants"]] == [tenant.slug]
    platform = found["platform"]
    assert platform["calls"] >= 1
    assert platform["memory_bytes"] > 1e6
    assert sum(platform["processes"].values()) >= 1
    assert {"audit_queue", "open_streams", "redis_away", "limits_refused", "breakers_open"} <= set(platform)


def test_the_shape_of_the_figures_stands_in_the_openapi_document():
    schema = yaml.safe_load(APIClient().get("/api/v1/schema").content)
    operation = schema["paths"]["/api/v1/metrics"]["get"]
    shape = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert shape == {"$ref": "#/components/schemas/Metrics"}
    fields = schema["components"]["schemas"]["TenantMetrics"]["properties"]
    assert {"slug", "hour", "day", "cache", "breakers", "open_streams"} == set(fields)


def test_health_tells_real_figures_of_cache_and_streams(tenant):
    found = client(make_key(tenant)[1]).get("/api/v1/health").json()
    (mine,) = found["tenants"]
    assert set(found["cache"]) == {"hits", "misses", "stale", "rate"}
    assert mine["cache"]["entries"] == 0
    assert (found["open_streams"], mine["open_streams"]) == (0, 0)
