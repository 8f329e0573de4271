"""Answers from the history: the standup, who could take an issue, how large it is."""

from tests.doubles.atlassian import ADA, BO

DONE = "10011"


def finished(jira, summary, points=None, who=ADA, kind="10003"):
    row = jira.make(jira.projects["PROJ"], {"summary": summary, "issuetype": kind, "reporter": ADA})
    row |= {"status": DONE, "assignee": who, "customfield_10016": points}
    return row


async def test_the_standup_tells_who_does_what(call, jira):
    for key, who, status in (("PROJ-2", ADA, "3"), ("PROJ-3", BO, DONE)):
        jira.issue_by(key).update({"sprint": 2, "assignee": who, "status": status})
    told = await call("jira_get_daily_standup_summary", board_id=1)
    assert told["counts"] == {"to_do": 1, "in_progress": 1, "done": 1}
    assert told["people"]["Ada Lovelace"]["in_progress"][0]["key"] == "PROJ-2"
    assert told["people"]["nobody"]["to_do"][0]["key"] == "PROJ-1"
    assert set(told["changed_lately"]) == {"PROJ-1", "PROJ-2", "PROJ-3"}
    jira.sprints[2]["state"] = "closed"
    error = await call("jira_get_daily_standup_summary", board_id=1, hours=2)
    assert (error["type"], error["hint"]) == ("not_found", "jira_get_board_sprints lists its sprints.")


async def test_who_finished_similar_issues_comes_first(call, jira):
    finished(jira, "Order flow breaks in the shop", who=BO)
    finished(jira, "Order flow breaks again", who=BO)
    finished(jira, "Something about colours", who=ADA)
    told = await call("jira_get_task_assignment_recommendations", issue_key="PROJ-1")
    assert [row["person"]["id"] for row in told["items"]] == [BO, ADA]
    assert (told["items"][0]["similar_done"], told["items"][0]["open_now"]) == (2, 0)


async def test_points_are_the_median_of_similar_issues(call, jira):
    error = await call("jira_estimate_story_points", issue_key="PROJ-1")
    assert error["code"] == "no_history"
    for points in (3, 5, 5):
        finished(jira, "Order flow breaks", points)
    finished(jira, "Colours", 21)
    jira.issue_by("PROJ-1")["labels"] = ["x"]
    await call("jira_update_issue", issue_key="PROJ-1", fields={"labels": ["y"]})
    told = await call("jira_estimate_story_points", issue_key="PROJ-1")
    assert (told["estimate"], told["median"], told["highest"]) == (5, 5, 5)
    assert told["confidence"] == "medium"


async def test_planning_stays_within_the_projects(desk, jira):
    fenced = await desk(projects=["PROJ"])
    jira.issue_by("OPS-1")["sprint"] = 2
    told = await fenced("jira_get_daily_standup_summary", board_id=1)
    assert "OPS-1" not in str(told)
    for tool, arguments in (
        ("jira_get_daily_standup_summary", {"board_id": 2}),
        ("jira_get_task_assignment_recommendations", {"issue_key": "OPS-1"}),
        ("jira_estimate_story_points", {"issue_key": "OPS-1"}),
    ):
        assert (await fenced(tool, **arguments))["code"] == "project_not_allowed", tool
