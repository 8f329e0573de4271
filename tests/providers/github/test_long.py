"""Texts and lists that are longer than an answer: cut where it is said, and with a way to the rest."""

import json

from tests.doubles.faults import Status
from tests.providers.github.conftest import REPO

FILE = {"repo": REPO, "file_path": "long.txt"}


def keep(github, text: str, path: str = "long.txt") -> None:
    """A file on main."""
    git = github.git[REPO]
    tree = github.tree(git, {path: github.blob(git, text.encode())})
    git["refs"]["heads/main"] = github.commit(git, tree, [], "Long", "octo")


async def whole_file(desk) -> str:
    """A file by its parts, as the hints tell."""
    told = await desk("github_get_file_content", **FILE)
    text = told["content"]
    while told.get("truncated"):
        start = told["end_line"] + 1
        assert f"start_line={start}" in told["hint"]
        told = await desk("github_get_file_content", **FILE, start_line=start)
        text += told["content"]
    return text


async def test_a_file_full_of_quotes_is_read_in_parts_to_its_end(desk, github):
    text = "".join(f'{{"name": "{number}", "path": "\\t"}}\n' for number in range(4_000))
    keep(github, text)
    assert len(json.dumps(text)) > 120_000
    assert await whole_file(desk) == text


async def test_a_line_that_is_longer_than_an_answer_is_no_circle(desk, github):
    keep(github, "first\n" + "x" * 120_000 + "\nlast\n")
    one = await desk("github_get_file_content", **FILE)
    assert (one["content"], one["end_line"]) == ("first\n", 1)
    two = await desk("github_get_file_content", **FILE, start_line=2)
    assert (two["end_line"], "Line 2 is too long" in two["hint"]) == (2, True)
    assert "start_line=3" in two["hint"]
    assert (await desk("github_get_file_content", **FILE, start_line=3))["content"] == "last\n"


async def test_lines_are_counted_as_git_counts_them(desk, github):
    keep(github, "one\x0ctwo\u2028still\x85one\r\nsecond\r\nthird")
    told = await desk("github_get_file_content", **FILE, start_line=2, end_line=2)
    assert (told["content"], told["lines"]) == ("second\r\n", 3)


async def test_a_page_that_is_too_long_for_an_answer_loses_no_row(desk, github):
    for number in range(99):
        text = f"{number} " + "word " * 100
        github.make_issue(
            github.repos[REPO], "octo", {"title": "T" * 250, "body": text, "labels": [f"l{number}" * 9]}
        )
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        got = await desk.result("github_list_issues", repo=REPO, limit=100, cursor=cursor)
        assert "truncated" not in got.get("_meta", {}), "nothing is cut off behind the cursor's back"
        found += [row["number"] for row in got["structuredContent"]["items"]]
        cursor, pages = got["structuredContent"]["next_cursor"], pages + 1
    assert found == list(range(100, 0, -1))
    assert pages > 1


async def test_a_large_diff_and_a_long_text_fit_together(desk, github):
    await desk("github_create_branch", repo=REPO, branch_name="big")
    lines = "".join(f'"{number}": "quoted",\n' for number in range(4_000))
    file = {"file_path": "big.json", "content": lines, "commit_message": "b", "branch": "big"}
    await desk("github_create_or_update_file", repo=REPO, **file)
    made = await desk(
        "github_create_pull_request", repo=REPO, title="Big", head="big", body='"long" ' * 5_000
    )
    told = await desk(
        "github_get_pull_request", repo=REPO, pull_number=made["number"], include=["diff", "files"]
    )
    assert "error" not in told, told
    assert told["diff"].startswith("diff --git") and "diff" in told["truncated"]
    assert told["truncated"][-1] == "diff"


async def test_a_diff_that_github_does_not_give_says_where_the_changes_are(desk):
    await desk("github_create_branch", repo=REPO, branch_name="huge")
    file = {"file_path": "huge", "content": "x\n" * 20_100, "commit_message": "b", "branch": "huge"}
    await desk("github_create_or_update_file", repo=REPO, **file)
    number = (await desk("github_create_pull_request", repo=REPO, title="Huge", head="huge"))["number"]
    error = await desk("github_get_pull_request", repo=REPO, pull_number=number, include=["diff"])
    assert "include=['files']" in error["hint"]


async def test_the_end_of_a_log_that_is_too_long_is_said_to_be_cut(desk, github):
    run = github.make_run(github.repos[REPO], "main", failed=True)
    github.line = 'a line full of "quotes" ' * 10
    told = await desk("github_get_job_logs", repo=REPO, run_id=run["id"], tail_lines=300)
    [job] = told["jobs"]
    assert job["truncated"] is True
    assert job["log"].endswith("line 300 of test") or job["log"].endswith(github.line)


async def test_jobs_beyond_the_first_hundred_are_found_and_one_without_a_log_hides_no_other(desk, github):
    run = github.make_run(github.repos[REPO], "main", failed=True)
    row = next(job for job in github.jobs.values() if job["name"] == "lint")
    last = github.jobs.pop(max(github.jobs))
    for _ in range(120):
        id = github.fresh_id()
        github.jobs[id] = {**row, "id": id}
    gone = github.fresh_id()
    github.jobs[gone] = {**last, "id": gone, "name": "gone"}
    late = github.fresh_id()
    github.jobs[late] = {**last, "id": late, "conclusion": "timed_out"}
    github.faults.add(Status(404, "Not Found"), path="actions/download-job-logs-for-workflow-run")
    told = await desk("github_get_job_logs", repo=REPO, run_id=run["id"])
    assert told["matching"] == 2
    assert [job["id"] for job in told["jobs"]] == [gone, late]
    assert "90 days" in told["jobs"][0]["no_log"] and told["jobs"][1]["log"]
    whole = await desk("github_get_workflow_run", repo=REPO, run_id=run["id"], fields=["status"])
    assert whole["status"]
