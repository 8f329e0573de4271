"""The double of GitHub: what was written is read back, in GitHub's words."""

import asyncio
import base64

import httpx2
import pytest

from connectors.upstream.client import Client
from connectors.upstream.requests import Request
from connectors.upstream.retry import Kind
from tests.doubles.examples import example_of
from tests.doubles.fixtures import needs_document
from tests.upstream.conftest import some_connection

REPO = "/repos/octo/hello-world"


def packed(text: bytes) -> str:
    return base64.b64encode(text).decode()


async def test_an_issue_is_made_read_closed_and_commented(octo):
    made = await octo.post(
        f"{REPO}/issues", json={"title": "New", "body": "b", "labels": ["a"], "assignees": ["mona"]}
    )
    number = made.json()["number"]
    assert (made.status_code, made.headers["location"]) == (201, made.json()["url"])
    await octo.patch(f"{REPO}/issues/{number}", json={"state": "closed", "state_reason": "not_planned"})
    issue = (await octo.get(f"{REPO}/issues/{number}")).json()
    assert (issue["state"], issue["state_reason"], issue["assignee"]["login"]) == (
        "closed",
        "not_planned",
        "mona",
    )
    assert issue["closed_at"]
    comment = (await octo.post(f"{REPO}/issues/{number}/comments", json={"body": "One"})).json()
    await octo.patch(f"{REPO}/issues/comments/{comment['id']}", json={"body": "Two"})
    assert [c["body"] for c in (await octo.get(f"{REPO}/issues/{number}/comments")).json()] == ["Two"]
    assert (await octo.delete(f"{REPO}/issues/comments/{comment['id']}")).status_code == 204
    numbers = [one["number"] for one in (await octo.get(f"{REPO}/issues?state=all&labels=a")).json()]
    assert numbers == [number]
    hits = (
        await octo.get("/search/issues", params={"q": "repo:octo/hello-world is:issue is:open bug"})
    ).json()
    assert (hits["total_count"], hits["items"][0]["number"]) == (1, 1)


async def test_what_is_wrong_is_told_in_githubs_words(octo):
    answer = await octo.post(f"{REPO}/issues", json={"title": " "})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"resource": "Issue", "field": "title", "code": "missing_field"}]
    missing = await octo.get("/repos/octo/nothing")
    assert (missing.status_code, missing.json()["message"]) == (404, "Not Found")
    bad = await octo.get("/user", headers={"authorization": "Bearer no"})
    assert (bad.status_code, bad.json()["message"]) == (401, "Bad credentials")
    mona = {"authorization": "token sandbox-github-reader"}
    assert (await octo.post(f"{REPO}/issues", json={"title": "x"}, headers=mona)).status_code == 403
    assert (await octo.get("/repos/octo/secrets.io", headers=mona)).status_code == 404
    assert (await octo.get("/repos/octo/secrets.io")).status_code == 200


async def test_a_file_changes_only_with_the_sha_that_it_has(octo):
    place = f"{REPO}/contents/src/main.py"
    file = (await octo.get(place)).json()
    assert base64.b64decode(file["content"]) == b"print('hello')\n"
    change = {"message": "Change", "content": packed(b"new")}
    assert (await octo.put(place, json=change)).status_code == 422
    assert (await octo.put(place, json={**change, "sha": "0" * 40})).status_code == 409
    assert (await octo.put(place, json={**change, "sha": file["sha"]})).status_code == 200
    raw = await octo.get(place, headers={"accept": "application/vnd.github.raw+json"})
    assert raw.content == b"new"
    made = await octo.put(f"{REPO}/contents/a/b/c.d.txt", json=change)
    assert made.status_code == 201
    names = {(one["name"], one["type"]) for one in (await octo.get(f"{REPO}/contents/")).json()}
    assert names == {("README.md", "file"), ("src", "dir"), ("a", "dir")}
    gone = {"message": "Delete", "sha": made.json()["content"]["sha"]}
    assert (await octo.request("DELETE", f"{REPO}/contents/a/b/c.d.txt", json=gone)).status_code == 200
    assert (await octo.get(f"{REPO}/contents/a/b/c.d.txt")).status_code == 404
    assert len((await octo.get(f"{REPO}/commits")).json()) == 4


