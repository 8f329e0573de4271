import json
import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from audit.models import AuditEvent
from connectors.models import Connection
from tenants.models import AccessKey, Tenant
from tenants.principals import Actor
from tenants.services.tokens import api_token_create, api_token_revoke
from tests.factories import make_connection, make_key, make_member, make_tenant, make_user, unique

SECRET = "pl4nted-api-secret"


def client(secret=None, user=None):
    api = APIClient()
    if secret:
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    if user:
        api.force_login(user)
    return api


@pytest.fixture
def root():
    user = make_user(superuser=True)
    return client(api_token_create(user=user, name="root", actor=Actor.system("tests"))[1])


def test_a_tenant_with_two_connections_and_a_key_is_made_in_five_calls_and_again_without_harm(root):
    slug = unique("t")
    for expected in (201, 200):
        assert root.put(f"/api/v1/tenants/{slug}", {"name": "Acme"}, format="json").status_code == expected
        for connector in ("goals", "memory"):
            answer = root.put(
                f"/api/v1/tenants/{slug}/connections/{connector}", {"connector": connector}, format="json"
            )
            assert answer.status_code == expected, answer.content
    body = {"name": "agent", "service_account": "agent", "role": "operator"}
    made = [
        root.post(
            f"/api/v1/tenants/{slug}/access-keys", body, format="json", headers={"Idempotency-Key": "k1"}
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["secret"] == made[1].json()["secret"]
    assert made[1].headers["Idempotency-Replayed"] == "true"
    assert AccessKey.unscoped.filter(tenant__slug=slug).count() == 1
    agent = client(made[0].json()["secret"])
    answer = agent.post("/api/call-tool", {"name": "cache_ping"}, format="json")
    assert (answer.status_code, answer.json()["is_error"]) == (200, False)
    listed = agent.get(f"/api/v1/tenants/{slug}/tools").json()
    assert {"cache_ping", "create_goal"} <= {tool["exposed_name"] for tool in listed}


def test_a_repeated_idempotency_key_with_another_body_is_refused(root):
    slug = unique("t")
    headers = {"Idempotency-Key": "same"}
    assert root.post("/api/v1/tenants", {"slug": slug}, format="json", headers=headers).status_code == 201
    answer = root.post("/api/v1/tenants", {"slug": unique("t")}, format="json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_failed_post_leaves_its_idempotency_key_free(root):
    headers = {"Idempotency-Key": "again"}
    slug = unique("t")
    assert root.post("/api/v1/tenants", {"slug": "X"}, format="json", headers=headers).status_code == 400
    assert root.post("/api/v1/tenants", {"slug": slug}, format="json", headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"slug": "A b"}, "slug"),
        ({"name": "x"}, "slug"),
        ({"slug": "okay", "time_zone": "Mars/Base"}, "time_zone"),
        ({"slug": "okay", "audit_retention_days": -1}, "audit_retention_days"),
        ({"slug": "okay", "nmae": "typo"}, "nmae"),
    ],
)
def test_a_wrong_body_is_a_problem_that_names_its_field(root, body, field):
    if body.get("slug") == "okay":
        body = {**body, "slug": unique("t")}
    answer = root.post("/api/v1/tenants", body, format="json")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field
    assert not Tenant.objects.filter(slug=body.get("slug", "")).exists()


def test_a_slug_in_use_is_a_conflict(root):
    tenant = make_tenant()
    answer = root.post("/api/v1/tenants", {"slug": tenant.slug}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "slug_taken")


def test_malformed_json_is_a_problem(root):
    answer = root.post("/api/v1/tenants", "{", content_type="application/json")
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_strangers_get_401_with_a_sentence_that_helps():
    for api in (
        client(),
        client("ptc_000000000000_" + "x" * 43),
        client("pta_000000000000_x"),
        client("nonsense"),
    ):
        answer = api.get("/api/v1/tenants")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "access key" in answer.json()["detail"]


def test_the_other_tenants_paths_look_absent():
    mine, theirs = make_tenant(), make_tenant()
    make_connection(theirs, "probe")
    owner_key = make_key(mine, role="owner")[1]
    owner = make_member(mine, "owner").user
    for api in (client(owner_key), client(user=owner)):
        for path in (
            "",
            "/connections",
            "/connections/probe",
            "/access-keys",
            "/audit",
            "/tools",
            "/memberships",
        ):
            found = api.get(f"/api/v1/tenants/{theirs.slug}{path}")
            absent = api.get(f"/api/v1/tenants/no-such-tenant{path}")
            assert found.status_code == absent.status_code == 404
            assert found.json() == absent.json()
        assert [t["slug"] for t in api.get("/api/v1/tenants").json()["results"]] == [mine.slug]


