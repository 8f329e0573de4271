"""What got lost or mixed up by small things: a twin, a link, an hour, a page, one issue of many."""

from functools import partial

from common.db import in_db
from tenants.services import tenant_update
from tests.doubles.atlassian import BO
from tests.factories import SYSTEM


async def test_a_twin_is_found_whatever_its_summary_and_its_reporter(call, jira):
    for number, summary in enumerate(("NOT to be", '- "the" (C++)', "Ähm: a  b", "***")):
        asked = {"project_key": "PROJ", "summary": summary, "additional_fields": {"reporter": BO}}
        first = await call("jira_create_issue", **asked)
        again = await call("jira_create_issue", **asked, dedupe_window_minutes=5)
        assert again["key"] == first["key"] == f"PROJ-{4 + number}", summary
    asked = [request for request in jira.requests if request.path.endswith("/search/jql")]
    assert not any("summary" in request.json["jql"] for request in asked)


async def test_a_twin_is_found_behind_a_hundred_others(call, jira):
    asked = {"project_key": "PROJ", "summary": "The one"}
    first = await call("jira_create_issue", **asked)
    project, creator = jira.projects["PROJ"], jira.issue_by(first["key"])["creator"]
    for number in range(120):
        jira.make(
            project, {"summary": f"Other {number}", "issuetype": "10001", "reporter": BO, "creator": creator}
        )
    assert (await call("jira_create_issue", **asked, dedupe_window_minutes=5))["key"] == first["key"]


async def test_long_addresses_with_one_beginning_are_two_links(call):
    long = "https://example.com/" + "a" * 300
    made = [
        await call("jira_add_remote_link", issue_key="PROJ-1", url=url, title=url[-3:])
        for url in (f"{long}/1", f"{long}/2", f"{long}/2")
    ]
    assert made[0]["id"] != made[1]["id"] == made[2]["id"]
    links = (await call("jira_get_remote_links", issue_key="PROJ-1"))["items"]
    assert {row["url"] for row in links} == {f"{long}/1", f"{long}/2"}


async def test_work_without_an_offset_began_in_the_connections_time_zone(call, jira):
    await in_db(partial(tenant_update, tenant=call.place.tenant, time_zone="Europe/Berlin", actor=SYSTEM))
    asked = {"issue_key": "PROJ-1", "time_spent": "1h30m"}
    told = await call("jira_add_worklog", **asked, started="2026-01-31T09:00")
    assert told["time_spent"] == "1h 30m"
    await call("jira_add_worklog", **asked, started="2026-01-31T09:00:00Z")
    started = [row["started"] for row in jira.issue_by("PROJ-1")["worklogs"]]
    assert started == ["2026-01-31T09:00:00.000+0100", "2026-01-31T09:00:00.000+0000"]


async def test_who_can_be_assigned_is_found_to_the_last(call):
    for where in ({"project_key": "PROJ"}, {"issue_key": "PROJ-1"}):
        told = await call("jira_search_users", query="bo", limit=1, **where)
        assert ([row["id"] for row in told["items"]], told["next_cursor"]) == ([BO], None)
        asked = {"query": "example.com", "limit": 1, **where}
        first = await call("jira_search_users", **asked)
        last = await call("jira_search_users", **asked, cursor=first["next_cursor"])
        assert (last["items"][0]["id"], last["next_cursor"]) == (BO, None)


async def test_of_many_issues_each_refusal_is_told_by_its_place(call, jira):
    good, bad = (
        {"project_key": "PROJ", "summary": "a"},
        {"project_key": "PROJ", "summary": "b", "issue_type": "Wish"},
    )
    told = await call("jira_create_issues_bulk", issues=[good, bad, good])
    assert [row["key"] for row in told["items"]] == ["PROJ-4", "PROJ-5"]
    assert told["failed"] == [{"place": 1, "error": "issuetype: Specify a valid issue type"}]
    error = await call("jira_create_issues_bulk", issues=[bad, bad])
    assert "issues[0]: issuetype: Specify a valid issue type" in error["error"]
    assert "issues[1]: issuetype" in error["error"]
    assert "jira_get_issue_types" in error["hint"]
    before = len(jira.issues)
    error = await call("jira_create_issues_bulk", issues=[good, good | {"assignee": "zoe@example.com"}])
    assert error["error"].startswith("issues[1]: No people match")
    assert len(jira.issues) == before
