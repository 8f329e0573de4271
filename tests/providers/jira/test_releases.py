"""What projects are divided into, and saved queries: versions, components, filters."""

import pytest

from connectors.providers.jira.filters import within
from connectors.providers.jira.releases import _day
from tests.doubles.atlassian import ADA
from tests.doubles.faults import Reset, Status


async def test_versions_are_told_latest_first_page_by_page(call, jira):
    told = await call("jira_list_versions", project_key="PROJ", limit=1)
    assert (told["count"], told["total"], told["items"][0]["name"]) == (1, 2, "1.1")
    more = await call("jira_list_versions", project_key="PROJ", limit=1, cursor=told["next_cursor"])
    first = more["items"][0]
    assert (first["name"], first["state"], first["release"], more["next_cursor"]) == (
        "1.0", "released", "2026-01-15", None,
    )  # fmt: skip
    assert first["url"] == f"{jira.url}/projects/PROJ/versions/{first['id']}"
    names = {}
    for state in ("released", "unreleased", "archived"):
        told = await call("jira_list_versions", project_key="PROJ", state=state)
        names[state] = [row["name"] for row in told["items"]]
    assert names == {"released": ["1.0"], "unreleased": ["1.1"], "archived": []}


def test_a_day_is_told_as_one_also_where_jira_has_milliseconds():
    assert (_day(1278385482288), _day("2010-07-06"), _day(None)) == ("2010-07-06", "2010-07-06", None)


async def test_a_version_is_made_once_and_can_be_used_at_once(call, jira):
    await call("jira_list_versions", project_key="PROJ")
    made = await call(
        "jira_create_version", project_key="PROJ", name="2.0", description="Next", start_date="2026-03-02",
        release_date="2026-05-01",
    )  # fmt: skip
    row = jira.versions[made["id"]]
    assert (row["projectId"], row["startDate"], row["releaseDate"], row["released"]) == (
        10_000, "2026-03-02", "2026-05-01", False,
    )  # fmt: skip
    assert made["url"].endswith(f"/projects/PROJ/versions/{made['id']}")
    listed = await call("jira_list_versions", project_key="PROJ")
    assert listed["items"][0]["name"] == "2.0", "the list is not what was kept before"
    error = await call("jira_create_version", project_key="PROJ", name="2.0")
    assert (error["type"], "already exists" in error["error"]) == ("validation", True)
    assert "jira_list_versions(project_key='PROJ')" in error["hint"]
    jira.faults.add(Reset(after=True), path="createVersion")
    error = await call("jira_create_version", project_key="PROJ", name="3.0")
    assert (error["retryable"], "jira_list_versions" in error["hint"]) == (False, True)
    assert [row["name"] for row in jira.versions.values()].count("3.0") == 1


async def test_dates_that_are_none_or_the_wrong_way_round_are_refused(call, jira):
    for dates in (
        {"start_date": "2026-02-30"},
        {"release_date": "soon"},
        {"start_date": "2026-02-02", "release_date": "2026-02-01"},
    ):
        told = await call("jira_create_version", project_key="PROJ", name="x", **dates)
        assert told["type"] == "validation"
    assert not jira.requests


async def test_components_are_told_with_their_lead(call, jira):
    told = await call("jira_list_components", project_key="PROJ")
    shop = told["items"][0]
    assert (shop["name"], shop["lead"]["id"], shop["description"]) == ("Shop", ADA, "What customers see")
    assert "component%20%3D%2010100" in shop["url"]
    assert [row["name"] for row in told["items"]] == ["Shop", "Billing"]
    part = await call("jira_list_components", project_key="PROJ", limit=1)
    part = await call("jira_list_components", project_key="PROJ", limit=1, cursor=part["next_cursor"])
    assert (part["items"][0]["name"], part["next_cursor"]) == ("Billing", None)
    error = await call("jira_list_components", project_key="NOPE")
    assert (error["type"], error["hint"]) == ("not_found", "jira_get_projects lists the projects.")