@pytest.mark.parametrize(
    ("role", "expected"), [("viewer", 403), ("operator", 403), ("admin", 200), ("owner", 200)]
)
def test_roles_decide_who_configures(role, expected):
    tenant = make_tenant()
    api = client(make_key(tenant, role=role)[1])
    assert api.get(f"/api/v1/tenants/{tenant.slug}/connections").status_code == expected
    assert api.put(
        f"/api/v1/tenants/{tenant.slug}/permissions/viewer", {"allow": ["probe:*"]}, format="json"
    ).status_code == expected  # fmt: skip


def test_a_narrowed_key_does_not_administrate():
    tenant = make_tenant()
    api = client(make_key(tenant, role="owner", allow=["probe:*"])[1])
    assert api.get(f"/api/v1/tenants/{tenant.slug}/access-keys").status_code == 403


def test_only_superusers_create_tenants():
    api = client(make_key(make_tenant(), role="owner")[1])
    assert api.post("/api/v1/tenants", {"slug": unique("t")}, format="json").status_code == 403


def test_a_token_is_limited_to_its_tenants_reading_and_life():
    user = make_user(superuser=True)
    one, other = make_tenant(), make_tenant()
    system = Actor.system("tests")
    token, secret = api_token_create(user=user, name="narrow", tenants=[one], actor=system)
    api = client(secret)
    assert api.get(f"/api/v1/tenants/{one.slug}").status_code == 200
    assert api.get(f"/api/v1/tenants/{other.slug}").status_code == 404
    assert api.post("/api/v1/tenants", {"slug": unique("t")}, format="json").status_code == 403
    reading = client(api_token_create(user=user, name="reading", read_only=True, actor=system)[1])
    assert reading.patch(f"/api/v1/tenants/{one.slug}", {"name": "x"}, format="json").status_code == 403
    assert reading.get(f"/api/v1/tenants/{one.slug}").status_code == 200
    api_token_revoke(token=token, actor=system)
    assert api.get(f"/api/v1/tenants/{one.slug}").status_code == 401


def test_credentials_are_written_and_never_read(root):
    tenant = make_tenant()
    path = f"/api/v1/tenants/{tenant.slug}/connections/probe"
    made = root.put(
        path, {"connector": "probe", "credential": {"user": "ada", "token": SECRET}}, format="json"
    )
    assert made.status_code == 201
    replaced = root.put(f"{path}/credential", {"values": {"token": SECRET + "2"}}, format="json")
    assert replaced.json() == {"fields_set": ["token", "user"], "warnings": []}
    for answer in (
        made,
        replaced,
        root.get(path),
        root.get(f"{path}/credential"),
        root.post(f"{path}/check"),
    ):
        assert SECRET not in answer.content.decode()
    wrong = root.put(f"{path}/credential", {"values": {"token": [SECRET]}}, format="json")
    assert wrong.status_code == 400
    assert SECRET not in wrong.content.decode()
    rows = AuditEvent.objects.for_tenant(tenant).values_list("arguments", "message")
    assert SECRET not in json.dumps(list(rows))
    assert root.delete(f"{path}/credential").status_code == 204
    assert root.get(f"{path}/credential").json() == {"fields_set": [], "warnings": []}


def test_storing_a_credential_says_what_is_odd_about_it_and_stores_it_all_the_same(root):
    path = f"/api/v1/tenants/{make_tenant().slug}/connections"
    settings, odd = {"site": "https://acme.atlassian.net"}, {"email": "ann@acme.test", "token": SECRET}
    made = root.post(path, {"connector": "jira", "settings": settings, "credential": odd}, format="json")
    said = made.json()["credential_warnings"]
    assert (made.status_code, len(said)) == (201, 1)
    assert "ATATT" in said[0] and SECRET not in made.content.decode()
    again = root.put(f"{path}/jira", {"credential": {"token": f"{SECRET}2"}}, format="json")
    assert (again.status_code, again.json()["credential_warnings"]) == (200, said)
    for answer in (
        root.get(f"{path}/jira/credential"),
        root.put(f"{path}/jira/credential", {"values": {"token": f"{SECRET}3"}}, format="json"),
    ):
        assert (answer.json()["fields_set"], answer.json()["warnings"]) == (
            ["email", "method", "token"],
            said,
        )
    good = root.put(f"{path}/jira/credential", {"values": {"token": "ATATT3xGood"}}, format="json")
    assert good.json()["warnings"] == []
    Connection.objects.for_tenant(Tenant.objects.get(slug=path.split("/")[4])).update(connector="gone")
    assert root.get(f"{path}/jira/credential").json()["warnings"] == []


