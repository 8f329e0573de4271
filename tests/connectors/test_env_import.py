"""Environment files become connections: spellings, ways to sign in, what is taken and left."""

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from connectors.connection_settings import NetworkSettings
from connectors.env_names import TABLES
from connectors.models import Connection
from connectors.registry import BUILT_IN, connector_class
from tests.connectors.env_imported import (
    JIRA,
    SECRET,
    connection_of,
    imported,
    needs,
    stored,
)
from tests.factories import make_connection, make_tenant

__all__ = ["imported"]  # fixture


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.connector)
def test_every_row_names_a_field_that_there_is_and_no_name_means_two_things(table):
    names = [name for row in table.rows for name in row.names]
    assert len(names) == len(set(names))
    if table.connector not in BUILT_IN:
        pytest.skip(f"no connector {table.connector} in this build")
    cls = connector_class(table.connector)
    for row in table.rows:
        where, _, field = row.field.partition(".")
        if where == "settings":
            assert field in cls.Settings.model_fields, row.field
        elif where == "network":
            assert field in NetworkSettings.model_fields, row.field


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.connector)
def test_every_name_is_on_the_page_about_it(table):
    page = (settings.ROOT / "docs" / "import-env.md").read_text()
    assert [name for row in table.rows for name in row.names if f"`{name}`" not in page] == []


@needs("jira")
def test_a_file_becomes_a_connection_and_says_by_name_what_it_took_and_left(imported):
    tenant = make_tenant()
    said, refused = imported(
        tenant, JIRA + "JIRA_BOARD_ID=7\nDATABASE_URL=postgres://u:pw@db/x\nJIRA_URL=https://b\n"
    )
    assert not refused
    row = connection_of(tenant, "jira")
    assert row.settings["site"].rstrip("/") == "https://acme.atlassian.net"
    assert row.settings["default_project"] == "PROJ"
    assert row.network == {"min_interval_ms": 500}
    assert stored(row) == {"method": "api_token", "email": "ann@acme.test", "token": SECRET}
    assert "jira: created" in said
    assert "took JIRA_HOST as site" in said and "JIRA_URL: differs from JIRA_HOST, which counts" in said
    assert "JIRA_BOARD_ID: jira has no setting for it" in said
    assert "DATABASE_URL: of none of these systems" in said
    for value in (SECRET, "ann@acme.test", "postgres", "acme.atlassian"):
        assert value not in said


@needs("jira")
@pytest.mark.parametrize("spelling", ["JIRA_HOST", "JIRA_BASE_URL", "JIRA_URL"])
@pytest.mark.parametrize("person", ["JIRA_USERNAME", "JIRA_EMAIL"])
@pytest.mark.parametrize("token", ["JIRA_API_TOKEN", "JIRA_PERSONAL_TOKEN"])
def test_every_spelling_means_the_same_connection(imported, spelling, person, token):
    tenant = make_tenant()
    _, refused = imported(
        tenant, f"{spelling}=acme.atlassian.net\n{person}=ann@acme.test\n{token}={SECRET}\n"
    )
    assert not refused
    row = connection_of(tenant, "jira")
    assert row.settings["site"] == "https://acme.atlassian.net"
    assert stored(row) == {"method": "api_token", "email": "ann@acme.test", "token": SECRET}


@needs("jira")
def test_a_second_run_changes_nothing_and_a_changed_file_updates_the_same_connection(imported):
    tenant = make_tenant()
    imported(tenant, JIRA)
    before = connection_of(tenant, "jira")
    events = AuditEvent.objects.for_tenant(tenant).count()
    said, _ = imported(tenant, JIRA)
    assert "jira: as it was" in said
    assert connection_of(tenant, "jira").version == before.version
    assert AuditEvent.objects.for_tenant(tenant).count() == events

    said, _ = imported(
        tenant, f"JIRA_API_TOKEN={SECRET}-2\nJIRA_EMAIL=ann@acme.test\nJIRA_PROJECT_KEY=OTHER\n"
    )
    assert "jira: updated" in said
    after = connection_of(tenant, "jira")
    assert after.pk == before.pk
    assert after.settings == {**before.settings, "default_project": "OTHER"}
    assert stored(after)["token"] == f"{SECRET}-2"


@needs("jira")
def test_a_rehearsal_says_the_same_and_does_nothing(imported):
    tenant = make_tenant()
    said, _ = imported(tenant, JIRA, "--dry-run")
    assert "jira: would be created" in said
    assert not Connection.objects.for_tenant(tenant).exists()


