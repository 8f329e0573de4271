"""Time limits of running connector methods, which a stopping server brings forward.

Each method runs inside a :class:`Deadline`. When the server has waited long enough for its
calls (``PORTICO_DRAIN_S``), :func:`stop_running` ends those that still run: they get an error
like any other, which is recorded and answered.
"""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from connectors.errors import ServerStopping

_running: "set[Deadline]" = set()


class Deadline:
    """``async with``: TimeoutError after so many seconds, ServerStopping where the server ends first."""

    __slots__ = ("_limit", "_loop", "_stopped")

    def __init__(self, seconds: float) -> None:
        self._limit = asyncio.timeout(seconds)
        self._stopped = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._limit.__aenter__()
        _running.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _running.discard(self)
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            if self._stopped:
                raise ServerStopping() from None
            raise

    def stop(self) -> None:
        """End it now, from its own loop."""
        if self in _running:
            self._stopped = True
            with suppress(RuntimeError):  # it is ending already
                self._limit.reschedule(self._loop.time())


def stop_running() -> int:
    """End all that runs in this process, in whichever loop; how many that were."""
    found = _running.copy()
    for deadline in found:
        with suppress(RuntimeError):  # its loop has ended
            deadline._loop.call_soon_threadsafe(deadline.stop)
    return len(found)
