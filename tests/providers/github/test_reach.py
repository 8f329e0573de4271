"""No argument leads out of a connection's repositories, nor out of the place that a path means."""

import pytest

from connectors.errors import ConnectorError, InvalidInput
from connectors.providers.github.scope import Scope, branch_of, file_path, login_of, ref_of
from connectors.providers.github.settings import GitHubCredentials, GitHubSettings
from tests.providers.github.conftest import REPO

SECRET = "octo/secrets.io"
BAD_REPOS = [
    "octo/hello-world/../secrets.io", "octo/..", "octo/.", "octo/hello-world%2F..%2Fsecrets.io", "octo", "/x", "octo/",
    "octo/hello-world?x=1", "octo/hello-world#", "octo/hello world", "octo\\secrets.io", "octo/hello-world/issues",
    "octo／secrets.io", "octo/hello-world\n", "../octo/secrets.io", "octo/a\u200bb", "octo/*",
]  # fmt: skip
BAD_REFS = [
    "a..b", "../x", "a b", "a~1", "a^", "a:b", "main:src", "x?y", "a*", "[a", "a\\b", "/a", "a/", "a//b", "a.lock", "@{u}",
    "a/.b", "-x", "", "@", "x\n", ".",
]  # fmt: skip
BAD_PATHS = ["../x", "a/../b", "a/./b", "a//b", "..", "a/..", "x\x00y", "x\ny", ""]
ESCAPES = [
    "x repo:octo/secrets.io", "repo:octo/secrets.io", "x user:octo", "x org:octo", "x REPO:octo/secrets.io",
    "-repo:octo/hello-world", "x OR repo:octo/secrets.io", "(x) ", "x OR y", "NOT x", "x) OR (y", 'x" repo:octo/secrets.io',
    'x "y" repo:"octo/secrets.io"', "x ｒｅｐｏ：octo/secrets.io", "x re\u200bpo:octo/secrets.io", "x\trepo:octo/secrets.io",
    "x\u00a0repo:octo/secrets.io", "x repo :octo/secrets.io", '\\" repo:octo/secrets.io', "x|repo:octo/secrets.io", "a AND b",
    "x owner:octo", "enterprise:octo", '"a \\" b" repo:octo/secrets.io "',
]  # fmt: skip


@pytest.mark.parametrize("repo", BAD_REPOS, ids=range(len(BAD_REPOS)))
def test_what_is_no_repository_is_refused(repo):
    for scope in (Scope([]), Scope([REPO])):
        if repo.strip() == REPO:
            assert scope.demand(repo) == f"repos/{REPO}"
            continue
        with pytest.raises(ConnectorError):
            scope.demand(repo)


@pytest.mark.parametrize("ref", BAD_REFS, ids=range(len(BAD_REFS)))
def test_what_git_does_not_take_for_a_branch_is_refused(ref):
    with pytest.raises(InvalidInput):
        branch_of(ref)
    with pytest.raises(InvalidInput):
        ref_of(ref)


@pytest.mark.parametrize("path", BAD_PATHS, ids=range(len(BAD_PATHS)))
def test_a_path_does_not_climb(path):
    with pytest.raises(InvalidInput):
        file_path(path)


@pytest.mark.parametrize("query", ESCAPES, ids=range(len(ESCAPES)))
def test_a_query_does_not_leave_the_allow_list(query):
    for scope, repo in ((Scope([REPO]), None), (Scope([]), REPO), (Scope([REPO]), REPO)):
        with pytest.raises(InvalidInput):
            scope.query(query, repo)


def test_a_query_is_held_to_the_repositories():
    assert Scope([REPO, "mona/*"]).query("bug is:open") == f"repo:{REPO} user:mona bug is:open"
    assert Scope([REPO]).query('"not a repo:x/y" a', None) == f'repo:{REPO} "not a repo:x/y" a'
    assert Scope([]).query("x OR repo:a/b") == "x OR repo:a/b"
    with pytest.raises(InvalidInput):
        Scope([f"octo/{number:090}" for number in range(40)]).query("x")
    assert Scope(["Octo/Hello"]).has("oCTO/hELLO")
    assert not Scope(["octo/*"]).has("octopus/x")
    with pytest.raises(InvalidInput):
        login_of("octo/../x")