@needs("jira")
def test_a_token_of_an_unknown_form_is_a_warning_and_taken(imported):
    tenant = make_tenant()
    said, refused = imported(tenant, JIRA.replace(SECRET, "an-odd-token"))
    assert not refused
    assert "warning: JIRA_API_TOKEN does not begin like a token of jira" in said
    assert stored(connection_of(tenant, "jira"))["token"] == "an-odd-token"


@needs("jira")
def test_what_is_missing_refuses_the_connection_by_name_and_keeps_every_value_to_itself(imported):
    tenant = make_tenant()
    said, refused = imported(tenant, f"JIRA_URL=https://acme.atlassian.net\nJIRA_API_TOKEN={SECRET}\n")
    assert refused and "jira: refused" in said and "email" in said
    said, refused = imported(tenant, JIRA.replace("=PROJ", "=Pl4nted-Pass"))  # a secret under a wrong name
    assert refused and "Pl4nted" not in said and "PL4NTED" not in said
    assert not Connection.objects.for_tenant(tenant).exists()


@needs("jira")
def test_samples_empty_values_and_odd_numbers_are_left(imported):
    said, refused = imported(
        make_tenant(),
        "JIRA_URL=https://your-company.atlassian.net\nJIRA_EMAIL=\nJIRA_API_TOKEN=<token>\nJIRA_RATE_LIMIT_DELAY=soon\n",
    )
    assert refused
    assert "JIRA_URL: a sample's value, not yours" in said
    assert "JIRA_EMAIL: empty" in said
    assert "JIRA_RATE_LIMIT_DELAY: not understood: write seconds, such as 0.5" in said


@needs("jira")
def test_of_two_ways_to_sign_in_one_is_taken_and_the_other_left(imported):
    tenant = make_tenant()
    said, _ = imported(tenant, f"{JIRA}JIRA_PERSONAL_TOKEN=other\n")
    assert "left JIRA_PERSONAL_TOKEN: api_token needs none" in said
    assert stored(connection_of(tenant, "jira"))["token"] == SECRET


@needs("jira")
def test_a_personal_token_of_a_data_center_stays_one(imported):
    tenant = make_tenant()
    imported(tenant, "JIRA_URL=https://jira.acme.test\nJIRA_PERSONAL_TOKEN=abc123\n")
    assert stored(connection_of(tenant, "jira")) == {"method": "personal_access_token", "token": "abc123"}


@needs("jira", "confluence")
def test_one_atlassian_account_makes_both_connections(imported):
    tenant = make_tenant()
    _, refused = imported(
        tenant,
        "ATLASSIAN_SITE_NAME=acme\nATLASSIAN_USER_EMAIL=ann@acme.test\n"
        f"ATLASSIAN_API_TOKEN={SECRET}\nCONFLUENCE_URL=https://acme.atlassian.net/wiki\n",
    )
    assert not refused
    for slug in ("jira", "confluence"):
        assert connection_of(tenant, slug).settings["site"] == "https://acme.atlassian.net"
        assert stored(connection_of(tenant, slug))["token"] == SECRET


@needs("salesforce")
def test_a_password_with_its_security_token_is_taken_for_salesforce(imported):
    tenant = make_tenant()
    said, refused = imported(
        tenant,
        "SALESFORCE_USERNAME=ann@acme.test\nSALESFORCE_PASSWORD='p w#1'\nSALESFORCE_SECURITY_TOKEN=tok\n"
        "SALESFORCE_DOMAIN=test\n",
    )
    assert not refused, said
    row = connection_of(tenant, "salesforce")
    assert row.settings["url"] == "https://test.salesforce.com"
    assert stored(row) == {
        "method": "password",
        "username": "ann@acme.test",
        "password": "p w#1",
        "security_token": "tok",
    }


@needs("salesforce")
@pytest.mark.parametrize(
    ("lines", "method"),
    [
        (
            "SF_CLIENT_ID=c\nSF_CLIENT_SECRET=s\nSF_INSTANCE_URL=https://acme.my.salesforce.com",
            "client_credentials",
        ),
        ("SF_CLIENT_ID=c\nSF_REFRESH_TOKEN=r", "refresh_token"),
        ("SF_CLIENT_ID=c\nSF_USERNAME=u\nSF_PRIVATE_KEY='-----BEGIN\nx\n-----END'", "jwt_bearer"),
        ("SALESFORCE_ACCESS_TOKEN=00Dx!y\nSALESFORCE_INSTANCE_URL=acme.my.salesforce.com", "access_token"),
    ],
    ids=["client", "refresh", "jwt", "session"],
)
def test_the_way_to_sign_in_follows_from_what_the_file_has(imported, lines, method):
    tenant = make_tenant()
    said, refused = imported(tenant, lines)
    assert not refused, said
    assert stored(connection_of(tenant, "salesforce"))["method"] == method


