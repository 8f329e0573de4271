"""Every address of the site refuses other tenants' people, or is on a short list of public ones."""

import re
from dataclasses import dataclass

import pytest
from django.contrib.admin.sites import AdminSite
from django.test import Client
from django.urls import URLPattern, get_resolver
from rest_framework.test import APIClient

from connectors.alerts.services import alert_target_create
from connectors.artifacts import artifact_save
from connectors.models import (
    AlertTarget,
    Connection,
    Endpoint,
    ToolPermission,
    ToolSwitch,
    UsageLimit,
    WarmUp,
)
from connectors.services import endpoint_create, limit_create, permission_set
from portico.admin import site
from tenants import services
from tenants.models import AccessKey, Invitation, Principal, Tenant
from tenants.services.tokens import api_token_create
from tests.factories import (
    SYSTEM,
    make_connection,
    make_key,
    make_member,
    make_service_account,
    make_tenant,
    make_user,
    unique,
)

# Addresses that anybody may ask, and what they tell.
PUBLIC = {
    "": "leads to the admin, which asks to sign in",
    "healthz": "that the process lives",
    "health": "an older name of healthz",
    "readyz": "the state of the platform's parts, no tenant's",
    "metrics": "figures of the platform, for who shows the operator's token; none names a tenant",
    "connectors/<str:connector>/icon.svg": "a connector's drawing; which connectors are installed is no tenant's",
    "api/v1/schema": "the shape of the API, the same for everybody",
    "api/v1/docs": "a page that shows the schema",
    "api/^(?P<version>v1/)?(?P<rest>.+)/$": "leads to the same address without its last slash",
}
# Addresses without a tenant in their path, for which the caller decides what is shown.
OF_THE_CALLER = {
    "api/v1/health",
    "api/v1/cache/clear",
    "api/health",
    "api/v1/metrics",
    "api/v1/status/<slug:connection>",
    "api/v1/tenants",
    "api/v1/connector-types",
    "api/v1/connector-types/<slug:connector>",
    "api/v1/call-tool",
    "api/call-tool",
}
TENANT = "api/v1/tenants/<slug:slug>"
METHODS = ("get", "post", "put", "patch", "delete")


def walk(patterns, prefix=""):
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern)
        elif getattr(pattern, "app_name", None) == "admin":
            continue  # walked by the admin's own test, which this file only checks to be there
        else:
            yield from walk(pattern.url_patterns, prefix + str(pattern.pattern))


ROUTES = sorted(set(walk(get_resolver().url_patterns)))
OF_A_TENANT = [route for route in ROUTES if "slug" in route and route not in OF_THE_CALLER]
API = [route for route in OF_A_TENANT if route.startswith("api/")]


@dataclass
class Side:
    tenant: Tenant
    things: dict
    owner: object
    owner_key: str
    viewer_key: str


def furnish() -> Side:
    tenant = make_tenant()
    owner = make_member(tenant, "owner")
    row = make_connection(tenant, "probe", slug=unique("p")[:14], credential={"user": "u", "token": "t"})
    key, _ = make_key(tenant)
    invitation, _ = services.invitation_create(
        tenant=tenant, email=f"{unique('m')}@example.com", role="viewer", actor=SYSTEM
    )
    permission_set(tenant=tenant, role="viewer", allow=["*:*"], deny=[], actor=SYSTEM)
    file = artifact_save(
        tenant_id=tenant.pk,
        connection_id=row.pk,
        principal_id=None,
        name="n",
        mime_type="text/plain",
        data=b"d",
    )
    endpoint = endpoint_create(tenant=tenant, slug=unique("e"), actor=SYSTEM)
    limit = limit_create(tenant=tenant, calls=9, period="day", actor=SYSTEM)
    warm_up = WarmUp.objects.create(tenant=tenant, connection=row, tool="probe_echo", enabled=False)
    target, _ = alert_target_create(
        tenant=tenant, kind="email", name=unique("a"), address="ops@example.com", actor=SYSTEM
    )
    things = {
        "memberships": owner.pk, "service-accounts": make_service_account(tenant).pk,
        "invitations": invitation.pk, "access-keys": key.pk, "connection": row.slug, "files": file.pk,
        "endpoint": endpoint.slug, "limits": limit.pk, "warm-ups": warm_up.pk, "alert-targets": target.pk,
        "agent": make_member(tenant, "viewer").user.username,
    }  # fmt: skip
    return Side(
        tenant, things, owner.user, make_key(tenant, role="owner")[1], make_key(tenant, role="viewer")[1]
    )


