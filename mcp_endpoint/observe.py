"""What is told about each request beside its audit row: a span where tracing is on, and a count.

Spans follow OpenTelemetry's semantic conventions for MCP (still in development; this is the
page as of 2026-11):
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/mcp.md
Arguments, results, resource URIs and the text of errors are never in them, nor is a name
that exists nowhere but in the client's message.
"""

import hashlib
from dataclasses import replace

from common import metrics, tracing
from common.log_context import trace_context
from common.text import clean_text
from common.tracing import Span
from mcp_endpoint import sdk, sessions
from mcp_endpoint.client_counts import counts
from mcp_endpoint.turn import Turn

UNKNOWN_METHOD = "_OTHER"
MAX_ID = 64
_EXTENSIONS = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
_TARGETS = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name"}


def begin(turn: Turn) -> Span | None:
    """Open the request's span where tracing is on; what the turn does from now on hangs below it."""
    trace_context.set(turn.info.trace_id)  # a task of its own runs each turn, or the next one sets it
    if tracing.tracer is None:
        return None
    known = turn.method in sdk.METHODS or turn.method in _EXTENSIONS
    method = turn.method if known else UNKNOWN_METHOD
    attributes: dict[str, str] = {
        "mcp.method.name": method,
        "mcp.protocol.version": turn.version[:32],
        "jsonrpc.request.id": clean_text(str(turn.id), MAX_ID),
        "network.transport": "pipe" if turn.transport == "stdio" else "tcp",
        "portico.tenant": turn.caller.tenant.slug,
        "portico.request.id": turn.info.request_id,
    }
    if turn.transport != "stdio":
        attributes["network.protocol.name"] = "http"
    if turn.session is not None:
        # The id itself is as good as half a key; its digest tells two sessions apart just as well.
        digest = hashlib.sha256(turn.session.token.encode()).hexdigest()
        attributes["mcp.session.id"] = digest[:32]
    if method == "tools/call":
        attributes["gen_ai.operation.name"] = "execute_tool"
    span = tracing.tracer.start(method, server=True, parent=turn.info.trace, attributes=attributes)
    turn.info = replace(turn.info, trace=span.trace, trace_id=span.trace.trace_id)
    trace_context.set(span.trace.trace_id)
    return span


def end(turn: Turn, span: Span | None) -> None:
    """Count the finished request, and close its span. ``turn.error`` says how it failed."""
    _count(turn)
    method = turn.method if turn.method in sdk.METHODS or turn.method in _EXTENSIONS else UNKNOWN_METHOD
    era = "modern" if turn.modern else "legacy"
    metrics.requested(turn.transport, era, method, turn.error or "ok")
    if span is None:
        return
    name, attributes = None, {}
    target = _TARGETS.get(turn.method)
    if target is not None and turn.error in ("", "tool_error"):  # else the name may be nobody's
        asked = clean_text(turn.params["name"], 128)
        name, attributes[target] = f"{turn.method} {asked}", asked
    if turn.error.lstrip("-").isdigit():
        attributes["rpc.response.status_code"] = turn.error
    span.end(name=name, error=turn.error, attributes=attributes)


def _count(turn: Turn) -> None:
    client, version = turn.caller.client, turn.version
    if turn.method == "initialize":  # the session that will know both is only being made
        client = sessions.client_info(turn.params.get("clientInfo"))
        asked = turn.params.get("protocolVersion")
        version = asked if type(asked) is str and asked in sdk.HANDSHAKE_VERSIONS else version
    counts.add(
        turn.caller.tenant.id,
        (version if version in sdk.KNOWN_VERSIONS else "", turn.transport, client),
        call=turn.method == "tools/call",
        error=bool(turn.error),
    )