@needs("github")
@pytest.mark.parametrize(
    ("token", "method"),
    [("github_pat_11AAA", "fine_grained"), ("ghp_abc", "classic"), ("0123456789abcdef", "classic")],
    ids=["fine", "classic", "unknown"],
)
def test_a_github_token_is_taken_with_its_branch(imported, token, method):
    tenant = make_tenant()
    said, refused = imported(tenant, f"GITHUB_PERSONAL_ACCESS_TOKEN={token}\nGITHUB_DEFAULT_BRANCH=develop\n")
    assert not refused, said
    row = connection_of(tenant, "github")
    assert row.settings["default_branch"] == "develop"
    assert row.settings["url"] == "https://api.github.com"
    assert stored(row) == {"method": method, "token": token}
    assert ("warning" in said) == (method == "classic" and not token.startswith("ghp_"))


@needs("github")
@pytest.mark.parametrize(
    ("name", "value", "url"),
    [
        ("GITHUB_HOST", "https://ghe.acme.test", "https://ghe.acme.test/api/v3"),
        ("GITHUB_HOST", "acme.ghe.com", "https://api.acme.ghe.com"),
        ("GITHUB_HOST", "github.com", "https://api.github.com"),
        ("GITHUB_API_URL", "http://127.0.0.1:8801/github", "http://127.0.0.1:8801/github"),
    ],
    ids=["server", "residency", "public", "verbatim"],
)
def test_the_address_of_an_enterprise_server_is_completed(imported, name, value, url):
    tenant = make_tenant()
    imported(tenant, f"{name}={value}\nGITHUB_TOKEN=ghp_abc\n")
    assert connection_of(tenant, "github").settings["url"] == url


@needs("github")
def test_with_several_connections_one_must_be_named_and_with_one_it_is_meant(imported):
    tenant = make_tenant()
    credential = {"method": "classic", "token": "ghp_old"}
    make_connection(tenant, "github", "code", credential=credential)
    said, _ = imported(tenant, "GITHUB_TOKEN=ghp_new\n")
    assert "github code: updated" in said
    assert stored(connection_of(tenant, "code"))["token"] == "ghp_new"
    make_connection(tenant, "github", "other", credential=credential)
    said, refused = imported(tenant, "GITHUB_TOKEN=ghp_third\n")
    assert refused and "several connections to github: code, other" in said
    said, refused = imported(tenant, "GITHUB_TOKEN=ghp_third\n", "--slug", "github=other")
    assert not refused and stored(connection_of(tenant, "other"))["token"] == "ghp_third"


@needs("github")
def test_another_tenants_connection_is_never_touched(imported):
    mine, theirs = make_tenant(), make_tenant()
    imported(theirs, "GITHUB_TOKEN=ghp_theirs\n")
    before = connection_of(theirs, "github")
    imported(mine, "GITHUB_TOKEN=ghp_mine\n")
    assert connection_of(theirs, "github").version == before.version
    assert stored(connection_of(theirs, "github"))["token"] == "ghp_theirs"


@needs("github")
def test_read_only_is_taken_over(imported):
    tenant = make_tenant()
    imported(tenant, "GITHUB_TOKEN=ghp_abc\nREAD_ONLY_MODE=true\n")
    assert connection_of(tenant, "github").read_only


def test_a_file_that_names_no_system_says_so_and_changes_nothing(imported):
    tenant = make_tenant()
    said, refused = imported(tenant, "READ_ONLY_MODE=true\nPATH=/bin\n")
    assert not refused and "names none of" in said
    assert not Connection.objects.for_tenant(tenant).exists()


def test_a_tenant_or_file_that_is_not_there_is_an_error_in_words(tmp_path):
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        call_command("import_env", "x", "--tenant", "nobody")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_env", str(tmp_path / "none"), "--tenant", make_tenant().slug)
    (tmp_path / "odd").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="no text in UTF-8"):
        call_command("import_env", str(tmp_path / "odd"), "--tenant", make_tenant().slug)
