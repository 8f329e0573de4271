"""Writing to GitHub: files, commits, branches, issues, pull requests; races end in a conflict."""

import asyncio
import base64

import pytest

from tests.doubles.faults import Reset, Status, TooMany
from tests.doubles.github import SecondaryLimit
from tests.providers.github.conftest import REPO

FILE = {"repo": REPO, "file_path": "src/main.py", "commit_message": "Change it"}


async def test_a_file_is_made_changed_and_deleted(desk, github):
    made = await desk(
        "github_create_or_update_file", repo=REPO, file_path="a b/ü#?.txt", content="1", commit_message="m"
    )
    assert made["created"] is True
    changed = await desk(
        "github_create_or_update_file", repo=REPO, file_path="a b/ü#?.txt", content="2", commit_message="m"
    )
    assert (changed["created"], changed["path"]) == (False, "a b/ü#?.txt")
    gone = await desk("github_delete_file", repo=REPO, file_path="a b/ü#?.txt", commit_message="m")
    assert gone["deleted"]
    assert (await desk("github_delete_file", repo=REPO, file_path="a b/ü#?.txt", commit_message="m"))[
        "type"
    ] == "not_found"


async def test_a_stale_sha_is_a_conflict_and_loses_nobodys_change(desk):
    before = await desk("github_get_file_content", repo=REPO, file_path="src/main.py")
    mine = await desk("github_create_or_update_file", **FILE, content="mine", sha=before["sha"])
    assert mine["commit"]
    error = await desk("github_create_or_update_file", **FILE, content="theirs", sha=before["sha"])
    assert (error["type"], "github_get_file_content" in error["hint"]) == ("conflict", True)
    error = await desk("github_delete_file", **FILE, sha=before["sha"])
    assert error["type"] == "conflict"
    assert (await desk("github_get_file_content", repo=REPO, file_path="src/main.py"))["content"] == "mine"


async def test_several_files_are_one_commit(desk, github):
    files = [
        {"path": "src/main.py", "delete": True},
        {"path": "src/new.py", "content": "print('new')\n"},
        {"path": "logo.bin", "content": base64.b64encode(b"\xff\x00\x01").decode(), "encoding": "base64"},
    ]
    made = await desk(
        "github_commit_multiple_files",
        repo=REPO,
        branch="feature/many",
        base_branch="main",
        files=files,
        commit_message="All at once",
    )
    assert made["branch_created"] is True
    commit = await desk("github_get_commit", repo=REPO, ref="feature/many")
    assert commit["sha"] == made["commit"]
    assert {(row["path"], row["status"]) for row in commit["files"]} == {
        ("src/main.py", "removed"),
        ("src/new.py", "added"),
        ("logo.bin", "added"),
    }
    again = await desk(
        "github_commit_multiple_files",
        repo=REPO,
        branch="feature/many",
        files=[{"path": "x", "content": "x"}],
        commit_message="One more",
        head_sha=made["commit"],
    )
    assert again["commit"] != made["commit"]


async def test_a_branch_that_moved_on_is_a_conflict_and_nothing_is_changed(desk, github):
    change = {"repo": REPO, "branch": "main", "files": [{"path": "x", "content": "x"}], "commit_message": "m"}
    error = await desk("github_commit_multiple_files", **change, head_sha="0" * 40)
    assert (error["type"], error["code"]) == ("conflict", "branch_moved")
    # Somebody else commits after the branch was read and before it is moved.
    github.faults.add(Status(422, "Update is not a fast forward"), path="git/update-ref")
    error = await desk("github_commit_multiple_files", **change)
    assert (error["type"], error["code"]) == ("conflict", "branch_moved")
    assert error["error"].startswith("Nothing was changed")
    assert (await desk("github_get_file_content", repo=REPO, file_path="x"))["type"] == "not_found"


async def test_a_branch_that_exists_is_a_conflict(desk):
    assert (await desk("github_create_branch", repo=REPO, branch_name="b", source_branch="main"))["sha"]
    error = await desk("github_create_branch", repo=REPO, branch_name="b")
    assert error["type"] == "conflict"
    error = await desk("github_create_branch", repo=REPO, branch_name="c", source_branch="nope")
    assert "github_list_branches" in error["hint"]


async def test_an_issue_is_made_changed_commented_and_closed(desk):
    made = await desk("github_create_issue", repo=REPO, title="It fell", body="*Why?*", labels=["bug"])
    number = made["number"]
    told = await desk("github_add_issue_comment", repo=REPO, issue_number=number, body="Because.")
    assert told["url"]
    await desk(
        "github_update_issue", repo=REPO, issue_number=number, state="closed", state_reason="not_planned"
    )
    issue = await desk("github_get_issue", repo=REPO, issue_number=number, include_comments=True)
    assert (issue["state"], issue["state_reason"], issue["labels"]) == ("closed", "not_planned", ["bug"])
    assert [row["body"] for row in issue["comment_list"]] == ["Because."]
    assert issue["user"] == {"id": "octo", "name": "octo"}
    cleared = await desk("github_update_issue", repo=REPO, issue_number=number, labels=[])
    assert "labels" not in cleared
    assert (await desk("github_update_issue", repo=REPO, issue_number=number))["code"] == "nothing_to_do"
    found = await desk("github_list_issues", repo=REPO, state="all", fields=["title"])
    assert [row["title"] for row in found["items"]] == ["It fell", "Found a bug"]
    assert set(found["items"][0]) == {"number", "title", "url"}
    some = await desk("github_list_issues", repo=REPO, state="open", labels=["bug"], since="2020-01-01")
    assert some["count"] == 1
    assert (await desk("github_list_labels", repo=REPO))["items"][0]["name"] == "bug"


