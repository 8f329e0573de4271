"""Counting what may happen only so often, over all processes: attempts to sign in, one count each.

Calls of tools owe to several limits at once: that is :mod:`connectors.limiting`. Here the moving
window is kept by the ``limits`` library in Redis; while Redis is away each process counts for
itself, which the log says once per outage.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

logger = logging.getLogger(__name__)
T = TypeVar("T")

_shared: MovingWindowRateLimiter | None = None
_local = MovingWindowRateLimiter(MemoryStorage())
_redis_is_away = False


def take(calls: int, seconds: int, *key: str) -> float:
    """Count one use of what ``key`` names, at most ``calls`` in ``seconds``.

    Returns 0.0 when it is granted, else the seconds until it will be. A tenant's keys begin
    with the tenant's id. Blocks on Redis: for threads.
    """
    item = RateLimitItemPerSecond(calls, seconds)
    return _ask(lambda limiter: 0.0 if limiter.hit(item, *key) else _wait(limiter, item, key))


def wait_for(calls: int, seconds: int, *key: str) -> float:
    """As :func:`take`, without counting: whether the next use would be granted."""
    item = RateLimitItemPerSecond(calls, seconds)
    return _ask(lambda limiter: 0.0 if limiter.test(item, *key) else _wait(limiter, item, key))


def _wait(limiter: MovingWindowRateLimiter, item: RateLimitItemPerSecond, key: tuple[str, ...]) -> float:
    reset_at = float(limiter.get_window_stats(item, *key).reset_time)
    return max(1.0, round(reset_at - time.time(), 1))


def _ask(question: Callable[[MovingWindowRateLimiter], T]) -> T:
    global _redis_is_away
    try:
        answer = question(_limiter())
        _redis_is_away = False
        return answer
    except StorageError:
        if not _redis_is_away:
            logger.warning("Redis is not reachable: limits are counted per process until it is back.")
            _redis_is_away = True
        return question(_local)


def _limiter() -> MovingWindowRateLimiter:
    global _shared
    if _shared is None:
        url = settings.REDIS_URL.replace("unix://", "redis+unix://", 1)
        storage = RedisStorage(url, key_prefix="portico-limits", wrap_exceptions=True, socket_timeout=2)
        _shared = MovingWindowRateLimiter(storage)
    return _shared
