"""Sprints planned, started, closed, and those of other projects left alone."""

import pytest

from tests.doubles.faults import Reset


async def test_a_sprint_is_planned_started_and_closed(call, jira):
    await call("jira_get_board_sprints", board_id=1)
    made = await call(
        "jira_create_sprint", board_id=1, name="Sprint 4", start="2026-02-16", end="2026-03-02T17:00:00+01:00", goal="Pay"
    )  # fmt: skip
    assert (made["state"], made["goal"], made["board_id"]) == ("future", "Pay", 1)
    assert made["url"] == f"{jira.url}/secure/RapidBoard.jspa?rapidView=1"
    row = jira.sprints[made["id"]]
    assert (row["startDate"], row["endDate"]) == (
        "2026-02-16T00:00:00.000+00:00", "2026-03-02T17:00:00.000+01:00",
    )  # fmt: skip
    listed = await call("jira_get_board_sprints", board_id=1)
    assert listed["items"][-1]["name"] == "Sprint 4", "the list is not what was kept before"
    for state in ("active", "active", "closed", "closed"):
        told = await call("jira_update_sprint", sprint_id=made["id"], state=state)
        assert (told["state"], row["state"]) == (state, state)
    told = await call("jira_update_sprint", sprint_id=made["id"], name="Fourth", goal="")
    assert (row["name"], row["goal"]) == ("Fourth", "")


async def test_a_step_that_a_sprint_cannot_take_is_explained(call, jira):
    error = await call("jira_update_sprint", sprint_id=3, state="closed")
    assert (error["type"], error["state"]) == ("conflict", "future")
    error = await call("jira_update_sprint", sprint_id=1, state="active")
    assert (error["code"], error["hint"]) == ("no_such_step", "A closed sprint stays closed.")
    error = await call("jira_update_sprint", sprint_id=3, state="active", start="2026-02-16")
    assert "no end" in error["error"]
    told = await call("jira_update_sprint", sprint_id=3, state="active", start="2026-02-16", end="2026-03-02")
    assert told["state"] == "active"
    error = await call("jira_update_sprint", sprint_id=1, end="2026-03-02")
    assert "name and the goal" in error["hint"]
    assert "jira_get_board_sprints" in (await call("jira_update_sprint", sprint_id=99, name="x"))["hint"]


@pytest.mark.parametrize(
    "arguments",
    [{"start": "soon"}, {"start": "2026-02-02", "end": "2026-02-01"}, {}, {"state": "future"}],
    ids=["moment", "order", "nothing", "state"],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(call, jira, arguments):
    assert (await call("jira_update_sprint", sprint_id=2, **arguments))["type"] == "validation"
    assert not jira.requests


async def test_only_scrum_boards_have_sprints(call):
    error = await call("jira_create_sprint", board_id=2, name="x")
    assert "jira_get_boards(type='scrum')" in error["hint"]
    assert (await call("jira_create_sprint", board_id=9, name="x"))["type"] == "not_found"


async def test_a_lost_answer_makes_no_second_sprint_and_a_change_is_made_again(call, jira):
    jira.faults.add(Reset(after=True), path="createSprint")
    error = await call("jira_create_sprint", board_id=1, name="Once")
    assert (error["retryable"], "state='future'" in error["hint"]) == (False, True)
    assert [row["name"] for row in jira.sprints.values()].count("Once") == 1
    jira.faults.add(Reset(after=True), path="partiallyUpdateSprint")
    assert (await call("jira_update_sprint", sprint_id=2, goal="Ship"))["goal"] == "Ship"


async def test_sprints_of_other_projects_are_left_alone(desk, jira):
    jira.boards[2]["type"] = "scrum"
    jira.sprints[7] = {"id": 7, "name": "Theirs", "state": "future", "originBoardId": 2}
    jira.sprints[8] = {"id": 8, "name": "Nobody's", "state": "future"}
    fenced = await desk(projects=["PROJ"])
    for tool, arguments in (
        ("jira_create_sprint", {"board_id": 2, "name": "x"}),
        ("jira_update_sprint", {"sprint_id": 7, "name": "x"}),
        ("jira_update_sprint", {"sprint_id": 8, "name": "x"}),
    ):
        assert (await fenced(tool, **arguments))["code"] == "project_not_allowed", tool
    assert {row["name"] for row in jira.sprints.values()} >= {"Theirs", "Nobody's"}
    assert len(jira.sprints) == 5
    assert (await fenced("jira_update_sprint", sprint_id=3, name="Third"))["name"] == "Third"
