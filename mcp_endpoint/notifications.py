"""Streams of notifications over HTTP: the answer to a listen request, and a session's GET.

Each costs its request's own task and nothing else: what it says is decided and sent by
:mod:`mcp_endpoint.streams`, and the task only waits for its client to leave or for the end.
"""

import asyncio
import contextlib
from typing import Any, Final

from mcp_endpoint import messages, sessions, streams
from mcp_endpoint.outlets import HttpOutlet
from mcp_endpoint.running import Outcome, execute
from mcp_endpoint.subscriptions import GOODBYE_S
from mcp_endpoint.turn import Turn
from mcp_endpoint.visit import Visit
from mcp_endpoint.wire import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    Header,
    ProtocolError,
    Reply,
    Wire,
)

ALLOW: Final[Header] = (b"allow", b"GET, POST, OPTIONS")


async def answer_listen(visit: Visit, turn: Turn, message: dict[str, Any], wire: Wire) -> Reply | None:
    """Serve ``subscriptions/listen``; its answer is a stream, never one JSON object."""
    if not visit.sse_accepted:
        raise ProtocolError(
            INVALID_REQUEST,
            "Accept 'text/event-stream'; the answer is a stream of notifications.",
            status=406,
        )
    _check_lasting(wire)
    turn.outlet = outlet = HttpOutlet(wire, visit.extra)
    outcome = await execute(turn, message, visit.request.lines)
    if not outlet.opened:
        return Reply(outcome.status, outcome.frame, (*outcome.headers, *visit.extra))
    if outcome.frame:
        await _say_goodbye(outlet, outcome)
    return None


async def _say_goodbye(outlet: HttpOutlet, outcome: Outcome) -> None:
    try:
        async with asyncio.timeout(GOODBYE_S):
            await outlet.send(outcome.frame)
    except TimeoutError:
        outlet.abort()


async def session_stream(visit: Visit, wire: Wire) -> Reply | None:
    """Serve a GET with a session of the handshake era: its stream of notifications.

    Without a session there is none (405; specification of 2025-11-25, "Listening for Messages
    from the Server"); an unknown one is 404, so that the client initializes again.
    """
    token = visit.headers.get(b"mcp-session-id")
    if token is None:
        raise ProtocolError(
            INVALID_REQUEST,
            "Send MCP messages with POST. GET opens the stream of a session of the handshake era, "
            "which is named by Mcp-Session-Id.",
            status=405,
            headers=(ALLOW,),
        )
    visit.identify()
    caller = await visit.authenticate()
    if not messages.accepts(visit.headers.get(b"accept", b"*/*")[:500])[1]:
        raise ProtocolError(INVALID_REQUEST, "Accept 'text/event-stream'; this is a stream.", status=406)
    session = sessions.open_session(token.decode("latin-1"), caller)
    if session is None:
        raise ProtocolError(INVALID_REQUEST, "Session not found; initialize again.", status=404)
    _check_lasting(wire)
    outlet = HttpOutlet(wire, visit.extra)
    stream = await streams.open(
        sessions.named(caller, session.client), session, outlet.send, ping=outlet.ping, abort=outlet.abort
    )
    try:
        with contextlib.suppress(OSError):  # then gone() returns
            await outlet.ping()  # the client learns at once that it listens
        if not await stream.wait(outlet.gone) or not await stream.drained(GOODBYE_S):
            stream.fail()
    finally:
        stream.leave()
    return None


def _check_lasting(wire: Wire) -> None:
    if not wire.lasting:
        raise ProtocolError(
            INTERNAL_ERROR, "This development server cannot hold streams open; run Portico with make run.",
            status=501,
        )  # fmt: skip
