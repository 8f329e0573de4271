"""The official Python client answers questions in each of its modes."""

import os
import sys
from contextlib import asynccontextmanager

import httpx2
import mcp
import mcp_types as types
import pytest
from django.conf import settings
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.factories import unique
from tests.live import ROOT, environment
from tests.mcp_endpoint import asker
from tests.mcp_endpoint.speak import make_place

ENTRY = "asker=tests.mcp_endpoint.asker:Asker"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)

MODES = ["auto", "legacy", "2026-07-28"]


@pytest.fixture(scope="module")
def asking_place(database):
    return make_place(connectors=("asker",))


async def elicited(context, params):
    if isinstance(params, types.ElicitRequestURLParams):
        return types.ElicitResult(action="accept")
    content = {"name": "Alice", "colour": "blue"}
    names = params.requested_schema["properties"]
    return types.ElicitResult(action="accept", content={name: content[name] for name in names})


async def sampled(context, params):
    said = types.TextContent(type="text", text="Paris")
    return types.CreateMessageResult(role="assistant", model="m", content=said)


async def rooted(context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///work")])


ANSWERS = {
    "elicitation_callback": elicited,
    "sampling_callback": sampled,
    "list_roots_callback": rooted,
}


@asynccontextmanager
async def client_of(base_url, place, mode):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {place.key}"}, timeout=20) as http:
        transport = streamable_http_client(base_url + place.path, http_client=http)
        async with mcp.Client(transport, mode=mode, **ANSWERS) as client:
            yield client


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_answers_in_every_mode(base_url, asking_place, mode):
    word = unique()
    async with client_of(base_url, asking_place, mode) as client:
        greeted = await client.call_tool("asker_greet", {"greeting": "Hi"})
        assert greeted.content[0].text == "Hi, Alice!"
        steps = await client.call_tool("asker_steps", {})
        assert steps.content[0].text.startswith("Alice likes blue")
        everything = (await client.call_tool("asker_everything", {})).structured_content
        assert everything["capital"]["content"]["text"] == "Paris"
        assert everything["roots"]["roots"][0]["uri"] == "file:///work"
        deleted = await client.call_tool("asker_delete", {"word": word})
        assert deleted.content[0].text == "deleted"
        assert word in asker.done
        assert (await client.read_resource("asker://note")).contents[0].text == "For Alice"
        letter = await client.get_prompt("asker-letter", {"topic": "soup"})
        assert "Alice" in letter.messages[0].content.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_it_answers_over_standard_input_and_output(asking_place, mode):
    named = f"{os.environ['PORTICO_CONNECTORS']},{ENTRY}"
    server = StdioServerParameters(
        command=sys.executable,
        args=["manage.py", "mcp_stdio", "--tenant", asking_place.tenant.slug],
        env=environment(PORTICO_CONNECTORS=named, PORTICO_ACCESS_KEY=asking_place.key),
        cwd=ROOT,
    )
    async with mcp.Client(stdio_client(server), mode=mode, **ANSWERS) as client:
        assert (await client.call_tool("asker_greet", {})).content[0].text == "Hello, Alice!"
        assert (await client.call_tool("asker_delete", {"word": "w"})).content[0].text == "deleted"
