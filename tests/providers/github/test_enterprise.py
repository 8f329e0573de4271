"""GitHub Enterprise Server, and GitHub with data residency."""

import pytest

from connectors.providers.github.settings import GitHubSettings
from connectors.services import connection_check
from tests.providers.github.conftest import REPO


@pytest.mark.parametrize(
    ("written", "read"),
    [("https://ghe.example.com", "https://ghe.example.com/api/v3"),
     ("https://ghe.example.com:8443/", "https://ghe.example.com:8443/api/v3"),
     ("https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3"),
     ("https://acme.ghe.com", "https://api.acme.ghe.com"), ("https://api.acme.ghe.com", "https://api.acme.ghe.com"),
     ("https://api.github.com/", "https://api.github.com"), ("https://www.github.com", "https://api.github.com"),
     ("http://127.0.0.1:8000", "http://127.0.0.1:8000")],
    ids=range(8),
)  # fmt: skip
def test_the_address_where_people_sign_in_becomes_that_of_the_api(written, read):
    assert GitHubSettings(url=written).url == read


async def test_an_enterprise_server_is_tested_and_paged_and_its_limits_may_be_off(open_desk, github):
    github.unlimited = True
    desk = await open_desk(url=f"{github.url}/api/v3")
    told = await connection_check(desk.connection)
    assert told.ok
    assert told.details["enterprise_version"] == "enterprise-server@3.20.0"
    assert "limits" not in told.details and "requests are left" not in told.message
    first = await desk("github_list_repositories", limit=1)
    rest = await desk("github_list_repositories", limit=1, cursor=first["next_cursor"])
    assert [row["repo"] for row in first["items"] + rest["items"]] == [REPO, "octo/secrets.io"]
    made = await desk(
        "github_create_or_update_file", repo=REPO, file_path="x", content="x", commit_message="x"
    )
    assert made["created"]


async def test_an_app_signs_in_at_an_enterprise_server(open_desk, github, app):
    desk = await open_desk(url=f"{github.url}/api/v3", credential=app)
    told = await connection_check(desk.connection)
    assert (told.details["login"], told.details["repositories_seen"]) == ("portico-bot[bot]", 2)
    assert {request.base_url for request in github.requests} == {f"{github.url}/api/v3"}
