"""The OpenAI agents SDK's MCP server object, without a model."""

import asyncio
import json

from agents.mcp import MCPServerStreamableHttp
from work import HEADERS, URL


async def main() -> None:
    async with MCPServerStreamableHttp(
        name="bistro",
        params={"url": URL, "headers": HEADERS, "timeout": 30},
        client_session_timeout_seconds=30,
    ) as server:

        async def call(name: str, **arguments: object) -> object:
            return json.loads((await server.call_tool(name, arguments)).content[0].text)

        tools = [tool.name for tool in await server.list_tools()]
        menu = await call("list_menu_items", limit=2)
        goal = await call("create_goal", description="Greet from an agent")
        await call("cache_set", key="agents", value={"text": "größer"})
        cached = await call("cache_get", key="agents")
        read = await server.read_resource("restaurant://menu_items/MARGHE01")
        print(json.dumps({
            "version": server.session.protocol_version, "tools": tools, "menu": menu, "goal": goal, "cached": cached, "resource": read.contents[0].text,
        }))  # fmt: skip


asyncio.run(main())
