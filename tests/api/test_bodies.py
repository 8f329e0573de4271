"""Requests that are odd, half right or not what they seem: told so, and nothing half done."""

import pytest
import yaml

from connectors.models import Connection
from tenants.models import AccessKey
from tenants.principals import Actor
from tenants.services.tokens import api_token_create
from tests.api.test_api import client
from tests.factories import make_connection, make_key, make_tenant, make_user, unique

JSON = "application/json"


@pytest.fixture
def root():
    user = make_user(superuser=True)
    return client(api_token_create(user=user, name="root", actor=Actor.system("tests"))[1])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1e999", "too large for a double"),
        ("NaN", "NaN is not JSON"),
        (str(2**70), "64 bits"),
        ('{"a": 1, "a": 2}', "same key twice"),
        ('"\\ud800"', "half of a surrogate pair"),
        ("[" * 80 + "]" * 80, "Nested deeper"),
        ('"', "Unterminated string"),
    ],
    ids=["infinity", "nan", "big", "twice", "half", "deep", "open"],
)
def test_a_body_that_would_not_be_kept_as_it_was_sent_is_refused(root, value, said):
    tenant = make_tenant()
    make_connection(tenant, "memory")
    api, path = client(make_key(tenant)[1]), f"/api/v1/tenants/{tenant.slug}/call-tool"
    body = f'{{"name": "cache_set", "arguments": {{"key": "k", "value": {value}}}}}'
    refused = api.post(path, body, content_type=JSON)
    assert (refused.status_code, refused.json()["code"]) == (400, "parse_error")
    assert said in refused.json()["detail"]
    found = api.post(path, {"name": "cache_get", "arguments": {"key": "k"}}, format="json").json()
    assert found["structured_content"]["found"] is False
    # What is digested for a key of idempotency is such a body, too.
    again = root.post(
        "/api/v1/tenants",
        f'{{"slug": "{unique("t")}", "name": {value}}}',
        content_type=JSON,
        headers={"Idempotency-Key": "k"},
    )
    assert (again.status_code, again.json()["code"]) == (400, "parse_error")


def test_a_nul_in_a_filter_finds_nothing_that_it_should_not_and_breaks_nothing(root):
    tenant = make_tenant()
    make_connection(tenant, "probe")
    base = f"/api/v1/tenants/{tenant.slug}"
    assert root.get(f"/api/v1/tenants?search={tenant.slug}%00&status=act%00ive").json()["count"] == 1
    assert root.get(f"{base}/connections?connector=pro%00be").json()["count"] == 1
    for path in ("metrics", "status/probe"):
        assert root.get(f"/api/v1/{path}?tenant={tenant.slug}%00").status_code == 200
        assert root.get(f"/api/v1/{path}?tenant=no%00body").status_code == 404


def test_a_connection_stays_as_it_was_when_the_credential_that_came_along_is_refused(root):
    tenant = make_tenant()
    path = f"/api/v1/tenants/{tenant.slug}/connections/jira"
    body = {"connector": "jira", "name": "Before", "settings": {"site": "https://acme.atlassian.net"}}
    assert root.put(path, body, format="json").status_code == 201
    for change in (root.put, root.patch):
        refused = change(path, {"name": "After", "credential": {"passwd": "x"}}, format="json")
        assert (refused.status_code, root.get(path).json()["name"]) == (400, "Before")
    version = Connection.objects.for_tenant(tenant).get().version
    assert root.patch(path, {"name": "Before"}, format="json").json()["version"] == version


def test_a_role_beside_a_principal_is_refused_since_the_key_would_not_have_it(root):
    tenant = make_tenant()
    base = f"/api/v1/tenants/{tenant.slug}"
    account = root.post(f"{base}/service-accounts", {"name": "bot", "role": "admin"}, format="json").json()
    body = {"name": "narrow?", "principal": account["id"], "role": "viewer"}
    refused = root.post(f"{base}/access-keys", body, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "role")
    assert not AccessKey.objects.for_tenant(tenant).exists()
    del body["role"]
    assert root.post(f"{base}/access-keys", body, format="json").status_code == 201


def test_a_rule_for_another_role_than_the_paths_is_refused(root):
    base = f"/api/v1/tenants/{make_tenant().slug}/permissions"
    refused = root.put(f"{base}/viewer", {"role": "admin", "deny": ["probe:*"]}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "role")
    assert root.get(base).json()["results"] == []
    assert root.put(f"{base}/viewer", {"role": "viewer", "deny": ["probe:*"]}, format="json").json() == {
        "role": "viewer", "allow": [], "deny": ["probe:*"], "confirm": [],
    }  # fmt: skip


def test_leaving_the_last_slash_away_keeps_the_query(root):
    for query in ("search=a/", "search=/&page=1/", ""):
        answer = root.get(f"/api/v1/tenants/?{query}" if query else "/api/v1/tenants/")
        assert answer.headers["Location"] == ("/api/v1/tenants" + (f"?{query}" if query else ""))


def test_the_document_says_that_a_put_may_create(root):
    paths = yaml.safe_load(root.get("/api/v1/schema").content)["paths"]
    for path in ("", "/connections/{name}", "/endpoints/{endpoint}"):
        assert {"200", "201"} <= set(paths[f"/api/v1/tenants/{{slug}}{path}"]["put"]["responses"])
    assert "status" in {given["name"] for given in paths["/api/v1/tenants"]["get"]["parameters"]}


def test_a_call_that_names_another_tenant_than_its_path_is_refused():
    tenant = make_tenant()
    make_connection(tenant, "memory")
    api, path = client(make_key(tenant)[1]), f"/api/v1/tenants/{tenant.slug}/call-tool"
    refused = api.post(path, {"name": "cache_ping", "tenant": "another"}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "tenant")
    named = api.post(path, {"name": "cache_ping", "tenant": tenant.slug}, format="json")
    assert named.json()["is_error"] is False
