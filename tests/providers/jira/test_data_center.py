"""Jira Data Center: the same tools over version 2 of the API, wiki text, people by name."""

import json

import pytest

from connectors.atlassian.errors import explain
from connectors.services import connection_check
from connectors.upstream.answers import Answer
from tests.doubles.atlassian import text_of
from tests.doubles.documents import own_document
from tests.doubles.faults import Reset
from tests.doubles.fixtures import double_fixture
from tests.doubles.jira import records
from tests.doubles.jira.data_center import JiraDataCenter
from tests.mcp_endpoint.speak import by_door, modern
from tests.providers.jira.test_odd_arguments import (
    test_a_document_that_lies_too_deep_is_refused,
    test_who_cannot_be_assigned_is_told_where_to_look,
)

__all__ = [  # what holds at a Data Center too: called with its fixtures
    "test_a_document_that_lies_too_deep_is_refused",
    "test_who_cannot_be_assigned_is_told_where_to_look",
]

PAT = {"method": "personal_access_token", "token": "sandbox-jira-pat"}
READER = {"method": "personal_access_token", "token": "sandbox-jira-pat-reader"}
PASSWORD = {"method": "password", "email": "ada", "token": "sandbox-jira-password"}
jira = double_fixture(JiraDataCenter)  # in place of Cloud's, for the fixtures that begin with it


@pytest.fixture
async def call(desk):
    """Ada's calls with a personal access token."""
    return await desk(PAT)


def operations(jira):
    return [hit.operation for hit in jira.operations]


async def test_tokens_and_passwords_sign_in_and_the_test_says_what_it_is(desk, jira):
    for credential in (PAT, PASSWORD):
        call = await desk(credential, projects=["PROJ"])
        told = await call("jira_connection_info")
        assert (told["ok"], told["deployment"], told["account"]) == (
            True,
            "Server",
            {"id": "ada", "name": "Ada Lovelace"},
        )
        assert "hidden_tools" not in told
        assert (await connection_check(call.connection)).ok
    told = await (await desk(READER))("jira_connection_info")
    assert told["hidden_tools"]["jira_create_issue"] == "CREATE_ISSUES"
    error = await (await desk({**PAT, "token": "wrong-token"}))("jira_get_issue", issue_key="PROJ-1")
    assert (error["type"], error["code"]) == ("authentication", "token_refused")
    assert "wrong-token" not in json.dumps(error)


async def test_a_data_center_is_known_by_what_it_says_of_itself(desk, jira):
    call = await desk({"method": "bearer", "token": "sandbox-jira-pat"})
    for _ in range(2):
        assert (await call("jira_get_transitions", issue_key="PROJ-1"))["count"] == 3
    assert operations(jira) == ["getServerInfo", "getTransitions", "getTransitions"]
    assert "authorization" not in jira.requests[0].headers
    call = await desk({"method": "api_token", "email": "ada", "token": "sandbox-jira-password"})
    assert (await call("jira_get_issue", issue_key="PROJ-1"))["key"] == "PROJ-1"


async def test_a_personal_access_token_for_a_site_at_atlassian_is_told_without_asking(desk):
    call = await desk(PAT, site="https://acme.atlassian.net")
    error = await call("jira_get_issue", issue_key="PROJ-1")
    assert (error["type"], error["code"]) == ("authentication", "token_refused")
    assert "api_token" in error["hint"]


async def test_a_server_that_tells_nothing_without_a_credential_is_asked_with_it(desk, jira):
    jira.locked = True
    call = await desk({"method": "bearer", "token": "sandbox-jira-pat"})
    assert (await call("jira_get_transitions", issue_key="PROJ-1"))["count"] == 3
    asked = [hit.status for hit in jira.operations if hit.operation == "getServerInfo"]
    assert asked == [401, 200]


def test_a_captcha_is_told_in_words():
    headers = {"x-authentication-denied-reason": "CAPTCHA_CHALLENGE; login-url=https://x.example/login.jsp"}
    said = explain(Answer(403, headers, b"<html>", "https://x.example"))
    assert "captcha" in said


