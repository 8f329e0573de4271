"""From a message to a turn: which era it speaks, what was negotiated, and is it well formed.

Transports without headers (stdio, HTTP+SSE) bring none: then ``lines`` is None, and the
message alone decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common import tracing
from common.tracing import Trace
from connectors.call_info import CallInfo
from mcp_endpoint import backchannel, cancelling, messages, sdk, sessions
from mcp_endpoint.levels import level_of
from mcp_endpoint.narrowing import tokens_of
from mcp_endpoint.sessions import Session
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import INVALID_REQUEST, ProtocolError
from tenants.principals import Caller

_BLANKS = " \t"  # around a header's value; not every HTTP parser takes them away (RFC 9110, 5.5)
_ROUTING = {b"mcp-method": "mcp-method", b"mcp-name": "mcp-name"}
_NO_HEADERS: Mapping[bytes, bytes] = {}
_NO_META: Mapping[str, Any] = {}


@dataclass(slots=True)
class Arrival:
    """A message as its transport brought it.

    ``lines`` are the HTTP header lines, None where there is no HTTP request around each
    message; ``session`` is then the transport's own.
    """

    caller: Caller
    message: dict[str, Any]
    request_id: str
    headers: Mapping[bytes, bytes] = None  # type: ignore[assignment]
    lines: list[tuple[bytes, bytes]] | None = None
    session: Session | None = None
    transport: str = "http"  # or sse, stdio: what the counts of clients call it

    def __post_init__(self) -> None:
        if self.headers is None:
            self.headers = _NO_HEADERS


async def turn_of(arrival: Arrival) -> Turn | None:
    """The request of a message, ready to run; None for a notification or an answer, now dealt with.

    Raises ProtocolError.
    """
    message = arrival.message
    params = message.get("params")
    meta = params.get("_meta") if type(params) is dict else None
    told = arrival.headers.get(b"mcp-protocol-version")
    version = told.decode("latin-1").strip(_BLANKS) if told is not None else None
    method = message.get("method")
    modern = (type(meta) is dict and sdk.VERSION_KEY in meta) or (
        version is not None
        and version not in sdk.HANDSHAKE_VERSIONS
        and method != "initialize"
        and not _in_session(arrival)
    )
    if "method" not in message and ("result" in message or "error" in message) and not modern:
        await _answered(arrival)
        return None
    messages.check_envelope(message)
    return _modern(arrival, version or "") if modern else await _legacy(arrival, version)


def _in_session(arrival: Arrival) -> bool:
    """Whether a message belongs to a session, whatever newer version its header claims.

    Clients were seen to claim the newest version that they know regardless of what they
    negotiated; 2026-07-28 has no sessions, so the session says more than the header.
    """
    token = arrival.headers.get(b"mcp-session-id")
    return token is not None and sessions.open_session(token.decode("latin-1"), arrival.caller) is not None


async def _answered(arrival: Arrival) -> None:
    """Take the answer to a question of ours to the call that waits for it (handshake era)."""
    session, token = arrival.session, arrival.headers.get(b"mcp-session-id")
    if token is not None:
        session = _known_session(token, arrival.caller)
    if session is not None:
        await backchannel.answer(session, arrival.caller.tenant.id, arrival.message)


def _known_session(token: bytes, caller: Caller) -> Session:
    session = sessions.open_session(token.decode("latin-1"), caller)
    if session is None:
        raise ProtocolError(INVALID_REQUEST, "Session not found; initialize again.", status=404)
    return session


def _modern(arrival: Arrival, version: str) -> Turn | None:
    """A message of 2026-07-28: everything it needs is in it."""
    message, headers = arrival.message, arrival.headers
    if arrival.lines is None:  # no headers: the message's own word stands alone
        told = message["params"]["_meta"][sdk.VERSION_KEY]
        version = told if type(told) is str else ""
    elif len(headers) != len(arrival.lines):
        sdk.check_duplicates([(n.decode("latin-1"), v.decode("latin-1")) for n, v in arrival.lines])
    if "id" not in message:
        sdk.check_modern_notification(version)
        return None
    method: str = message["method"]
    if arrival.lines is None:
        sdk.check_modern(message, None)
    else:
        routing = {"mcp-protocol-version": version} if version else {}
        for name in _ROUTING:
            if (value := headers.get(name)) is not None:
                routing[_ROUTING[name]] = value.decode("latin-1").strip(_BLANKS)
        sdk.check_modern(message, routing)
    params: dict[str, Any] = message["params"]
    meta = params["_meta"]
    caller = arrival.caller
    told = meta.get(sdk.CLIENT_INFO_KEY)
    if told is not None:
        caller = sessions.named(caller, sessions.client_info(told))
    turn = Turn(caller, True, version, message["id"], method, params)
    turn.transport = arrival.transport
    trace = _trace(meta, arrival)
    tokens = tokens_of(headers, arrival.lines)
    turn.info = CallInfo(arrival.request_id, trace.trace_id if trace else "", trace=trace, tokens=tokens)
    turn.level = meta.get(sdk.LOG_LEVEL_KEY)
    return turn


async def _legacy(arrival: Arrival, version: str | None) -> Turn | None:
    """A message of the handshake era; the session, where there is one, says what was negotiated."""
    message, caller, session = arrival.message, arrival.caller, arrival.session
    method: str = message["method"]
    token = arrival.headers.get(b"mcp-session-id")
    if token is not None and method != "initialize":
        session = _known_session(token, caller)
    if session is not None:
        caller = sessions.named(caller, session.client)
    params = message.get("params")
    if "id" not in message:
        if method == "notifications/cancelled" and session is not None and params:
            await cancelling.cancel(session, caller.tenant.id, params.get("requestId"))
        return None
    if session is not None:
        version = session.version  # clients were seen to send another one than they negotiated
    elif version is None or method == "initialize":
        version = sdk.NEWEST_HANDSHAKE_VERSION if method == "initialize" else sdk.ASSUMED_VERSION
    params = params if params is not None else {}
    turn = Turn(caller, False, version, message["id"], method, params, session)
    meta = params.get("_meta")
    turn.transport = arrival.transport
    trace = _trace(meta if type(meta) is dict else _NO_META, arrival)
    tokens = tokens_of(arrival.headers, arrival.lines)
    turn.info = CallInfo(arrival.request_id, trace.trace_id if trace else "", trace=trace, tokens=tokens)
    turn.level = level_of(session)
    return turn


def _trace(meta: Mapping[str, Any], arrival: Arrival) -> Trace | None:
    """The caller's place in a trace: the message's own says more than that of the HTTP around it."""
    if "traceparent" in meta:
        return tracing.parse(meta["traceparent"], meta.get("tracestate"))
    if (parent := arrival.headers.get(b"traceparent")) is None:
        return None
    states = [value for name, value in arrival.lines or () if name == b"tracestate"]
    return tracing.parse(parent.decode("latin-1").strip(_BLANKS), b",".join(states).decode("latin-1"))
