"""What a connection's credential may not do is found by its test, and the tools for it are left out."""

import dataclasses

import pytest

from connectors.providers.confluence.connector import Confluence
from connectors.providers.confluence.rights import OPERATIONS, SCOPES
from connectors.services import connection_check
from tests.doubles.atlassian import BO as BO_ID
from tests.mcp_endpoint.speak import by_door, modern
from tests.providers.confluence.conftest import BO

READER = {**BO, "method": "bearer"}
WRITERS = {
    "confluence_create_page", "confluence_update_page", "confluence_update_page_section", "confluence_append_to_page",
    "confluence_add_comment", "confluence_add_labels", "confluence_delete_page", "confluence_move_page",
}  # fmt: skip


def scopes_of(confluence, *more):
    """Give Bo's token these scopes beside those of reading."""
    for token, account in list(confluence.door.tokens.items()):
        if account.id == BO_ID:
            confluence.door.tokens[token] = dataclasses.replace(account, scopes=account.scopes | set(more))


async def listed(desk):
    """The names of the tools that a client sees."""
    answer = await by_door(modern(desk.place, "tools/list", {}))
    return {tool["name"] for tool in answer.result["tools"]}


async def test_a_token_that_only_reads_loses_the_tools_that_write(desk, confluence):
    reader = await desk(READER)
    assert await listed(reader) >= WRITERS
    before = len(confluence.pages)
    found = await connection_check(reader.connection)
    assert found.ok
    assert {"write:page:confluence", "write:comment:confluence"} <= set(found.details["missing_scopes"])
    assert "read:page:confluence" not in found.details["missing_scopes"]
    hidden = found.details["hidden_tools"]
    assert set(hidden) >= WRITERS
    assert hidden["confluence_add_comment"] == "write:comment:confluence"
    assert not {"confluence_get_page", "confluence_search", "confluence_list_spaces"} & set(hidden)
    assert "write:page:confluence" in found.message
    assert len(confluence.pages) == before
    assert not [hit for hit in confluence.operations if hit.method != "GET" and hit.status < 300]


async def test_a_token_with_all_scopes_loses_nothing_and_writes_nothing(desk, confluence):
    scopes_of(confluence, "write:page:confluence", "delete:page:confluence", "write:comment:confluence", "write:label:confluence", "write:attachment:confluence",
              "write:confluence-content", "read:comment:confluence", "read:attachment:confluence", "read:task:confluence")  # fmt: skip
    reader, pages = await desk(READER), {id: dict(row) for id, row in confluence.pages.items()}
    found = await connection_check(reader.connection)
    assert "hidden_tools" not in found.details
    assert confluence.pages == pages
    asked = len(confluence.requests)
    await connection_check(reader.connection)
    assert not [one for one in list(confluence.requests)[asked:] if one.method != "GET"]


async def test_a_token_that_may_not_say_whose_it_is_is_still_tested(desk, confluence):
    for token, account in list(confluence.door.tokens.items()):
        if account.id == BO_ID:
            scopes = account.scopes - {"read:confluence-user"}
            confluence.door.tokens[token] = dataclasses.replace(account, scopes=scopes)
    found = await connection_check((await desk(READER)).connection)
    assert (found.ok, found.details["account"]) == (True, "an account")
    assert found.details["hidden_tools"]["confluence_connection_info"] == "read:content-details:confluence"


@pytest.mark.parametrize("spaces", [["DOCS"], []], ids=["named", "all"])
async def test_rights_that_no_space_gives_are_named(desk, confluence, spaces):
    for key in ("DOCS", "TEAM"):
        confluence.forbidden |= {(key, "create", "blogpost"), (key, "create", "comment")}
    here = await desk(spaces=spaces)
    found = await connection_check(here.connection)
    assert found.details["hidden_tools"] == {"confluence_create_blogpost": "create blogpost"}
    assert "may not create blogpost" in found.message
    confluence.forbidden.clear()
    assert "hidden_tools" not in (await connection_check(here.connection)).details


async def test_a_right_that_one_of_the_spaces_gives_hides_nothing(desk, confluence):
    confluence.forbidden |= {("DOCS", "create", "page")}
    assert "hidden_tools" not in (await connection_check((await desk()).connection)).details
    mine = await connection_check((await desk(spaces=["DOCS"])).connection)
    assert "confluence_update_page" in mine.details["hidden_tools"]


def test_every_tool_that_is_named_exists_and_every_write_is_named():
    named = {name for probe in SCOPES for name in probe.tools or ()} | {
        one for row in OPERATIONS.values() for one in row
    }
    assert named <= set(Confluence.tools)
    assert {name for name, spec in Confluence.tools.items() if spec.writes} <= named
