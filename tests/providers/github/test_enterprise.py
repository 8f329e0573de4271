"""GitHub Enterprise Server, and GitHub with data residency."""

import pytest

from connectors.providers.github.settings import GitHubSettings, uploads_of
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


@pytest.mark.parametrize(
    ("api", "uploads"),
    [("https://api.github.com", "https://uploads.github.com"),
     ("https://api.acme.ghe.com", "https://uploads.acme.ghe.com"),
     ("https://ghe.example.com/api/v3", "https://ghe.example.com/api/uploads"),
     ("https://api.example.com", "https://api.example.com")],
    ids=range(4),
)  # fmt: skip
def test_files_go_to_the_host_that_belongs_to_the_api(api, uploads):
    assert uploads_of(api) == uploads


async def test_an_enterprise_server_takes_files_beside_its_api(open_desk, github):
    desk = await open_desk(url=f"{github.url}/api/v3")
    github.make_release(REPO, "v1")
    file = {"repo": REPO, "tag": "v1", "filename": "notes.txt", "text": "new"}
    assert (await desk("github_upload_release_asset", **file))["state"] == "uploaded"
    sent = github.requests[-1]
    assert (sent.base_url, sent.body) == (f"{github.url}/api/uploads", b"new")


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
