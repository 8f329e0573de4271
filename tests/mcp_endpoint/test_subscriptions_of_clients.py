"""The official Python client listens, in both eras, over a real socket."""

import asyncio
from contextlib import asynccontextmanager

import httpx2
import mcp
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.subscriptions import ResourceUpdated, ToolsListChanged

from common.db import in_db
from connectors import services as connectors
from connectors.snapshot import connection_ref
from connectors.updates import resource_updated_async
from mcp_endpoint import streams
from tenants import services
from tests.factories import SYSTEM
from tests.mcp_endpoint.speak import Place, eventually, make_place

PLAN = "goal://GOAL-0001/plan"
WITHIN_S = 10


@asynccontextmanager
async def client_of(base_url, place, mode, **more):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {place.key}"}, timeout=30) as http:
        transport = streamable_http_client(base_url + place.path, http_client=http)
        async with mcp.Client(transport, mode=mode, **more) as client:
            yield client


async def change(place: Place) -> None:
    """A change of the tools, then one of a resource."""
    probe = await in_db(place.tenant.connections.get, slug="probe")
    await in_db(connectors.switch_set, probe, tool="probe_write", enabled=False, actor=SYSTEM)


async def update(place: Place) -> None:
    goals = connection_ref(await in_db(place.tenant.connections.get, slug="goals"), "UTC")
    await resource_updated_async(goals, PLAN)


async def test_a_modern_client_listens_until_its_key_is_revoked(base_url):
    place = await in_db(make_place, connectors=("goals", "probe"))
    async with (
        client_of(base_url, place, "2026-07-28") as client,
        client.listen(tools_list_changed=True, resource_subscriptions=[PLAN, "goal://x/y/z"]) as news,
    ):
        assert news.honored.tools_list_changed is True
        assert news.honored.resource_subscriptions == [PLAN]
        await change(place)
        async with asyncio.timeout(WITHIN_S):
            assert await anext(news) == ToolsListChanged()
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert "probe_write" not in names
            await update(place)
            assert await anext(news) == ResourceUpdated(uri=PLAN)
            await in_db(services.access_key_revoke, key=place.access_key, actor=SYSTEM)
            assert [event async for event in news] == []  # a graceful end, not a lost stream


@pytest.mark.filterwarnings(
    "ignore::mcp.shared.exceptions.MCPDeprecationWarning"
)  # of the client, not of ours
async def test_a_client_of_the_handshake_era_hears_on_its_own_stream(base_url):
    place = await in_db(make_place, connectors=("goals", "probe"))
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def note(message):
        if not isinstance(message, Exception):
            heard.put_nowait(message.method)

    async with client_of(base_url, place, "legacy", message_handler=note) as client:
        await eventually(lambda: streams.open_count(place.tenant.pk) == 1)
        await client.session.subscribe_resource(PLAN)
        await change(place)
        async with asyncio.timeout(WITHIN_S):
            assert await heard.get() == "notifications/tools/list_changed"
            await update(place)
            assert await heard.get() == "notifications/resources/updated"
            await client.session.unsubscribe_resource(PLAN)
        await in_db(services.access_key_revoke, key=place.access_key, actor=SYSTEM)
    await eventually(lambda: streams.open_count(place.tenant.pk) == 0)