def test_a_superuser_who_is_no_member_calls_no_tool(root):
    tenant = make_tenant()
    make_connection(tenant, "probe")
    answer = root.post(f"/api/v1/tenants/{tenant.slug}/call-tool", {"name": "probe_echo"}, format="json")
    assert answer.status_code == 403


def test_calling_a_tool_answers_as_mcp_does_and_is_recorded():
    tenant = make_tenant()
    make_connection(tenant, "probe")
    api = client(make_key(tenant)[1])
    path = f"/api/v1/tenants/{tenant.slug}/call-tool"
    answer = api.post(path, {"name": "probe_echo", "arguments": {"text": "hi"}}, format="json").json()
    assert answer["structured_content"] == {"said": "hi"}
    failed = api.post(path, {"name": "probe_echo", "arguments": {}}, format="json")
    assert (failed.status_code, failed.json()["is_error"]) == (200, True)
    unknown = api.post(path, {"name": "nothing"}, format="json")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_tool")
    found = AuditEvent.objects.for_tenant(tenant).filter(via="api", kind__in=["call", "denial"])
    assert sorted(found.values_list("outcome", flat=True)) == ["denied", "error", "ok"]


def test_switches_permissions_and_checks():
    tenant = make_tenant()
    make_connection(tenant, "probe")
    admin, agent = client(make_key(tenant, role="admin")[1]), client(make_key(tenant)[1])
    base = f"/api/v1/tenants/{tenant.slug}"
    switch = f"{base}/connections/probe/tools/probe_echo"
    assert admin.put(switch, {"enabled": False}, format="json").status_code == 204
    assert "probe_echo" not in {t["name"] for t in agent.get(f"{base}/tools").json()}
    assert admin.put(switch, {"enabled": None}, format="json").status_code == 204
    assert "probe_echo" in {t["name"] for t in agent.get(f"{base}/tools").json()}
    refused = admin.put(f"{base}/permissions/operator", {"allow": ["probe_echo"]}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "allow")
    assert admin.put(f"{base}/permissions/operator", {"deny": ["probe:*"]}, format="json").status_code == 200
    assert agent.get(f"{base}/tools").json() == []
    assert admin.post(f"{base}/connections/probe/check").json()["ok"] is False


def test_the_audit_is_filtered_paged_and_exported():
    tenant = make_tenant()
    make_connection(tenant, "probe")
    owner = client(make_key(tenant, role="owner")[1])
    base = f"/api/v1/tenants/{tenant.slug}"
    for _ in range(3):
        owner.post(f"{base}/call-tool", {"name": "probe_echo", "arguments": {"text": "x"}}, format="json")
    page = owner.get(f"{base}/audit", {"kind": "call", "page_size": 2}).json()
    assert len(page["results"]) == 2
    rest = owner.get(page["next"]).json()
    assert len(rest["results"]) == 1
    exported = owner.get(f"{base}/audit/export", {"format": "jsonl", "kind": "call"})
    assert len([json.loads(line) for line in exported.getvalue().splitlines()]) == 3
    assert owner.get(f"{base}/audit/export", {"format": "xml"}).status_code == 400
    assert owner.get(f"{base}/audit", {"since": "yesterday"}).status_code == 400


def test_suspending_stops_keys_and_deleting_needs_suspension(root):
    tenant = make_tenant()
    api = client(make_key(tenant)[1])
    base = f"/api/v1/tenants/{tenant.slug}"
    assert api.get(base).status_code == 200
    assert root.delete(base).status_code == 409
    assert root.post(f"{base}/suspend").status_code == 200
    assert api.get(base).status_code == 401
    assert root.post(f"{base}/resume").status_code == 200
    assert api.get(base).status_code == 200
    root.post(f"{base}/suspend")
    assert root.delete(base).status_code == 204
    assert root.get(base).status_code == 404


