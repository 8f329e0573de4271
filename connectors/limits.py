"""A tool's own call limit, counted per caller over all workers."""

import asyncio

from common.limits import take
from connectors.base import CallLimit
from connectors.errors import RateLimited
from connectors.snapshot import ToolEntry
from tenants.principals import Caller


async def take_call(caller: Caller, entry: ToolEntry, limit: CallLimit) -> None:
    """Count one call of a tool by this caller. Raises RateLimited when its window is full."""
    ref = entry.connection.ref
    key = (ref.tenant_id.hex, ref.id.hex, entry.spec.name, caller.principal_id.hex)
    wait = await asyncio.to_thread(take, limit.calls, limit.seconds, *key)
    if wait:
        raise RateLimited(
            f"Rate limit exceeded: {limit.calls}/{limit.seconds}s",
            retryable=True,
            retry_after=wait,
            hint=f"Call again in {wait:.0f} seconds.",
        )
