"""What is told: nothing that hides, what helps, and nothing that is over."""

import pytest

from connectors.errors import InvalidInput
from connectors.providers.github import pacing, trim
from connectors.providers.github.answers import explained, mended
from connectors.providers.github.moments import moment
from connectors.upstream.answers import Answer
from tests.providers.github.conftest import REPO

HIDDEN = "good first\u202e\u200b issue"


async def test_nothing_that_nobody_sees_comes_in_lists_of_words(desk, github):
    row = github.issues[REPO, 1]
    row["labels"] = [HIDDEN]
    issue = await desk("github_get_issue", repo=REPO, issue_number=1)
    assert issue["labels"] == ["good first issue"]
    git = github.git[REPO]
    tree = github.tree(git, {"a.py": github.blob(git, "print('a\u202eb')".encode())})
    git["refs"]["heads/main"] = github.commit(git, tree, [], "x", "octo")
    [found] = (await desk("github_search_code", query="print", repo=REPO))["items"]
    assert found["fragments"] == ["print('ab')"]
    assert trim.repository({"topics": [HIDDEN]})["topics"] == ["good first issue"]
    steps = [{"name": HIDDEN, "conclusion": "failure"}]
    assert trim.job({"steps": steps})["failed_steps"] == ["good first issue"]


async def test_what_people_write_is_sent_as_it_is(desk, github):
    said = "\u200fשלום\u200f"  # the marks are part of how it is read
    file = {"file_path": "x", "content": said, "commit_message": said}
    made = await desk("github_create_or_update_file", repo=REPO, **file)
    git = github.git[REPO]
    assert git["commits"][made["commit"]]["message"] == said
    assert git["blobs"][made["sha"]].decode() == said


async def test_a_log_is_read_again_and_again(desk, github):
    run = github.make_run(github.repos[REPO], "main", failed=True)
    for _ in range(3):
        told = await desk("github_get_job_logs", repo=REPO, run_id=run["id"])
        assert told["jobs"][0]["lines"] == 300


async def test_a_branch_that_is_missing_is_what_an_error_speaks_of(desk, github):
    file = {"repo": REPO, "file_path": "x"}
    error = await desk("github_create_or_update_file", **file, content="x", commit_message="x", branch="nope")
    assert (error["type"], "github_create_branch" in error["hint"]) == ("not_found", True)
    for tool, arguments in (
        ("github_get_file_content", {**file, "branch": "nope"}),
        ("github_list_commits", {"repo": REPO, "branch": "nope"}),
        ("github_get_commit", {"repo": REPO, "ref": "nope"}),
        ("github_get_directory_tree", {"repo": REPO, "branch": "nope"}),
    ):
        error = await desk(tool, **arguments)
        assert "github_list_branches" in error["hint"], (tool, error)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("GitRPC::BadObjectState", "github_get_directory_tree"),
        ("No commit found for SHA: nope", "github_list_branches"),
    ],
    ids=["nothing to delete", "no commit"],
)
def test_words_that_say_little_get_a_hint(words, hint):
    assert hint in mended(InvalidInput(words, upstream_status=422)).hint


def test_errors_that_are_one_text_are_told():
    body = b'{"message": "Unprocessable", "errors": "Path is missing"}'
    assert explained(Answer(422, {}, body, "")) == "Unprocessable. Path is missing"


async def test_a_write_ends_what_it_changes_beside_its_own_record(open_desk, github):
    desk = await open_desk(cache=True)
    await desk("github_list_labels", repo=REPO)
    await desk("github_get_repository", repo=REPO)
    await desk("github_create_issue", repo=REPO, title="x", labels=["brand new"])
    names = [row["name"] for row in (await desk("github_list_labels", repo=REPO))["items"]]
    assert "brand new" in names
    assert (await desk("github_get_repository", repo=REPO))["open_issues"] == 2
    await desk("github_update_issue", repo=REPO, issue_number=1, state="closed")
    assert (await desk("github_get_repository", repo=REPO))["open_issues"] == 1


@pytest.mark.parametrize(
    ("written", "sent"),
    [("2026-01-31", "2026-01-31T00:00:00Z"), ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
     ("0999-01-01", "0999-01-01T00:00:00Z"), ("", None)],
    ids=["day", "zone", "long ago", "none"],
)  # fmt: skip
def test_times_are_sent_as_github_takes_them(written, sent):
    assert moment(written) == sent


@pytest.mark.parametrize(
    "written", ["0001-01-01T00:00:00+14:00", "yesterday"], ids=["before all time", "word"]
)
def test_what_is_no_time_is_said(written):
    with pytest.raises(InvalidInput, match="is no time"):
        moment(written)


async def test_more_bytes_than_a_call_has_turns_for_are_sent_back_before_anything_is_sent(
    desk, github, monkeypatch
):
    monkeypatch.setattr(pacing, "APART_S", 5.0)
    files = [{"path": f"{number}.bin", "content": "/w==", "encoding": "base64"} for number in range(30)]
    change = {"repo": REPO, "branch": "main", "commit_message": "m"}
    error = await desk("github_commit_multiple_files", **change, files=files)
    assert (error["code"], "at a time" in error["hint"]) == ("too_many_files", True)
    assert not github.requests


async def test_a_branch_that_is_missing_says_how_it_begins(desk):
    change = {"repo": REPO, "branch": "nope", "commit_message": "m", "files": [{"path": "x", "content": "x"}]}
    error = await desk("github_commit_multiple_files", **change)
    assert "base_branch" in error["hint"] and "empty repository" in error["hint"]
