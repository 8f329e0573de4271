"""The allow-list: no query, key, field, board or sprint leads beyond it."""

import pytest

from connectors.errors import ConnectorError, InvalidInput
from connectors.providers.jira.queries import bounded, jql_hint, quoted, split
from tests.doubles.atlassian import ADA

ESCAPES = [
    "project = OPS",
    "project = PROJ OR project = OPS",
    "project = PROJ) OR (project = OPS",
    ") OR project = OPS OR (key = PROJ-1",
    "project = PROJ ORDER BY created) OR (project = OPS",
    "project = PROJ ORDER BY created OR project = OPS",
    "project = PROJ /* ) */ OR project = OPS",
    "project = PROJ -- ) \n OR project = OPS",
    "project = PROJ # )\n OR project = OPS",
    'summary ~ "x" OR project = OPS',
    'summary ~ "x\\" OR project = OPS',
    'summary ~ \\" ) OR project = OPS OR ( summary ~ "',
    "summary ~ \\' ) OR project = OPS OR ( summary ~ '",
    "summary ~ 'a\"' OR project = OPS OR summary ~ '\"b'",
    "key = OPS-1",
    "issue in (OPS-1, PROJ-1)",
    "NOT project = PROJ",
    "project != PROJ",
    "project IS NOT EMPTY OR",
    "order by project",
    "ORDER\u00a0BY created) OR (project = OPS",
    "project = PROJ\u2028) OR (project = OPS",
    "project = PROJ\x00) OR project = OPS",
    "project = OPS \u202e",
    "\uff09 OR project = OPS OR \uff08 project = PROJ",
    'project = "OPS" ORDER BY "a) OR (project = OPS"',
    "((project = OPS))",
    "(" * 2000 + "project = OPS" + ")" * 2000,
    "",
]


@pytest.mark.parametrize("jql", ESCAPES, ids=[str(number) for number in range(len(ESCAPES))])
async def test_no_query_leads_beyond_the_projects(desk, jql):
    fenced = await desk(projects=["PROJ"])
    for tool in ("jira_search_issues", "jira_count_issues"):
        told = await fenced(tool, jql=jql)
        if tool == "jira_search_issues":
            assert all(row["key"].startswith("PROJ-") for row in told.get("items", [])), jql
        else:
            assert told.get("count", 0) <= 3, jql
    found = await fenced("jira_get_sprint_issues", sprint_id=2, jql=jql)
    assert all(row["key"].startswith("PROJ-") for row in found.get("items", [])), jql


@pytest.mark.parametrize("jql", ESCAPES, ids=[str(number) for number in range(len(ESCAPES))])
def test_what_is_joined_keeps_the_callers_query_in_one_bracket(jql):
    try:
        told = bounded(jql, ["PROJ"])
    except InvalidInput as error:
        assert error.hint
        return
    assert told.startswith('project in ("PROJ")')
    rest = told.removeprefix('project in ("PROJ")')
    assert rest == "" or rest.startswith((" AND (", " ORDER BY "))
    condition, _ = split(told)
    assert condition.endswith(")")


def test_a_query_is_split_at_its_own_order_alone():
    assert split('summary ~ "order by x" order   by created desc, key') == (
        'summary ~ "order by x"', "created desc, key",
    )  # fmt: skip
    assert split("(order = 1)") == ("(order = 1)", "")
    assert bounded("key = A-1", []) == "key = A-1"
    assert bounded("", ["A"], order="updated DESC") == 'project in ("A") ORDER BY updated DESC'


def test_values_are_quoted():
    assert quoted('a"b\\c') == '"a\\"b\\\\c"'
    with pytest.raises(ConnectorError):
        quoted("a\x00")
    assert "LIKE" in jql_hint("summary like x")


