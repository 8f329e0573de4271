"""Icons of connectors: named in lists of tools, fetched without a key, and nothing but drawings."""

import xml.etree.ElementTree as xml

import pytest
from django.test import Client

from common.db import in_db
from connectors.icons import MAX_BYTES, icon_of
from connectors.registry import connector_class
from mcp_endpoint import shapes
from mcp_endpoint.token_cost import tool_tokens
from tests.factories import make_connection
from tests.mcp_endpoint.speak import by_door, make_place, modern

WITH_ICON = ("jira", "confluence", "github", "salesforce")
DRAWN = {"svg", "g", "rect", "circle", "path"}


async def test_a_connectors_tools_are_listed_with_its_icon_and_others_without(settings):
    settings.PORTICO_PUBLIC_URL = "https://tools.example.com/base"
    place = await in_db(make_place, connectors=("probe",))
    await in_db(
        lambda: make_connection(place.tenant, "jira", settings={"site": "https://acme.atlassian.net"})
    )
    tools = (await by_door(modern(place, "tools/list"))).result["tools"]
    seen = {tool["name"]: tool.get("icons") for tool in tools}
    assert seen["jira_get_issue"] == [
        {
            "src": "https://tools.example.com/base/connectors/jira/icon.svg",
            "mimeType": "image/svg+xml",
            "sizes": ["any"],
        }
    ]
    assert {name.partition("_")[0] for name, icons in seen.items() if icons} == {"jira"}
    assert all(icons for name, icons in seen.items() if name.startswith("jira_"))
    assert seen["probe_echo"] is None


@pytest.mark.parametrize("slug", WITH_ICON)
def test_an_icon_is_a_small_drawing_that_anybody_may_fetch(slug):
    answer = Client().get(f"/connectors/{slug}/icon.svg")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert len(answer.content) < 2_000 < MAX_BYTES
    for element in xml.fromstring(answer.content).iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in DRAWN
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    assert Client().post(f"/connectors/{slug}/icon.svg").status_code == 405


@pytest.mark.parametrize("slug", ["probe", "nothing", "..", "jira%2f..", "jira/../jira"])
def test_there_is_no_icon_of_what_has_none(slug):
    assert Client().get(f"/connectors/{slug}/icon.svg").status_code == 404


def test_icons_cost_a_model_nothing():
    cls = connector_class("jira")
    spec = cls.tools["jira_get_issue"]
    assert icon_of(cls)
    assert "icons" not in shapes.tool(spec.name, spec)
    assert (
        tool_tokens(spec.name, spec)
        < len(str(shapes.tool(spec.name, spec, "https://example.com/icon.svg"))) // 4
    )
