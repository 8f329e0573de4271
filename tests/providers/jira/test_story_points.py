"""Story points where a site has two fields for them: each project uses one."""

import pytest

from tests.doubles.jira import records

OWN = "customfield_10026"


@pytest.fixture
def two(jira, monkeypatch):
    """A site with both fields, whose projects use the second: "Story Points"."""
    monkeypatch.setitem(records.FIELDS, OWN, ("Story Points", "number", "float"))
    monkeypatch.setattr(records, "SETTABLE", records.SETTABLE - {records.POINTS} | {OWN})
    whole = jira.all_fields
    monkeypatch.setattr(jira, "all_fields", lambda base, row: whole(base, row) | {OWN: row.get(OWN)})
    return jira


async def test_they_go_into_the_field_that_the_issue_has(call, two):
    asked = {"project_key": "PROJ", "summary": "x", "issue_type": "Story", "story_points": 3}
    made = await call("jira_create_issue", **asked)
    assert two.issue_by(made["key"])[OWN] == 3
    told = await call("jira_create_issues_bulk", issues=[asked | {"issue_type": "10003"}])
    assert two.issue_by(told["items"][0]["key"])[OWN] == 3
    await call("jira_update_issue", issue_key="PROJ-1", fields={"story_points": 8})
    assert two.issue_by("PROJ-1")[OWN] == 8
    await call("jira_transition_issue", issue_key="PROJ-1", transition="Done", fields={"story_points": 5})
    assert two.issue_by("PROJ-1")[OWN] == 5


async def test_the_past_is_read_from_either_field(call, two):
    for number, id in enumerate((OWN, records.POINTS, OWN)):
        made = await call(
            "jira_create_issue", project_key="PROJ", summary=f"Pay {number}", issue_type="Story"
        )
        two.issue_by(made["key"]).update({id: 5, "status": "10011"})
    told = await call("jira_estimate_story_points", issue_key="PROJ-2")
    assert (told["estimate"], len(told["similar"])) == (5, 3)


async def test_a_field_of_story_points_is_known_by_its_kind(call, jira, monkeypatch):
    monkeypatch.setitem(records.FIELDS, records.POINTS, ("Aufwand", "number", "jsw-story-points"))
    told = await call("jira_check_story_points_requirement", project_key="PROJ")
    assert (told["available"], told["field"], told["name"]) == (True, records.POINTS, "Aufwand")
