"""What GitHub has moved: renamed repositories, transferred issues."""

import pytest

from connectors.providers.github.moves import landed_at
from connectors.services import connection_check
from tests.providers.github.conftest import REPO

SECRET = "octo/secrets.io"
API = "https://ghe.example.com/api/v3"


@pytest.mark.parametrize(
    ("url", "landed"),
    [(f"{API}/repositories/7/issues/1?x=/repos/octo/a", "7"), (f"{API}/repos/Octo/A/pulls", "octo/a"),
     ("https://GHE.example.com:443/api/v3/repositories/7", "7"), ("https://ghe.example.com/raw/octo/a", ""),
     ("https://ghe.example.com/api/v3x/repos/octo/a", ""), ("https://files.example.com/logs/1", None),
     (f"{API}/user/repos", "")],
    ids=range(7),
)  # fmt: skip
def test_where_an_answer_comes_from_is_read_however_it_is_written(url, landed):
    assert landed_at(url, API) == landed


@pytest.fixture
def transferred(github) -> None:
    """An issue of the allowed repository went to one that is not allowed."""
    github.make_issue(github.repos[SECRET], "octo", {"title": "Plan", "body": "Classified."})
    github.moved[f"/repos/{REPO}/issues/7"] = f"/repositories/{github.repos[SECRET]['id']}/issues/1"


@pytest.fixture
def renamed(github) -> None:
    github.moved["/repos/octo/old"] = f"/repositories/{github.repos[SECRET]['id']}"


async def test_a_transferred_issue_does_not_lead_out_of_the_allow_list(open_desk, github, transferred):
    desk = await open_desk(repositories=[REPO])
    for _ in range(2):
        error = await desk("github_get_issue", repo=REPO, issue_number=7, include_comments=True)
        assert (error["type"], error["code"]) == ("permission", "repository_moved"), error
    assert "Classified" not in str(error) and "secrets" not in str(error)
    free = await open_desk()
    assert (await free("github_get_issue", repo=REPO, issue_number=7))["repo"] == SECRET


async def test_a_renamed_repository_does_not_lead_out_of_the_allow_list(open_desk, github, renamed):
    desk = await open_desk(repositories=["octo/old", REPO])
    calls = {
        "github_get_repository": {}, "github_get_directory_tree": {}, "github_list_branches": {},
        "github_get_file_content": {"file_path": "README.md"}, "github_list_issues": {},
    }  # fmt: skip
    for tool, arguments in calls.items():
        error = await desk(tool, repo="octo/old", **arguments)
        assert error.get("code") == "repository_moved", (tool, error)
    said = await desk.read("github://octo/old/contents/README.md")
    assert "message" in said, said
    assert [row["repo"] for row in (await desk("github_list_repositories"))["items"]] == [REPO]
    told = await connection_check(desk.connection)
    assert told.ok
    assert "octo/old is called octo/secrets.io now" in told.message


async def test_a_new_name_that_is_allowed_as_well_is_followed(open_desk, github, renamed, transferred):
    desk = await open_desk(repositories=["octo/*"])
    assert (await desk("github_get_repository", repo="octo/old"))["repo"] == SECRET
    file = {"repo": "octo/old", "file_path": "README.md"}
    for _ in range(2):
        assert (await desk("github_get_file_content", **file))["content"] == "# Hello World\n"
    free = await open_desk()
    assert (await free("github_get_file_content", **file))["content"] == "# Hello World\n"


async def test_a_write_to_a_former_name_changes_nothing_and_says_where_to_look(desk, github, renamed):
    before = len(github.issues)
    error = await desk("github_create_issue", repo="octo/old", title="x")
    assert (error["type"], error["code"]) == ("not_found", "moved")
    assert "github_get_repository" in error["hint"]
    assert len(github.issues) == before
