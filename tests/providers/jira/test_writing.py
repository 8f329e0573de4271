"""What the writing tools do, once, and what they say when they cannot."""

from connectors.atlassian.markdown import to_adf
from tests.doubles.atlassian import ADA, BO
from tests.doubles.faults import Reset, Status, TooMany


def issue(jira, key):
    return jira.issue_by(key)


async def test_an_issue_is_made_with_everything_in_plain_words(call, jira):
    made = await call(
        "jira_create_issue", project_key="PROJ", summary="Pay twice", issue_type="Story", description="**Why**\n\n- a",
        priority="High", assignee="bo@example.com", labels=["money"], parent="PROJ-1", story_points=3,
        components=["Shop"], additional_fields={"Due date": "2026-12-24"},
    )  # fmt: skip
    row = issue(jira, made["key"])
    assert made["url"] == f"{jira.url}/browse/{made['key']}"
    assert row["description"]["content"][0]["content"][0]["marks"] == [{"type": "strong"}]
    assert (row["priority"], row["assignee"], row["labels"]) == ("2", BO, ["money"])
    assert (row["customfield_10016"], row["duedate"], row["components"]) == (
        3,
        "2026-12-24",
        [{"name": "Shop"}],
    )
    assert row["parent"] == issue(jira, "PROJ-1")["id"]


async def test_the_default_project_is_used_where_none_is_named(desk, jira):
    call = await desk(default_project="OPS")
    assert (await call("jira_create_issue", summary="x"))["key"] == "OPS-2"
    bare = await desk()
    assert "jira_get_projects" in (await bare("jira_create_issue", summary="x"))["hint"]
    error = await bare("jira_create_issue", project_key="OPS", summary="a\nb")
    assert error["type"] == "validation"


async def test_a_refused_issue_names_the_field_and_the_call_that_helps(call):
    error = await call("jira_create_issue", project_key="PROJ", summary="x", issue_type="Wish")
    assert error["type"] == "validation"
    assert "issuetype: Specify a valid issue type" in error["error"]
    assert "jira_get_issue_types" in error["hint"]
    error = await call("jira_create_issue", project_key="PROJ", summary="x", assignee="nobody@example.com")
    assert error["code"] == "unknown_person"


async def test_a_lost_answer_of_a_creation_makes_no_second_issue(call, jira):
    await call("jira_get_projects")
    for fault, type in ((Reset(after=True), "connection"), (Status(502), "http_error")):
        jira.faults.add(fault, path="createIssue")
        error = await call("jira_create_issue", project_key="PROJ", summary=f"Once {type}")
        assert (error["type"], error["retryable"]) == (type, False)
        assert "jira_search_issues" in error["hint"]
        made = [row for row in jira.issues.values() if row["summary"] == f"Once {type}"]
        assert len(made) <= 1
    jira.faults.add(TooMany(0), path="createIssue")
    assert (await call("jira_create_issue", project_key="PROJ", summary="After a limit"))["key"]
    again = await call(
        "jira_create_issue", project_key="PROJ", summary="Once connection", dedupe_window_minutes=5
    )
    assert [row["key"] for row in jira.issues.values() if row["summary"] == "Once connection"] == [
        again["key"]
    ]


async def test_many_issues_are_made_at_once(call, jira):
    told = await call(
        "jira_create_issues_bulk",
        issues=[
            {"project_key": "PROJ", "summary": "a"},
            {"project_key": "OPS", "summary": "b", "labels": ["x"]},
        ],
    )
    assert [row["key"] for row in told["items"]] == ["PROJ-4", "OPS-2"]
    assert issue(jira, "OPS-2")["labels"] == ["x"]


async def test_fields_are_changed_and_the_status_is_not_one_of_them(call, jira):
    await call("jira_get_issue", issue_key="PROJ-1")
    told = await call(
        "jira_update_issue", issue_key="PROJ-1", notify_users=False,
        fields={"summary": "New", "description": "# Head", "priority": "Low", "story_points": 8, "assignee": None},
    )  # fmt: skip
    assert told["key"] == "PROJ-1"
    row = issue(jira, "PROJ-1")
    assert (row["summary"], row["priority"], row["customfield_10016"]) == ("New", "4", 8)
    assert row["description"] == to_adf("# Head")
    assert (await call("jira_get_issue", issue_key="PROJ-1"))["summary"] == "New"  # not what was kept before
    error = await call("jira_update_issue", issue_key="PROJ-1", fields={"status": "Done"})
    assert "jira_transition_issue" in error["hint"]
    error = await call("jira_update_issue", issue_key="PROJ-1", fields={"labels": ["a b"]})
    assert "labels" in error["error"]


async def test_an_issue_is_given_to_somebody_and_to_nobody(call, jira):
    for who, id in (("me", ADA), ("bo@example.com", BO), ("Bo Reader", BO), (ADA, ADA), ("none", None)):
        await call("jira_assign_issue", issue_key="PROJ-1", account_id=who)
        assert issue(jira, "PROJ-1")["assignee"] == id
    error = await call("jira_assign_issue", issue_key="PROJ-1", account_id="example.com @")
    assert error["code"] == "unknown_person"


