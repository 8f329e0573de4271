"""The status of connections, their history, and alert targets, over the API and in the admin."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.alerts.delivery import deliver, due_alerts
from connectors.base import CheckResult
from connectors.health.probing import due_probes
from connectors.health.recording import Found, record_check
from connectors.health.states import Outcome
from connectors.models import AlertTarget, HealthHour
from connectors.upstream import breaker
from tests.admin.conftest import sign_in, url
from tests.factories import make_connection, make_key, make_member, make_tenant, make_user
from tests.upstream.receiving import receiver

GOOD = Found(CheckResult(True, "Fine."), Outcome.OK, 40)
BAD = Found(CheckResult(False, "No route."), Outcome.FAILED, 60)


@pytest.fixture(autouse=True)
def sandbox(settings):
    settings.PORTICO_SANDBOX = True


@pytest.fixture
def tenant():
    return make_tenant()


@pytest.fixture
def goals(tenant):
    return make_connection(tenant, "goals")


def client(tenant, role="admin"):
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(tenant, role)[1]}")
    return made


def told(tenant, connection, *found):
    for one in found:
        record_check(tenant.pk, connection.pk, one)


def test_the_status_of_a_connection_that_nobody_tested(tenant, goals):
    said = client(tenant, "viewer").get("/api/v1/status/goals").json()
    assert said == {
        "tenant": tenant.slug, "connection": "goals", "connector": "goals", "state": "unknown",
        "since": None, "message": "", "latency_ms": None, "checked_at": None, "uptime_24h": None,
        "uptime_7d": None, "uptime_30d": None, "probes_24h": 0, "probing": "yes", "next_probe_at": None,
        "breaker": [], "changes": [],
    }  # fmt: skip


def test_a_probe_that_is_only_planned_is_no_test(tenant, goals):
    due_probes(timezone.now(), 10_000)
    api = client(tenant)
    said = api.get("/api/v1/status/goals").json()
    assert said["next_probe_at"] and (said["checked_at"], said["latency_ms"]) == (None, None)
    assert api.get(f"/api/v1/tenants/{tenant.slug}/connections/goals").json()["health"] is None
    (shown,) = api.get("/api/v1/health").json()["tenants"][0]["connections"]
    assert (shown["state"], shown["checked_at"]) == ("unknown", None)


def test_the_status_tells_state_uptime_breakers_and_changes(tenant, goals):
    told(tenant, goals, GOOD, GOOD, BAD, BAD)
    opened = breaker.breaker_of(tenant.pk, goals.pk, "somebodys")
    from common.loops import run_in_loop

    for _ in range(breaker.CONSECUTIVE):
        run_in_loop(opened.failed("timeout"))
    said = client(tenant, "viewer").get("/api/v1/status/goals").json()
    assert (said["state"], said["message"], said["latency_ms"]) == ("failing", "No route.", 60)
    assert (said["uptime_24h"], said["uptime_30d"], said["probes_24h"]) == (50.0, 50.0, 4)
    assert [(c["former"], c["state"]) for c in said["changes"]] == [("ok", "failing"), ("unknown", "ok")]
    assert said["since"] == said["changes"][0]["at"] or said["since"][:16] == said["changes"][0]["at"][:16]
    (rests,) = said["breaker"]
    assert rests["reason"] == "timeout" and 0 < rests["seconds"] <= breaker.REST_S
    assert "somebodys" not in str(said)
    (shown,) = client(tenant).get("/api/v1/health").json()["tenants"][0]["connections"]
    assert shown["state"] == "failing"


def test_a_caller_of_several_tenants_names_one(tenant, goals):
    user = make_user()
    make_member(tenant, "viewer", user)
    api = APIClient()
    api.force_login(user)
    assert api.get("/api/v1/status/goals").json()["tenant"] == tenant.slug
    other = make_tenant()
    make_member(other, "viewer", user)
    refused = api.get("/api/v1/status/goals")
    assert refused.status_code == 400 and "tenant" in refused.json()["detail"]
    assert api.get("/api/v1/status/goals", {"tenant": tenant.slug}).status_code == 200
    assert api.get("/api/v1/status/goals", {"tenant": other.slug}).status_code == 404
    stranger = make_tenant()
    make_connection(stranger, "goals")
    assert api.get("/api/v1/status/goals", {"tenant": stranger.slug}).status_code == 404
    assert client(stranger).get("/api/v1/status/goals", {"tenant": tenant.slug}).status_code == 404


def test_the_history_has_an_entry_for_each_hour(tenant, goals):
    this = timezone.now().replace(minute=0, second=0, microsecond=0)
    HealthHour.objects.create(
        tenant=tenant, connection=goals, hour=this - timedelta(hours=2), probes=4, failures=1, latency_ms=80
    )
    api, path = client(tenant, "viewer"), f"/api/v1/tenants/{tenant.slug}/connections/goals/health"
    said = api.get(path, {"hours": 4}).json()
    assert [(hour["probes"], hour["failures"], hour["latency_ms"]) for hour in said["hours"]] in (
        [(0, 0, 0), (4, 1, 20), (0, 0, 0), (0, 0, 0)],
        [(4, 1, 20), (0, 0, 0), (0, 0, 0), (0, 0, 0)],  # the hour has turned since
    )
    assert said["uptime_24h"] == 75.0
    assert len(api.get(path).json()["hours"]) == 48
    for wrong in ("0", "-1", "841", "x", "٣"):
        assert api.get(path, {"hours": wrong}).status_code == 400


def test_a_target_is_made_tested_changed_and_removed_over_the_api(tenant, goals):
    api, path = client(tenant), f"/api/v1/tenants/{tenant.slug}/alert-targets"
    with receiver() as there:
        made = api.post(path, {"kind": "webhook", "name": "hook", "address": there.url}, format="json")
        assert made.status_code == 201
        secret, one = made.json()["secret"], f"{path}/{made.json()['id']}"
        assert "secret" not in api.get(one).json() and secret not in api.get(path).content.decode()
        assert api.post(f"{one}/test").json() == {"ok": True, "error": ""}
        assert there.got[-1].is_signed_with(secret)
        there.script = [500]
        assert api.post(f"{one}/test").json() == {
            "ok": False, "error": "The receiver answered with HTTP 500.",
        }  # fmt: skip
        renewed = api.post(f"{one}/secret").json()["secret"]
        told(tenant, goals, BAD, BAD)
        for due in due_alerts(timezone.now(), 10_000):
            if due.tenant_id == tenant.pk:
                deliver(due.tenant_id, due.delivery_id, due.slot)
        assert there.got[-1].is_signed_with(renewed)
        (row,) = api.get(f"{one}/deliveries").json()
        assert (row["connection"], row["state"], row["status"], row["attempts"]) == (
            "goals", "failing", "done", 1,
        )  # fmt: skip
        assert row["id"] == there.got[-1].headers["webhook-id"]
    assert api.patch(one, {"enabled": False}, format="json").json()["enabled"] is False
    assert api.patch(one, {"kind": "email"}, format="json").status_code == 400
    assert api.delete(one).status_code == 204 and api.get(one).status_code == 404
    refused = api.post(path, {"kind": "email", "name": "m", "address": "nobody"}, format="json")
    assert refused.status_code == 400 and refused.json()["errors"][0]["field"] == "address"


def test_tests_of_targets_are_limited(tenant, settings):
    settings.EMAIL_HOST = ""
    api, path = client(tenant), f"/api/v1/tenants/{tenant.slug}/alert-targets"
    made = api.post(path, {"kind": "email", "name": "m", "address": "ops@example.com"}, format="json").json()
    answers = [api.post(f"{path}/{made['id']}/test") for _ in range(11)]
    assert "No mail server" in answers[0].json()["error"]
    assert answers[-1].status_code == 429 and int(answers[-1]["Retry-After"]) > 0


def test_another_tenants_target_is_not_found(tenant):
    path = f"/api/v1/tenants/{tenant.slug}/alert-targets"
    made = client(tenant).post(
        path, {"kind": "email", "name": "m", "address": "ops@example.com"}, format="json"
    )
    other = make_tenant()
    api = client(other, "owner")
    for address in (path, f"/api/v1/tenants/{other.slug}/alert-targets"):
        for tail in ("", "/test", "/secret", "/deliveries"):
            for method in (api.get, api.post, api.patch, api.delete):
                found = method(f"{address}/{made.json()['id']}{tail}", {}, format="json")
                assert found.status_code in (404, 405), (address, tail)
    for role in ("viewer", "operator"):
        assert client(tenant, role).get(path).status_code == 403


def test_the_connections_page_shows_its_health(tenant, goals):
    told(tenant, goals, GOOD, BAD, BAD)
    page = sign_in(make_member(tenant, "admin").user).get(url("connectors_connection_change", goals.pk))
    text = page.content.decode()
    assert 'id="ptc-health"' in text and "33.33 %" in text and "3 tests, 2 failed" in text
    assert text.count("<rect") == 48 and 'class="mixed"' in text
    assert "works → fails" in text and "No route." in text and "probed every 5 min" in text


def test_a_target_is_made_tested_and_removed_in_the_admin(tenant, goals):
    browser = sign_in(make_member(tenant, "admin").user)
    with receiver() as there:
        made = browser.post(
            url("connectors_alerttarget_add"),
            {"kind": "webhook", "name": "hook", "address": there.url, "enabled": "on"},
        )
        row = AlertTarget.objects.for_tenant(tenant).get()
        secret = made.context["secret"]
        assert secret in made.content.decode() and "no-store" in made.headers["Cache-Control"]
        page = url("connectors_alerttarget_change", row.pk)
        assert secret not in browser.get(page).content.decode()
        answer = browser.post(url("connectors_alerttarget_test", row.pk), follow=True)
        assert "the test was delivered" in answer.content.decode() and there.got[0].is_signed_with(secret)
        told(tenant, goals, BAD, BAD)
        assert "waiting" in browser.get(page).content.decode()
    renewed = browser.post(url("connectors_alerttarget_secret", row.pk)).content.decode()
    assert "whsec_" in renewed and secret not in renewed
    listed = browser.get(url("connectors_alerttarget_changelist")).content.decode()
    assert "hook" in listed and "/hooks/" not in listed
    browser.post(page, {"name": "hook", "address": "https://hooks.example.com/"})
    row.refresh_from_db()
    assert not row.enabled
    browser.post(url("connectors_alerttarget_delete", row.pk), {"post": "yes"})
    assert not AlertTarget.objects.for_tenant(tenant).exists()
    operator = sign_in(make_member(tenant, "operator").user)
    assert operator.get(url("connectors_alerttarget_changelist")).status_code == 403
