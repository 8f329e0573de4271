"""What all clients of a connection share in a process: its room, and its repetitions."""

import asyncio
import logging
import time
from typing import Final

from connectors.errors import ConnectionFailed
from connectors.upstream.retry import Budget

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 500  # calls of one connection that wait for room, per process
WARN_AGAIN_S: Final = 60.0


class Line:
    """A connection's share of a process, so that a slow system cannot take all of a worker."""

    __slots__ = ("__weakref__", "budget", "room", "waiting", "warned")

    def __init__(self, connections: int) -> None:
        self.budget = Budget()
        self.room = asyncio.Semaphore(connections)
        self.waiting = 0
        self.warned = -WARN_AGAIN_S

    async def enter(self, seconds: float) -> None:
        """Take a place, to be given back with :meth:`leave`.

        Raises ConnectionFailed (code ``busy``) where none is free within ``seconds``. It is one
        wait, not three: who left the queue to come again would only lose its turn.
        """
        if not self.room.locked():
            await self.room.acquire()  # at once
            return
        if self.waiting < MAX_WAITING:
            self.waiting += 1
            try:
                async with asyncio.timeout(seconds):
                    await self.room.acquire()
                return
            except TimeoutError:
                pass
            finally:
                self.waiting -= 1
        raise ConnectionFailed(
            "Too many calls of this connection wait for its system; nothing was sent.",
            code="busy",
            retryable=True,
            retry_after=1.0,
            hint="Try again in a moment, with fewer calls at a time.",
        )

    def leave(self) -> None:
        """Give the place back."""
        self.room.release()

    def may_repeat(self) -> bool:
        """Spend one repetition; a line in the log, at most one a minute, where there is none left."""
        if self.budget.take():
            return True
        now = time.monotonic()
        if now - self.warned >= WARN_AGAIN_S:
            self.warned = now
            logger.warning("A connection has used up its repetitions; its calls fail at the first try")
        return False
