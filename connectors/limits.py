"""What calls may cost: rates and quotas, debited for what is executed."""

import asyncio

from common.limits import take
from connectors.errors import RateLimited
from connectors.snapshot import ToolEntry
from tenants.principals import Caller


async def charge(caller: Caller, entry: ToolEntry) -> None:
    """Debit a call that is about to be executed. Raises RateLimited where a limit forbids it."""
    limit = entry.spec.limit
    if limit is None:
        return
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