async def test_filters_are_told_with_their_query(call, jira):
    told = await call("jira_list_filters", name="bugs")
    assert told["items"] == [
        {"id": "10200", "name": "Open bugs", "jql": "project = PROJ AND type = Bug AND statusCategory != Done",
         "owner": {"id": ADA, "name": "Ada Lovelace"}, "url": f"{jira.url}/issues/?filter=10200"}
    ]  # fmt: skip
    told = await call("jira_list_filters", limit=3)
    more = await call("jira_list_filters", limit=3, cursor=told["next_cursor"])
    assert (told["total"], [row["name"] for row in more["items"]]) == (4, ["Outages"])
    told = await call("jira_list_filters", project_key="OPS")
    assert [row["name"] for row in told["items"]] == ["Everything", "Outages"]
    jira.faults.add(Status(503), times=3, path="getFiltersPaginated")
    assert (await call("jira_list_filters", name="x"))["type"] == "http_error"


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("jira_list_versions", {"project_key": "PROJ"}, "state"),
        ("jira_list_components", {"project_key": "PROJ"}, "name"),
        ("jira_list_filters", {}, "jql"),
        ("jira_list_attachments", {"issue_key": "PROJ-1"}, "size"),
    ],
    ids=["versions", "components", "filters", "files"],
)
async def test_lists_have_the_fields_that_were_asked_for_alone(call, tool, arguments, field):
    told = await call(tool, fields=[field], **arguments)
    assert {tuple(sorted(row)) for row in told["items"]} == {tuple(sorted(("id", "url", field)))}


async def test_nothing_of_other_projects_is_told_or_made(desk, jira):
    fenced = await desk(projects=["PROJ"])
    for tool, arguments in (
        ("jira_list_versions", {}), ("jira_create_version", {"name": "x"}), ("jira_list_components", {}),
        ("jira_list_filters", {}),
    ):  # fmt: skip
        told = await fenced(tool, project_key="OPS", **arguments)
        assert told["code"] == "project_not_allowed", tool
    assert [row["name"] for row in (await fenced("jira_list_versions"))["items"]] == ["1.1", "1.0"]
    filters = await fenced("jira_list_filters")
    assert [row["name"] for row in filters["items"]] == ["Open bugs"]
    assert "total" not in filters and "OPS" not in str(filters)
    # The project got another key, and its former one leads to it all the same.
    project = jira.projects.pop("PROJ")
    jira.projects["NEW"] = project | {"key": "NEW"}
    jira.project = lambda request: jira.projects["NEW"]
    for tool, arguments in (
        ("jira_list_versions", {"limit": 9}), ("jira_create_version", {"name": "x"}),
        ("jira_list_components", {"limit": 9}), ("jira_list_filters", {"name": "a"}),
    ):  # fmt: skip
        assert (await fenced(tool, **arguments))["code"] == "project_not_allowed", tool
    assert "x" not in {row["name"] for row in jira.versions.values()}
    both = await desk(projects=["OPS", "PROJ"])
    assert "jira_get_projects" in (await both("jira_list_filters"))["hint"]


@pytest.mark.parametrize(
    ("jql", "inside"),
    [
        ("project = PROJ", True),
        ('project in ("PROJ", OPS) and text ~ "project = X"', False),
        ("PROJECT IN (PROJ) AND key != PROJ-1", True),
        ("assignee = currentUser()", True),
        ("project = 10001", False),
        ("project = 'Secret plans'", False),
        ("project not in (PROJ, SECRET)", False),
        ("project!=SECRET", False),
        ("issue in linkedIssues(SECRET-1)", False),
        ("parent = secret-1", False),
        ("project in projectsLeadByUser()", False),
        ('project in ("a)", SECRET)', False),
        ("project in (PROJ, ')', SECRET)", False),
        ('"project" = SECRET', False),
        ("project in (PROJ", True),
    ],
    ids=str,
)
def test_a_saved_query_that_names_others_is_not_told(jql, inside):
    assert within(jql, ["PROJ"]) is inside
    assert within(jql, [])
