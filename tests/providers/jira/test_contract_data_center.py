"""Every tool once at a Data Center, which has version 2 of the API: the same calls do the same there."""

import pytest

from tests.doubles.fixtures import double_fixture
from tests.doubles.jira.data_center import JiraDataCenter
from tests.providers.jira.test_contract import CALLS, arguments_of, prepare

PAT = {"method": "personal_access_token", "token": "sandbox-jira-pat"}
jira = double_fixture(JiraDataCenter)


@pytest.mark.parametrize("projects", [[], ["PROJ"]], ids=["all", "some"])
async def test_every_tool_works_there(desk, jira, projects):
    call = await desk(PAT, projects=projects)
    made: dict[str, str] = {}
    for tool, arguments, _ in CALLS:
        prepare(jira, tool, made)
        raw = await call.raw(tool, **arguments_of(arguments, made, projects))
        assert not raw["isError"], (tool, raw["content"])
        if tool in ("jira_add_comment", "jira_add_attachment"):
            made[tool] = raw["structuredContent"]["id"]


async def test_filters_shared_with_a_project_are_told_as_in_cloud(desk, jira):
    fenced = await desk(PAT, projects=["PROJ"])
    told = await fenced("jira_list_filters")
    assert [row["name"] for row in told["items"]] == ["Open bugs"]
    call = await desk(PAT)
    told = await call("jira_list_filters", project_key="OPS")
    assert [row["name"] for row in told["items"]] == ["Everything", "Outages"]
    assert (await call("jira_list_filters"))["total"] == 4
