"""One request on its way: who asks what, in which era, and how it can be reached meanwhile."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from common.paging import Position
from connectors.call_info import NO_INFO, CallInfo
from connectors.channel import Channel
from connectors.pipeline import NO_CHANNEL
from mcp_endpoint.sessions import Session, bound_to
from tenants.principals import Caller

if TYPE_CHECKING:
    from mcp_endpoint.outlets import Outlet

RequestId = int | str
# Where a request of 2026-07-28 says what its client can do (mcp_types.CLIENT_CAPABILITIES_META_KEY).
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
_NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class Turn:
    """A JSON-RPC request, checked and attributed, as the handlers get it."""

    caller: Caller
    modern: bool
    version: str
    id: RequestId
    method: str
    params: dict[str, Any]
    session: Session | None = None
    info: CallInfo = NO_INFO
    channel: Channel = NO_CHANNEL
    outlet: "Outlet | None" = None  # the way to the client of a request whose answer is a stream
    # Where the next page begins; a list's handler leaves it here for the cache of answers.
    next_position: Position | None = None
    level: str | None = None  # the least severe log lines that the client wants; None for no lines
    task: "asyncio.Task[Any] | None" = None
    running: bool = False
    cancelled: bool = field(default=False)
    recorded: bool = False  # it reached the pipeline, which writes its audit row
    transport: str = "http"  # or sse, stdio
    error: str = ""  # how it failed: a JSON-RPC code, tool_error or cancelled; empty while it did not

    @property
    def extensions(self) -> Mapping[str, Any]:
        """The extensions that a request of 2026-07-28 declares (SEP-2575: per request)."""
        found = self.capabilities.get("extensions")
        return found if type(found) is dict else _NOTHING

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """The ClientCapabilities of a request of 2026-07-28; those of a session are in its flags."""
        meta = self.params.get("_meta")
        found = meta.get(CAPABILITIES_KEY) if isinstance(meta, dict) else None
        return found if isinstance(found, dict) else _NOTHING

    @property
    def bind(self) -> str:
        """What cursors of this request are bound to."""
        return bound_to(self.caller)

    def cancel(self) -> None:
        """Stop the running handler because its client gave up; a finished one is left alone."""
        if self.running and not self.cancelled and self.task is not None:
            self.cancelled = True
            self.channel.cancelled = True
            self.task.cancel()


_running: dict[tuple[str, RequestId], Turn] = {}


def register(turn: Turn) -> None:
    """Let ``notifications/cancelled`` of the same session find this request (handshake era)."""
    if turn.session is not None:
        _running[(turn.session.token, turn.id)] = turn


def unregister(turn: Turn) -> None:
    """Forget a finished request, unless a newer one took its id."""
    if turn.session is not None and _running.get((turn.session.token, turn.id)) is turn:
        del _running[(turn.session.token, turn.id)]


def cancel_running(session: Session, request_id: Any) -> bool:
    """Cancel a session's running request in this process; False where it is not here."""
    if type(request_id) not in (int, str):
        return False
    turn = _running.get((session.token, request_id))
    if turn is None:
        return False
    turn.cancel()
    return True


def cancel_where(found: Callable[[str, Turn], bool]) -> None:
    """Cancel the running requests for which ``found(session's token, turn)`` holds, from any thread."""
    for (token, _), turn in _running.copy().items():
        if turn.task is not None and found(token, turn):
            with suppress(RuntimeError):  # its loop has ended
                turn.task.get_loop().call_soon_threadsafe(turn.cancel)