async def test_texts_go_in_and_come_out_as_markdown_and_are_wiki_text_there(call, jira):
    words = "# Why\n\nIt *falls* **hard**, see [the page](https://x.example/a_b).\n\n- one\n  - two\n\n```python\nx = {1}\n```"
    made = await call(
        "jira_create_issue", project_key="PROJ", summary="Pay", description=words, assignee="bo@example.com"
    )
    row = jira.issue_by(made["key"])
    assert text_of(row["description"]) == (
        "h1. Why\n\nIt _falls_ *hard*, see [the page|https://x.example/a_b].\n\n* one\n** two\n\n{code:python}\nx = {1}\n{code}"
    )
    told = await call("jira_get_issue", issue_key=made["key"])
    assert told["description"] == words
    assert told["assignee"] == {"id": "bo", "name": "Bo Reader"}
    raw = await call("jira_get_issue", issue_key=made["key"], raw=True, fields=["description"])
    assert raw["description"].startswith("h1. Why")
    comment = await call("jira_add_comment", issue_key="PROJ-1", comment="Hello [@Bo](accountid:bo)")
    assert text_of(jira.issue_by("PROJ-1")["comments"][0]["body"]) == "Hello [~bo]"
    assert (await call("jira_get_comments", issue_key="PROJ-1"))["items"][0][
        "text"
    ] == "Hello [@bo](accountid:bo)"
    await call(
        "jira_update_comment",
        issue_key="PROJ-1",
        comment_id=comment["id"],
        comment="h2. As it is {{x}}",
        format="wiki",
    )
    assert (await call("jira_get_comments", issue_key="PROJ-1", raw=True))["items"][0][
        "text"
    ] == "h2. As it is {{x}}"
    document = {"type": "doc", "version": 1, "content": [{"type": "rule"}]}
    await call(
        "jira_update_issue", issue_key="PROJ-1", fields={"description": json.dumps(document)}, format="adf"
    )
    assert text_of(jira.issue_by("PROJ-1")["description"]) == "----"


async def test_fields_of_the_installation_are_texts_where_it_says_so(call, jira, steps):
    await call("jira_update_issue", issue_key="PROJ-1", fields={"Steps": "# One\n\n*two*"})
    assert text_of(jira.issue_by("PROJ-1")[steps]) == "h1. One\n\n_two_"
    told = await call("jira_get_issue", issue_key="PROJ-1", fields=[steps])
    assert told[steps] == "# One\n\n*two*"


async def test_searches_are_paged_by_rows_and_counted(call, jira):
    query = {"jql": "project = PROJ ORDER BY key ASC", "max_results": 2}
    page = await call("jira_search_issues", **query, expand=["names", "changelog"])
    assert ([row["key"] for row in page["items"]], page["total"]) == (["PROJ-1", "PROJ-2"], 3)
    assert page["names"]["summary"] == "Summary"
    rest = await call(
        "jira_search_issues", **query, expand=["names", "changelog"], cursor=page["next_cursor"]
    )
    assert ([row["key"] for row in rest["items"]], rest["next_cursor"]) == (["PROJ-3"], None)
    assert [row["key"] for row in (await call("jira_search_issues", **query, start_at=1))["items"]] == [
        "PROJ-2",
        "PROJ-3",
    ]
    assert await call("jira_count_issues", jql="project = PROJ") == {"count": 3}
    assert await call("jira_validate_jql", jql="project = PROJ") == {"valid": True}
    assert "colour" in (await call("jira_validate_jql", jql="colour = 1"))["problems"][0]
    assert (await call("jira_search_issues", jql="colour = 1"))["type"] == "validation"
    built = await call("jira_build_jql", assignee="bo@example.com")
    assert built["jql"].startswith('assignee = "bo"')
    told = await call("jira_get_issues_bulk", issue_keys=["PROJ-1", "PROJ-99", "OPS-1"])
    assert ([row["key"] for row in told["items"]], told["missing"]) == (["PROJ-1", "OPS-1"], ["PROJ-99"])


async def test_people_are_called_by_their_names(call, jira):
    for who, name in (
        ("me", "ada"),
        ("bo@example.com", "bo"),
        ("Bo Reader", "bo"),
        ("ada", "ada"),
        ("none", None),
    ):
        await call("jira_assign_issue", issue_key="PROJ-1", account_id=who)
        assert jira.names.get(jira.issue_by("PROJ-1")["assignee"]) == name
    await call("jira_assign_issue", issue_key="PROJ-1", account_id="me")
    assert [row["key"] for row in (await call("jira_get_my_issues"))["items"]] == ["PROJ-1"]
    for who in ("me", "bo@example.com"):
        await call("jira_add_watcher", issue_key="PROJ-1", account_id=who)
    assert [row["id"] for row in (await call("jira_get_watchers", issue_key="PROJ-1"))["items"]] == [
        "ada",
        "bo",
    ]
    await call("jira_remove_watcher", issue_key="PROJ-1", account_id="me")
    assert [row["id"] for row in (await call("jira_get_watchers", issue_key="PROJ-1"))["items"]] == ["bo"]
    found = (await call("jira_search_users", query="bo@", issue_key="PROJ-1"))["items"]
    assert found == [{"id": "bo", "name": "Bo Reader", "email": "bo@example.com"}]
    error = await call("jira_assign_issue", issue_key="PROJ-1", account_id="nobody")
    assert "nobody" in error["error"]


