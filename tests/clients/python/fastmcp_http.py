"""FastMCP's client."""

import asyncio
import json

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from work import HEADERS, PERIOD, URL


async def main() -> None:
    progress = []

    async def note(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total))

    async with Client(StreamableHttpTransport(URL, headers=HEADERS)) as client:

        async def call(name: str, **arguments: object) -> object:
            return (await client.call_tool(name, arguments)).structured_content

        tools = [tool.name for tool in await client.list_tools()]
        menu = await call("list_menu_items", limit=2)
        goal = await call("create_goal", description="Greet from FastMCP")
        await call("cache_set", key="fastmcp", value={"text": "größer"})
        cached = await call("cache_get", key="fastmcp")
        (read,) = await client.read_resource("restaurant://menu_items/MARGHE01")
        await client.call_tool("generate_report", {"report_type": "sales", **PERIOD}, progress_handler=note)
        refused = await client.call_tool("cache_get", {}, raise_on_error=False)
        try:
            unknown = str(await client.call_tool("nothing_at_all", {}))
        except Exception as error:
            unknown = str(error)
        print(json.dumps({
            "version": client.protocol_version, "tools": tools, "menu": menu, "goal": goal, "cached": cached, "resource": read.text,
            "progress": progress, "refused": refused.is_error and refused.content[0].text, "unknown": unknown,
        }))  # fmt: skip


asyncio.run(main())
