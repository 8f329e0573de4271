"""Named endpoints, the deferred mode, callers' tokens and what lists cost, in the admin."""

from typing import Any

from connectors.models import Connection, Endpoint
from connectors.services import endpoint_create
from connectors.snapshot import load
from mcp_endpoint import token_cost
from portico.admin import token_cost as cost_page
from tests.admin.conftest import sign_in, url
from tests.admin.test_connections import fields, fresh
from tests.factories import SYSTEM, make_connection, make_member, make_tenant


def at_home(role: str = "admin") -> tuple[Any, Any]:
    tenant = make_tenant()
    make_connection(tenant, "goals")
    return tenant, sign_in(make_member(tenant, role).user)


def test_an_endpoint_is_added_changed_and_removed() -> None:
    tenant, client = at_home()
    answer = client.post(
        url("connectors_endpoint_add"),
        {
            "slug": "desk",
            "name": "",
            "toolsets": "goals\n",
            "include": "",
            "read_only": "on",
            "enabled": "on",
        },
    )
    row = Endpoint.objects.for_tenant(tenant).get(slug="desk")
    page = url("connectors_endpoint_change", row.pk)
    assert answer.status_code == 302 and answer.url == page
    assert (row.name, row.toolsets, row.read_only, row.deferred) == ("desk", ["goals"], True, False)
    text = client.get(page).content.decode()
    assert f"/t/{tenant.slug}/e/desk/mcp" in text and "Estimate" in text
    client.post(page, {"name": "Desk", "toolsets": "goals", "include": "*:list_*", "deferred": "on"})
    row.refresh_from_db()
    assert (row.name, row.include, row.read_only, row.deferred, row.enabled) == (
        "Desk", ["*:list_*"], False, True, False,
    )  # fmt: skip
    client.post(url("connectors_endpoint_delete", row.pk), {"post": "yes"})
    assert not Endpoint.objects.for_tenant(tenant).exists()


def test_what_the_service_refuses_is_said_at_its_field() -> None:
    _, client = at_home()
    answer = client.post(
        url("connectors_endpoint_add"), {"slug": "desk", "toolsets": "jira", "enabled": "on"}
    )
    assert answer.status_code == 422
    assert "Unknown: jira" in answer.content.decode() and "toolsets" in answer.context["form"].errors


def test_an_operator_sees_no_endpoints() -> None:
    tenant, client = at_home("operator")
    row = endpoint_create(tenant=tenant, slug="desk", actor=SYSTEM)
    for page in (url("connectors_endpoint_changelist"), url("connectors_endpoint_change", row.pk)):
        assert client.get(page).status_code == 403


def test_the_tenants_page_switches_the_search_and_shows_the_cost() -> None:
    tenant, client = at_home()
    endpoint_create(tenant=tenant, slug="desk", name="The desk", actor=SYSTEM)
    page = url("tenants_tenant_change", tenant.pk)
    text = client.get(page).content.decode()
    whole = cost_page.cost_of(load(tenant.pk)).whole
    assert f"{whole:,}" in text and "The desk" in text
    client.post(page, {**fields(client, page), "deferred_tools": "on"})
    tenant.refresh_from_db()
    assert tenant.deferred_tools
    cost = cost_page.cost_of(load(tenant.pk))
    assert cost.deferred and cost.listed < cost.whole == whole
    assert "Search is on" in client.get(page).content.decode()


def test_the_table_of_tools_has_each_ones_estimate_and_their_sum() -> None:
    tenant, client = at_home()
    row = Connection.objects.for_tenant(tenant).get(slug="goals")
    text = client.get(url("connectors_connection_tools", row.pk)).content.decode()
    snapshot = load(tenant.pk)
    entry = snapshot.tools["create_goal"]
    assert f"≈ {token_cost.tool_tokens(entry.name, entry.spec)}" in text
    assert "tokens (estimate)" in text


def test_many_tokens_bring_a_hint(monkeypatch: Any) -> None:
    tenant, client = at_home()
    page = url("tenants_tenant_change", tenant.pk)
    assert "Search instead of a list”" not in client.get(page).content.decode()
    monkeypatch.setattr(cost_page, "MANY_TOKENS", 100)
    assert "Search instead of a list”" in client.get(page).content.decode()


def test_a_connection_lets_callers_bring_a_token() -> None:
    _, connection, client = fresh()
    page = url("connectors_connection_change", connection.pk)
    client.post(page, {**fields(client, page), "caller_token": "on"})
    connection.refresh_from_db()
    assert connection.caller_token
    client.post(page, {k: v for k, v in fields(client, page).items() if k != "caller_token"})
    connection.refresh_from_db()
    assert not connection.caller_token


def test_a_connector_without_credentials_has_no_such_switch() -> None:
    tenant, client = at_home()
    row = Connection.objects.for_tenant(tenant).get(slug="goals")
    page = url("connectors_connection_change", row.pk)
    assert "caller_token" not in client.get(page).content.decode()
    client.post(page, {**fields(client, page), "name": "Other"})
    row.refresh_from_db()
    assert (row.name, row.caller_token) == ("Other", False)
