"""A personal credential that is missing: the client is asked to open a page, the page stores it."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

import pytest
from django.conf import settings
from django.test import Client

from audit.models import AuditEvent
from common.db import in_db
from connectors.models import Credential
from mcp_endpoint.turn import CAPABILITIES_KEY
from tenants import services
from tests.factories import SYSTEM, make_connection, make_key, make_member, make_tenant, make_user
from tests.mcp_endpoint.speak import Place, by_door, initialize, legacy, modern

ENTRY = "asker=tests.mcp_endpoint.asker:Asker"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)

URLS = {"elicitation": {"url": {}}}
ACCEPT = {"portico_connect": {"action": "accept"}}
SECRET = "pl4nted-connect-secret"


@dataclass
class Home:
    """A tenant with a personal connection, and a member with a key."""

    place: Place
    member: Any
    connection: Any

    @property
    def path(self) -> str:
        return f"/t/{self.place.tenant.slug}/connect/asker/?for={self.member.pk}"

    def browser(self, user=None) -> Client:
        made = Client()
        made.force_login(user or self.member.user)
        return made


def make_home() -> Home:
    tenant = make_tenant()
    connection = make_connection(tenant, "asker", credential_mode="principal")
    member = make_member(tenant, "operator")
    key, secret = make_key(tenant, principal=member)
    return Home(Place(tenant, secret, key), member, connection)


@pytest.fixture
def home(database) -> Home:
    return make_home()


async def sign_in(home, able=None, answers=None, state=None):
    params = {"name": "asker_sign_in", "arguments": {}}
    if answers is not None:
        params |= {"inputResponses": answers, "requestState": state}
    meta = {CAPABILITIES_KEY: URLS if able is None else able}
    return await by_door(modern(home.place, "tools/call", params, meta=meta))


def error_of(answer):
    assert answer.result["isError"], answer.body
    return json.loads(answer.result["content"][0]["text"])


async def test_the_client_is_asked_to_open_the_page_and_goes_on_when_it_is_done(home):
    first = await sign_in(home)
    asked = first.result["inputRequests"]["portico_connect"]
    assert asked["method"] == "elicitation/create"
    assert asked["params"]["mode"] == "url"
    assert asked["params"]["url"] == settings.PORTICO_PUBLIC_URL + home.path
    assert home.place.key not in first.body.decode()

    too_early = await sign_in(home, answers=ACCEPT, state=first.result["requestState"])
    assert error_of(too_early)["code"] == "no_credential"
    assert home.path in error_of(too_early)["hint"]

    path = urlparse(asked["params"]["url"])
    form = {"credential_user": "ann", "credential_token": SECRET}
    answer = await in_db(lambda: home.browser().post(f"{path.path}?{path.query}", form))
    assert answer.status_code == 302
    last = await sign_in(home, answers=ACCEPT, state=first.result["requestState"])
    assert last.result["content"][0]["text"] == "signed in as ann"


async def test_a_person_who_declines_is_not_asked_again_in_this_call(home):
    first = await sign_in(home)
    no = {"portico_connect": {"action": "decline"}}
    assert error_of(await sign_in(home, answers=no, state=first.result["requestState"]))["code"] == "declined"


async def test_a_client_that_opens_no_pages_gets_the_address_as_a_hint(home):
    for able in ({}, {"elicitation": {}}, {"elicitation": {"form": {}}}):
        error = error_of(await sign_in(home, able=able))
        assert error["code"] == "no_credential"
        assert home.path in error["hint"]


async def test_the_handshake_era_has_an_error_of_its_own_for_it(home):
    capable = {"elicitation": {"form": {}, "url": {}}}
    session = (await by_door(initialize(home.place, **capable))).headers["mcp-session-id"]
    params = {"name": "asker_sign_in", "arguments": {}}
    answer = await by_door(legacy(home.place, "tools/call", params, mcp_session_id=session))
    assert answer.error["code"] == -32042
    (page,) = answer.error["data"]["elicitations"]
    assert page["mode"] == "url"
    assert page["url"].endswith(home.path)
    assert page["elicitationId"]
    assert page["message"]
    for version, able in (("2025-11-25", {"elicitation": {}}), ("2025-06-18", capable)):
        older = (await by_door(initialize(home.place, version=version, **able))).headers["mcp-session-id"]
        answer = await by_door(
            legacy(home.place, "tools/call", params, mcp_session_id=older, version=version)
        )
        assert home.path in error_of(answer)["hint"]


async def test_a_service_account_is_sent_to_no_page(home):
    key, secret = await in_db(make_key, home.place.tenant)
    program = Home(Place(home.place.tenant, secret, key), home.member, home.connection)
    error = error_of(await sign_in(program))
    assert error["code"] == "no_credential"
    assert "/connect/" not in error["hint"]


def test_the_page_asks_to_sign_in_first_whatever_the_address(home):
    for path in (
        home.path,
        "/t/no-such-tenant/connect/asker/",
        f"/t/{home.place.tenant.slug}/connect/nothing/",
    ):
        answer = Client().get(path)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith("/admin/login/?next=%2Ft%2F")


def test_what_is_typed_is_stored_for_the_member_alone_and_never_shown(home):
    other = make_member(home.place.tenant, "owner")
    browser = home.browser()
    page = browser.get(home.path)
    assert page.status_code == 200
    assert home.member.user.username in page.content.decode()
    assert "no-store" in page.headers["cache-control"]
    done = browser.post(home.path, {"credential_user": "ann", "credential_token": SECRET}, follow=True)
    assert "Go back to your client" in done.content.decode()
    rows = Credential.objects.for_tenant(home.place.tenant)
    assert [row.principal_id for row in rows] == [home.member.pk]
    assert SECRET not in browser.get(home.path).content.decode()
    event = AuditEvent.objects.for_tenant(home.place.tenant).filter(name="credential.set asker").get()
    assert event.principal_name == home.member.user.username
    assert SECRET not in event.arguments
    # The other member's own page has no credential yet.
    theirs = home.browser(other.user).get(f"/t/{home.place.tenant.slug}/connect/asker/?done=1")
    assert "Go back to your client" not in theirs.content.decode()


def test_what_is_missing_is_said_at_its_field(home):
    answer = home.browser().post(home.path, {"credential_user": "ann"})
    assert answer.status_code == 422
    assert "credential_token" in answer.context["form"].errors
    assert not Credential.objects.for_tenant(home.place.tenant).exists()


def test_somebody_else_is_told_so_and_stores_nothing(home):
    colleague = make_member(home.place.tenant, "admin")
    browser = home.browser(colleague.user)
    for answer in (browser.get(home.path), browser.post(home.path, {"credential_token": SECRET})):
        assert answer.status_code == 403
        assert "made for somebody else" in answer.content.decode()
    assert not Credential.objects.for_tenant(home.place.tenant).exists()


def test_people_of_other_tenants_learn_nothing(home):
    stranger = make_home()
    users = (stranger.member.user, make_user(), make_user(superuser=True))
    for user in users:
        browser = home.browser(user)
        pages = [
            browser.get(path).content
            for path in (home.path, home.path.replace("asker", "nothing"), "/t/no-such-tenant/connect/asker/")
        ]
        said = {page.split(b"ptc-note-bad")[1].split(b"</div>")[0] for page in pages}
        assert len(said) == 1
        assert home.place.tenant.name.encode() not in b"".join(pages)
        assert browser.post(home.path, {"credential_token": SECRET}).status_code == 404
    assert not Credential.objects.for_tenant(home.place.tenant).exists()


def test_a_suspended_tenant_or_a_shared_connection_has_no_page(home):
    make_connection(home.place.tenant, "probe", credential={"user": "u", "token": "t"})
    browser = home.browser()
    assert browser.get(f"/t/{home.place.tenant.slug}/connect/probe/").status_code == 404
    services.tenant_suspend(tenant=home.place.tenant, actor=SYSTEM)
    assert browser.get(home.path).status_code == 404


def test_the_form_needs_its_token_against_forged_requests(home):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(home.member.user)
    assert browser.post(home.path, {"credential_token": SECRET}).status_code == 403