async def test_an_issue_with_subtasks_is_deleted_when_that_was_said(call, jira):
    await call("jira_create_issue", project_key="PROJ", summary="below", parent="PROJ-1")
    error = await call("jira_delete_issue", issue_key="PROJ-1")
    assert "delete_subtasks" in error["hint"]
    assert await call("jira_delete_issue", issue_key="PROJ-1", delete_subtasks=True) == {"key": "PROJ-1"}
    assert {row["key"] for row in jira.issues.values()} == {"PROJ-2", "PROJ-3", "OPS-1"}


async def test_a_step_is_named_by_id_by_name_or_by_where_it_leads(call, jira):
    steps = await call("jira_get_transitions", issue_key="PROJ-1")
    assert {"id": "41", "name": "Done", "to": "Done"} in steps["items"]
    told = await call("jira_transition_issue", issue_key="PROJ-1", transition="21", comment="**Go**")
    assert told["status"] == "In Progress"
    assert (await call("jira_get_comments", issue_key="PROJ-1"))["items"][0]["text"] == "**Go**"
    assert (await call("jira_transition_issue", issue_key="PROJ-1", transition="done"))["status"] == "Done"


async def test_a_step_that_is_not_there_is_a_conflict_that_names_those_that_are(call):
    error = await call("jira_transition_issue", issue_key="PROJ-1", transition="Fly")
    assert (error["type"], error["code"], error["status"]) == ("conflict", "no_such_transition", "To Do")
    assert {"id": "21", "name": "In Progress", "to": "In Progress"} in error["transitions"]
    assert "In Progress (id 21)" in error["error"]


async def test_a_step_that_somebody_else_took_meanwhile_is_a_conflict(call, jira):
    steps = jira._transitions

    def told_then_overtaken(base, row):
        found = steps(base, row)
        jira._transitions = steps
        row["status"] = "10011"  # another took it to Done between our question and our step
        return found

    jira._transitions = told_then_overtaken
    error = await call("jira_transition_issue", issue_key="PROJ-1", transition="Done")
    assert (error["type"], error["status"]) == ("conflict", "Done")
    assert issue(jira, "PROJ-1")["history"] == []


async def test_a_lost_answer_of_a_step_is_not_made_good_by_a_second_one(call, jira):
    jira.faults.add(Reset(after=True), path="doTransition")
    error = await call("jira_transition_issue", issue_key="PROJ-1", transition="Done", comment="once")
    assert (error["type"], error["retryable"]) == ("connection", False)
    assert "jira_get_issue" in error["hint"]
    assert len(issue(jira, "PROJ-1")["comments"]) == 1


async def test_comments_are_written_changed_and_deleted(call, jira):
    made = await call("jira_add_comment", issue_key="PROJ-1", comment=f"Hello [@Bo](accountid:{BO})")
    assert made["url"].endswith(f"?focusedCommentId={made['id']}")
    assert issue(jira, "PROJ-1")["comments"][0]["body"]["content"][0]["content"][1]["type"] == "mention"
    await call("jira_update_comment", issue_key="PROJ-1", comment_id=made["id"], comment="Changed")
    assert (await call("jira_get_comments", issue_key="PROJ-1"))["items"][0]["text"] == "Changed"
    await call("jira_delete_comment", issue_key="PROJ-1", comment_id=made["id"])
    assert issue(jira, "PROJ-1")["comments"] == []
    error = await call("jira_update_comment", issue_key="PROJ-1", comment_id="1", comment="x")
    assert (error["type"], "jira_get_comments" in error["hint"]) == ("not_found", True)
    assert (await call("jira_add_comment", issue_key="PROJ-1", comment="  \n"))["type"] == "validation"


async def test_issues_move_between_sprints(call, jira):
    told = await call("jira_add_issue_to_active_sprint", issue_key="PROJ-2")
    assert (told["sprint"]["id"], issue(jira, "PROJ-2")["sprint"]) == (2, 2)
    await call("jira_add_to_sprint", sprint_id=3, issue_keys=["PROJ-2", "PROJ-3"])
    assert issue(jira, "PROJ-3")["sprint"] == 3
    await call("jira_move_to_backlog", issue_keys=["PROJ-2"])
    assert issue(jira, "PROJ-2")["sprint"] is None
    error = await call("jira_add_to_sprint", sprint_id=1, issue_keys=["PROJ-2"])
    assert "active and future" in error["hint"]
    jira.sprints[3]["state"] = "active"
    error = await call("jira_add_issue_to_active_sprint", issue_key="PROJ-2")
    assert error["code"] == "no_single_active_sprint"
    assert "3 (Sprint 3)" in error["hint"]
    assert (await call("jira_add_issue_to_active_sprint", issue_key="OPS-1"))[
        "code"
    ] == "no_single_active_sprint"


async def test_old_names_are_understood(call, jira):
    assert (await call("create-jira-issue", project_key="PROJ", summary="old"))["key"] == "PROJ-4"
    assert (await call("get-jira-issue", issue_key="PROJ-4"))["summary"] == "old"
    assert (await call("transition-jira-issue", issue_key="PROJ-4", transition="Done"))["status"] == "Done"
