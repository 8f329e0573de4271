"""Signing in to Salesforce: every way to a session, its renewal, and what is said where it fails."""

import asyncio
import json
import logging

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from audit.models import AuditEvent
from common.db import in_db
from common.vault import decrypt
from connectors.models import Credential
from connectors.pipeline import call_tool
from connectors.providers.salesforce.credentials import LOGIN, TEST, Credentials, Settings
from connectors.services import credential_set
from connectors.services.tokens import KIND, PURPOSE
from connectors.upstream.tokens import memory
from portico.admin.model_form import model_fields
from tests.doubles.faults import Fault, Status, Unavailable
from tests.factories import SYSTEM
from tests.providers.salesforce.conftest import APP, PASSWORD, SESSION

QUERY = "SELECT Id, Name FROM Account"
CLIENT = {"method": "client_credentials", **APP}
REFRESH = {"method": "refresh_token", "refresh_token": "sandbox-refresh-token", **APP}


@pytest.fixture(scope="module")
def keys():
    """An app's certificate: its private and its public key in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@pytest.mark.parametrize("way", ["client_credentials", "refresh_token", "password", "soap", "jwt_bearer"])
async def test_each_way_of_signing_in_gives_a_session_and_the_next_one_when_it_ends(
    org_with, salesforce, keys, way
):
    private, salesforce.certificate = keys
    credential = {
        "client_credentials": CLIENT,
        "refresh_token": REFRESH,
        "password": {**PASSWORD, **APP},
        "soap": PASSWORD,
        "jwt_bearer": {
            "method": "jwt_bearer", "client_id": APP["client_id"], "username": "ada@example.com", "private_key": private,
        },
    }[way]  # fmt: skip
    org = await org_with(credential)
    assert (await org.get("query", query=QUERY))["count"] == 2
    assert (await org.get("query", query=QUERY))["count"] == 2
    signed_in = "soapLogin" if way == "soap" else "token"
    assert org.asked.count(signed_in) == 1
    salesforce.end_sessions()
    assert (await org.get("query", query=QUERY))["count"] == 2
    assert org.asked.count(signed_in) == 2
    memory.forget(org.connection.pk)  # as another process would find it
    assert (await org.get("query", query=QUERY))["count"] == 2
    assert org.asked.count(signed_in) == 2


WAYS = {"refresh_token": REFRESH, "client_credentials": CLIENT, "soap": PASSWORD}


@pytest.mark.parametrize("way", ["refresh_token", "client_credentials", "soap"])
async def test_fifty_calls_whose_session_has_ended_get_one_new_session_and_none_fails(
    org_with, salesforce, way
):
    org = await org_with(WAYS[way])
    salesforce.rotates = True
    await org.get("query", query=QUERY)
    salesforce.end_sessions()
    await asyncio.gather(*(org.get("query", query=QUERY) for _ in range(50)))
    signed_in = "soapLogin" if way == "soap" else "token"
    assert org.asked.count(signed_in) == 2
    salesforce.end_sessions()  # a rotated refresh token is the one that is used next
    await org.get("query", query=QUERY)
    assert org.asked.count(signed_in) == 3


async def test_a_rotated_refresh_token_is_stored_before_the_session_that_came_with_it_is_used(
    org_with, salesforce
):
    org = await org_with(REFRESH)
    salesforce.rotates = True
    tenant, seen = org.connection.tenant, []

    def stored():
        row = Credential.objects.for_tenant(tenant).get(connection=org.connection, kind=KIND)
        return json.loads(decrypt(tenant, row.pk, PURPOSE, row.ciphertext))

    class Look(Fault):
        kind = "look_into_the_database"

        async def happen(self, blow):
            kept = await in_db(stored)
            session = blow.request.headers["authorization"]
            seen.append(
                (session, session == f"Bearer {kept['value']}" and kept["refresh"] == salesforce.refresh)
            )
            await blow.line.answer(blow.work())

    salesforce.faults.add(Look(), path="query", times=None)
    await org.get("query", query=QUERY)
    salesforce.end_sessions()
    await org.get("query", query=QUERY)  # sent with what has ended, and then with what is new
    sessions = [session for session, _ in seen]
    assert len(sessions) == 3 and sessions[0] == sessions[1] != sessions[2]
    assert all(stored_first for _, stored_first in seen)
    assert salesforce.refresh != "sandbox-refresh-token"


async def test_who_we_are_is_known_also_where_the_apps_scopes_hide_it(org_with, salesforce):
    org = await org_with(CLIENT)
    for status in (403, 404):
        salesforce.faults.add(Unavailable(status=status), path="userinfo")
        check = await org.check()
        assert check.ok and "as Ada Lovelace." in check.message
        assert check.details["organization_id"] == "00D000000000001AAA"
        assert check.details["user_id"] == "005000000000001AAA"
    salesforce.faults.add(Unavailable(status=403), path="userinfo")
    salesforce.faults.add(Status(404), path="getRecord")
    assert "as 005000000000001AAA." in (await org.check()).message
    salesforce.end_sessions()  # userinfo says 403 of it, all else 401
    salesforce.faults.add(Unavailable(status=403), path="userinfo")
    assert (await org.get("connection_info"))["name"] == "Ada Lovelace"


def test_the_form_says_until_when_the_password_way_works():
    fields = model_fields(Credentials, "credential", {})
    assert next(iter(fields)) == "credential_method"
    for name in ("credential_method", "credential_password"):
        assert "Summer '27 (June 2027)" in str(fields[name].help_text), name
    assert fields["credential_method"].initial == "client_credentials"


async def test_a_pasted_session_that_has_ended_is_not_renewed(org, salesforce):
    salesforce.end_sessions()
    error = await org.fail("query", query=QUERY)
    assert (error["type"], error["code"]) == ("authentication", "INVALID_SESSION_ID")
    assert "client_credentials" in error["hint"]


@pytest.mark.parametrize(
    ("credential", "hint"),
    [
        ({**CLIENT, "client_secret": "wrong-secret-text"}, "Client Credentials Flow"),
        ({**CLIENT, "client_id": "wrong-id-text"}, "Client Credentials Flow"),
        ({**REFRESH, "refresh_token": "wrong-refresh-text"}, "new refresh token"),
        ({**PASSWORD, **APP, "password": "wrong-password-text"}, "security token"),
        ({**PASSWORD, "password": "wrong-password-text"}, "Summer '27"),
        ({"method": "jwt_bearer", "client_id": "sandbox-client-id", "username": "a@b.c", "private_key": "wrong-key-text"}, "PRIVATE KEY"),
    ],
)  # fmt: skip
async def test_a_refused_credential_is_an_error_that_says_where_to_look_and_no_secret(
    org_with, credential, hint, caplog
):
    org = await org_with(credential)
    with caplog.at_level(logging.DEBUG):
        error = await org.fail("query", query=QUERY)
        check = await org.check()
    assert error["type"] == "authentication" and hint in error["hint"], error
    assert not check.ok and check.details["hint"]
    said = json.dumps(error) + json.dumps(dict(check.details)) + check.message + caplog.text
    secrets = [value for name, value in credential.items() if name not in ("method", "client_id", "username")]
    assert not [secret for secret in secrets if secret in said]


async def test_the_test_says_who_and_what_is_left_and_until_when_this_works(org_with):
    org = await org_with(PASSWORD, objects=["Account"])
    check = await org.check()
    assert check.ok and "Ada Lovelace" in check.message and "Summer '27" in check.message
    assert "of 15,000 requests are left" in check.message
    assert "salesforce_query_leads" in check.details["hidden_tools"]
    assert "salesforce_query_accounts" not in check.details["hidden_tools"]
    told = json.dumps(dict(check.details), default=str)
    assert "sandbox-password" not in told and "00D000000000001!" not in told
    assert "hidden_tools" not in (await (await org_with(CLIENT)).check()).details


async def test_no_secret_is_stored_in_the_clear_nor_audited(org_with, salesforce):
    org = await org_with({**PASSWORD, **APP})
    await org.get("create_record", sobject_type="Account", data={"Name": "x"})

    def stored():
        rows = [bytes(row.ciphertext) for row in Credential.objects.for_tenant(org.connection.tenant)]
        events = [str(vars(row)) for row in AuditEvent.objects.for_tenant(org.connection.tenant)]
        return rows, "".join(events)

    rows, events = await in_db(stored)
    for secret in ("sandbox-password", "sandbox-client-secret", "00D000000000001!"):
        assert secret not in events and not any(secret.encode() in row for row in rows)
    assert "sandbox-password" not in repr(Credentials(**PASSWORD))


async def test_two_tenants_have_sessions_and_lists_of_their_own(org_with, salesforce):
    one, other = await org_with(CLIENT), await org_with(CLIENT, objects=["Contact"])
    page = await one.get("query", query=QUERY, limit=1)
    await other.get("query", query="SELECT Id FROM Contact")
    assert one.asked.count("token") == 2
    assert (await other.fail("query", query=QUERY))["code"] == "object_not_allowed"
    foreign = await other.fail("query", query="SELECT Id FROM Contact", cursor=page["next_cursor"])
    assert foreign["code"] == "bad_cursor"
    unknown = await call_tool(
        one.caller, "salesforce_get_record", {"sobject_type": "Account", "record_id": "x" * 15}
    )
    assert unknown.is_error


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "client_id and client_secret"),
        ({"client_id": "x"}, "needs client_secret"),
        ({"method": "jwt_bearer", "client_id": "x", "username": "y"}, "private_key"),
        ({"method": "refresh_token", "client_id": "x"}, "refresh_token"),
        ({"method": "access_token"}, "access_token"),
        ({"method": "password", "username": "x"}, "password"),
        ({**PASSWORD, "client_id": "x"}, "client_secret"),
    ],
)
def test_a_credential_names_the_field_that_its_method_lacks(values, said):
    with pytest.raises(ValidationError, match=said):
        Credentials(**values)


@pytest.mark.parametrize(
    ("url", "kept", "audience"),
    [
        ("acme.my.salesforce.com/", "https://acme.my.salesforce.com", LOGIN),
        ("https://acme.lightning.force.com/lightning/page/home", "https://acme.my.salesforce.com", LOGIN),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://acme--dev.sandbox.my.salesforce.com", TEST),
        ("test.salesforce.com", "https://test.salesforce.com", TEST),
    ],
)
def test_an_address_is_taken_as_people_copy_it(url, kept, audience):
    settings = Settings(url=url)
    assert (settings.url, settings.audience) == (kept, audience)


@pytest.mark.parametrize("url", ["ftp://acme.example.com", "https://user:word@acme.example.com", "https://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValidationError):
        Settings(url=url)


@pytest.mark.parametrize("credential", [CLIENT, SESSION])
async def test_an_address_for_signing_in_alone_is_not_enough_for_some_ways(org_with, credential):
    org = await org_with(credential, url=LOGIN)
    assert (await org.fail("query", query=QUERY))["code"] == "my_domain_needed"


async def test_a_refresh_token_that_is_stored_anew_is_used_instead_of_the_one_that_was_rotated(
    org_with, salesforce
):
    org = await org_with(REFRESH)
    salesforce.rotates = True
    await org.get("query", query=QUERY)
    salesforce.refresh = "sandbox-refresh-token-of-a-new-sign-in"  # which ends the former one
    salesforce.end_sessions()
    assert (await org.fail("query", query=QUERY))["type"] == "authentication"
    new = {**REFRESH, "refresh_token": salesforce.refresh}
    await in_db(lambda: credential_set(connection=org.connection, values=new, actor=SYSTEM))
    assert (await org.get("query", query=QUERY))["count"] == 2
    salesforce.end_sessions()
    assert (await org.get("query", query=QUERY))["count"] == 2  # by the one that came with it
