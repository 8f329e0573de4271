"""A tool's own call limit, counted per caller over all workers.

The moving window is kept by the ``limits`` library in Redis; while Redis is away each
process counts for itself, which is stated in the log once per outage.
"""

import asyncio
import logging
import time

from django.conf import settings
from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from connectors.base import CallLimit
from connectors.errors import RateLimited
from connectors.snapshot import ToolEntry
from tenants.principals import Caller

logger = logging.getLogger(__name__)

_shared: MovingWindowRateLimiter | None = None
_local = MovingWindowRateLimiter(MemoryStorage())
_redis_is_away = False


def _limiter() -> MovingWindowRateLimiter:
    global _shared
    if _shared is None:
        url = settings.REDIS_URL.replace("unix://", "redis+unix://", 1)
        _shared = MovingWindowRateLimiter(
            RedisStorage(url, key_prefix="portico-limits", wrap_exceptions=True, socket_timeout=2)
        )
    return _shared


async def take_call(caller: Caller, entry: ToolEntry, limit: CallLimit) -> None:
    """Count one call of a tool by this caller. Raises RateLimited when its window is full."""
    item = RateLimitItemPerSecond(limit.calls, limit.seconds)
    ref = entry.connection.ref
    key = (ref.tenant_id.hex, ref.id.hex, entry.spec.name, caller.principal_id.hex)
    granted, reset_at = await asyncio.to_thread(_hit, item, key)
    if not granted:
        wait = max(1.0, round(reset_at - time.time(), 1))
        raise RateLimited(
            f"Rate limit exceeded: {limit.calls}/{limit.seconds}s",
            retryable=True,
            retry_after=wait,
            hint=f"Call again in {wait:.0f} seconds.",
        )


def _hit(item: RateLimitItemPerSecond, key: tuple[str, ...]) -> tuple[bool, float]:
    global _redis_is_away
    try:
        granted = _limiter().hit(item, *key)
        reset_at = 0.0 if granted else _limiter().get_window_stats(item, *key).reset_time
        _redis_is_away = False
    except StorageError:
        if not _redis_is_away:
            logger.warning("Redis is not reachable: call limits are counted per process until it is back.")
            _redis_is_away = True
        granted = _local.hit(item, *key)
        reset_at = 0.0 if granted else _local.get_window_stats(item, *key).reset_time
    return granted, reset_at
