"""What the test of a connection says that a credential may not do, and what a refusal says is missing."""

import pytest

from connectors.errors import Conflict, InvalidInput
from connectors.providers.github.answers import mended, right_wanted
from connectors.providers.github.connector import GitHub
from connectors.providers.github.rights import NEEDS, hidden_tools, lacking_of_app
from connectors.services import connection_check
from connectors.upstream.answers import Answer
from tests.doubles.faults import Status
from tests.providers.github.conftest import REPO

FINE = {"method": "fine_grained", "token": "github_pat_sandbox"}
SECRET = "octo/secrets.io"  # private: there is nothing that everybody may read


async def test_what_a_fine_grained_token_may_read_is_tried_and_the_rest_is_called_unknown(open_desk, github):
    desk = await open_desk(credential=FINE)
    told = await connection_check(desk.connection)
    assert told.details["may_read"] == ["contents", "issues"]
    hidden = told.details["hidden_tools"]
    assert hidden["github_get_pull_request"] == "pull_requests:read"
    assert hidden["github_run_workflow"] == "actions:write"
    # What it may write nobody says: nothing of that is hidden.
    assert not {"github_create_or_update_file", "github_create_issue", "github_add_issue_comment"} & set(
        hidden
    )
    assert "does not tell what a fine-grained token may write" in told.message
    assert told.details["expires_at"].startswith("2999-12-31")
    assert not [hit for hit in github.operations if hit.method != "GET"], "a test writes nothing"
    public = await open_desk(credential=FINE, repositories=[REPO])
    told = await connection_check(public.connection)
    assert "may_read" not in told.details and "hidden_tools" not in told.details


async def test_a_refusal_names_the_permission_that_is_missing(open_desk, github):
    desk = await open_desk(credential=FINE)
    error = await desk("github_create_branch", repo=SECRET, branch_name="x", source_branch="main")
    assert (error["type"], "contents=write" in error["hint"]) == ("permission", True)
    assert (await desk("github_create_issue", repo=SECRET, title="x"))["number"]
    reader = await open_desk(credential={"method": "classic", "token": "sandbox-github-reader"})
    error = await reader("github_create_issue", repo=REPO, title="x")
    assert "have the scope repo" in error["hint"]


async def test_a_classic_token_that_is_stored_as_another_is_found_out(open_desk):
    desk = await open_desk(credential={"method": "fine_grained", "token": "sandbox-github-token"})
    told = await connection_check(desk.connection)
    assert "GitHub says that this is a classic token" in told.message
    assert "repo" in told.details["scopes"]


async def test_repositories_that_are_not_seen_or_may_only_be_read_are_told(open_desk, github, monkeypatch):
    desk = await open_desk(repositories=[REPO, "octo/gone"])
    told = await connection_check(desk.connection)
    assert "octo/gone: the credential does not see it." in told.message
    assert told.details["roles"] == {REPO: "admin"}
    whole = type(github).told_repo

    def told_repo(self, request, row):
        changes = {"permissions": {"admin": False, "push": False, "pull": True}, "archived": True}
        return {**whole(self, request, row), **changes, "full_name": "octo/hello-moon"}

    monkeypatch.setattr(type(github), "told_repo", told_repo)
    desk = await open_desk(repositories=[REPO])
    told = await connection_check(desk.connection)
    assert f"{REPO} is called octo/hello-moon now" in told.message
    assert f"{REPO} is archived" in told.message
    assert told.details["roles"] == {REPO: "pull"}
    assert told.details["hidden_tools"]["github_create_or_update_file"] == "contents:write"
    assert "github_create_issue" not in told.details["hidden_tools"]


def test_each_tool_that_needs_a_right_is_known_and_one_of_several_is_enough():
    assert set(NEEDS) <= set(GitHub.tools)
    free = {"github_connection_info", "github_get_me", "github_list_repositories", "github_get_repository",
            "github_search_repositories", "github_search_issues"}  # fmt: skip
    assert set(GitHub.tools) - set(NEEDS) == free
    for tool, needs in NEEDS.items():
        assert GitHub.tools[tool].writes == all(need.endswith(":write") for need in needs), tool
    lacking = lacking_of_app({"metadata": "read", "contents": "write", "pull_requests": "write"})
    hidden = hidden_tools(lacking)
    assert "github_create_issue" in hidden and "github_add_issue_comment" not in hidden
    assert "github_list_labels" not in hidden and "github_create_or_update_file" not in hidden


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [(403, {"x-accepted-github-permissions": "issues=write; pull_requests=write,contents=read"},
      "have the permission issues=write or pull_requests=write and contents=read"),
     (404, {"x-accepted-oauth-scopes": "repo, admin:org", "x-oauth-scopes": "gist"}, "have the scope admin:org or repo"),
     (404, {"x-accepted-oauth-scopes": "repo", "x-oauth-scopes": "repo"}, ""),
     (404, {"x-accepted-oauth-scopes": "repo"}, ""),
     (403, {"x-github-sso": "required; url=https://github.com/orgs/x/sso?a=1"},
      "be authorised for single sign-on at https://github.com/orgs/x/sso?a=1"),
     (200, {"x-accepted-github-permissions": "issues=read"}, ""), (403, {}, "")],
    ids=range(7),
)  # fmt: skip
def test_what_is_missing_is_read_from_the_headers(status, headers, said):
    assert right_wanted(Answer(status, headers, b"", "")) == said


@pytest.mark.parametrize(
    ("error", "type_", "hint"),
    [(Conflict("Could not create file: Changes must be made through a pull request.", upstream_status=409),
      "permission", "github_create_pull_request"),
     (InvalidInput("Repository rule violations found", upstream_status=422), "permission", "github_create_branch"),
     (Conflict("Git Repository is empty.", upstream_status=409), "conflict", "github_create_or_update_file"),
     (InvalidInput("Validation Failed. No commits between main and x", upstream_status=422), "validation", "do not differ"),
     (InvalidInput("Validation Failed. PullRequest.head: invalid", upstream_status=422), "validation", "github_list_branches"),
     (InvalidInput("The listed users and repositories cannot be searched", upstream_status=422), "validation",
      "github_list_repositories")],
    ids=range(6),
)  # fmt: skip
def test_errors_name_the_next_useful_step(error, type_, hint):
    better = mended(error)
    assert (better.type, hint in better.hint) == (type_, True)


async def test_a_protected_branch_is_no_conflict(desk, github):
    github.faults.add(
        Status(409, "Could not create file: Changes must be made through a pull request."),
        path="repos/create-or-update-file-contents",
    )
    error = await desk(
        "github_create_or_update_file", repo=REPO, file_path="x", content="x", commit_message="x"
    )
    assert (error["type"], error["code"]) == ("permission", "branch_protected")
    github.faults.add(
        Status(422, "Protected branch update failed for refs/heads/main."), path="git/update-ref"
    )
    files = [{"path": "x", "content": "x"}]
    error = await desk(
        "github_commit_multiple_files", repo=REPO, branch="main", files=files, commit_message="x"
    )
    assert (error["type"], error["code"]) == ("permission", "branch_protected")
