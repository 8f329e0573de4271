"""What the reading tools tell, against the double and the vendor's documents."""

import json

from connectors.atlassian.markdown import to_adf
from tests.doubles.atlassian import ADA
from tests.doubles.faults import Reset, Status, TooMany


async def test_a_search_tells_small_records_with_their_pages(call, jira):
    got = await call.raw("jira_search_issues", jql="project = PROJ ORDER BY key ASC")
    found = got["structuredContent"]
    assert [row["key"] for row in found["items"]] == ["PROJ-1", "PROJ-2", "PROJ-3"]
    first = found["items"][0]
    assert first["url"] == f"{jira.url}/browse/PROJ-1"
    assert (first["type"], first["status"], first["priority"]) == ("Bug", "To Do", "Medium")
    assert (found["count"], found["next_cursor"]) == (3, None)
    assert got["_meta"]["trust"] == "untrusted"


async def test_a_search_is_paged_by_a_cursor_that_fits_no_other_query(call):
    page = await call("jira_search_issues", jql="project = PROJ ORDER BY key ASC", max_results=2)
    assert [row["key"] for row in page["items"]] == ["PROJ-1", "PROJ-2"]
    more = await call(
        "jira_search_issues", jql="project = PROJ ORDER BY key ASC", max_results=2, cursor=page["next_cursor"]
    )
    assert [row["key"] for row in more["items"]] == ["PROJ-3"]
    other = await call("jira_search_issues", jql="project = OPS", cursor=page["next_cursor"])
    assert other["code"] == "bad_cursor"


async def test_fields_are_named_by_id_or_by_the_words_of_people(call, jira):
    next(iter(jira.issues.values()))["customfield_10016"] = 5
    found = await call("jira_search_issues", jql="key = PROJ-1", fields=["summary", "Story point estimate"])
    assert set(found["items"][0]) == {"key", "url", "summary", "customfield_10016"}
    error = await call("jira_search_issues", jql="key = PROJ-1", fields=["Story colour"])
    assert (error["type"], error["code"]) == ("validation", "unknown_field")
    assert "Story point estimate" in error["hint"]


async def test_a_wrong_query_is_told_in_jiras_words_with_what_to_write(call):
    error = await call("jira_search_issues", jql="colour = red")
    assert error["type"] == "validation"
    assert "colour" in error["error"]
    assert "jira_build_jql" in error["hint"]
    assert "no LIKE" in (await call("jira_search_issues", jql='summary LIKE "x"'))["hint"]
    assert "Add a condition" in (await call("jira_search_issues", jql="ORDER BY created"))["hint"]


async def test_an_issue_comes_with_markdown_and_what_was_asked_for(call, jira):
    row = next(iter(jira.issues.values()))
    row["description"] = to_adf("# Why\n\nIt *falls*.")
    await call("jira_add_comment", issue_key="PROJ-1", comment="Seen **again**")
    await call("jira_link_issues" if False else "jira_assign_issue", issue_key="PROJ-1", account_id="me")
    told = await call(
        "jira_get_issue", issue_key="PROJ-1",
        include=["comments", "transitions", "changelog", "watchers", "links", "attachments", "worklogs"],
    )  # fmt: skip
    assert told["description"] == "# Why\n\nIt *falls*."
    assert told["comments"][0]["text"] == "Seen **again**"
    assert told["assignee"] == {"id": ADA, "name": "Ada Lovelace"}
    assert {step["name"] for step in told["transitions"]} == {"In Progress", "In Review", "Done"}
    assert told["changelog"][0]["items"][0]["field"] == "assignee"
    small = await call("jira_get_issue", issue_key="PROJ-1", fields=["summary"])
    assert set(small) == {"key", "url", "summary"}


async def test_an_issue_that_is_not_there_says_how_to_find_one(call):
    error = await call("jira_get_issue", issue_key="PROJ-999")
    assert error["type"] == "not_found"
    assert "jira_search_issues" in error["hint"]


async def test_a_summary_has_everything_at_once(call):
    await call("jira_add_comment", issue_key="PROJ-2", comment="first")
    told = await call("jira_summarize_issue", issue_key="PROJ-2")
    assert told["comments"][0]["text"] == "first"
    assert told["summary"].startswith("Show the invoice")


