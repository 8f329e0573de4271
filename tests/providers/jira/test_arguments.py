"""Arguments that many tools share: exact texts, texts as Jira has them, fields, cursors, former names."""

import json

from connectors.atlassian.markdown import to_adf
from tests.doubles.atlassian import ADA

DOCUMENT = {"type": "doc", "version": 1, "content": [{"type": "rule"}]}


async def test_a_text_is_taken_as_markdown_as_a_document_or_as_wiki_text(call, jira):
    made = await call(
        "jira_create_issue", project_key="PROJ", summary="x", description=json.dumps(DOCUMENT), format="adf"
    )
    assert jira.issue_by(made["key"])["description"] == DOCUMENT
    await call(
        "jira_update_issue", issue_key="PROJ-1", fields={"description": "h1. Why *not*"}, format="wiki"
    )
    assert jira.issue_by("PROJ-1")["description"] == to_adf("# Why **not**")
    comment = await call("jira_add_comment", issue_key="PROJ-1", comment=json.dumps(DOCUMENT), format="adf")
    await call(
        "jira_update_comment", issue_key="PROJ-1", comment_id=comment["id"], comment="*a*", format="wiki"
    )
    assert jira.issue_by("PROJ-1")["comments"][0]["body"] == to_adf("**a**")
    await call("jira_transition_issue", issue_key="PROJ-1", transition="Done", comment="_b_", format="wiki")
    assert jira.issue_by("PROJ-1")["comments"][1]["body"] == to_adf("*b*")
    await call(
        "jira_add_worklog", issue_key="PROJ-1", time_spent="1h", comment=json.dumps(DOCUMENT), format="adf"
    )
    assert jira.issue_by("PROJ-1")["worklogs"][0]["comment"] == DOCUMENT
    await call(
        "jira_create_issues_bulk",
        issues=[{"project_key": "PROJ", "summary": "y", "description": "h2. z", "format": "wiki"}],
    )
    assert jira.issue_by("PROJ-5")["description"] == to_adf("## z")
    for text in ("# no document", '{"type": "paragraph"}', "[1]", '{"type": "doc"}'):
        error = await call("jira_add_comment", issue_key="PROJ-1", comment=text, format="adf")
        assert (error["type"], error["code"]) == ("validation", "bad_adf"), text
    assert len(jira.issue_by("PROJ-1")["comments"]) == 2


async def test_texts_are_told_as_jira_has_them_where_that_is_asked_for(call, jira):
    row = jira.issue_by("PROJ-1")
    row["description"] = to_adf("Be **bold**\u200b and \u202egood")
    await call("jira_add_comment", issue_key="PROJ-1", comment="# Head")
    await call("jira_add_worklog", issue_key="PROJ-1", time_spent="1h", comment="*x*")
    told = await call("jira_get_issue", issue_key="PROJ-1", raw=True, include=["comments", "worklogs"])
    assert told["description"]["content"][0]["content"][1] == {
        "type": "text", "text": "bold", "marks": [{"type": "strong"}],
    }  # fmt: skip
    assert "\u202e" not in json.dumps(told, ensure_ascii=False)
    assert told["comments"][0]["text"] == told["comments"][0]["text"] | {"type": "doc"}
    assert told["worklogs"][0]["text"]["type"] == "doc"
    assert (await call("jira_get_comments", issue_key="PROJ-1", raw=True))["items"][0]["text"] == to_adf(
        "# Head"
    )
    assert (await call("jira_get_worklogs", issue_key="PROJ-1", raw=True))["items"][0]["text"] == to_adf(
        "*x*"
    )
    assert (await call("jira_get_issue", issue_key="PROJ-1"))["description"].startswith("Be **bold**")


async def test_fields_of_the_installation_are_texts_where_it_says_so(call, jira, steps):
    await call("jira_update_issue", issue_key="PROJ-1", fields={steps: "# One"})
    assert jira.issue_by("PROJ-1")[steps] == to_adf("# One")
    await call("jira_update_issue", issue_key="PROJ-1", fields={"Steps": json.dumps(DOCUMENT)}, format="adf")
    assert jira.issue_by("PROJ-1")[steps] == DOCUMENT
    assert (await call("jira_get_issue", issue_key="PROJ-1", fields=["Steps"]))[steps] == "---"
    assert (await call("jira_get_issue", issue_key="PROJ-1", fields=[steps], raw=True))[steps] == DOCUMENT


