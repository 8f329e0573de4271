from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest

from connectors.calling import ConnectionRef
from connectors.errors import InvalidInput, UpstreamError
from connectors.kit.cursors import (
    link_of,
    next_cursor,
    offset_after,
    page_of,
    parameter_of,
    part_of,
    position_of,
)


@dataclass(frozen=True)
class Somebody:
    """What cursors know of a call."""

    connection: ConnectionRef = field(
        default_factory=lambda: ConnectionRef(uuid4(), uuid4(), "jira", "Jira", True, 1)
    )
    identity: str = "shared-1"


QUERY: dict[str, Any] = {"jql": "project = AB", "fields": ["summary"], "project": None}


@pytest.mark.parametrize(
    "position",
    ["token==", 50, {"offset": 50, "page": 2}, "/services/data/v66.0/query/01g-200"],
    ids=["token", "offset", "object", "path"],
)
def test_a_cursor_gives_its_position_back_to_the_same_list(position):
    ctx = Somebody()
    cursor = next_cursor(ctx, "jira_search_issues", QUERY, position)
    assert (
        position_of(ctx, "jira_search_issues", {"jql": QUERY["jql"], "fields": ["summary"]}, cursor)
        == position
    )


def test_a_cursor_of_another_tenant_connection_credential_tool_or_query_is_refused_with_a_hint():
    ctx = Somebody()
    cursor = next_cursor(ctx, "jira_search_issues", QUERY, "x")
    others = [
        (replace(ctx, connection=replace(ctx.connection, tenant_id=uuid4())), "jira_search_issues", QUERY),
        (replace(ctx, connection=replace(ctx.connection, id=uuid4())), "jira_search_issues", QUERY),
        (replace(ctx, identity="of-somebody"), "jira_search_issues", QUERY),
        (ctx, "jira_get_projects", QUERY),
        (ctx, "jira_search_issues", {**QUERY, "jql": "project = CD"}),
        (ctx, "jira_search_issues", {**QUERY, "project": "CD"}),
    ]
    for somebody, tool, query in others:
        with pytest.raises(InvalidInput) as caught:
            position_of(somebody, tool, query, cursor)
        assert caught.value.code == "bad_cursor"
        assert f"Call {tool} without a cursor" in caught.value.hint


@pytest.mark.parametrize("cursor", ["eyJ4IjoxfQ", "a.b", "…", "x" * 5000], ids=["json", "dot", "odd", "long"])
def test_a_made_up_cursor_is_refused(cursor):
    with pytest.raises(InvalidInput):
        position_of(Somebody(), "jira_search_issues", QUERY, cursor)


def test_no_cursor_is_the_start_and_no_position_is_the_end():
    assert position_of(Somebody(), "jira_search_issues", QUERY, None) is None
    assert next_cursor(Somebody(), "jira_search_issues", QUERY, None) is None
    assert page_of([]) == {"items": [], "count": 0, "next_cursor": None}


def test_a_token_of_the_system_that_no_cursor_can_hold_is_an_error_that_says_so():
    with pytest.raises(UpstreamError, match="too long"):
        next_cursor(Somebody(), "jira_search_issues", QUERY, "x" * 5000)


@pytest.mark.parametrize(
    ("offset", "rows", "total", "expected"),
    [(0, 50, 120, 50), (100, 20, 120, None), (0, 50, None, 50), (50, 3, None, None), (0, 0, 120, None)],
    ids=["more", "last", "full", "short", "empty"],
)
def test_offsets_go_on_as_long_as_there_is_more(offset, rows, total, expected):
    assert offset_after(offset, rows, total, limit=50) == expected


def test_links_to_the_next_page_are_read():
    assert parameter_of("/wiki/api/v2/spaces?limit=2&cursor=eyJpZCI6%3D", "cursor") == "eyJpZCI6="
    assert parameter_of(None, "cursor") is None
    header = (
        '<https://api.github.com/x?page=1>; rel="prev", <https://api.github.com/x?a=1,2&page=3>; rel="next"'
    )
    assert link_of(header) == "https://api.github.com/x?a=1,2&page=3"
    assert link_of(header, "last") is None
    assert link_of(None) is None
    assert link_of("<" * 2000) is None


def test_a_list_that_came_whole_is_handed_out_in_pages():
    ctx, rows = Somebody(), [{"id": number} for number in range(5)]
    first = part_of(ctx, "list", {"of": "x"}, rows, None, 2)
    assert (first["count"], first["total"], first["items"]) == (2, 5, rows[:2])
    last = part_of(ctx, "list", {"of": "x"}, rows, first["next_cursor"], 3)
    assert (last["items"], last["next_cursor"]) == (rows[2:], None)
    with pytest.raises(InvalidInput):
        part_of(ctx, "list", {"of": "y"}, rows, first["next_cursor"], 2)