async def test_the_workflow_and_what_hangs_on_an_issue(call, jira):
    told = await call("jira_transition_issue", issue_key="PROJ-1", transition_id=21, comment="**Go**")
    assert told["status"] == "In Progress"
    await call("jira_update_issue", issue_key="PROJ-1", fields={"summary": "New", "assignee": "bo"})
    history = await call("jira_get_changelog", issue_key="PROJ-1", limit=1)
    assert (history["items"][0]["items"][0]["field"], history["total"]) == ("status", 2)
    told = await call(
        "jira_get_issue", issue_key="PROJ-1", include=["changelog", "comments", "worklogs", "watchers"]
    )
    assert [entry["items"][0]["field"] for entry in told["changelog"]] == ["summary", "status"]
    assert told["comments"][0]["text"] == "**Go**"
    await call("jira_add_worklog", issue_key="PROJ-1", time_spent="1h", comment="*Hard*")
    logged = (await call("jira_get_worklogs", issue_key="PROJ-1"))["items"][0]
    assert (logged["text"], logged["author"]["id"]) == ("*Hard*", "ada")
    error = await call("jira_transition_issue", issue_key="PROJ-1", transition="Fly")
    assert error["code"] == "no_such_transition"
    await call("jira_link_issues", inward_issue="PROJ-1", outward_issue="PROJ-2")
    page = "https://x.example/confluence/pages/viewpage.action?pageId=7"
    await call("jira_add_comment", issue_key="PROJ-1", comment=f"[Seven]({page})")
    found = await call("jira_extract_confluence_links", issue_key="PROJ-1")
    assert (found["confluence"][0]["page_id"], found["confluence"][0]["url"]) == ("7", page)
    await call("jira_add_comment", issue_key="PROJ-1", comment="https://x.example/c/display/DOCS/How+to")
    await call("jira_add_comment", issue_key="PROJ-1", comment="https://x.example/c/spaces/DOCS/pages/9/Nine")
    found = (await call("jira_extract_confluence_links", issue_key="PROJ-1"))["confluence"]
    assert {(row.get("page_id"), row.get("space"), row.get("title")) for row in found} == {
        ("7", None, None), (None, "DOCS", "How to"), ("9", "DOCS", "Nine"),
    }  # fmt: skip
    jira.faults.add(Reset(after=True), path="createIssue")
    error = await call("jira_create_issue", project_key="PROJ", summary="Once")
    assert "jira_search_issues" in error["hint"]
    assert len([row for row in jira.issues.values() if row["summary"] == "Once"]) == 1


async def test_projects_boards_and_sprints(desk, jira):
    call = await desk(PAT)
    found = await call("jira_get_projects", limit=1)
    assert ([row["key"] for row in found["items"]], found["total"]) == (["OPS"], 2)
    rest = await call("jira_get_projects", limit=1, cursor=found["next_cursor"])
    assert [row["key"] for row in rest["items"]] == ["PROJ"]
    kinds = (await call("jira_get_issue_types", project_key="PROJ", fields=["name"]))["items"]
    assert {"Task", "Story"} <= {row["name"] for row in kinds}
    assert set(kinds[0]) == {"id", "name"}
    fields = await call("jira_get_create_metadata", project_key="PROJ", issue_type_id="10002")
    assert fields["items"][0]["id"] == "summary"
    board = (await call("jira_get_boards", project_key="PROJ"))["items"][0]
    assert (board["project"], board["url"]) == ("PROJ", f"{jira.url}/secure/RapidBoard.jspa?rapidView=1")
    assert [row["id"] for row in (await call("jira_get_active_sprints", board_id=1))["items"]] == [2]
    told = await call("jira_get_issue", issue_key="PROJ-1", fields=["Sprint"])
    assert told["customfield_10020"] == [{"id": 2, "name": "Sprint 2", "state": "active"}]
    assert (await call("jira_add_issue_to_active_sprint", issue_key="PROJ-2"))["sprint"]["id"] == 2
    assert (await call("jira_get_sprint_issues", sprint_id=2))["count"] == 2
    told = await call("jira_get_daily_standup_summary", board_id=1)
    assert told["counts"]["in_progress"] == 1


