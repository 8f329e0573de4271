"""The official Python client over a real socket, in each of its modes."""

import asyncio
from contextlib import asynccontextmanager

import httpx2
import mcp
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from common.db import in_db
from mcp_endpoint.sdk import HANDSHAKE_VERSIONS
from tests.factories import make_key
from tests.mcp_endpoint.demo import waits
from tests.mcp_endpoint.speak import Place, eventually, unique

MODES = ["auto", "legacy", "2026-07-28"]


@asynccontextmanager
async def client_of(base_url, place, mode):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {place.key}"}) as http:
        transport = streamable_http_client(base_url + place.path, http_client=http)
        async with mcp.Client(transport, mode=mode) as client:
            yield client


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_works_in_every_mode(base_url, place, mode):
    async with client_of(base_url, place, mode) as client:
        assert (client.protocol_version in HANDSHAKE_VERSIONS) == (mode == "legacy")
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "demo_add" in names
        result = await client.call_tool("demo_add", {"a": 2, "b": 3})
        assert result.structured_content == {"total": 5}
        told = []

        async def note(done, total, message):
            told.append((done, total, message))

        result = await client.call_tool("demo_tell", {}, progress_callback=note)
        assert result.content[0].text == "told"
        assert told == [(1.0, 3.0, "step 1"), (2.0, 3.0, "step 2"), (3.0, 3.0, "step 3")]
        everything = await client.call_tool("demo_everything", {})
        assert [part.type for part in everything.content] == [
            "text", "image", "audio", "resource_link", "resource", "resource",
        ]  # fmt: skip
        assert "demo://rows/3" in [row.uri for row in (await client.list_resources()).resources]
        assert (await client.read_resource("demo://rows/3")).contents[0].text.startswith("row 3")
        assert (await client.list_resource_templates()).resource_templates
        assert [p.name for p in (await client.list_prompts()).prompts] == ["demo-ask", "probe-greet"]
        got = await client.get_prompt("demo-ask", {"topic": "soup"})
        assert got.messages[0].content.text == "Tell me about soup, plain."
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("nothing", {})
        failed = await client.call_tool("demo_add", {"a": "x"})
        assert failed.is_error


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_giving_up_in_the_client_cancels_the_call(base_url, place, mode):
    word = unique()
    async with client_of(base_url, place, mode) as client:
        call = asyncio.create_task(client.call_tool("demo_wait", {"word": word}))
        await eventually(lambda: waits.get(word) == "started")
        call.cancel()
        await eventually(lambda: waits[word] == "cancelled")
        assert (await client.call_tool("demo_add", {"a": 1})).structured_content == {"total": 2}


async def test_the_sentence_for_a_wrong_key_reaches_the_clients_user(base_url, place):
    with pytest.raises(BaseExceptionGroup) as caught:
        async with client_of(base_url, Place(place.tenant, "wrong", None), "auto"):
            pass
    assert "Authorization: Bearer" in str(_leaf(caught.value))


async def test_a_key_sees_its_own_tools_only(base_url, place):
    _, secret = await in_db(make_key, place.tenant, allow=["demo:demo_add"])
    async with client_of(base_url, Place(place.tenant, secret, None), "auto") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["demo_add"]
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("demo_rows", {})


def _leaf(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
