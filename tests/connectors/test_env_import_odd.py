"""Environment files as people have them: messy, of any shell, with samples and names of other systems."""

from io import StringIO

import pytest
from django.core.management import call_command

from connectors.env_file import is_reference, is_sample
from connectors.models import Connection
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


MESSY = (
    "\ufeff# of my old servers\r\n"
    f'export JIRA_HOST="acme.atlassian.net"   # our site\r\n'
    "  JIRA_BASE_URL = 'https://acme.atlassian.net/'\r\n"
    "JIRA_URL=https://other.atlassian.net\r\n"
    "set jira_email=ann@acme.test\r\n"
    "JIRA_USERNAME=bob@acme.test\r\n"
    f"JIRA_API_TOKEN=old-{SECRET}\r\n"
    f'JIRA_API_TOKEN="{SECRET}" # rotated\r\n'
    "JIRA_PROJECT_KEY=proj\r\n"
    "JIRA_RATE_LIMIT_DELAY=500\r\n"
    "\r\n"
    f"GITHUB_PERSONAL_ACCESS_TOKEN='ghp_{SECRET}'\r\n"
    "GITHUB_DEFAULT_BRANCH=main\r\n"
    f"OPENAI_API_KEY=sk-{SECRET}\r\n"
    f"just words {SECRET}\r\n"
    f'NEVER_CLOSED="{SECRET}\r\n'
    "LOG_LEVEL=debug\r\n"
)


@needs("jira", "github")
def test_a_messy_file_is_read_as_its_author_meant_it_and_twice_makes_nothing_twice(tmp_path):
    tenant, path = make_tenant(), tmp_path / "messy.env"
    path.write_bytes(MESSY.encode())

    def run() -> list[str]:
        out = StringIO()
        call_command("import_env", str(path), "--tenant", tenant.slug, stdout=out, no_color=True)
        return out.getvalue().splitlines()

    said = run()
    assert SECRET not in "\n".join(said)
    assert {"jira: created", "github: created"} < set(said)
    assert {
        "  left JIRA_BASE_URL: JIRA_HOST says it already",
        "  left JIRA_URL: differs from JIRA_HOST, which counts",
        "  left JIRA_USERNAME: differs from jira_email, which counts",
        "  OPENAI_API_KEY: of none of these systems",
        "  LOG_LEVEL: of none of these systems",
        "Twice in the file, the last one counts: JIRA_API_TOKEN",
        "No assignments: line 15, 16",
    } < set(said)
    row = connection_of(tenant, "jira")
    assert row.settings["site"] == "https://acme.atlassian.net" and row.settings["default_project"] == "PROJ"
    assert row.network == {"min_interval_ms": 500}
    assert stored(row) == {"method": "api_token", "email": "ann@acme.test", "token": SECRET}
    assert connection_of(tenant, "github").settings["default_branch"] == "main"
    again = run()
    assert {"jira: as it was", "github: as it was"} < set(again)
    assert Connection.objects.for_tenant(tenant).count() == 2


@needs("jira")
def test_a_refusal_names_the_field_whole_and_says_that_nothing_was_taken(imported):
    said, refused = imported(
        make_tenant(), JIRA.replace("=PROJ", "=proj") + "JIRA_PROJECTS=proj ect\nA=proj\n"
    )
    assert refused and "jira: refused" in said and "projects" in said
    assert "  read JIRA_HOST as site" in said and "took" not in said


@needs("jira")
@pytest.mark.parametrize(
    "lines",
    [
        "JIRA_URL=https://jira.acme.test/jira\nJIRA_API_TOKEN=abc123\n",
        "JIRA_URL=https://jira.acme.test/jira\nJIRA_USERNAME=ann\nJIRA_API_TOKEN=other\nJIRA_PERSONAL_TOKEN=abc123\n",
        "JIRA_URL=https://jira.acme.test/jira\nJIRA_PERSONAL_TOKEN=abc123\nATLASSIAN_EMAIL=ann@acme.test\n"
        f"ATLASSIAN_API_TOKEN={SECRET}\n",
    ],
    ids=["called_api_token", "beside_an_api_token", "beside_a_token_of_the_cloud"],
)
def test_a_site_of_ones_own_is_never_sent_a_token_of_the_cloud(imported, lines):
    tenant = make_tenant()
    imported(tenant, lines)
    assert stored(connection_of(tenant, "jira")) == {"method": "personal_access_token", "token": "abc123"}