async def test_many_issues_and_those_that_are_missing(call):
    told = await call("jira_get_issues_bulk", issue_keys=["PROJ-1", "OPS-1", "PROJ-99"])
    assert [row["key"] for row in told["items"]] == ["PROJ-1", "OPS-1"]
    assert told["missing"] == ["PROJ-99"]


async def test_my_issues_leave_out_what_is_done(call, jira):
    for row in jira.issues.values():
        row["assignee"] = ADA
    mine = await call("jira_get_my_issues")
    assert {row["key"] for row in mine["items"]} == {"PROJ-1", "PROJ-2", "OPS-1"}
    assert (await call("jira_get_my_issues", include_done=True))["count"] == 4
    assert (await call("get-my-assigned-issues"))["count"] == 3


async def test_counting_building_and_checking_queries(call):
    assert await call("jira_count_issues", jql="project = PROJ ORDER BY created") == {"count": 3}
    built = await call(
        "jira_build_jql", project="PROJ", status=["To Do", 'x" OR project = OPS'], assignee="ada@example.com",
        text='say "hi"', sprint="active", updated_since="-7d", labels=["a"], issue_type=["Bug"],
    )  # fmt: skip
    assert r'status in ("To Do", "x\" OR project = OPS")' in built["jql"]
    assert f'assignee = "{ADA}"' in built["jql"]
    assert "sprint in openSprints()" in built["jql"]
    assert built["jql"].endswith("ORDER BY updated DESC")
    assert await call("jira_validate_jql", jql="project = PROJ") == {"valid": True}
    assert (await call("jira_validate_jql", jql="colour = 1"))["valid"] is False


async def test_history_and_comments_are_paged(call):
    for number in range(3):
        await call("jira_add_comment", issue_key="PROJ-1", comment=f"no {number}")
        await call("jira_update_issue", issue_key="PROJ-1", fields={"summary": f"Name {number}"})
    page = await call("jira_get_comments", issue_key="PROJ-1", limit=2)
    assert [row["text"] for row in page["items"]] == ["no 2", "no 1"]
    assert page["total"] == 3
    more = await call("jira_get_comments", issue_key="PROJ-1", limit=2, cursor=page["next_cursor"])
    assert [row["text"] for row in more["items"]] == ["no 0"]
    history = await call("jira_get_changelog", issue_key="PROJ-1", limit=2)
    assert history["items"][0]["items"][0]["after"] == "Name 0"
    assert history["next_cursor"]


async def test_projects_types_and_fields_of_creation(call):
    found = await call("jira_get_projects")
    assert [row["key"] for row in found["items"]] == ["OPS", "PROJ"] or {
        row["key"] for row in found["items"]
    } == {"OPS", "PROJ"}
    assert (await call("jira_get_projects", query="oper"))["items"][0]["key"] == "OPS"
    assert (await call("jira_get_project", project_key="PROJ"))["lead"]["name"] == "Ada Lovelace"
    kinds = (await call("jira_get_issue_types", project_key="PROJ"))["items"]
    assert {row["name"] for row in kinds} >= {"Task", "Story", "Bug"}
    for other in ("jira_get_project_issue_types", "jira_get_creatable_issue_types"):
        assert (await call(other, project_key="PROJ"))["count"] == len(kinds)
    story = next(row["id"] for row in kinds if row["name"] == "Story")
    fields = (await call("jira_get_create_metadata", project_key="PROJ", issue_type_id=story))["items"]
    assert fields[0] == {"id": "summary", "name": "Summary", "type": "string", "required": True}
    points = await call("jira_check_story_points_requirement", project_key="PROJ")
    assert points == {
        "issue_type": "Story", "available": True, "required": False, "field": "customfield_10016",
        "name": "Story point estimate",
    }  # fmt: skip
    assert (await call("jira_check_story_points_requirement", project_key="PROJ", issue_type="x"))[
        "exists"
    ] is False
    listed = await call("jira_list_fields", custom_only=True)
    assert {row["id"] for row in listed["items"]} == {"customfield_10016", "customfield_10020"}
    error = await call("jira_get_create_metadata", issue_type_id=story)
    assert (error["type"], error["hint"]) == ("validation", "jira_get_projects lists them.")


