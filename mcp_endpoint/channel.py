"""What a running call can say to its client before its answer: progress, log lines and questions."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from common.text import clean_text
from connectors.asking import Ask, ElicitURL, InputRequired
from connectors.channel import Channel, nobody_to_ask
from mcp_endpoint import asking, backchannel
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import notification_frame

LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
MAX_MESSAGE = 2000


class LiveChannel(Channel):
    """Progress, log lines and questions as frames, wherever the transport sends them.

    ``token`` is the client's progress token or None; ``level`` the least severe level that
    the client asked for, or None where it wants no lines at all. ``reachable`` is False
    where the client takes nothing but the answer.
    """

    __slots__ = ("_last", "_level", "_send", "_token", "cancelled", "reachable", "rounds", "turn")

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        token: int | str | None,
        level: str | None,
        *,
        reachable: bool = True,
    ) -> None:
        self.cancelled = False
        self.reachable = reachable
        self.turn: Turn | None = None  # whoever runs it says which request this is
        self.rounds: asking.Rounds | None = None  # made by the first question
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

    def begin(self, turn: Turn) -> None:
        """Serve this request. Raises ProtocolError for answers that do not belong to it."""
        self.turn = turn
        if turn.modern and "requestState" in turn.params and turn.method in asking.METHODS:
            self.rounds = asking.restore(turn)  # now: nothing may run under a state that is not its own

    def end(self) -> None:
        """Let go of the request."""
        self.turn = self.rounds = None

    async def ask(self, requests: Mapping[str, Ask], state: Any = None) -> asking.Results:
        """Ask as the request's era can: with a second call, or on the stream of this one."""
        turn = self.turn
        if turn is None:
            raise nobody_to_ask()
        if turn.modern:
            return asking.ask(turn, self._rounds(turn), requests, state)
        if not self.reachable:
            raise nobody_to_ask()
        return await backchannel.ask(turn, self._send, requests)

    async def open_page(self, key: str, page: ElicitURL) -> dict[str, Any]:
        """Have the person open a page; before 2026-07-28 the call ends so and is made again after."""
        turn = self.turn
        if turn is not None and turn.modern:
            return (await self.ask({key: page}))[key]
        if turn is None or not backchannel.can_ask(turn.session, page):
            raise nobody_to_ask()
        raise InputRequired({key: page})

    def kept(self) -> Any:
        """What an earlier round of this request kept."""
        turn = self.turn
        return self._rounds(turn).state if turn is not None and turn.modern else None

    def _rounds(self, turn: Turn) -> asking.Rounds:
        if self.rounds is None:
            self.rounds = asking.restore(turn)
        return self.rounds
