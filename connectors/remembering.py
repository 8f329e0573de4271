"""Results of reading tools are kept for a while, and equal calls at one time make one request."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.context import CallContext
from connectors.results import ToolResult
from connectors.snapshot import ToolEntry


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a call's result is kept and for how long; see :func:`plan_of`."""

    key: str
    ttl_s: int
    tags: tuple[str, ...]


def plan_of(entry: ToolEntry, context: CallContext, arguments: Mapping[str, Any]) -> Plan | None:
    """How a call's result is kept; None where it is not."""
    return None


async def through(plan: Plan, context: CallContext, run: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
    """The kept result, or what ``run`` gives, which is kept."""
    return await run()


async def wrote(entry: ToolEntry, context: CallContext, arguments: Mapping[str, Any], *, ok: bool) -> None:
    """Forget what a call of a writing tool may have changed, and keep what it said to remember."""
