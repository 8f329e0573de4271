"""The credential's part of a connection's form: ways to sign in, what each of them needs, keys of many lines."""

from typing import Any

import pytest

from connectors.models import Connection, Credential
from connectors.services import credential_set
from connectors.services.credentials import credential_has
from tests.admin.conftest import sign_in, url
from tests.admin.test_connections import fields
from tests.factories import SYSTEM, make_connection, make_member, make_tenant

METHODS = {
    "jira": "api_token",
    "confluence": "api_token",
    "github": "app",
    "salesforce": "client_credentials",
}
PAT = {"method": "personal_access_token", "token": "a-Planted-Pat", "expires_at": "2031-05-04"}
SITE = {"site": "https://jira.acme.test"}
KEY = "-----BEGIN PRIVATE KEY-----\r\nUGxhbnRlZA==\r\n-----END PRIVATE KEY-----\r\n"


def adding(connector: str, **values: str) -> Any:
    """The answer to a new connection's form with these values."""
    client = sign_in(make_member(make_tenant(), "admin").user)
    page = url("connectors_connection_add") + f"?connector={connector}"
    usual = {"slug": connector, "credential_mode": "shared", "credential_method": METHODS[connector]}
    return client.post(page, {**usual, **values})


def test_saving_a_form_that_nobody_touched_keeps_the_way_to_sign_in() -> None:
    tenant = make_tenant()
    row = make_connection(tenant, "jira", settings=SITE, credential=PAT)
    client = sign_in(make_member(tenant, "admin").user)
    page = url("connectors_connection_change", row.pk)
    untouched = fields(client, page)
    assert untouched["credential_method"] == "personal_access_token"
    assert untouched["credential_expires_at"] == "2031-05-04"
    assert "a-Planted-Pat" not in str(untouched)
    for values in (untouched, {**untouched, "name": "Our Jira"}):
        assert client.post(page, values).status_code == 302
        assert credential_has(row, PAT)
        assert Credential.objects.for_tenant(tenant).get(connection=row).version == 1
    assert client.post(page, {**untouched, "credential_token": "another"}).status_code == 302
    assert credential_has(row, {**PAT, "token": "another"})


def test_another_way_to_sign_in_is_taken_where_it_was_chosen() -> None:
    tenant = make_tenant()
    row = make_connection(tenant, "jira", settings=SITE, credential=PAT)
    client = sign_in(make_member(tenant, "admin").user)
    page = url("connectors_connection_change", row.pk)
    assert client.post(page, {**fields(client, page), "credential_method": "bearer"}).status_code == 302
    assert credential_has(row, {**PAT, "method": "bearer"})


def test_a_members_own_account_keeps_its_way_to_sign_in() -> None:
    tenant = make_tenant()
    member = make_member(tenant, "operator")
    row = make_connection(tenant, "jira", settings=SITE, credential_mode="principal")
    credential_set(connection=row, values=PAT, principal=member, actor=SYSTEM)
    client, page = sign_in(member.user), url("connectors_connection_mine", row.pk)
    assert client.post(page, {**fields(client, page), "credential_token": "another"}).status_code == 302
    assert credential_has(row, {**PAT, "token": "another"}, member)


@pytest.mark.parametrize("connector", ["jira", "github"])
def test_a_connection_of_personal_accounts_is_made_without_a_credential(connector: str) -> None:
    site = {"settings_site": "https://acme.atlassian.net"} if connector in ("jira", "confluence") else {}
    answer = adding(connector, credential_mode="principal", **site)
    assert answer.status_code == 302, answer.context["form"].errors
    row = Connection.unscoped.get(pk=answer["Location"].rstrip("/").split("/")[-2])
    assert not Credential.objects.for_tenant(row.tenant_id).filter(connection=row).exists()


@pytest.mark.parametrize(
    ("connector", "values", "field"),
    [
        ("jira", {"credential_token": "ATATTx"}, "credential_email"),
        ("jira", {"credential_email": "ann@acme.test"}, "credential_token"),
        ("salesforce", {"credential_method": "password", "credential_password": "p"}, "credential_username"),
        ("salesforce", {}, "credential_client_id"),
        ("github", {"credential_app_id": "1", "credential_installation_id": "2"}, "credential_private_key"),
    ],
    ids=["email", "token", "username", "client", "app"],
)
def test_what_a_way_to_sign_in_lacks_is_said_at_its_field(
    connector: str, values: dict[str, str], field: str
) -> None:
    site = {"settings_site": "https://acme.atlassian.net"} if connector in ("jira", "confluence") else {}
    answer = adding(connector, **site, **values)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_a_private_key_keeps_its_lines_and_is_not_sent_back() -> None:
    refused = adding("salesforce", credential_private_key=KEY, slug="x!")
    assert refused.status_code == 422
    assert '<textarea name="credential_private_key"' in refused.content.decode()
    labels = [
        refused.context["form"][name].label
        for name in ("settings_url", "settings_api_version", "credential_client_id")
    ]
    assert labels == ["URL", "API version", "Client ID"]  # spelled as people do
    assert "UGxhbnRlZA" not in refused.content.decode()
    kept = refused.context["form"].cleaned_data["credential_private_key"]
    assert kept.splitlines() == KEY.splitlines()


def test_what_is_lacking_is_called_by_its_label_and_a_date_has_the_browsers_picker() -> None:
    answer = adding("github", credential_app_id="1")
    said = answer.context["form"].errors["credential_installation_id"]
    assert said == ["The method app also needs “App: installation id” and “App: private key”."]
    answer = adding("jira", settings_site="https://acme.atlassian.net", credential_expires_at="soon")
    assert "valid date" in str(answer.context["form"].errors["credential_expires_at"])
    assert 'type="date" name="credential_expires_at"' in answer.content.decode().replace("\n", " ")
