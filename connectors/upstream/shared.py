"""Asking Redis what the workers know together; while it is away, each process knows its own."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from uuid import UUID

import redis
import redis.asyncio

from common import metrics
from common.bus import bus
from common.redis import async_client

logger = logging.getLogger(__name__)
T = TypeVar("T")

USE: Final = "breaker"
PATIENCE_S: Final = 0.5  # what a call waits for Redis at most
AGAIN_S: Final = 1.0  # so long nobody asks a Redis that was away

_away_until = 0.0  # of time.monotonic(); 0 while it is there


async def asked(question: Callable[[redis.asyncio.Redis], Awaitable[Any]]) -> Any:
    """What Redis answers, or None while it is away; never raises, never waits long."""
    global _away_until
    if _away_until > time.monotonic():
        return None
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await question(async_client())
    except (redis.RedisError, OSError):  # a TimeoutError is an OSError
        if not _away_until:
            logger.warning("Redis is not reachable: breakers and pauses hold per process until it is back")
        _away_until = time.monotonic() + AGAIN_S
        metrics.away(USE, True)
        return None
    if _away_until:
        _away_until = 0.0
        logger.warning("Redis is back: breakers and pauses are shared again")
        metrics.away(USE, False)
    return answer


async def tell(tenant_id: UUID, kind: str, body: dict[str, Any]) -> None:
    """Tell the other processes, where that is possible at once."""
    if _away_until > time.monotonic():
        return
    try:
        async with asyncio.timeout(PATIENCE_S):
            await bus.publish_async(tenant_id, kind, body)
    except TimeoutError:
        return