async def test_boards_and_sprints(call, jira):
    boards = (await call("jira_get_boards"))["items"]
    assert [row["id"] for row in boards] == [1, 2]
    assert (await call("jira_get_boards", project_key="PROJ", type="scrum"))["items"][0]["project"] == "PROJ"
    assert (await call("jira_get_board_configuration", board_id=1))["estimation_field"] == "customfield_10016"
    sprints = await call("jira_get_board_sprints", board_id=1, limit=2)
    assert [row["state"] for row in sprints["items"]] == ["closed", "active"]
    rest = await call("jira_get_board_sprints", board_id=1, limit=2, cursor=sprints["next_cursor"])
    assert [row["state"] for row in rest["items"]] == ["future"]
    assert [row["id"] for row in (await call("jira_get_active_sprints", board_id=1))["items"]] == [2]
    error = await call("jira_get_board_sprints", board_id=2)
    assert "Only scrum boards" in error["hint"]
    assert [row["key"] for row in (await call("jira_get_sprint_issues", sprint_id=2))["items"]] == ["PROJ-1"]


async def test_a_typical_answer_is_at_most_half_of_what_jira_said(call, jira):
    for number in range(25):
        row = jira.make(
            jira.projects["PROJ"], {"summary": f"Thing {number}", "issuetype": "10001", "reporter": ADA}
        )
        row["assignee"] = ADA
    for tool, arguments, path in (
        ("jira_search_issues", {"jql": "project = PROJ", "max_results": 10}, "search/jql"),
        ("jira_search_issues", {"jql": "project = PROJ", "max_results": 25}, "search/jql"),
        ("jira_get_issue", {"issue_key": "PROJ-5", "include": ["transitions"]}, "issue/PROJ-5"),
        ("jira_get_projects", {}, "project/search"),
    ):
        told = (await call.raw(tool, **arguments))["structuredContent"]
        asked = [one for one in jira.requests if path in one.path][-1]
        handler = jira._find(asked)
        raw = getattr(jira, handler.handler)(asked)
        assert len(json.dumps(told)) * 2 <= len(json.dumps(raw)), tool


async def test_limits_and_lost_answers_of_reads_are_made_good(call, jira):
    assert (await call("jira_get_issue", issue_key="PROJ-1"))["key"] == "PROJ-1"
    for fault in (TooMany(0), Reset(after=True), Status(503)):
        jira.faults.add(fault, path="getTransitions")
        assert (await call("jira_get_transitions", issue_key="PROJ-1"))["count"] == 3


async def test_a_summary_is_told_also_where_links_elsewhere_may_not_be_read(call, jira):
    jira.faults.add(Status(403), path="getRemoteIssueLinks")
    told = await call("jira_summarize_issue", issue_key="PROJ-1")
    assert (told["key"], "remote_links" in told) == ("PROJ-1", False)


async def test_of_long_lists_an_issue_has_the_latest_and_says_how_many_there_are(call, jira, monkeypatch):
    await call("jira_add_worklog", issue_key="PROJ-1", time_spent="1m")
    await call("jira_add_comment", issue_key="PROJ-1", comment="x")
    row = jira.issue_by("PROJ-1")
    row["worklogs"] = [row["worklogs"][0] | {"timeSpent": f"{number}m"} for number in range(1, 28)]
    row["comments"] = [row["comments"][0] | {"body": to_adf(f"Word {number}")} for number in range(27)]
    whole, expanded = jira.all_fields, jira.expanded

    def cut(base, row):
        told = whole(base, row)
        return told | {"comment": told["comment"] | {"comments": told["comment"]["comments"][:5]}}

    def latest(*args):
        told = expanded(*args)
        if "changelog" in told:
            told["changelog"]["total"] = 150
        return told

    monkeypatch.setattr(jira, "all_fields", cut)
    monkeypatch.setattr(jira, "expanded", latest)
    told = await call("jira_get_issue", issue_key="PROJ-1", include=["worklogs", "comments", "changelog"])
    assert [row["time_spent"] for row in told["worklogs"]] == [f"{number}m" for number in range(8, 28)]
    assert [row["text"] for row in told["comments"]] == [f"Word {number}" for number in range(7, 27)]
    assert (told["worklogs_total"], told["comments_total"], told["changelog_total"]) == (27, 27, 150)
