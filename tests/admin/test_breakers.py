"""Open breakers on the pages of connections, and closing them there and over the API."""

import asyncio

import pytest
from rest_framework.test import APIClient

from audit.models import AuditEvent
from common.redis import sync_client
from connectors.upstream import pauses
from connectors.upstream.breaker import breaker_of, opened_of
from tests.admin.conftest import sign_in, url
from tests.factories import make_connection, make_key, make_member, make_tenant


def open_breaker(row, identity="", reason="timeout"):
    """As five failed calls do."""

    async def fail():
        breaker = breaker_of(row.tenant_id, row.pk, identity)
        for _ in range(5):
            await breaker.failed(reason)

    asyncio.run(fail())


@pytest.fixture
def place():
    tenant = make_tenant()
    row = make_connection(tenant, "vaulted", slug="vault", settings={"region": "north"})
    return tenant, row, sign_in(make_member(tenant, "admin").user)


def changes(tenant):
    rows = AuditEvent.objects.for_tenant(tenant).filter(kind="config", name__startswith="breaker.")
    return list(rows.values_list("name", flat=True))


def test_the_page_says_whose_calls_rest_and_why_and_a_button_closes_the_breakers(place):
    tenant, row, browser = place
    member = make_member(tenant, "operator")
    open_breaker(row, f"{row.pk.hex}-1", "connection")
    open_breaker(row, f"of-{member.pk.hex}", "http_error")
    open_breaker(row, "token-0123456789abcdef")
    page = browser.get(url("connectors_connection_change", row.pk)).content.decode()
    assert "Calls with the shared credential rest: no connection." in page
    assert f"Calls with {member.user.get_username()} rest: errors of the system (5xx)." in page
    assert "Calls with a token that a caller brought rest: no answer in time." in page
    assert "0123456789abcdef" not in page and 'id="ptc-breaker"' in page
    answer = browser.post(url("connectors_connection_breaker", row.pk), follow=True)
    assert "its next call goes through" in answer.content.decode()
    assert 'id="ptc-breaker"' not in answer.content.decode()
    assert opened_of(tenant.pk, row.pk) == []
    assert not breaker_of(tenant.pk, row.pk, f"{row.pk.hex}-1").open_until
    assert changes(tenant) == ["breaker.reset vault"]


def test_a_vendors_pause_is_shown_and_the_same_button_ends_it(place):
    tenant, row, browser = place
    where = (tenant.pk, row.pk, f"{row.pk.hex}-1")
    asyncio.run(pauses.note(where, ["", "search"], 600))
    page = browser.get(url("connectors_connection_change", row.pk)).content.decode()
    assert "Calls with the shared credential rest: the system asked for a pause." in page
    assert pauses.left_of(where, "search") > 590
    browser.post(url("connectors_connection_breaker", row.pk), follow=True)
    assert pauses.paused_of(tenant.pk, row.pk) == []
    assert pauses.left_of(where, "search") == pauses.left_of(where, "") == 0


def test_a_list_of_connections_marks_those_that_rest_with_one_question(place, monkeypatch):
    tenant, row, browser = place
    for number in range(5):
        make_connection(tenant, "goals", slug=f"goals{number}")
    open_breaker(row)
    asked = []
    real = type(sync_client().pipeline()).execute
    monkeypatch.setattr(
        type(sync_client().pipeline()), "execute", lambda self, *a: asked.append(str(self.command_stack)) or real(self, *a)
    )  # fmt: skip
    page = browser.get(url("connectors_connection_changelist")).content.decode()
    assert page.count("calls rest") == 1
    assert sum(":breaker:" in commands for commands in asked) == 1


def test_who_may_not_change_connections_closes_no_breaker(place):
    tenant, row, browser = place
    open_breaker(row)
    address = url("connectors_connection_breaker", row.pk)
    assert browser.get(address).status_code == 403
    assert sign_in(make_member(tenant, "operator").user).post(address).status_code == 403
    assert sign_in(make_member(make_tenant(), "owner").user).post(address).status_code == 404
    assert opened_of(tenant.pk, row.pk) and changes(tenant) == []


def test_the_api_closes_breakers_for_admins_of_the_tenant_alone(place):
    tenant, row, _ = place
    path = f"/api/v1/tenants/{tenant.slug}/connections/vault/breaker/reset"

    def post(key):
        return APIClient().post(path, headers={"authorization": f"Bearer {key}"})

    open_breaker(row)
    assert post(make_key(tenant, role="operator")[1]).status_code == 403
    assert post(make_key(make_tenant(), role="owner")[1]).status_code == 404
    assert opened_of(tenant.pk, row.pk)
    admin = make_key(tenant, role="admin")[1]
    assert [post(admin).json() for _ in range(2)] == [{"closed": 1}, {"closed": 0}]
    assert opened_of(tenant.pk, row.pk) == []
    assert changes(tenant) == ["breaker.reset vault"] * 2