async def test_the_projects_bound_a_data_center_too(desk, jira):
    fenced = await desk(PAT, projects=["PROJ"])
    for tool, arguments in (
        ("jira_get_issue", {"issue_key": "OPS-1"}),
        ("jira_get_changelog", {"issue_key": "OPS-1"}),
        ("jira_get_issues_bulk", {"issue_keys": ["OPS-1"]}),
        ("jira_get_board_sprints", {"board_id": 2}),
        ("jira_create_issue", {"project_key": "OPS", "summary": "x"}),
    ):
        assert (await fenced(tool, **arguments))["code"] == "project_not_allowed", tool
    assert (await fenced("jira_search_issues", jql="project = OPS OR project = PROJ"))["count"] == 3
    assert await fenced("jira_count_issues", jql="project = OPS OR project = PROJ") == {"count": 3}
    assert [row["key"] for row in (await fenced("jira_get_projects"))["items"]] == ["PROJ"]
    assert [row["id"] for row in (await fenced("jira_get_boards"))["items"]] == [1]
    assert (await fenced("jira_get_board_sprints", board_id=1))["count"] == 3
    both = await desk(PAT, projects=["PROJ", "OPS"])
    assert "project_key" in (await both("jira_get_boards"))["error"]
    assert (await both("jira_get_boards", project_key="OPS"))["items"][0]["id"] == 2


async def test_a_reader_is_refused_in_jiras_words_and_two_tenants_share_nothing(desk, jira):
    ada, bo = await desk(PAT), await desk(READER)
    error = await bo("jira_add_comment", issue_key="PROJ-1", comment="x")
    assert (error["type"], "permission" in error["error"]) == ("permission", True)
    page = await ada("jira_search_issues", jql="project = PROJ", max_results=1)
    other = await bo("jira_search_issues", jql="project = PROJ", max_results=1, cursor=page["next_cursor"])
    assert other["code"] == "bad_cursor"
    assert (await bo("jira_connection_info"))["account"]["id"] == "bo"


async def test_files_come_from_the_site_itself(call, jira):
    files = (await call("jira_list_attachments", issue_key="PROJ-1"))["items"]
    assert files[0]["name"] == "steps.txt"
    told = await call.raw("jira_get_attachment", attachment_id=files[0]["id"])
    assert "Choose a supplier" in json.dumps(told)
    await call("jira_add_attachment", issue_key="PROJ-2", filename="a.txt", text="hello")
    assert (await call("jira_list_attachments", issue_key="PROJ-2"))["count"] == 1
    assert {row["name"] for row in (await call("jira_list_filters", name="open"))["items"]} == {"Open bugs"}


async def test_project_keys_are_completed(desk, jira):
    call = await desk(PAT, projects=["PROJ"])
    asked = {
        "ref": {"type": "ref/resource", "uri": "jira://{connection}/project/{key}"},
        "argument": {"name": "key", "value": "P"},
    }
    found = (await by_door(modern(call.place, "completion/complete", asked))).result
    assert found["completion"]["values"] == ["PROJ"]


def test_our_document_has_nothing_that_the_double_does_not_play():
    played = {
        (one.method, one.template.replace("/rest/api/3/", "/rest/api/2/", 1)) for one in JiraDataCenter.routes
    }
    paths = own_document(JiraDataCenter.vendor).content["paths"]
    verbs = {"get", "put", "post", "delete"}
    assert {(verb.upper(), path) for path, item in paths.items() for verb in verbs & set(item)} <= played


async def test_a_parent_is_an_epic_but_for_sub_tasks(call, jira, monkeypatch):
    id = "customfield_10014"
    monkeypatch.setitem(records.FIELDS, id, ("Epic Link", "any", "gh-epic-link"))
    monkeypatch.setattr(records, "SETTABLE", {*records.SETTABLE, id})
    asked = {"project_key": "PROJ", "summary": "x", "parent": "PROJ-1"}
    story, below = [
        jira.issue_by((await call("jira_create_issue", **asked, issue_type=kind))["key"])
        for kind in ("Story", "Sub-task")
    ]
    assert (story[id], story["parent"]) == ("PROJ-1", None)
    assert below["parent"] == jira.issue_by("PROJ-1")["id"]
    await call("jira_update_issue", issue_key="PROJ-2", fields={"parent": "PROJ-1"})
    assert jira.issue_by("PROJ-2")[id] == "PROJ-1"
    await call("jira_update_issue", issue_key="PROJ-2", fields={"parent": None})
    assert jira.issue_by("PROJ-2")[id] is None