async def test_several_files_are_committed_on_a_branch_and_merged(octo):
    main = (await octo.get(f"{REPO}/git/ref/heads/main")).json()["object"]["sha"]
    ref = {"ref": "refs/heads/feature/x", "sha": main}
    assert (await octo.post(f"{REPO}/git/refs", json=ref)).status_code == 201
    again = await octo.post(f"{REPO}/git/refs", json=ref)
    assert (again.status_code, again.json()["message"]) == (422, "Reference already exists")
    blob = (
        await octo.post(f"{REPO}/git/blobs", json={"content": packed(b"z"), "encoding": "base64"})
    ).json()["sha"]
    base = (await octo.get(f"{REPO}/git/trees/main?recursive=1")).json()["sha"]
    entries = [{"path": "z.txt", "mode": "100644", "type": "blob", "sha": blob},
               {"path": "README.md", "mode": "100644", "type": "blob", "sha": None}]  # fmt: skip
    tree = (await octo.post(f"{REPO}/git/trees", json={"base_tree": base, "tree": entries})).json()["sha"]
    commit = {"message": "Two at once", "tree": tree, "parents": [main]}
    sha = (await octo.post(f"{REPO}/git/commits", json=commit)).json()["sha"]
    moved = await octo.patch(f"{REPO}/git/refs/heads/feature/x", json={"sha": sha, "force": False})
    assert moved.json()["object"]["sha"] == sha
    assert (await octo.patch(f"{REPO}/git/refs/heads/feature/x", json={"sha": main})).status_code == 422
    assert (await octo.get(f"{REPO}/branches/feature/x")).json()["commit"]["sha"] == sha
    pull = {"title": "Two", "head": "feature/x", "base": "main"}
    number = (await octo.post(f"{REPO}/pulls", json=pull)).json()["number"]
    assert (await octo.post(f"{REPO}/pulls", json=pull)).status_code == 422
    assert [one["number"] for one in (await octo.get(f"{REPO}/pulls?head=octo:feature/x")).json()] == [number]
    assert (await octo.put(f"{REPO}/pulls/{number}/merge", json={"sha": main})).status_code == 409
    assert (await octo.put(f"{REPO}/pulls/{number}/merge", json={"sha": sha})).json()["merged"]
    assert (await octo.get(f"{REPO}/pulls/{number}")).json()["merged"]
    rows = (await octo.get(f"{REPO}/git/trees/main?recursive=1")).json()["tree"]
    assert {one["path"] for one in rows if one["type"] == "blob"} == {"z.txt", "src/main.py"}
    top = (await octo.get(f"{REPO}/git/trees/HEAD")).json()["tree"]
    assert {(one["path"], one["type"]) for one in top} == {("z.txt", "blob"), ("src", "tree")}


async def test_what_has_not_changed_is_304_and_costs_nothing(octo, github):
    first = await octo.get(REPO)
    left = int(first.headers["x-ratelimit-remaining"])
    same = await octo.get(REPO, headers={"if-none-match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert int(same.headers["x-ratelimit-remaining"]) == left
    github.repos["octo/hello-world"]["description"] = "Changed"
    assert (await octo.get(REPO, headers={"if-none-match": first.headers["etag"]})).status_code == 200


async def test_lists_come_in_pages_with_links(octo):
    for number in range(4):
        await octo.post(f"{REPO}/issues", json={"title": f"Issue {number}"})
    page = await octo.get(f"{REPO}/issues?per_page=2")
    seen = [one["number"] for one in page.json()]
    while following := page.links.get("next"):
        page = await octo.get(following["url"])
        seen += [one["number"] for one in page.json()]
    assert seen == [5, 4, 3, 2, 1]
    assert set(page.links) == {"first", "prev"}


async def test_the_quota_is_told_and_ends_with_403(octo, github):
    github.quota.limit = 2
    assert (await octo.get("/user")).headers["x-ratelimit-remaining"] == "1"
    assert (await octo.head("/user")).headers["x-oauth-scopes"] == "read:org, repo, workflow"
    over = await octo.get("/user")
    assert (over.status_code, over.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "API rate limit exceeded" in over.json()["message"]


async def test_who_does_not_say_its_name_is_turned_away(github):
    async with httpx2.AsyncClient(base_url=github.url) as client:
        del client.headers["user-agent"]
        assert (await client.get("/user")).status_code == 403


async def test_the_way_of_an_enterprise_server_is_known(octo):
    assert (await octo.get("/api/v3/user")).json()["url"].endswith("/api/v3/users/octo")


async def test_portico_s_client_speaks_to_it(github, sandbox, ctx):
    class Token:
        async def headers(self, *, renewed):
            return {"authorization": "Bearer sandbox-github-token"}

    client = Client(some_connection(), github.url)
    request = Request("GET", "repos/octo/hello-world/contents/src/main.py", Kind.READ, params={"ref": "main"})
    assert (await client.send(ctx(), request, Token())).json()["name"] == "main.py"
    await client.aclose()
    await asyncio.sleep(0)


@needs_document("github")
@pytest.mark.parametrize("operation", ["repos/get", "issues/get", "pulls/get", "issues/list-comments"])
async def test_the_doubles_answers_have_what_the_vendors_examples_have(octo, operation):
    main = (await octo.get(f"{REPO}/git/ref/heads/main")).json()["object"]["sha"]
    await octo.put(f"{REPO}/contents/new.txt", json={"message": "m", "content": packed(b"1")})
    await octo.post(f"{REPO}/git/refs", json={"ref": "refs/heads/old", "sha": main})
    pull = (await octo.post(f"{REPO}/pulls", json={"title": "t", "head": "main", "base": "old"})).json()[
        "number"
    ]
    await octo.post(f"{REPO}/issues/1/comments", json={"body": "c"})
    place = {"repos/get": REPO, "issues/get": f"{REPO}/issues/1", "pulls/get": f"{REPO}/pulls/{pull}",
             "issues/list-comments": f"{REPO}/issues/1/comments"}[operation]  # fmt: skip
    ours, example = (await octo.get(place)).json(), example_of("github", operation)
    if isinstance(ours, list):
        ours, example = ours[0], example[0]
    optional = {"organization", "parent", "source", "template_repository", "security_and_analysis", "temp_clone_token",
                "allow_rebase_merge", "allow_squash_merge", "allow_auto_merge", "allow_merge_commit", "allow_forking",
                "delete_branch_on_merge", "is_template", "milestone", "pull_request", "issue_dependencies_summary",
                "sub_issues_summary", "reactions", "pinned_comment", "minimized"}  # fmt: skip
    assert set(example) - set(ours) <= optional
