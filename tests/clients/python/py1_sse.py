"""The SDK 1.x over the older HTTP+SSE transport."""

import asyncio
import json

from mcp import ClientSession
from mcp.client.sse import sse_client
from work import HEADERS, URL, report


async def main() -> None:
    async with (
        sse_client(URL, headers=HEADERS) as (reading, writing),
        ClientSession(reading, writing) as session,
    ):
        print(json.dumps(await report(session)))


asyncio.run(main())