async def test_tools_reach_no_other_repository(open_desk, github):
    desk = await open_desk(repositories=[REPO])
    calls = {
        "github_get_repository": {},
        "github_get_file_content": {"file_path": "README.md"},
        "github_get_directory_tree": {},
        "github_list_branches": {},
        "github_get_branch_info": {"branch_name": "main"},
        "github_list_commits": {},
        "github_get_commit": {"ref": "main"},
        "github_compare_commits": {"base": "main", "head": "main"},
        "github_list_issues": {},
        "github_get_issue": {"issue_number": 1},
        "github_list_labels": {},
        "github_list_pull_requests": {},
        "github_get_pull_request": {"pull_number": 1},
        "github_create_branch": {"branch_name": "x", "source_branch": "main"},
        "github_create_or_update_file": {"file_path": "x", "content": "x", "commit_message": "x"},
        "github_delete_file": {"file_path": "README.md", "commit_message": "x"},
        "github_commit_multiple_files": {
            "branch": "x",
            "files": [{"path": "x", "content": ""}],
            "commit_message": "x",
        },
        "github_create_issue": {"title": "x"},
        "github_update_issue": {"issue_number": 1, "title": "x"},
        "github_add_issue_comment": {"issue_number": 1, "body": "x"},
        "github_create_pull_request": {"title": "x", "head": "x", "base": "main"},
        "github_update_pull_request": {"pull_number": 1, "title": "x"},
        "github_merge_pull_request": {"pull_number": 1, "sha": "0" * 40},
        "github_search_code": {"query": "x"},
        "github_create_release": {"tag": "v1"},
        "github_upload_release_asset": {"tag": "v1", "filename": "x", "text": "x"},
        "github_search_issues": {"query": "x"},
    }
    for tool, arguments in calls.items():
        error = await desk(tool, repo=SECRET, **arguments)
        assert error.get("code") == "repository_not_allowed", (tool, error)
        assert REPO in error["hint"]
    assert not [request for request in github.requests if "secrets.io" in request.path]
    assert [row["repo"] for row in (await desk("github_list_repositories"))["items"]] == [REPO]


async def test_an_owner_who_is_not_allowed_is_not_asked_for(open_desk, github):
    desk = await open_desk(repositories=[REPO])
    for argument in ("username", "org"):
        error = await desk("github_list_repositories", **{argument: "mona"})
        assert (error["code"], REPO in error["hint"]) == ("repository_not_allowed", True)
    assert not github.requests
    assert [row["repo"] for row in (await desk("github_list_repositories", org="OCTO"))["items"]] == [REPO]


async def test_a_pull_request_takes_no_commits_of_a_fork_that_is_not_allowed(open_desk, github):
    call = {"repo": REPO, "title": "x", "base": "main"}
    for allowed, head, reached in (
        ([REPO], "mona:main", False), ([REPO], "OCTO:main", True), (["octo/*", "mona/*"], "mona:main", True),
        ([REPO, "mona/hello-world"], "mona:main", True), ([], "mona:main", True),
    ):  # fmt: skip
        desk = await open_desk(repositories=allowed)
        error = await desk("github_create_pull_request", **call, head=head)
        assert (error["code"] != "repository_not_allowed") is reached, (allowed, head, error)


async def test_an_allow_list_of_names_is_listed_by_name_and_in_pages(open_desk, github):
    for number in range(30):
        github.make_repo("octo", f"tool-{number:02}", private=False)
    names = [REPO, "octo/gone", *(f"octo/tool-{number:02}" for number in range(30))]
    desk = await open_desk(repositories=names)
    first = await desk("github_list_repositories", sort="full_name", limit=30)
    second = await desk("github_list_repositories", sort="full_name", limit=30, cursor=first["next_cursor"])
    found = [row["repo"] for row in first["items"] + second["items"]]
    assert found == sorted(set(names) - {"octo/gone"})
    assert second["next_cursor"] is None
    assert "repos/list-for-authenticated-user" not in {hit.operation for hit in github.operations}


async def test_what_a_search_finds_elsewhere_is_not_handed_out(open_desk, github):
    desk = await open_desk(repositories=[REPO])
    found = await desk("github_search_code", query="hello")
    assert {row["repo"] for row in found["items"]} == {REPO}
    assert (await desk("github_search_code", query="hello repo:octo/secrets.io"))["code"] == "bad_query"
    github._places = lambda request, repos, owners: list(github.repos.values())  # GitHub gets it wrong
    found = await desk("github_search_code", query="print")
    assert {row["repo"] for row in found["items"]} == {REPO}
    assert "total" not in found
    found = await desk("github_search_repositories", query="octo")
    assert [row["repo"] for row in found["items"]] == [REPO]


async def test_bad_names_reach_github_in_no_call(desk, github):
    for repo in BAD_REPOS:
        if repo.strip() != REPO:
            assert (await desk("github_get_repository", repo=repo))["type"] == "validation"
    for path in BAD_PATHS[:-1]:
        assert (await desk("github_get_file_content", repo=REPO, file_path=path))["type"] == "validation"
    for ref in BAD_REFS:
        if ref:
            assert (await desk("github_get_branch_info", repo=REPO, branch_name=ref))["type"] == "validation"
    assert not github.requests


@pytest.mark.parametrize("names", [["octo"], ["octo/.."], ["*/*"], ["octo/a b"], ["octo/x/y"]], ids=range(5))
def test_an_allow_list_is_checked_when_it_is_written(names):
    with pytest.raises(ValueError, match="neither owner/name"):
        GitHubSettings(repositories=names)


def test_a_credential_says_what_is_missing():
    with pytest.raises(ValueError, match="also needs app_id and private_key"):
        GitHubCredentials(installation_id="1")
    with pytest.raises(ValueError, match="also needs token"):
        GitHubCredentials(method="fine_grained")
    assert GitHubSettings(url="https://github.com/").url == "https://api.github.com"