async def test_issues_beyond_the_list_are_refused_by_their_key(desk):
    fenced = await desk(projects=["PROJ"])
    calls = {
        "jira_get_issue": {"issue_key": "OPS-1"},
        "jira_summarize_issue": {"issue_key": "OPS-1"},
        "jira_get_issues_bulk": {"issue_keys": ["PROJ-1", "OPS-1"]},
        "jira_get_changelog": {"issue_key": "OPS-1"},
        "jira_get_comments": {"issue_key": "OPS-1"},
        "jira_get_transitions": {"issue_key": "OPS-1"},
        "jira_add_comment": {"issue_key": "OPS-1", "comment": "x"},
        "jira_update_comment": {"issue_key": "OPS-1", "comment_id": "1", "comment": "x"},
        "jira_delete_comment": {"issue_key": "OPS-1", "comment_id": "1"},
        "jira_update_issue": {"issue_key": "OPS-1", "fields": {"summary": "x"}},
        "jira_assign_issue": {"issue_key": "OPS-1", "account_id": "me"},
        "jira_delete_issue": {"issue_key": "OPS-1"},
        "jira_transition_issue": {"issue_key": "OPS-1", "transition": "Done"},
        "jira_add_to_sprint": {"sprint_id": 2, "issue_keys": ["PROJ-1", "OPS-1"]},
        "jira_add_issue_to_active_sprint": {"issue_key": "OPS-1"},
        "jira_move_to_backlog": {"issue_keys": ["OPS-1"]},
        "jira_create_issue": {"project_key": "OPS", "summary": "x"},
        "jira_create_issues_bulk": {"issues": [{"project_key": "OPS", "summary": "x"}]},
        "jira_get_project": {"project_key": "OPS"},
        "jira_get_issue_types": {"project_key": "OPS"},
        "jira_get_create_metadata": {"project_key": "OPS", "issue_type_id": "10001"},
        "jira_get_boards": {"project_key": "OPS"},
        "jira_get_board_sprints": {"board_id": 2},
        "jira_get_active_sprints": {"board_id": 2},
        "jira_get_board_configuration": {"board_id": 2},
        "jira_build_jql": {"project": "OPS"},
    }
    for tool, arguments in calls.items():
        error = await fenced(tool, **arguments)
        assert (error.get("type"), error.get("code")) == ("permission", "project_not_allowed"), (tool, error)
        assert "PROJ" in error["hint"] or "boards" in error["hint"], tool
    for more in ({"parent": "OPS-1"}, {"additional_fields": {"parent": {"key": "OPS-1"}}}):
        assert (await fenced("jira_create_issue", summary="x", **more))["code"] == "project_not_allowed"
    for more in (
        {"additional_fields": {"project": {"key": "OPS"}}},
        {"additional_fields": {"parent": {"id": "10004"}}},
    ):
        assert (await fenced("jira_create_issue", summary="x", **more))["type"] == "validation"


async def test_an_issue_that_moved_beyond_the_list_is_refused(desk, jira):
    fenced = await desk(projects=["PROJ"])
    row = next(iter(jira.issues.values()))
    former = jira.issue_by

    def by_former_key(name):
        return row if name.upper() == "PROJ-1" else former(name)

    jira.issue_by = by_former_key
    row |= {"key": "OPS-77", "project": "OPS"}
    for tool, more in (
        ("jira_get_issue", {}), ("jira_get_comments", {}), ("jira_add_comment", {"comment": "x"}),
        ("jira_transition_issue", {"transition": "Done"}), ("jira_update_issue", {"fields": {"summary": "x"}}),
    ):  # fmt: skip
        error = await fenced(tool, issue_key="PROJ-1", **more)
        assert error["code"] == "project_not_allowed", tool
    assert row["comments"] == []


async def test_lists_leave_out_other_projects(desk, jira):
    for row in jira.issues.values():
        row["assignee"] = ADA
    fenced = await desk(projects=["PROJ"])
    assert {row["key"] for row in (await fenced("jira_get_my_issues"))["items"]} == {"PROJ-1", "PROJ-2"}
    assert [row["key"] for row in (await fenced("jira_get_projects"))["items"]] == ["PROJ"]
    assert [row["id"] for row in (await fenced("jira_get_boards"))["items"]] == [1]


@pytest.mark.parametrize(
    "key",
    [
        "../serverInfo",
        "PROJ-1/../OPS-1",
        "PROJ-1%2f..%2fOPS-1",
        "PROJ-1?x",
        "proj-1",
        "PROJ-1\n",
        "PROJ-1#",
        "10001",
        "PROJ-0",
    ],
)
async def test_keys_that_are_none_never_reach_jira(call, jira, key):
    before = len(jira.requests)
    error = await call("jira_get_issue", issue_key=key)
    assert error["type"] == "validation"
    assert len(jira.requests) == before
