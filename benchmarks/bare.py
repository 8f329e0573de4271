"""The MCP SDK's own streamable-HTTP application with the same tools, and nothing else.

It authenticates, decides and records nothing: the yardstick. ``BARE_TOOLS=list`` serves the
two hundred tools, otherwise the trivial one.
"""

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "platform")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")

from mcp.server.lowlevel import Server  # noqa: E402
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool  # noqa: E402

from benchmarks.connector import Listed, Trivial  # noqa: E402

_connector = Listed if os.environ.get("BARE_TOOLS") == "list" else Trivial
_tools = [
    Tool(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        input_schema=spec.input_schema,
        output_schema=spec.output_schema,
    )
    for spec in _connector.tools.values()
]


async def _list(ctx, params):
    return ListToolsResult(tools=_tools)


async def _call(ctx, params):
    arguments = params.arguments or {}
    answer = {"text": arguments["text"], "times": arguments.get("times", 1)}
    return CallToolResult(
        content=[TextContent(type="text", text='{"text":"%s","times":1}' % arguments["text"])],
        structured_content=answer,
    )


app = Server("bare", on_list_tools=_list, on_call_tool=_call).streamable_http_app(
    stateless_http=True, json_response=True
)
