"""Reviews, releases and Actions."""

from tests.doubles.faults import Reset
from tests.providers.github.conftest import REPO


async def test_a_review_is_written_and_read(desk, github):
    await desk("github_create_branch", repo=REPO, branch_name="r")
    await desk(
        "github_create_or_update_file", repo=REPO, file_path="r", content="r", commit_message="r", branch="r"
    )
    number = (await desk("github_create_pull_request", repo=REPO, title="R", head="r"))["number"]
    note = {"path": "r", "line": 1, "body": "Why?"}
    made = await desk(
        "github_review_pull_request",
        repo=REPO,
        pull_number=number,
        event="COMMENT",
        body="Hm.",
        comments=[note],
    )
    assert made["state"] == "COMMENTED"
    pull = await desk("github_get_pull_request", repo=REPO, pull_number=number, include=["reviews"])
    assert [row["body"] for row in pull["reviews"]] == ["Hm."]
    error = await desk("github_review_pull_request", repo=REPO, pull_number=number, event="REQUEST_CHANGES")
    assert error["code"] == "no_body"


async def test_releases_are_listed_and_the_latest_is_got(desk, github):
    assert "github_list_releases" in (await desk("github_get_latest_release", repo=REPO))["hint"]
    github.make_release(REPO, "v1")
    github.make_release(REPO, "v2")
    assert [row["tag"] for row in (await desk("github_list_releases", repo=REPO))["items"]] == ["v2", "v1"]
    assert (await desk("github_get_latest_release", repo=REPO))["body"] == "What is new."


async def test_a_release_is_made_and_gets_files(desk, github):
    made = await desk(
        "github_create_release", repo=REPO, tag="v3", name="Three", body="*New*", prerelease=True
    )
    assert (made["tag"], made["name"], made["prerelease"]) == ("v3", "Three", True)
    assert (await desk("github_create_release", repo=REPO, tag="v3"))["type"] == "conflict"
    file = {"repo": REPO, "tag": "v3", "filename": "../a b.bin", "content_base64": "AAEC"}
    told = await desk("github_upload_release_asset", **file, label="Bytes")
    assert (told["name"], told["size"], told["label"]) == ("a b.bin", 3, "Bytes")
    assert github.requests[-1].body == b"\x00\x01\x02"
    assert (await desk("github_upload_release_asset", **file))["type"] == "conflict"
    [release] = (await desk("github_list_releases", repo=REPO))["items"]
    assert [(one["name"], one["size"]) for one in release["assets"]] == [("a b.bin", 3)]
    error = await desk("github_upload_release_asset", **{**file, "tag": "v9"})
    assert (error["type"], "github_list_releases" in error["hint"]) == ("not_found", True)
    error = await desk("github_upload_release_asset", repo=REPO, tag="v3", filename="x")
    assert error["code"] == "one_content"
    github.faults.add(Reset(after=True), path="repos/upload-release-asset")
    error = await desk("github_upload_release_asset", repo=REPO, tag="v3", filename="once", text="x")
    assert (error["code"], error["retryable"]) == ("outcome_unknown", False)


async def test_runs_are_found_with_what_failed_and_its_log(desk, github):
    run = github.make_run(github.repos[REPO], "main", failed=True)
    github.make_run(github.repos[REPO], "other", failed=False)
    assert (await desk("github_list_workflows", repo=REPO))["items"][0]["name"] == "CI"
    found = await desk("github_list_workflow_runs", repo=REPO, branch="main", status="failure")
    assert ([row["id"] for row in found["items"]], found["total"]) == ([run["id"]], 1)
    told = await desk("github_get_workflow_run", repo=REPO, run_id=run["id"])
    assert [(job["name"], job.get("failed_steps")) for job in told["jobs"]] == [
        ("lint", None),
        ("test", ["Run test"]),
    ]
    logs = await desk("github_get_job_logs", repo=REPO, run_id=run["id"], tail_lines=2)
    assert [job["log"] for job in logs["jobs"]] == ["line 299 of test\nline 300 of test"]
    assert logs["jobs"][0]["truncated"] is True
    sent = next(request for request in github.requests if request.path.startswith("/logs/"))
    assert "authorization" not in sent.headers
    one = await desk("github_get_job_logs", repo=REPO, job_id=told["jobs"][0]["id"])
    assert one["jobs"][0]["lines"] == 300
    assert (await desk("github_get_job_logs", repo=REPO))["code"] == "bad_arguments"
    assert "github_list_workflow_runs" in (await desk("github_get_workflow_run", repo=REPO, run_id=1))["hint"]


async def test_workflows_are_started_and_failed_jobs_again(desk, github):
    assert (await desk("github_run_workflow", repo=REPO, workflow="ci.yml", ref="main"))["started"]
    assert (await desk("github_run_workflow", repo=REPO, workflow="ci.yml", ref="nope"))[
        "type"
    ] == "validation"
    assert (await desk("github_run_workflow", repo=REPO, workflow="../x", ref="main"))["type"] == "validation"
    run = github.make_run(github.repos[REPO], "main", failed=True)
    assert (await desk("github_rerun_failed_jobs", repo=REPO, run_id=run["id"]))["started"]
    told = await desk("github_get_workflow_run", repo=REPO, run_id=run["id"])
    assert told["status"] == "queued"
