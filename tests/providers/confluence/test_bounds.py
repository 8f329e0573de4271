"""What a connection reaches: its own spaces, its own tenant, its own token."""

import json
import logging

import pytest

from connectors.services import connection_check
from tests.providers.confluence.conftest import BO

TEAM = "The space of another team"


@pytest.fixture
def team_page(confluence, pages):
    page = pages("Team home")
    confluence.make_comment(page, f"<p>{TEAM}</p>")
    page["body"] = page["versions"][-1]["body"] = f"<h2>{TEAM}</h2><p>{TEAM}</p>"
    return page


REACHES = [
    ("confluence_get_page", {"page_id": "{id}"}),
    ("confluence_get_page", {"page_id": "{id}", "raw": True, "include_comments": True}),
    ("confluence_get_page", {"title": "Team home", "space_key": "TEAM"}),
    ("confluence_get_page", {"title": "Team home", "space_key": "team"}),
    ("confluence_get_page", {"url": "{site}/wiki/spaces/DOCS/pages/{id}"}),
    ("confluence_get_page", {"page_id": "{id}/../{id}"}),
    ("confluence_get_page", {"page_id": "{id}?x=1"}),
    ("confluence_get_page", {"title": "Team home", "space_key": "DOCS,TEAM"}),
    ("confluence_ask_page", {"page_id": "{id}", "question": "another team"}),
    ("confluence_get_space", {"space_key": "TEAM"}),
    ("confluence_list_spaces", {"keys": ["TEAM"]}),
    ("confluence_list_spaces", {"keys": ["DOCS", "TEAM"]}),
    ("confluence_search", {"query": "team", "space_key": "TEAM"}),
    ("confluence_get_comments", {"page_id": "{id}"}),
    ("confluence_add_comment", {"page_id": "{id}", "comment": "x"}),
    ("confluence_create_page", {"title": "x", "content": "x", "space_key": "TEAM"}),
    ("confluence_create_page", {"title": "x", "content": "x", "space_key": "DOCS", "parent_id": "{id}"}),
    ("confluence_update_page", {"page_id": "{id}", "content": "x"}),
    ("confluence_update_page_section", {"page_id": "{id}", "heading": TEAM, "content": "x"}),
    ("confluence_append_to_page", {"page_id": "{id}", "content": "x"}),
]


async def test_no_tool_reaches_a_space_that_is_not_allowed(fenced, team_page, confluence):
    fill = {"id": team_page["id"], "site": confluence.url}
    for tool, arguments in REACHES:
        filled = {
            name: value.format(**fill) if isinstance(value, str) else value
            for name, value in arguments.items()
        }
        got = await fenced(tool, **filled)
        assert got["type"] in ("permission", "validation", "not_found"), (tool, got)
        assert TEAM not in json.dumps(got)
    assert not [hit for hit in confluence.operations if hit.method != "GET"]


@pytest.mark.parametrize(
    "query",
    ["team", "space = TEAM", "type = page) OR (space = TEAM", 'title = "x" OR space = "TEAM"', "id = {id}"],
    ids=range(5),
)
async def test_no_search_finds_what_is_not_allowed(fenced, team_page, query):
    got = await fenced("confluence_search", query=query.format(id=team_page["id"]))
    assert got.get("items", []) == [] or "error" in got
    assert "Team home" not in json.dumps(got)
    assert TEAM not in json.dumps(got)


async def test_a_hit_of_another_space_is_dropped_even_if_the_system_sends_it(fenced, confluence, monkeypatch):
    monkeypatch.setattr("connectors.providers.confluence.queries.cql_of", lambda query, **more: "type = page")
    got = await fenced("confluence_search", query="type = page")
    assert {hit["space"] for hit in got["items"]} == {"DOCS"}
    assert "total" not in got


async def test_within_its_spaces_a_fenced_connection_does_everything(fenced, pages):
    assert [row["key"] for row in (await fenced("confluence_list_spaces"))["items"]] == ["DOCS"]
    page = await fenced("confluence_create_page", title="Mine", content="x", space_key="DOCS")
    assert (await fenced("confluence_append_to_page", page_id=page["id"], content="y"))["version"] == 2
    assert (await fenced("confluence_search", query="title = Mine"))["items"][0]["id"] == page["id"]


