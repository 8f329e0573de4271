"""What a running call can say to its client before its answer: progress and log lines."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final

from common.text import clean_text
from connectors.context import Channel
from mcp_endpoint.wire import notification_frame

LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
DEFAULT_LEVEL = "info"
MAX_MESSAGE = 2000
_KEPT = 4096

_levels: "OrderedDict[str, str]" = OrderedDict()


def set_level(session: str, level: str) -> None:
    """Remember the level that a session of the handshake era asked for."""
    _levels[session] = level
    _levels.move_to_end(session)
    while len(_levels) > _KEPT:
        _levels.popitem(last=False)


def level_of(session: str | None) -> str:
    """The level of a session; ``info`` until it asks for another."""
    return _levels.get(session, DEFAULT_LEVEL) if session else DEFAULT_LEVEL


class LiveChannel(Channel):
    """Progress and log lines as frames, wherever the transport sends them.

    ``token`` is the client's progress token or None; ``level`` the least severe level that
    the client asked for, or None where it wants no lines at all.
    """

    __slots__ = ("_last", "_level", "_send", "_token", "cancelled")

    def __init__(
        self, send: Callable[[bytes], Awaitable[None]], token: int | str | None, level: str | None
    ) -> None:
        self.cancelled = False
        self._send = send
        self._token = token
        self._level = LEVELS.index(level) if level in LEVELS else None
        self._last: float | None = None

    async def progress(self, done: float, total: float | None, message: str) -> None:
        """Pass progress on; it only ever grows, as the protocol demands."""
        if self._token is None or (self._last is not None and done <= self._last):
            return
        self._last = done
        params: dict[str, Any] = {"progressToken": self._token, "progress": done}
        if total is not None:
            params["total"] = total
        if message:
            params["message"] = clean_text(message, MAX_MESSAGE)
        await self._send(notification_frame("notifications/progress", params))

    async def log(self, level: str, message: str) -> None:
        """Pass a log line on, where it is severe enough for the client."""
        if self._level is None or level not in LEVELS or LEVELS.index(level) < self._level:
            return
        params = {"level": level, "logger": "portico", "data": clean_text(message, MAX_MESSAGE)}
        await self._send(notification_frame("notifications/message", params))
