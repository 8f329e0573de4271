"""What a list of tools costs a model: an estimate, since every model counts in its own way."""

from collections.abc import Iterable
from typing import Final

from connectors.base import ToolSpec
from connectors.snapshot import ToolEntry
from mcp_endpoint import shapes
from mcp_endpoint.wire import dumps

BYTES_PER_TOKEN: Final = 4  # the common rule of thumb for English and JSON
MANY_TOKENS: Final = 30_000  # a seventh of a window of 200,000: from here on list fewer tools


def tool_tokens(name: str, spec: ToolSpec) -> int:
    """About how many tokens a tool's row of ``tools/list`` has."""
    return -(-len(dumps(shapes.tool(name, spec))) // BYTES_PER_TOKEN)


def list_tokens(entries: Iterable[ToolEntry]) -> int:
    """About how many tokens these rows of ``tools/list`` have."""
    return sum(tool_tokens(entry.name, entry.spec) for entry in entries)