@pytest.fixture(scope="module")
def left(database):
    return furnish()


@pytest.fixture(scope="module")
def right(database):
    return furnish()


def filled(route: str, slug: str, things: dict) -> str:
    """An address of this route with real values; a new parameter needs a sample here."""
    samples = {
        "name": things["connection"], "role": "viewer", "action": "suspend", "kind": "tools",
        "target": "probe_echo", "file_id": things["files"], "connector": "probe",
        "endpoint": things["endpoint"], "connection": things["connection"],
    }  # fmt: skip

    def fill(match: re.Match[str]) -> str:
        name = match["plain"] or match["regex"]
        if name == "slug":
            return slug
        if name == "pk":
            return str(things[route.split("/<")[-2].rsplit("/", 1)[-1]])
        return str(samples[name])

    path = re.sub(r"<(?:\w+:)?(?P<plain>\w+)>|\(\?P<(?P<regex>\w+)>[^)]*\)", fill, _bare(route))
    return "/" + path


def _bare(route: str) -> str:
    return route.replace("^", "").replace("/?\\Z", "").removesuffix("$")


def state(tenant) -> object:
    """What a request from outside must not change."""
    rows = {
        model.__name__: sorted(map(str, model.objects.for_tenant(tenant).values_list()))
        for model in (
            AlertTarget,
            Connection,
            Endpoint,
            ToolSwitch,
            ToolPermission,
            Invitation,
            Principal,
            UsageLimit,
            WarmUp,
        )
    }
    keys = sorted(map(str, AccessKey.objects.for_tenant(tenant).values_list("pk", "revoked_at", "allow")))
    own = Tenant.objects.values_list("status", "version", "name").get(pk=tenant.pk)
    return rows, keys, own


def client(secret: str = "", user: object = None) -> APIClient:
    made = APIClient()
    if secret:
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    if user:
        made.force_login(user)
    return made


def outsiders(left: Side):
    """People who are at home somewhere else, and nowhere."""
    root = make_user(superuser=True)
    token = api_token_create(user=root, name="narrow", tenants=[left.tenant], actor=SYSTEM)[1]
    return {
        "an owner's key": client(left.owner_key),
        "a viewer's key": client(left.viewer_key),
        "a signed-in owner": client(user=left.owner),
        "a superuser's token for one tenant": client(token),
        "a user of no tenant": client(user=make_user()),
    }


def test_every_route_is_public_the_callers_own_or_a_tenants():
    known = {*PUBLIC, *OF_THE_CALLER, *OF_A_TENANT}
    assert set(ROUTES) - known == set(), "a new address needs its wall, or a place in a list here"
    assert {*PUBLIC, *OF_THE_CALLER} - set(ROUTES) == set(), (
        "these addresses are gone: take them off the list"
    )
    assert len(OF_A_TENANT) > 20


def test_the_admins_pages_are_walked_by_their_own_test():
    from tests.admin import test_walls

    assert isinstance(site, AdminSite)
    assert len(test_walls.named_patterns()) > 40
    assert Client().get("/admin/").status_code == 302