async def test_what_is_wrong_is_said_in_githubs_words(desk):
    error = await desk("github_create_issue", repo=REPO, title="x", assignees=["nobody"])
    assert (error["type"], "Issue.assignees: invalid" in error["error"]) == ("validation", True)


async def test_a_pull_request_is_made_looked_at_changed_and_merged(desk, github):
    await desk("github_create_branch", repo=REPO, branch_name="feature")
    await desk("github_create_or_update_file", **FILE, content="print('x')\n", branch="feature")
    made = await desk("github_create_pull_request", repo=REPO, title="Better", head="feature", body="Look.")
    number = made["number"]
    assert (await desk("github_create_pull_request", repo=REPO, title="Better", head="feature"))[
        "type"
    ] == "conflict"
    listed = await desk("github_list_pull_requests", repo=REPO, head="feature")
    assert [(row["number"], row["base"]) for row in listed["items"]] == [(number, "main")]
    sha = listed["items"][0]["head_sha"]
    github.make_check("tests", sha, "success")
    whole = await desk(
        "github_get_pull_request",
        repo=REPO,
        pull_number=number,
        include=["files", "reviews", "comments", "checks", "diff"],
    )
    assert "files" in whole, whole
    assert [row["path"] for row in whole.get("files", whole)] == ["src/main.py"]
    assert whole["diff"].startswith("diff --git a/src/main.py")
    assert (whole["reviews"], whole["checks"][0]["conclusion"]) == ([], "success")
    changed = await desk("github_update_pull_request", repo=REPO, pull_number=number, title="Best")
    assert changed["title"] == "Best"
    # An issue's list has no pull requests in it.
    assert number not in [row["number"] for row in (await desk("github_list_issues", repo=REPO))["items"]]
    error = await desk("github_merge_pull_request", repo=REPO, pull_number=number, sha="0" * 40)
    assert error["type"] == "conflict"
    merged = await desk("github_merge_pull_request", repo=REPO, pull_number=number, sha=sha)
    assert merged["merged"] is True
    error = await desk("github_merge_pull_request", repo=REPO, pull_number=number, sha=sha)
    assert (error["type"], error["code"]) == ("conflict", "not_mergeable")


async def test_a_read_is_repeated_and_a_creation_is_not(desk, github):
    github.faults.add(TooMany(0), path="issues/get")
    assert (await desk("github_get_issue", repo=REPO, issue_number=1))["number"] == 1
    github.faults.add(Reset(after=True), path="issues/create")
    error = await desk("github_create_issue", repo=REPO, title="Once")
    assert (error["code"], error["retryable"]) == ("outcome_unknown", False)
    assert "github_list_issues" in error["hint"]
    assert [row["title"] for row in github.issues.values()].count("Once") == 1


@pytest.mark.parametrize("status", [403, 429], ids=["403", "429"])
async def test_a_secondary_limit_is_waited_for_or_told(open_desk, github, status):
    desk = await open_desk()
    github.faults.add(SecondaryLimit(seconds=0, status=status), path="issues/create")
    assert (await desk("github_create_issue", repo=REPO, title="Patient"))["number"]
    assert [row["title"] for row in github.issues.values()].count("Patient") == 1
    github.faults.add(SecondaryLimit(seconds=40, status=status), path="issues/create")
    error = await desk("github_create_issue", repo=REPO, title="Hasty")
    assert (error["type"], error["retryable"]) == ("rate_limit", True)
    assert 38 <= error["retry_after"] <= 40
    sent = len(github.requests)
    error = await desk("github_get_issue", repo=REPO, issue_number=1)  # GitHub wants none of its requests
    assert (error["type"], len(github.requests)) == ("rate_limit", sent)
    other = await open_desk()
    assert (await other("github_get_issue", repo=REPO, issue_number=1))["number"] == 1


async def test_without_seconds_a_secondary_limit_means_a_minute(desk, github):
    github.faults.add(SecondaryLimit(), path="issues/create")
    error = await desk("github_create_issue", repo=REPO, title="Hasty")
    assert (error["type"], error["retryable"]) == ("rate_limit", True)
    assert error["retry_after"] >= 55


async def test_two_changes_at_once_are_one_change_and_one_conflict(desk):
    before = await desk("github_get_file_content", repo=REPO, file_path="src/main.py")
    calls = [desk("github_create_or_update_file", **FILE, content=who, sha=before["sha"]) for who in "ab"]
    told = await asyncio.gather(*calls)
    [won], [lost] = [n for n in (0, 1) if "commit" in told[n]], [one for one in told if "error" in one]
    assert lost["type"] == "conflict" and not lost["retryable"]
    assert "github_get_file_content" in lost["hint"]
    now = await desk("github_get_file_content", repo=REPO, file_path="src/main.py")
    assert now["content"] == "ab"[won]


async def test_two_commits_at_once_are_one_commit_and_one_conflict(desk):
    head = (await desk("github_get_branch_info", repo=REPO, branch_name="main"))["sha"]
    change = {"repo": REPO, "branch": "main", "commit_message": "m", "head_sha": head}
    calls = [
        desk("github_commit_multiple_files", **change, files=[{"path": who, "content": who}]) for who in "ab"
    ]
    told = await asyncio.gather(*calls)
    [lost] = [one for one in told if "error" in one]
    assert (lost["type"], lost["code"]) == ("conflict", "branch_moved")
    top = {row["path"] for row in (await desk("github_get_directory_tree", repo=REPO))["items"]}
    assert len(top & {"a", "b"}) == 1