async def test_a_scoped_token_is_found_behind_the_gateway_and_its_lack_of_a_scope_is_told(desk, confluence):
    reader = await desk({**BO, "method": "bearer", "token": "sandbox-confluence-reader"})
    assert (await reader("confluence_list_spaces"))["count"] == 2
    assert any(request.path.startswith("/wiki") for request in confluence.requests)
    refused = await reader("confluence_create_page", title="x", content="x", space_key="DOCS")
    assert (refused["type"], refused["code"]) == ("permission", "scope_missing")


async def test_the_connection_test_says_who_and_what_is_missing(desk, call):
    found = await connection_check(call.connection)
    assert (found.ok, found.details["account"], found.details["way"]) == (True, "Ada Lovelace", "site")
    assert found.details["quota"]["remaining"] > 0
    assert any("ATATT" in one for one in found.details["warnings"])
    fenced = await desk(spaces=["DOCS", "GONE"])
    assert "does not see the space GONE" in (await connection_check(fenced.connection)).message
    wrong = await desk({**BO, "token": "not-the-token-at-all"})
    failed = await connection_check(wrong.connection)
    assert not failed.ok
    assert "not-the-token-at-all" not in str(failed)


async def test_no_secret_is_in_an_answer_an_error_or_a_log(desk, confluence, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "very-secret-token-value"
    desk_ = await desk({"method": "api_token", "email": "ada@example.com", "token": secret})
    said = [await desk_("confluence_list_spaces"), await desk_("confluence_search", query="x")]
    assert all(one["type"] == "authentication" for one in said)
    assert secret not in json.dumps(said) + caplog.text


async def test_two_tenants_share_nothing(desk, confluence, pages):
    one, other = await desk(), await desk(spaces=["TEAM"])
    page = pages("How orders work")["id"]
    assert "content" in await one("confluence_get_page", page_id=page)
    assert (await other("confluence_get_page", page_id=page))["code"] == "space_not_allowed"
    first = await one("confluence_list_spaces", limit=1)
    assert (await other("confluence_list_spaces", limit=1, cursor=first["next_cursor"]))[
        "type"
    ] == "validation"


async def test_settings_and_credentials_say_what_is_wrong_with_them(desk):
    from tenants.errors import InvalidValue

    for values, options, word in (
        ({"method": "api_token", "token": "x"}, {}, "email"),
        ({"method": "bearer"}, {}, "token"),
        (BO, {"spaces": ["A B"]}, "space key"),
        (BO, {"spaces": ["A"], "default_space": "B"}, "default space"),
    ):
        with pytest.raises(InvalidValue) as refused:
            await desk(values, **options)
        assert word in str(refused.value)


async def test_tasks_and_spaces_of_every_allowed_space_are_listed_however_they_are_spelled(
    desk, confluence, pages
):
    fenced = await desk(spaces=["docs", "GONE", *(f"S{number}" for number in range(60)), "LAST"])
    last = confluence.fresh_id()
    confluence.spaces[last] = {**next(iter(confluence.spaces.values())), "id": last, "key": "LAST"}
    far = confluence.make_page(last, "Far", "<p>x</p>", None)
    for page in (pages("How orders work"), pages("Team home"), far):
        confluence.make_task(page, f"<p>{page['title']}</p>", "5b10")
    before = len(confluence.operations)
    got = await fenced("confluence_list_tasks")
    assert [row["text"] for row in got["items"]] == ["How orders work", "Far"]
    assert len(confluence.operations) - before <= 3
    spaces = await fenced("confluence_list_spaces", fields=["name"])
    assert [row["key"] for row in spaces["items"]] == ["DOCS", "LAST"]
    named = await fenced("confluence_list_spaces", keys=["last"])
    assert [row["key"] for row in named["items"]] == ["LAST"]
    lost = await desk(spaces=["GONE"])
    assert (await lost("confluence_list_tasks"))["code"] == "no_space"
