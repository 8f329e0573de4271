"""Asking Redis with little patience, and knowing whether it is away.

Two things look like a Redis that hangs and are none. A process that did not run for a while
finds its reply and its timer due at once: the reply goes first. And a burst may be more than
this process can send in time: while others' questions are answered, one waits longer.
"""

import asyncio
import logging
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import redis

from common import metrics

logger = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE_S: Final = 0.9  # for one answer
GRACE_S: Final = 0.1  # for a reply that has come already
LONGEST_S: Final = 3.0  # while Redis answers others
REST_S: Final = 1.0  # between two tries while it is away
AT_ONCE: Final = 16  # questions of one event loop, so that a burst opens few connections
AWAY: Final = (redis.RedisError, OSError, TimeoutError)


class Line:
    """One process's line to Redis; ``on_return`` runs when it is back."""

    def __init__(self, on_return: Callable[[], Awaitable[None]]) -> None:
        self.is_away = False
        self._on_return = on_return
        self._try_at = 0.0
        self._answered_at = self._lost_at = 0.0
        self._doors: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    def resting(self) -> bool:
        """Whether Redis is left alone for now; one caller a second is let through to try."""
        if not self.is_away:
            return False
        now = time.monotonic()
        if now < self._try_at:
            return True
        self._try_at = now + REST_S
        return False

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """The answer of Redis, None where there is none."""
        loop, began = asyncio.get_running_loop(), time.monotonic()
        door = self._doors.get(loop)
        if door is None:
            door = self._doors[loop] = asyncio.Semaphore(AT_ONCE)
        try:
            async with door:
                if self._lost_at > began:  # it went away while this one waited
                    return None
                answer = await self._within(loop, question)
        except AWAY as error:
            self._lost(error)
            return None
        self._answered_at = time.monotonic()
        if self.is_away:
            await self._found()
        return answer

    async def _within(self, loop: asyncio.AbstractEventLoop, question: Callable[[], Awaitable[T]]) -> T:
        began = time.monotonic()
        async with asyncio.timeout(None) as limit:
            handle = loop.call_later(PATIENCE_S, self._impatient, loop, limit, began)
            try:
                return await question()
            finally:
                handle.cancel()

    def _impatient(self, loop: asyncio.AbstractEventLoop, limit: asyncio.Timeout, began: float) -> None:
        answers = self._answered_at > began
        left = LONGEST_S - PATIENCE_S if answers else GRACE_S
        limit.reschedule(loop.time() + left)

    def _lost(self, error: Exception) -> None:
        self._lost_at = time.monotonic()
        self._try_at = self._lost_at + REST_S
        if not self.is_away:
            self.is_away = True
            metrics.away("limits", True)
            logger.warning(
                "Redis is not reachable (%s): limits are counted per process until it is back",
                type(error).__name__,
            )

    async def _found(self) -> None:
        self.is_away = False
        metrics.away("limits", False)
        logger.warning("Redis is back: limits are counted over all processes again")
        await self._on_return()
