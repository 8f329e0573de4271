"""A connector's tools against a double: the whole way of a call, from the endpoint to the state."""

import json

import pytest
from django.conf import settings

from common.db import in_db
from connectors.services import credential_set
from tests.doubles.faults import Reset, Status, TooMany
from tests.factories import SYSTEM, make_connection
from tests.mcp_endpoint.speak import by_door, make_place, modern

ENTRY = "bugs=tests.doubles.bugs:Bugs"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)
REPO = "octo/hello-world"


@pytest.fixture
async def call(github, sandbox):
    place = await in_db(_place, github.url)

    async def calling(tool, **arguments):
        got = (await by_door(modern(place, "tools/call", {"name": tool, "arguments": arguments}))).result
        return got.get("structuredContent") or json.loads(got["content"][0]["text"])

    return calling


def _place(url):
    place = make_place("operator", ())
    bugs = make_connection(place.tenant, "bugs", settings={"url": url}, credential_mode="shared")
    credential_set(connection=bugs, values={"token": "sandbox-github-token"}, actor=SYSTEM)
    return place


async def test_what_a_tool_writes_another_reads(call, github):
    number = (await call("bugs_report", repo=REPO, title="It fell"))["number"]
    assert await call("bugs_get", repo=REPO, number=number) == {"title": "It fell", "state": "open"}
    assert [hit.operation for hit in github.operations] == ["issues/create", "issues/get"]


async def test_a_limit_is_waited_for_and_a_lost_answer_is_not_made_good_by_a_second_creation(call, github):
    github.faults.add(TooMany(0))
    assert (await call("bugs_get", repo=REPO, number=1))["state"] == "open"
    github.faults.add(Reset(after=True), path="issues/create")
    error = await call("bugs_report", repo=REPO, title="Once")
    assert (error["type"], error["retryable"]) == ("connection", False)
    assert [row["title"] for row in github.issues.values()].count("Once") == 1


async def test_the_vendors_error_reaches_the_caller_in_its_words(call, github):
    assert (await call("bugs_get", repo="octo/nothing", number=1))["type"] == "not_found"
    github.faults.add(Status(403, "Resource not accessible by personal access token"))
    error = await call("bugs_report", repo=REPO, title="x")
    assert error["type"] == "permission"
    assert "Resource not accessible" in error["error"]
