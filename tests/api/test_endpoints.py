from connectors.models import Connection, Endpoint
from tests.api.test_api import client
from tests.factories import make_connection, make_key, make_tenant


def at_home(role: str = "admin"):
    tenant = make_tenant()
    make_connection(tenant, "goals")
    return tenant, client(make_key(tenant, role)[1]), f"/api/v1/tenants/{tenant.slug}"


def test_endpoints_are_put_listed_patched_and_deleted():
    tenant, api, base = at_home()
    body = {"name": "Desk", "toolsets": ["goals"], "include": ["*:list_*"], "read_only": True}
    for expected in (201, 200):
        answer = api.put(f"{base}/endpoints/desk", body, format="json")
        assert answer.status_code == expected, answer.content
    made = answer.json()
    assert made["mcp_url"].endswith(f"/t/{tenant.slug}/e/desk/mcp")
    assert {name: made[name] for name in body} == body
    assert api.post(f"{base}/endpoints", {"slug": "other"}, format="json").status_code == 201
    assert [row["slug"] for row in api.get(f"{base}/endpoints").json()["results"]] == ["desk", "other"]
    assert api.patch(f"{base}/endpoints/desk", {"deferred": True}, format="json").json()["deferred"] is True
    assert api.get(f"{base}/endpoints/desk").json()["read_only"] is True
    assert api.delete(f"{base}/endpoints/other").status_code == 204
    assert Endpoint.objects.for_tenant(tenant).count() == 1


def test_what_is_wrong_with_an_endpoint_is_named():
    _, api, base = at_home()
    for path, body, field in (
        ("endpoints/desk", {"toolsets": ["jira"]}, "toolsets"),
        ("endpoints/desk", {"include": ["nothing"]}, "include"),
        ("endpoints/desk", {"slug": "other"}, "slug"),
        ("endpoints/x", {}, "slug"),
        ("endpoints/desk", {"colour": "red"}, "colour"),
    ):
        answer = api.put(f"{base}/{path}", body, format="json")
        assert answer.status_code == 400 and field in answer.content.decode(), answer.content
    assert api.post(f"{base}/endpoints", {}, format="json").status_code == 400
    api.put(f"{base}/endpoints/desk", {}, format="json")
    assert api.post(f"{base}/endpoints", {"slug": "desk"}, format="json").status_code == 409


def test_operators_change_no_endpoint():
    _, api, base = at_home("operator")
    assert api.put(f"{base}/endpoints/desk", {}, format="json").status_code == 403
    assert api.get(f"{base}/endpoints").status_code == 403


def test_the_switches_of_tenants_and_connections_are_set():
    tenant, api, base = at_home()
    assert api.patch(base, {"deferred_tools": True}, format="json").json()["deferred_tools"] is True
    body = {"connector": "probe", "credential_mode": "none", "caller_token": True}
    made = api.put(f"{base}/connections/probe", body, format="json").json()
    assert (made["caller_token"], made["credential_set"]) == (True, False)
    assert api.patch(f"{base}/connections/probe", {"caller_token": False}, format="json").status_code == 200
    assert not Connection.objects.for_tenant(tenant).get(slug="probe").caller_token
