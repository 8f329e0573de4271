"""What GitHub's own document shows as answers is read, whatever it has or lacks, and made small."""

import json

import pytest

from connectors.providers.github import trim
from connectors.providers.github.connector import GitHub
from mcp_endpoint.token_cost import tool_tokens
from tests.doubles.fixtures import example_of, needs_document

READERS = {
    "repos/get": trim.repository,
    "repos/list-for-authenticated-user": trim.repository,
    "repos/list-for-org": trim.repository,
    "issues/get": trim.issue,
    "issues/list-for-repo": trim.issue,
    "issues/list-comments": trim.comment,
    "pulls/get": trim.pull,
    "pulls/list": trim.pull,
    "pulls/list-files": trim.changed_file,
    "pulls/list-reviews": trim.review,
    "pulls/list-review-comments": trim.comment,
    "checks/list-for-ref": trim.check_run,
    "repos/list-branches": trim.branch,
    "repos/get-branch": trim.branch,
    "repos/list-commits": trim.commit,
    "repos/get-commit": trim.commit,
    "git/get-tree": trim.entry,
    "search/repos": trim.repository,
    "search/issues-and-pull-requests": trim.issue,
    "repos/list-releases": trim.release,
    "repos/get-latest-release": trim.release,
    "actions/list-repo-workflows": trim.workflow,
    "actions/list-workflow-runs-for-repo": trim.run,
    "actions/get-workflow-run": trim.run,
    "actions/list-jobs-for-workflow-run": trim.job,
    "repos/create-or-update-file-contents": trim.written,
}
LISTS = ("workflows", "workflow_runs", "jobs", "check_runs", "tree", "items")


def rows_of(said):
    for name in LISTS:
        if isinstance(said, dict) and isinstance(said.get(name), list):
            return said[name]
    return said if isinstance(said, list) else [said]


@needs_document("github")
@pytest.mark.parametrize("operation", sorted(READERS), ids=sorted(READERS))
def test_github_own_examples_are_read_and_made_small(operation):
    for row in rows_of(example_of("github", operation)):
        made = READERS[operation](row)
        assert made
        assert not [value for value in made.values() if value in (None, "", [], {})]
        if len(json.dumps(row)) > 1000:
            assert len(json.dumps(made)) <= len(json.dumps(row)) / 2


@pytest.mark.parametrize("operation", sorted(READERS), ids=sorted(READERS))
def test_members_that_are_missing_or_unknown_do_no_harm(operation):
    reader = READERS[operation]
    assert isinstance(reader({}), dict)
    assert "surprise" not in reader({"surprise": {"x": [1]}, "url": None})
    nulls = dict.fromkeys(
        ("user", "labels", "assignees", "head", "base", "commit", "author", "license", "permissions", "output",
         "content", "parents", "milestone", "type", "message", "body"),
    )  # fmt: skip
    assert isinstance(reader(nulls), dict)


def test_the_default_list_is_short_and_costs_little():
    default = [spec for spec in GitHub.tools.values() if spec.default_on]
    assert len(default) <= 24
    assert sum(tool_tokens(spec.name, spec) for spec in default) <= 6000
    for spec in GitHub.tools.values():
        assert spec.hints.open_world
        assert spec.default_on is False or spec.toolset in ("core", "write")


def test_every_required_name_is_there():
    names = {
        "list_repositories", "get_file_content", "list_issues", "create_issue", "create_pull_request", "list_branches",
        "get_branch_info", "create_branch", "create_or_update_file", "commit_multiple_files", "delete_file",
        "get_directory_tree",
    }  # fmt: skip
    assert {spec.name for spec in GitHub.tools.values() if spec.required} == {
        f"github_{name}" for name in names
    }
    assert {alias for spec in GitHub.tools.values() for alias in spec.aliases} == names


async def test_typical_answers_are_at_most_half_of_githubs(desk, github):
    for tool, arguments in {
        "github_list_repositories": {},
        "github_get_repository": {"repo": "octo/hello-world"},
        "github_list_issues": {"repo": "octo/hello-world"},
        "github_search_issues": {"query": "bug", "repo": "octo/hello-world"},
        "github_get_branch_info": {"repo": "octo/hello-world", "branch_name": "main"},
    }.items():
        made = len(json.dumps(await desk(tool, **arguments)))
        assert made <= len(await raw(github)) / 2, tool


async def raw(github) -> bytes:
    """The answer to the last request, as GitHub gave it."""
    import httpx2

    last = github.requests[-1]
    async with httpx2.AsyncClient() as client:
        headers = {"authorization": last.headers["authorization"], "accept": last.headers["accept"]}
        return (await client.get(f"{github.url}{last.path}?{last.query_string}", headers=headers)).content
