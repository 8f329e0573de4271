"""A token of a form that nobody knows is told to the admin, and taken: vendors change their tokens."""

from typing import Any

import pytest

from connectors.models import Connection
from connectors.services.credentials import credential_has
from tests.admin.conftest import sign_in, url
from tests.factories import make_member, make_tenant

ODD = "an-odd-Token-of-nobody-7f"
SITE = {"settings_site": "https://acme.atlassian.net"}
ATLASSIAN = {**SITE, "credential_method": "api_token", "credential_email": "ann@acme.test"}
CASES: dict[str, tuple[dict[str, str], str, str, str]] = {
    "jira": (ATLASSIAN, "token", "they begin with ATATT", "ATATT3xFfGF0aaaaaaaaaaaaaaaaaaaaaaaa"),
    "confluence": (ATLASSIAN, "token", "they begin with ATATT", "ATATT3xFfGF0aaaaaaaaaaaaaaaaaaaaaaaa"),
    "github": ({"credential_method": "fine_grained"}, "token", "does not begin with github_pat_", "github_pat_11AAAAAA0"),
    "salesforce": (
        {"settings_url": "https://acme.my.salesforce.com", "credential_method": "access_token"},
        "access_token", "begins with 00D", "00Dxx0000001gPL!AR8AQJXg5oj8jXSgxJfA0lBog",
    ),
}  # fmt: skip


@pytest.mark.parametrize("connector", list(CASES))
def test_a_token_of_an_unknown_form_is_stored_with_a_warning_in_the_form(connector: str) -> None:
    values, field, words, usual = CASES[connector]
    tenant = make_tenant()
    client = sign_in(make_member(tenant, "admin").user)

    def saved(page: str, token: str) -> str:
        body = {
            "name": "The system", "slug": connector, "enabled": "on", "credential_mode": "shared",
            "probe_minutes": "0", **values, f"credential_{field}": token,
        }  # fmt: skip
        answer = client.post(page, {**defaults(client, page), **body}, follow=True)
        assert answer.status_code == 200 and answer.redirect_chain, answer.context["form"].errors
        return str(answer.content.decode())

    text = saved(url("connectors_connection_add") + f"?connector={connector}", ODD)
    row = Connection.objects.for_tenant(tenant).get(slug=connector)
    assert words in text and ODD not in text
    assert credential_has(row, {field: ODD})

    again = saved(url("connectors_connection_change", row.pk), usual)
    assert words not in again and usual not in again
    assert credential_has(row, {field: usual})


def defaults(client: Any, page: str) -> dict[str, str]:
    """What a browser would send back if nobody touched the form."""
    found = {}
    for bound in client.get(page).context["form"]:
        value = bound.value()
        if value not in (None, False, ""):
            found[bound.html_name] = "on" if value is True else str(bound.field.prepare_value(value))
    return found
