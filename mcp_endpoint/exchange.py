"""One HTTP request to a tenant's MCP endpoint, from plain values to a plain reply.

The doors build an :class:`~mcp_endpoint.inbound.Inbound`, lend a
:class:`~mcp_endpoint.wire.Wire` for streaming and send the
:class:`~mcp_endpoint.wire.Reply`. The order is the house's: host, origin, method, size,
authentication, media types, body, era (:mod:`mcp_endpoint.eras`), handler
(:mod:`mcp_endpoint.running`).
"""

from typing import Any

from django.conf import settings

from mcp_endpoint import messages, origin, sse
from mcp_endpoint.channel import LiveChannel
from mcp_endpoint.eras import Arrival, turn_of
from mcp_endpoint.inbound import Inbound
from mcp_endpoint.notifications import ALLOW, answer_listen, session_stream
from mcp_endpoint.running import execute, failure
from mcp_endpoint.sdk import progress_token
from mcp_endpoint.stream import EventStream
from mcp_endpoint.subscriptions import LISTEN
from mcp_endpoint.turn import Turn
from mcp_endpoint.visit import Visit, count_refused
from mcp_endpoint.wire import (
    INVALID_REQUEST,
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    ProtocolError,
    Reply,
    Wire,
    error_frame,
)


async def exchange(request: Inbound, wire: Wire) -> Reply | None:
    """Answer a request: a reply, or None where the answer was streamed or nobody waits for it."""
    extra: Any = ()
    try:
        visit = Visit(request)
        extra = visit.extra
        if request.transport != "mcp" and (request.transport, request.http_method) != ("sse", "POST"):
            return await sse.serve(visit, wire)
        if request.http_method == "POST":
            return await _post(visit, wire)
        if request.http_method == "GET":
            return await _get(visit, wire)
        return _not_a_post(visit)
    except ProtocolError as error:
        status = error.status or 400
        count_refused(request, status)
        return Reply(
            status, error_frame(None, error.code, error.message, error.data), (*error.headers, *extra)
        )
    except ClientGone:
        return None


def _not_a_post(visit: Visit) -> Reply:
    if visit.request.http_method == "OPTIONS":
        asked = visit.headers.get(b"access-control-request-headers", b"")
        return Reply(204, headers=(ALLOW, *origin.preflight_headers(asked), *visit.extra))
    raise ProtocolError(
        INVALID_REQUEST,
        "Send MCP messages with POST; a session ends by itself, there is none to DELETE here.",
        status=405,
        headers=(ALLOW,),
    )


async def _get(visit: Visit, wire: Wire) -> Reply | None:
    """Open the stream of a session of the handshake era."""
    try:
        return await session_stream(visit, wire)
    except ProtocolError as error:
        return visit.refused(error)
    except Exception as error:
        what = f"a stream at {visit.request.slug[:64]}"
        return visit.refused(failure(what, error, visit.request_id, status=503))


async def _post(visit: Visit, wire: Wire) -> Reply | None:
    """Work through a message; every refusal is a reply."""
    request_id: Any = None
    method = ""
    visit.identify()
    try:
        limit = settings.PORTICO_MAX_BODY
        if messages.announced(visit.headers.get(b"content-length", b"0")) > limit:
            raise BodyTooLarge
        caller = await visit.authenticate()
        if visit.request.transport != "mcp":
            sse.check_enabled(caller)
        visit.check_media_types()
        message = messages.parse(await visit.request.read_body(limit))
        if type(message.get("id")) in (int, str):
            request_id = message["id"]
        if type(message.get("method")) is str:
            method = message["method"]
        turn = await turn_of(Arrival(caller, message, visit.request_id, visit.headers, visit.request.lines))
        if turn is None:
            return Reply(202, headers=visit.extra)
        return await _run(visit, turn, message, wire)
    except ProtocolError as error:
        return visit.refused(error, request_id, method)
    except BodyTooLarge:
        text = f"The body is larger than {settings.PORTICO_MAX_BODY:,} bytes."
        return visit.refused(ProtocolError(INVALID_REQUEST, text, status=413))
    except BodyTimeout:
        return visit.refused(ProtocolError(INVALID_REQUEST, "The body did not arrive in time.", status=408))
    except ClientGone:
        raise
    except Exception as error:
        what = f"a message at {visit.request.slug[:64]}"
        return visit.refused(failure(what, error, visit.request_id, status=503), request_id)


async def _run(visit: Visit, turn: Turn, message: dict[str, Any], wire: Wire) -> Reply | None:
    """Let the turn run, streaming meanwhile where the client takes it."""
    if turn.method == LISTEN and turn.modern:
        return await answer_listen(visit, turn, message, wire)
    stream = EventStream(
        wire,
        allowed=visit.sse_accepted,
        headers=visit.extra,
        on_close=turn.cancel if turn.modern else None,  # before 2026 leaving is not cancelling
    )
    turn.channel = LiveChannel(stream.send, progress_token(turn.params), turn.level, reachable=stream.allowed)
    stream.attend()
    try:
        outcome = await execute(turn, message, visit.request.lines)
    finally:
        stream.leave()
    if not outcome.status:
        return None
    if stream.opened or (not visit.json_accepted and outcome.status == 200):
        await stream.send(outcome.frame)
        return None
    return Reply(outcome.status, outcome.frame, (*outcome.headers, *visit.extra))
