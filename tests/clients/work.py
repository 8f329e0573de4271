"""What every client is asked to do, with the official Python client 2.x."""

from typing import Any

import mcp
from mcp.shared.exceptions import MCPError

from tests.e2e.walks import a_year


async def work(client: mcp.Client) -> dict[str, Any]:
    """What every client is asked to do."""

    async def call(name: str, **arguments: Any) -> Any:
        return (await client.call_tool(name, arguments)).structured_content

    progress: list[Any] = []

    async def note(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total))

    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [tool.name for tool in page.tools]
        if (cursor := page.next_cursor) is None:
            break
    menu = await call("list_menu_items", limit=2)
    goal = await call("create_goal", description="Greet through a bridge")
    await call("cache_set", key="bridge", value={"text": "größer"})
    cached = await call("cache_get", key="bridge")
    read = (await client.read_resource("restaurant://menu_items/MARGHE01")).contents[0].text
    await client.call_tool("generate_report", {"report_type": "sales", **a_year()}, progress_callback=note)
    refused = await client.call_tool("cache_get", {})
    try:
        unknown = str(await client.call_tool("nothing_at_all", {}))
    except MCPError as error:
        unknown = str(error)
    return {
        "version": client.protocol_version, "tools": tools, "menu": menu, "goal": goal, "cached": cached,
        "resource": read, "progress": progress, "refused": refused.is_error and refused.content[0].text,
        "unknown": unknown,
    }  # fmt: skip