@needs("jira")
def test_a_token_of_the_cloud_that_is_called_a_password_is_one_all_the_same(imported):
    tenant = make_tenant()
    imported(
        tenant, f"JIRA_URL=https://acme.atlassian.net\nJIRA_USER=ann@acme.test\nJIRA_PASSWORD={SECRET}\n"
    )
    assert stored(connection_of(tenant, "jira"))["method"] == "api_token"


@needs("jira", "confluence")
def test_names_of_both_products_make_no_connection_that_nobody_asked_for(imported):
    tenant = make_tenant()
    said, refused = imported(
        tenant,
        "JIRA_URL=https://acme.atlassian.net\nATLASSIAN_EMAIL=ann@acme.test\n"
        f"ATLASSIAN_API_TOKEN={SECRET}\nREAD_ONLY_MODE=true\n",
    )
    assert not refused and "jira: created" in said and "confluence" not in said


@needs("jira", "confluence")
def test_what_a_shell_would_have_to_expand_is_left_and_never_taken_as_it_stands(imported):
    tenant = make_tenant()
    said, refused = imported(
        tenant,
        JIRA + "CONFLUENCE_URL=${JIRA_HOST}/wiki\nCONFLUENCE_USERNAME=$JIRA_USERNAME\n"
        "CONFLUENCE_API_TOKEN=$(cat /run/secrets/token)\n",
    )
    assert refused and "jira: created" in said and "confluence: refused" in said
    assert said.count("refers to something else; write the value itself") == 3
    assert not Connection.objects.for_tenant(tenant).filter(slug="confluence").exists()


@pytest.mark.parametrize(
    "value",
    [
        "your.email@example.com", "you@company.com", "https://<your-site>.atlassian.net/wiki", "YOUR_TOKEN",
        "https://yourInstance.my.salesforce.com", "https://yourcompany.atlassian.net", "ghp_xxxxxxxxxxxx", "ATATT3x...",
        "https://your-domain.atlassian.net", "ATATT3xFfGF0xxxxxxxx", "changeme", "company.atlassian.net",
    ],
)  # fmt: skip
def test_a_samples_value_is_known(value):
    assert is_sample(value)


@pytest.mark.parametrize(
    "value",
    [
        "ada@example.com", "p<a>ss", "https://yourkit.atlassian.net", "ATATT3xFfGF0xyz", "$ecret", "a$b{c}",
        "https://acme.my.salesforce.com", "hereandthere", "me@acme.test", "yourself",
    ],
)  # fmt: skip
def test_a_value_of_ones_own_is_none_of_a_sample(value):
    assert not is_sample(value) and not is_reference(value)


@needs("jira", "github")
def test_a_token_is_never_taken_for_what_is_no_secret(imported):
    tenant = make_tenant()
    said, _ = imported(
        tenant, JIRA.replace("=PROJ", f"={SECRET}") + "GITHUB_TOKEN=ghp_a\nGITHUB_DEFAULT_BRANCH=ghp_a\n"
    )
    assert said.count("a token, and this is not kept as a secret") == 2
    assert connection_of(tenant, "jira").settings["default_project"] is None
    assert connection_of(tenant, "github").settings["default_branch"] == ""


@needs("github")
def test_repositories_may_be_written_as_their_addresses(imported):
    tenant = make_tenant()
    imported(
        tenant,
        "GITHUB_TOKEN=ghp_a\n"
        "GITHUB_REPOS=acme/web, https://github.com/acme/api.git,git@github.com:acme/lib.git\n",
    )
    assert connection_of(tenant, "github").settings["repositories"] == ["acme/web", "acme/api", "acme/lib"]


