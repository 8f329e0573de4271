"""What every client is asked to do, on a ``ClientSession`` of the SDK 1.x. Runs without Portico's packages."""

import json
import os
from typing import Any

URL, KEY = os.environ["URL_"], os.environ["KEY"]
HEADERS = {"Authorization": f"Bearer {KEY}"}
PERIOD: dict[str, str] = json.loads(os.environ["PERIOD"])


async def report(session: Any) -> dict[str, Any]:
    started = await session.initialize()
    tools, cursor = [], None
    while True:
        page = await session.list_tools(cursor=cursor)
        tools += [tool.name for tool in page.tools]
        if (cursor := page.nextCursor) is None:
            break

    async def call(name: str, **arguments: Any) -> Any:
        return (await session.call_tool(name, arguments)).structuredContent

    progress = []

    async def note(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total))

    menu = await call("list_menu_items", limit=2)
    goal = await call("create_goal", description="Greet from the SDK 1.x")
    await call("cache_set", key="py1", value={"text": "größer"})
    cached = await call("cache_get", key="py1")
    read = await session.read_resource("restaurant://menu_items/MARGHE01")
    await session.call_tool("generate_report", {"report_type": "sales", **PERIOD}, progress_callback=note)
    refused = await session.call_tool("cache_get", {})
    try:
        unknown = str(await session.call_tool("nothing_at_all", {}))
    except Exception as error:
        unknown = str(error)
    return {
        "version": started.protocolVersion, "server": started.serverInfo.name, "tools": tools, "menu": menu,
        "goal": goal, "cached": cached, "resource": read.contents[0].text, "progress": progress,
        "refused": refused.isError and refused.content[0].text, "unknown": unknown,
    }  # fmt: skip
