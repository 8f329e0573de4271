"""Settings that a connector refuses: sentences for who fills in a form, also where pydantic speaks of patterns."""

import pytest

from connectors.services import connection_create
from tenants.errors import InvalidValue
from tests.factories import SYSTEM, make_connection, make_tenant

SITE = {"site": "https://acme.atlassian.net"}


@pytest.mark.parametrize(
    ("connector", "settings", "field", "words"),
    [
        ("jira", {}, "settings.site", "site: This is needed."),
        ("jira", {**SITE, "default_project": "9X"}, "settings.default_project", "not written as it must be"),
        ("jira", {**SITE, "projects": ["A", "B C"]}, "settings.projects.1", "not written as it must be"),
        (
            "jira",
            {**SITE, "projects": ["A"], "default_project": "B"},
            "settings.",
            "not among the allowed ones",
        ),
        ("salesforce", {"api_version": "12"}, "settings.api_version", "must be, such as 66.0."),
    ],
    ids=["missing", "key", "keys", "default", "version"],
)
def test_what_is_wrong_with_settings_is_said_in_words(connector, settings, field, words):
    with pytest.raises(InvalidValue) as refused:
        connection_create(
            tenant=make_tenant(), connector=connector, slug="x1", settings=settings, actor=SYSTEM
        )
    assert words in str(refused.value)
    assert refused.value.field == field


def test_keys_of_jiras_projects_may_be_written_as_they_come():
    settings = {**SITE, "projects": ["proj", "PROJ ", "ops"], "default_project": "ops"}
    row = make_connection(make_tenant(), "jira", settings=settings)
    assert (row.settings["projects"], row.settings["default_project"]) == (["PROJ", "OPS"], "OPS")
    row = make_connection(make_tenant(), "jira", settings={**SITE, "default_project": ""})
    assert row.settings["default_project"] is None
