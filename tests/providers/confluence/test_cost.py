"""What the connector costs a model: its list of tools, and its answers beside the vendor's."""

import json

import httpx2

from connectors.providers.confluence.connector import Confluence
from mcp_endpoint.token_cost import tool_tokens

REQUIRED = {"confluence_search", "confluence_get_page", "confluence_ask_page", "confluence_create_page",
            "confluence_update_page", "confluence_get_comments", "confluence_add_comment"}  # fmt: skip


def test_a_new_connection_lists_at_most_16_tools_of_4000_tokens():
    listed = {name: spec for name, spec in Confluence.tools.items() if spec.default_on}
    assert len(listed) <= 16
    assert sum(tool_tokens(name, spec) for name, spec in listed.items()) <= 4_000
    assert {name for name, spec in Confluence.tools.items() if spec.required} == REQUIRED <= set(listed)


def test_each_tools_hints_say_what_it_does():
    for name, spec in Confluence.tools.items():
        assert spec.hints.open_world, name
        assert spec.writes == (spec.toolset in ("write", "delete")), name
        assert not (spec.hints.destructive and spec.default_on), name


async def test_lists_are_at_most_half_of_the_vendors(call, confluence, pages):
    for number in range(24):
        confluence.make_page(pages("Team home")["space"], f"Page {number}", "<p>Orders and lines.</p>", None)
    space = pages("Team home")["space"]
    shares = {}
    async with httpx2.AsyncClient(
        base_url=confluence.url, auth=("ada@example.com", "sandbox-confluence-token")
    ) as client:
        for tool, arguments, path in (
            ("confluence_search", {"query": "orders", "limit": 10},
             "/wiki/rest/api/search?cql=siteSearch+~+orders&limit=10&expand=content.space"),
            ("confluence_list_pages", {"space_key": "TEAM", "limit": 25}, f"/wiki/api/v2/spaces/{space}/pages?limit=25"),
        ):  # fmt: skip
            answer, raw = await call(tool, **arguments), (await client.get(path)).content
            shares[tool] = len(json.dumps(answer, separators=(",", ":"))) / len(raw)
    assert max(shares.values()) <= 0.5, shares
