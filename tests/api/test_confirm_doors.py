"""Confirming a call where no client asks: over the REST API and on the admin's page of a tool."""

import json

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from connectors.models import Connection, ToolPermission
from connectors.services import permission_set
from tests.factories import SYSTEM, make_connection, make_key, make_member, make_tenant, unique
from tests.mcp_endpoint import asker

ENTRY = "asker=tests.mcp_endpoint.asker:Asker"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture(scope="module")
def tenant(database):
    made = make_tenant()
    make_connection(made, "asker")
    return made


def api(tenant, role="admin") -> APIClient:
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(tenant, role=role)[1]}")
    return made


def test_the_api_refuses_until_the_call_says_confirm(tenant):
    word = unique()
    client, path = api(tenant), f"/api/v1/tenants/{tenant.slug}/call-tool"
    body = {"name": "asker_delete", "arguments": {"word": word}}
    for more in ({}, {"confirm": False}):
        answer = client.post(path, {**body, **more}, format="json").json()
        assert answer["is_error"]
        error = json.loads(answer["content"][0]["text"])
        assert error["code"] == "confirmation_required"
        assert "confirm: true" in error["hint"]
    assert word not in asker.done
    assert not client.post(path, {**body, "confirm": True}, format="json").json()["is_error"]
    assert asker.done.count(word) == 1


def test_a_tool_that_asks_in_the_middle_has_nobody_to_ask_here(tenant):
    client, path = api(tenant), f"/api/v1/tenants/{tenant.slug}/call-tool"
    answer = client.post(path, {"name": "asker_greet", "confirm": True}, format="json").json()
    assert json.loads(answer["content"][0]["text"])["code"] == "elicitation_unavailable"


def test_the_admins_page_of_a_tool_has_a_box_to_tick(tenant):
    word = unique()
    owner = make_member(tenant, "owner")
    browser = Client()
    browser.force_login(owner.user)
    connection = Connection.objects.for_tenant(tenant).get(slug="asker")
    page = reverse("admin:connectors_connection_tool", args=[connection.pk, "asker_delete"])
    assert 'name="confirm"' in browser.get(page).content.decode()
    plain = reverse("admin:connectors_connection_tool", args=[connection.pk, "asker_plain"])
    assert 'name="confirm"' not in browser.get(plain).content.decode()
    values = {"run_as": "me", "arg_word": word}
    assert not browser.post(page, values).context["outcome"]["ok"]
    assert word not in asker.done
    assert browser.post(page, {**values, "confirm": "on"}).context["outcome"]["ok"]
    assert asker.done.count(word) == 1


def test_a_roles_patterns_are_set_over_the_api(tenant):
    client, path = api(tenant), f"/api/v1/tenants/{tenant.slug}/permissions/operator"
    answer = client.put(path, {"confirm": ["asker:*"]}, format="json")
    assert answer.json() == {"role": "operator", "allow": [], "deny": [], "confirm": ["asker:*"]}
    assert client.put(path, {"deny": ["x:y"]}, format="json").json()["confirm"] == ["asker:*"]
    assert client.put(path, {"confirm": []}, format="json").json()["confirm"] == []
    wrong = client.put(path, {"confirm": ["no pattern"]}, format="json")
    assert wrong.status_code == 400


def test_a_roles_patterns_are_set_in_the_admin(database):
    tenant = make_tenant()
    permission_set(tenant=tenant, role="viewer", allow=["a:*"], deny=[], confirm=["a:b"], actor=SYSTEM)
    owner = make_member(tenant, "owner")
    browser = Client()
    browser.force_login(owner.user)
    page = reverse("admin:connectors_toolpermission_changelist")
    shown = browser.get(page).context["form"]
    assert shown["viewer_confirm"].initial == ["a:b"]
    assert browser.post(page, {"operator_confirm": "a:*\nb:c", "viewer_allow": "a:*"}).status_code == 302
    rules = {row.role: row for row in ToolPermission.objects.for_tenant(tenant)}
    assert rules["operator"].confirm == ["a:*", "b:c"]
    assert (rules["viewer"].allow, rules["viewer"].confirm) == (["a:*"], [])
    wrong = browser.post(page, {"operator_confirm": "no pattern"})
    assert "operator_confirm" in wrong.context["form"].errors
