"""What the connector costs a model: its list of tools, and its answers beside the vendor's."""

import json

import httpx2
import pytest

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


# As Cloud's editor writes a page: ids on every block, widths of tables, cards, tasks.
STORAGE = """<h2 local-id="6e0e7c1a-7f0b-4d5e-9f77-1b8a1c2d3e4f">Orders</h2>\
<p local-id="b3c1a7de-4f0e-4c6a-8a77-2a1b3c4d5e6f">An order has <strong>lines</strong>, a customer and a state. It is \
placed once, and paid before it is sent.</p><ac:structured-macro ac:name="info" ac:schema-version="1" \
ac:local-id="0c9d8e7f-6a5b-4c3d-2e1f-0a9b8c7d6e5f" ac:macro-id="1d2c3b4a-5f6e-7d8c-9b0a-1f2e3d4c5b6a"><ac:rich-text-body>\
<p local-id="aa11bb22-cc33-dd44-ee55-ff6677889900">Refunds take five days.</p></ac:rich-text-body></ac:structured-macro>\
<h2 local-id="7a6b5c4d-3e2f-1a0b-9c8d-7e6f5a4b3c2d">States</h2><table data-table-width="760" data-layout="default" \
ac:local-id="5f4e3d2c-1b0a-9f8e-7d6c-5b4a3f2e1d0c"><colgroup><col style="width: 180.0px;" /><col style="width: 340.0px;" />\
</colgroup><tbody><tr><th><p local-id="11111111-aaaa"><strong>State</strong></p></th><th><p local-id="22222222-bbbb">\
<strong>Means</strong></p></th></tr><tr><td><p local-id="33333333-cccc">placed</p></td><td><p local-id="44444444-dddd">\
The customer has sent it</p></td></tr></tbody></table><ac:task-list ac:task-list-id="9d8c7b6a"><ac:task><ac:task-id>1\
</ac:task-id><ac:task-uuid>8f7e6d5c-4b3a-2f1e-0d9c-8b7a6f5e4d3c</ac:task-uuid><ac:task-status>incomplete</ac:task-status>\
<ac:task-body><span class="placeholder-inline-tasks">Ask the shop about returns</span></ac:task-body></ac:task>\
</ac:task-list><p local-id="c0ffee00-1234-5678-9abc-def012345678">See <ac:link ac:card-appearance="inline"><ri:page \
ri:content-title="How refunds work" ri:version-at-save="7" /><ac:link-body>How refunds work</ac:link-body></ac:link>.</p>"""
V2 = "/wiki/api/v2"
TYPICAL = {
    "confluence_search": ({"query": "orders", "limit": 10},
                          "/wiki/rest/api/search?cql=siteSearch+~+orders&limit=10&expand=content.space"),
    "confluence_get_page": ({"page_id": "{page}"}, V2 + "/pages/{page}?body-format=storage"),
    "confluence_list_pages": ({"space_key": "TEAM", "limit": 25}, V2 + "/spaces/{space}/pages?limit=25"),
    "confluence_list_spaces": ({"limit": 25}, V2 + "/spaces?limit=25"),
    "confluence_get_comments": ({"page_id": "{page}", "limit": 25},
                                V2 + "/pages/{page}/footer-comments?limit=25&body-format=storage"),
    "confluence_list_attachments": ({"page_id": "{page}", "limit": 25}, V2 + "/pages/{page}/attachments?limit=25"),
    "confluence_get_page_history": ({"page_id": "{page}", "limit": 25}, V2 + "/pages/{page}/versions?limit=25"),
}  # fmt: skip


@pytest.fixture
def filled(confluence, pages):
    """A space with much in it; the ids that stand in :data:`TYPICAL`."""
    team, page = pages("Team home")["space"], pages("How orders work")
    for number in range(24):
        confluence.make_page(team, f"How we work with orders, part {number}", STORAGE, None)
        confluence.make_comment(page, STORAGE[:203])
        confluence.attach(page, f"Orders of the month {number}.pdf", b"x", "application/pdf")
        space = confluence.fresh_id()
        made = {"id": space, "key": f"S{number}", "name": f"Space {number}", "home": page["id"]}
        confluence.spaces[space] = {**confluence.spaces[team], **made}
    page["body"] = page["versions"][-1]["body"] = STORAGE
    page["versions"] += [{**page["versions"][0], "number": number, "authorId": f"5b10a2844c20165700ede2{number % 3:02}"}
                         for number in range(2, 26)]  # fmt: skip
    return {"space": team, "page": page["id"]}


async def test_typical_answers_are_at_most_half_of_the_vendors(call, confluence, filled):
    shares = {}
    signed = ("ada@example.com", "sandbox-confluence-token")
    async with httpx2.AsyncClient(base_url=confluence.url, auth=signed) as client:
        for tool, (arguments, path) in TYPICAL.items():
            asked = {
                name: value.format(**filled) if isinstance(value, str) else value
                for name, value in arguments.items()
            }
            answer, raw = await call(tool, **asked), (await client.get(path.format(**filled))).content
            assert "error" not in answer, answer
            shares[tool] = round(len(json.dumps(answer, separators=(",", ":"))) / len(raw), 2)
    assert max(shares.values()) <= 0.5, shares


async def test_a_page_of_a_few_words_costs_half_too(call, confluence, pages):
    page = pages("How orders work")["id"]
    answer = await call("confluence_get_page", page_id=page)
    async with httpx2.AsyncClient(auth=("ada@example.com", "sandbox-confluence-token")) as client:
        raw = (await client.get(f"{confluence.url}{V2}/pages/{page}?body-format=storage")).content
    assert len(json.dumps(answer, separators=(",", ":"))) / len(raw) <= 0.5