@needs("github")
def test_what_a_way_to_sign_in_needs_not_is_left(imported):
    tenant = make_tenant()
    said, _ = imported(tenant, "GITHUB_TOKEN=ghp_a\nGITHUB_APP_ID=12\nGITHUB_APP_PRIVATE_KEY=key\n")
    assert stored(connection_of(tenant, "github")) == {"method": "classic", "token": "ghp_a"}
    assert "left GITHUB_APP_PRIVATE_KEY: classic needs none" in said


@needs("salesforce")
def test_salesforces_connection_type_says_how_to_sign_in_and_its_end_is_told(imported):
    both = (
        "SALESFORCE_CLIENT_ID=c\nSALESFORCE_CLIENT_SECRET=s\nSALESFORCE_INSTANCE_URL=https://acme.my.salesforce.com\n"
        "SALESFORCE_USERNAME=ann@acme.test\nSALESFORCE_PASSWORD=left-over\n"
    )
    tenant = make_tenant()
    said, _ = imported(tenant, both + "SALESFORCE_CONNECTION_TYPE=OAuth_2.0_Client_Credentials\n")
    row = connection_of(tenant, "salesforce")
    assert stored(row) == {"method": "client_credentials", "client_id": "c", "client_secret": "s"}
    assert "took SALESFORCE_CONNECTION_TYPE as method" in said and "SALESFORCE_PASSWORD: client_cred" in said
    tenant = make_tenant()
    said, _ = imported(tenant, "SF_USERNAME=ann@acme.test\nSF_PASSWORD=p\nSF_SECURITY_TOKEN=t\n")
    assert "warning: " in said and "2027" in said


@needs("jira")
def test_a_name_without_a_secret_changes_nothing_of_a_stored_credential(imported):
    tenant = make_tenant()
    imported(tenant, "JIRA_URL=https://jira.acme.test\nJIRA_PERSONAL_TOKEN=abc123\n")
    said, refused = imported(tenant, "JIRA_USERNAME=ann\nJIRA_PROJECT_KEY=PROJ\n")
    assert not refused and "left JIRA_USERNAME: no secret with it; the stored credential stays" in said
    row = connection_of(tenant, "jira")
    assert row.settings["default_project"] == "PROJ"
    assert stored(row) == {"method": "personal_access_token", "token": "abc123"}


@needs("jira")
def test_a_rehearsal_refuses_what_the_import_would_refuse(imported):
    tenant = make_tenant()
    for options in (("--dry-run",), ()):
        said, refused = imported(tenant, JIRA, "--slug", "jira=team-jira", *options)
        assert refused and "jira team-jira: refused" in said and "read JIRA_HOST as site" in said
    make_connection(tenant, "goals", "goals")
    said, refused = imported(tenant, JIRA, "--dry-run")
    assert not refused and not Connection.objects.for_tenant(tenant).filter(slug="jira").exists()


@needs("jira")
@pytest.mark.parametrize(
    "text",
    [
        JIRA.replace("\n", "\r\n").encode("utf-16"),
        JIRA.replace("\nJIRA", "\r\nSET JIRA").encode(),
        "".join(f'set "{line}"\r\n' for line in JIRA.split()).encode(),
        JIRA.replace("\nJIRA", "\n$env:JIRA").encode(),
        "".join(f"export {line} # ours\n" for line in JIRA.split()).encode(),
        "".join("{} = '{}'\n".format(*line.split("=")) for line in JIRA.split()).encode(),
    ],
    ids=["utf16", "cmd", "cmd_quoted", "powershell", "comments", "spaces"],
)
def test_a_file_of_any_shell_means_the_same(imported, text):
    tenant = make_tenant()
    said, refused = imported(tenant, text)
    assert not refused, said
    row = connection_of(tenant, "jira")
    assert row.settings["default_project"] == "PROJ" and row.network == {"min_interval_ms": 500}
    assert stored(row) == {"method": "api_token", "email": "ann@acme.test", "token": SECRET}
