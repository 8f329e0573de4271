"""The tools as LangChain has them."""

import asyncio
import json
import sys

from langchain_mcp_adapters.client import MultiServerMCPClient
from work import HEADERS, URL


async def main() -> None:
    client = MultiServerMCPClient({"bistro": {"transport": sys.argv[1], "url": URL, "headers": HEADERS}})
    tools = {tool.name: tool for tool in await client.get_tools()}

    async def call(name: str, **arguments: object) -> object:
        answer = await tools[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
        return answer.artifact["structured_content"]

    menu = await call("list_menu_items", limit=2)
    goal = await call("create_goal", description="Greet from LangChain")
    await call("cache_set", key="langchain", value={"text": "größer"})
    cached = await call("cache_get", key="langchain")
    (resource,) = await client.get_resources("bistro", uris="restaurant://menu_items/MARGHE01")
    print(json.dumps({
        "tools": list(tools), "menu": menu, "goal": goal, "cached": cached, "resource": resource.as_string(),
    }))  # fmt: skip


asyncio.run(main())
