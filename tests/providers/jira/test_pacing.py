"""Writes to one issue keep within Jira's pace, and two people at one issue do not lose a step."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field

import pytest

from connectors.base import ConnectionRef
from connectors.errors import RateLimited
from connectors.providers.jira import pacing
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind
from tests.doubles.faults import Status
from tests.providers.jira.conftest import BO


@dataclass
class Caller:
    """As much of a context as a turn needs."""

    connection: ConnectionRef
    deadline: float = field(default_factory=lambda: time.monotonic() + 60)


@pytest.fixture
def caller():
    tenant, id = uuid.uuid4(), uuid.uuid4()
    return Caller(
        ConnectionRef(
            id=id, tenant_id=tenant, slug="jira", name="Jira", is_primary=True, version=1, time_zone="UTC"
        )
    )


async def away(question):
    return None


@pytest.mark.parametrize("redis", [True, False], ids=["together", "alone"])
async def test_the_21st_write_of_two_seconds_waits_and_the_101st_of_thirty_comes_back(
    caller, monkeypatch, redis
):
    if not redis:
        monkeypatch.setattr(pacing, "asked", away)
    monkeypatch.setattr(pacing, "SHORT", (20, 200))
    before = time.monotonic()
    for _ in range(20):
        await pacing.take_turn(caller, ["PROJ-1"])
    early = time.monotonic() - before
    await pacing.take_turn(caller, ["PROJ-1"])
    assert time.monotonic() - before >= 0.2 - 0.01, early
    for _ in range(79):
        await pacing.take_turn(caller, ["PROJ-1"])
    with pytest.raises(RateLimited) as caught:
        await pacing.take_turn(caller, ["PROJ-1", "PROJ-2"])
    assert (caught.value.code, caught.value.retryable) == ("issue_write_pace", True)
    assert 20 < caught.value.retry_after <= 30.5
    assert "20 writes" in caught.value.hint
    await pacing.take_turn(caller, ["PROJ-2"])  # another issue, of which nothing was taken


async def test_workers_share_the_pace_and_tenants_do_not(caller, monkeypatch):
    monkeypatch.setattr(pacing, "SHORT", (2, 60_000))
    for _ in range(2):
        await pacing.take_turn(caller, ["PROJ-1"])
    pacing._own.clear()  # as in another process
    with pytest.raises(RateLimited):
        await pacing.take_turn(caller, ["PROJ-1"])
    ref = caller.connection
    other = ConnectionRef(
        id=ref.id,
        tenant_id=uuid.uuid4(),
        slug="jira",
        name="Jira",
        is_primary=True,
        version=1,
        time_zone="UTC",
    )
    await pacing.take_turn(Caller(other), ["PROJ-1"])


@pytest.mark.parametrize(
    ("path", "body", "keys"),
    [
        ("rest/api/3/issue/PROJ-1", None, ["PROJ-1"]),
        ("rest/api/3/issue/PROJ-1/comment/7", None, ["PROJ-1"]),
        ("rest/api/3/issue/bulk", {"issueUpdates": []}, []),
        ("rest/api/3/issue", {"fields": {}}, []),
        ("rest/agile/1.0/sprint/2/issue", {"issues": ["A-1", "A-2", "A-1"]}, ["A-1", "A-2"]),
        (
            "rest/api/3/issueLink",
            {"inwardIssue": {"key": "A-1"}, "outwardIssue": {"key": "A-2"}},
            ["A-1", "A-2"],
        ),
        ("rest/api/3/issueLink/7", None, []),
    ],
    ids=["issue", "comment", "bulk", "create", "sprint", "link", "unlink"],
)
def test_a_request_says_which_issues_it_writes_to(path, body, keys):
    assert pacing.issues_of(Request("POST", path, Kind.ONCE, json=body)) == keys


async def test_a_write_that_is_too_soon_is_sent_back_before_it_is_sent(call, jira, monkeypatch):
    monkeypatch.setattr(pacing, "SHORT", (1, 60_000))
    assert (await call("jira_add_comment", issue_key="PROJ-1", comment="one"))["id"]
    error = await call("jira_update_issue", issue_key="PROJ-1", fields={"summary": "two"})
    assert (error["type"], error["code"]) == ("rate_limit", "issue_write_pace")
    assert error["retry_after"] > 50
    assert [hit.operation for hit in jira.operations].count("editIssue") == 0
    assert (await call("jira_get_transitions", issue_key="PROJ-1"))["count"] == 3, "reads do not wait"
    assert (await call("jira_add_comment", issue_key="PROJ-2", comment="two"))["id"]


async def test_of_two_at_once_one_takes_the_step_and_the_other_is_told_what_is_left(desk, jira):
    one, two = await desk(), await desk()
    await one("jira_get_projects")
    told = await asyncio.gather(
        one("jira_transition_issue", issue_key="PROJ-1", transition="Done"),
        two("jira_transition_issue", issue_key="PROJ-1", transition="Done"),
    )
    done = [answer for answer in told if answer.get("status") == "Done" and "type" not in answer]
    [error] = [answer for answer in told if "type" in answer]
    assert len(done) == 1
    assert (error["type"], error["code"], error["status"]) == ("conflict", "no_such_transition", "Done")
    assert {step["name"] for step in error["transitions"]} == {"To Do", "In Progress", "In Review"}
    assert "To Do (id 11)" in error["error"]
    assert len(jira.issue_by("PROJ-1")["history"]) == 1


async def test_a_conflict_of_jiras_own_names_the_steps_that_there_are(call, jira):
    jira.faults.add(Status(409), path="doTransition")
    error = await call("jira_transition_issue", issue_key="PROJ-1", transition_id="41")
    assert (error["type"], error["code"]) == ("conflict", "no_such_transition")
    assert {step["id"] for step in error["transitions"]} == {"21", "31", "41"}
    assert jira.issue_by("PROJ-1")["history"] == []


async def test_a_step_is_not_taken_from_another_status_than_the_caller_saw(call, jira):
    arguments = {"issue_key": "PROJ-1", "transition": "In Progress", "from_status": "to do"}
    jira.issue_by("PROJ-1")["status"] = "10010"  # somebody has it in review meanwhile
    error = await call("jira_transition_issue", **arguments)
    assert (error["type"], error["code"], error["status"]) == ("conflict", "status_changed", "In Review")
    assert {step["name"] for step in error["transitions"]} == {"To Do", "In Progress", "Done"}
    assert jira.issue_by("PROJ-1")["history"] == []
    told = await call("jira_transition_issue", **arguments | {"from_status": "In Review"})
    assert told["status"] == "In Progress"


async def test_who_may_not_write_is_no_conflict(desk, jira):
    call = await desk(BO)
    error = await call("jira_transition_issue", issue_key="PROJ-1", transition="Done")
    assert error["type"] in ("permission", "authentication")