async def test_lists_tell_only_the_fields_that_were_asked_for(call, jira):
    await call("jira_add_comment", issue_key="PROJ-1", comment="x")
    await call("jira_update_issue", issue_key="PROJ-1", fields={"summary": "y", "assignee": ADA})
    await call("jira_add_worklog", issue_key="PROJ-1", time_spent="1h")
    for tool, arguments, name, kept in (
        ("jira_get_comments", {"issue_key": "PROJ-1"}, "text", {"id"}),
        ("jira_get_changelog", {"issue_key": "PROJ-1"}, "created", {"id"}),
        ("jira_get_worklogs", {"issue_key": "PROJ-1"}, "seconds", {"id"}),
        ("jira_get_transitions", {"issue_key": "PROJ-1"}, "name", {"id"}),
        ("jira_get_projects", {}, "name", {"key", "id", "url"}),
        ("jira_get_issue_types", {"project_key": "PROJ"}, "name", {"id"}),
        ("jira_get_create_metadata", {"project_key": "PROJ", "issue_type_id": "10002"}, "required", {"id"}),
        ("jira_get_boards", {}, "type", {"id", "url"}),
        ("jira_get_board_sprints", {"board_id": 1}, "state", {"id"}),
        ("jira_get_active_sprints", {"board_id": 1}, "name", {"id"}),
        ("jira_search_users", {"query": "ada"}, "email", {"id"}),
    ):
        row = (await call(tool, **arguments, fields=[name]))["items"][0]
        assert set(row) == {name} | kept, tool
    assert set(await call("jira_get_project", project_key="PROJ", fields=["lead"])) == {
        "key",
        "id",
        "url",
        "lead",
    }
    mine = await call("jira_get_my_issues", fields=["summary"])
    assert mine["items"] == [{"key": "PROJ-1", "url": f"{jira.url}/browse/PROJ-1", "summary": "y"}]


async def test_ones_own_issues_worklogs_fields_and_people_are_paged(call, jira):
    for row in jira.issues.values():
        row |= {"assignee": ADA, "status": "3"}
    for number in range(3):
        await call(
            "jira_add_worklog",
            issue_key="PROJ-1",
            time_spent="1h",
            started=f"2026-01-0{number + 1}T09:00:00+00:00",
        )
    for tool, arguments, limit, total in (
        ("jira_get_my_issues", {}, "max_results", 4),
        ("jira_get_worklogs", {"issue_key": "PROJ-1"}, "limit", 3),
        ("jira_list_fields", {"search": "s"}, "limit", None),
        ("jira_search_users", {"query": "example.com"}, "limit", 2),
    ):
        seen, cursor = [], None
        for _ in range(40):
            page = await call(tool, **arguments, **{limit: 1}, **({"cursor": cursor} if cursor else {}))
            seen += [row.get("key") or row["id"] for row in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == (total or len(seen)) > 1, tool
    first = (await call("jira_get_worklogs", issue_key="PROJ-1", limit=1))["items"][0]
    assert first["started"].startswith("2026-01-03"), "the last first"


async def test_a_search_tells_names_changes_and_steps_where_asked(call, jira):
    await call("jira_update_issue", issue_key="PROJ-1", fields={"summary": "y", "story_points": 3})
    found = await call(
        "jira_search_issues", jql="key = PROJ-1", expand=["names", "changelog", "transitions"],
        fields=["summary", "Story point estimate"],
    )  # fmt: skip
    assert found["names"] == {"summary": "Summary", "customfield_10016": "Story point estimate"}
    row = found["items"][0]
    assert {change["field"] for change in row["changelog"][0]["items"]} == {"summary", "customfield_10016"}
    assert {step["name"] for step in row["transitions"]} == {"In Progress", "In Review", "Done"}
    error = await call("jira_search_issues", jql="key = PROJ-1", start_at=10)
    assert (error["type"], "next_cursor" in error["hint"]) == ("validation", True)
    assert (await call("jira_search_issues", jql="key = PROJ-1", expand=["operations"]))[
        "type"
    ] == "validation"


async def test_former_names_of_arguments_are_understood(call, jira):
    assert (await call("jira_transition_issue", issue_key="PROJ-1", transition_id=21))[
        "status"
    ] == "In Progress"
    assert (await call("jira_search_issues", jql="project = PROJ", limit=1))["count"] == 1
    assert (await call("jira_get_comments", issue_id_or_key="PROJ-1", max_results=1))["count"] == 0
    assert (await call("jira_add_comment", issue_key="PROJ-1", body="x"))["id"]
    assert (await call("jira_assign_issue", issue_key="PROJ-1", assignee="me"))["key"] == "PROJ-1"