def test_members_service_accounts_and_invitations(root):
    tenant, user = make_tenant(), make_user()
    base = f"/api/v1/tenants/{tenant.slug}"
    made = root.post(f"{base}/memberships", {"username": user.username, "role": "owner"}, format="json")
    assert made.status_code == 201
    pk = made.json()["id"]
    last = root.patch(f"{base}/memberships/{pk}", {"role": "viewer"}, format="json")
    assert (last.status_code, last.json()["code"]) == (409, "last_owner")
    account = root.post(f"{base}/service-accounts", {"name": "bot"}, format="json").json()
    assert root.patch(
        f"{base}/service-accounts/{account['id']}", {"role": "viewer"}, format="json"
    ).json()["role"] == "viewer"  # fmt: skip
    assert root.delete(f"{base}/service-accounts/{account['id']}").status_code == 204
    invited = root.post(
        f"{base}/invitations", {"email": "a@example.com", "role": "viewer"}, format="json"
    ).json()
    assert "/invitation/" in invited["link"]
    assert "link" not in root.get(f"{base}/invitations").json()["results"][0]


def test_connector_types_and_health(root):
    types = root.get("/api/v1/connector-types").json()
    assert {"goals", "memory", "restaurant", "probe"} <= {t["slug"] for t in types}
    assert "token" in root.get("/api/v1/connector-types/probe").json()["credential_schema"]["properties"]
    assert root.get("/api/v1/connector-types/none").status_code == 404
    tenant = make_tenant()
    make_connection(tenant, "probe")
    key = client(make_key(tenant)[1])
    for path in ("/api/v1/health", "/api/health"):
        (mine,) = key.get(path).json()["tenants"]
        assert mine["connections"][0]["state"] == "unknown"
    assert key.get("/api/v1/health").json()["checks"] == {}
    assert client().get("/api/v1/health").status_code == 401


def test_the_openapi_document_is_valid_31_and_has_a_page():
    schema = client().get("/api/v1/schema?format=json")
    assert schema.status_code == 200
    assert b"openapi: 3.1.0" in schema.content or b'"openapi":"3.1.0"' in schema.content.replace(b" ", b"")
    assert client().get("/api/v1/docs").status_code == 200


def test_a_trailing_slash_keeps_the_method(root):
    answer = root.post("/api/v1/tenants/", {"slug": unique("t")}, format="json")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/api/v1/tenants")


def test_tokens_are_made_listed_and_revoked_by_command(capsys):
    user, tenant = make_user(superuser=True), make_tenant()
    call_command("api_token", "create", "--user", user.username, "--name", "ci", "--tenant", tenant.slug)
    secret = capsys.readouterr().out.strip()
    assert client(secret).get(f"/api/v1/tenants/{tenant.slug}").status_code == 200
    call_command("api_token", "list")
    listed = capsys.readouterr().out
    assert tenant.slug in listed
    assert secret not in listed
    call_command("api_token", "revoke", secret[4:16])
    assert client(secret).get(f"/api/v1/tenants/{tenant.slug}").status_code == 401
    with pytest.raises(CommandError, match="no active user"):
        call_command("api_token", "create", "--user", "nobody-here", "--name", "x")


def test_the_documented_script_provisions_a_tenant_in_under_ten_calls(one_worker):
    user, slug = make_user(superuser=True), unique("t")
    token = api_token_create(user=user, name="script", actor=Actor.system("tests"))[1]
    environment = {**os.environ, "PORTICO_URL": f"http://127.0.0.1:{one_worker.port}", "PORTICO_TOKEN": token}
    said = [
        json.loads(
            subprocess.run(
                [sys.executable, "docs/examples/provision.py", slug],
                env=environment, check=True, capture_output=True,
            ).stdout
        )
        for _ in range(2)
    ]  # fmt: skip
    assert said[0] == said[1]
    answer = client(said[0]["access_key"]).post("/api/call-tool", {"name": "cache_ping"}, format="json")
    assert answer.json()["is_error"] is False
    assert said[0]["mcp_url"].endswith(f"/t/{slug}/mcp")


def test_an_invitation_is_mailed_where_a_server_is_set_and_its_link_is_not_shown(root, settings, mailoutbox):
    settings.EMAIL_HOST = "mail.example.com"
    base = f"/api/v1/tenants/{make_tenant().slug}"
    invited = root.post(
        f"{base}/invitations", {"email": "b@example.com", "role": "viewer"}, format="json"
    ).json()
    assert (invited["mailed"], "link" in invited) == (True, False)
    assert "/invitation/" in mailoutbox[-1].body
