"""Every tool reads what GitHub's own document shows as answers, whatever else stands in them, and makes it small."""

from connectors.providers.github.connector import GitHub
from tests.doubles.fixtures import double_fixture, needs_document
from tests.providers.github.examples import CALLS, Shown

pytestmark = needs_document("github")
github = double_fixture(Shown)
# What the document shows no JSON of: answers without a body, and logs.
WITHOUT = {"actions/create-workflow-dispatch", "actions/re-run-workflow-failed-jobs"}


async def test_each_answer_of_each_operation_is_read_by_each_tool(desk, github):
    assert {tool for tool, _ in CALLS} == set(GitHub.tools)
    several: dict[str, int] = {}
    for tool, arguments in CALLS:
        before = len(github.operations)
        said = await desk(tool, **arguments)
        assert "error" not in said, (tool, said)
        assert said
        used = {hit.operation for hit in github.operations[before:]}
        several[tool] = max([github.shown.get(one, 1) for one in used], default=1)
    assert {name for name, number in github.shown.items() if not number} <= WITHOUT
    github.strange = True
    for tool, arguments in CALLS:
        for github.variant in range(several[tool]):
            said = await desk(tool, **arguments)
            assert said.get("type") not in ("internal", "http_error"), (tool, github.variant, said)
            assert "deeper" not in str(said), (tool, github.variant)
    assert not [hit for hit in github.operations if hit.status >= 400]


async def test_an_apps_answers_are_read_as_well(open_desk, github, app):
    desk = await open_desk(credential=app)
    for github.strange in (False, True):
        told = await desk("github_connection_info")
        assert (told["login"], told["owner"]) == ("octoapp[bot]", "octocat")
        assert (await desk("github_get_me"))["type"] == "App"
        assert (await desk("github_list_repositories"))["items"]


async def test_an_enterprise_server_is_asked_below_its_path_alone(open_desk, github):
    desk = await open_desk(url=f"{github.url}/api/v3/")
    for tool, arguments in CALLS:
        assert "error" not in await desk(tool, **arguments), tool
    places = {"/api/v3", "/api/uploads"}
    assert {request.base_url for request in github.requests} == {github.url + place for place in places}
    [file] = [request for request in github.requests if request.base_url.endswith("/api/uploads")]
    assert file.path.endswith("/assets")


SEARCHES = ("github_search_repositories", "github_search_issues", "github_search_code")
# Answers that are as long as a text of theirs: nothing can be left out.
WHOLE = {"github_get_file_content", "github_get_job_logs"}


async def test_ten_found_one_got_and_twenty_five_listed_are_at_most_half_of_githubs_answers(desk, github):
    github.full = True
    shares = {}
    for tool, arguments in CALLS:
        if not GitHub.tools[tool].hints.read_only or tool in {*WHOLE, "github_connection_info"}:
            continue
        before = github.sent
        got = await desk.result(tool, **arguments)
        shares[tool] = len(got["content"][0]["text"].encode()) / (github.sent - before)
        if tool in SEARCHES:
            assert got["structuredContent"]["count"] == 10
        elif "limit" in GitHub.tools[tool].input_schema["properties"] and tool != "github_list_labels":
            assert got["structuredContent"]["count"] == 25
    assert len(shares) > 20
    assert max(shares.values()) <= 0.5, shares