@pytest.mark.parametrize("route", API)
def test_another_tenants_address_looks_absent_to_everybody_else(left, right, route):
    before = state(right.tenant)
    theirs = filled(route, right.tenant.slug, right.things)
    nowhere = filled(route, "no-such-tenant", right.things)
    for who, api in outsiders(left).items():
        for method in METHODS:
            found = getattr(api, method)(theirs, {}, format="json" if method != "get" else None)
            absent = getattr(api, method)(nowhere, {}, format="json" if method != "get" else None)
            said = f"{who}: {method} {theirs} -> {found.status_code} {found.content[:200]!r}"
            # Making a tenant is refused to all but superusers, and a body is read before its tenant.
            early = {("put", TENANT): 403, ("post", f"{TENANT}/call-tool"): 400}.get((method, route))
            assert found.status_code in (404, 405, early), said
            strip = lambda answer: {k: v for k, v in answer.json().items() if k != "request_id"}  # noqa: E731
            assert strip(found) == strip(absent), said
    assert state(right.tenant) == before


@pytest.mark.parametrize("route", API)
def test_a_stranger_is_asked_for_a_key_whatever_the_tenant(left, right, route):
    for slug in (right.tenant.slug, "no-such-tenant"):
        for method in METHODS:
            answer = getattr(client(), method)(filled(route, slug, right.things))
            assert answer.status_code == 401, (method, route, answer.status_code)


@pytest.mark.parametrize("route", [r for r in API if "pk>" in r or "name>" in r or "endpoint>" in r])
def test_another_tenants_object_is_not_found_under_ones_own_tenant(left, right, route):
    before = state(right.tenant)
    path = filled(route, left.tenant.slug, right.things)
    for api in (client(left.owner_key), client(user=left.owner)):
        for method in METHODS:
            answer = getattr(api, method)(path, {}, format="json" if method != "get" else None)
            # A PUT is about one's own of that name: an empty connection is refused, an endpoint made.
            assert answer.status_code in ((404, 405, 400, 201) if method == "put" else (404, 405)), (
                method,
                path,
            )
            if answer.status_code == 201:
                api.delete(path)
    assert state(right.tenant) == before


@pytest.mark.parametrize("route", API)
def test_a_viewer_changes_nothing_at_home(right, route):
    before = state(right.tenant)
    path = filled(route, right.tenant.slug, right.things)
    for method in METHODS[1:]:
        answer = getattr(client(right.viewer_key), method)(path, {}, format="json")
        calls = route.endswith("call-tool") and answer.status_code == 400
        assert answer.status_code in (403, 404, 405) or calls, (method, path, answer.status_code)
    assert state(right.tenant) == before


def test_what_the_caller_decides_shows_nothing_of_another_tenant(left, right):
    names = [right.tenant.slug, str(right.tenant.pk), right.things["connection"]]
    for who, api in outsiders(left).items():
        for route in sorted(OF_THE_CALLER):
            answer = api.get(filled(route, "", right.things))
            text = answer.content.decode()
            assert not [name for name in names if name in text], f"{who}: {route}"
        for path in ("/api/v1/call-tool", "/api/call-tool"):
            body = {"tenant": right.tenant.slug, "name": "probe_echo", "arguments": {"text": "x"}}
            assert api.post(path, body, format="json").status_code == 404, who
    for route in sorted(OF_THE_CALLER):
        assert client().get(filled(route, "", right.things)).status_code == 401


def test_a_file_is_for_its_own_tenant_alone(left, right):
    theirs = f"/t/{right.tenant.slug}/files/{right.things['files']}"
    beside = f"/t/{left.tenant.slug}/files/{right.things['files']}"
    assert client(right.viewer_key).get(theirs).content == b"d"
    assert client(user=right.owner).get(theirs).content == b"d"
    for api in (client(left.owner_key), client(user=left.owner), client(), client(user=make_user())):
        assert api.get(theirs).status_code == 401
    assert client(left.owner_key).get(beside).status_code == 404
    assert client(user=left.owner).get(beside).status_code == 404
    unknown = client(left.owner_key).get(f"/t/no-such-tenant/files/{right.things['files']}")
    assert unknown.content == client(left.owner_key).get(theirs).content
