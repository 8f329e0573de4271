"""The SDK 1.x over streamable HTTP."""

import asyncio
import json

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from work import HEADERS, URL, report


async def main() -> None:
    async with (
        httpx.AsyncClient(headers=HEADERS, timeout=30) as http,
        streamable_http_client(URL, http_client=http) as (reading, writing, session_id),
        ClientSession(reading, writing) as session,
    ):
        told = await report(session)
        print(json.dumps({**told, "session": bool(session_id())}))


asyncio.run(main())
