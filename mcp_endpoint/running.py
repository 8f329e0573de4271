"""Running a turn: from a checked request to one JSON-RPC frame, whatever carries it.

The transport gives the turn its channel (progress, log lines) before; afterwards it sends
the frame of the :class:`Outcome` where and how it likes.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from typing import Any

import orjson
from django.db import Error as DatabaseError

from connectors import deferred, pipeline
from connectors.asking import CapabilityMissing, ElicitURL, InputRequired
from connectors.once import BAD_KEY, is_key
from connectors.pipeline import ServiceUnavailable
from connectors.snapshot import TenantGoneError
from mcp_endpoint import asking, handlers, lists, observe, sdk, sessions, subscriptions
from mcp_endpoint.channel import LiveChannel
from mcp_endpoint.long_tasks import methods as tasks
from mcp_endpoint.turn import Turn, register, unregister
from mcp_endpoint.visit import note, stranger, unavailable
from mcp_endpoint.wire import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LEGACY_REQUEST_CANCELLED,
    LEGACY_URL_REQUIRED,
    MISSING_CAPABILITY,
    Header,
    ProtocolError,
    dumps,
    error_frame,
    result_frame,
)
from tenants import access

logger = logging.getLogger(__name__)

# In a call's _meta: the client's own name for this very call, the same when it is sent again.
IDEMPOTENCY_KEY = "idempotencyKey"


@dataclass(slots=True)
class Outcome:
    """How a turn ended: the frame to send (none where nobody may be told) and its HTTP side."""

    frame: bytes
    status: int = 200
    headers: tuple[Header, ...] = ()


async def execute(
    turn: Turn, message: dict[str, Any], lines: list[tuple[bytes, bytes]] | None = None
) -> Outcome:
    """Run the handler; every refusal is an outcome. Raises CancelledError when the transport ends.

    ``lines`` are the header lines around the message, where there are any: a modern call
    mirrors arguments into them.
    """
    turn.task = asyncio.current_task()
    turn.running = True
    if turn.method == "tools/call" and turn.params.get("name") == deferred.CALL:
        await _open_wrapping(turn)
    register(turn)
    span = observe.begin(turn)
    channel = turn.channel if isinstance(turn.channel, LiveChannel) else None
    try:
        if channel is not None:
            channel.begin(turn)
        result = await _handle(turn, message, lines)
        headers: tuple[Header, ...] = ()
        if turn.method == "initialize":
            headers = ((b"mcp-session-id", _new_session(turn, result)),)
        return Outcome(result_frame(turn.id, result), 200, headers)
    except asyncio.CancelledError:
        turn.error = "cancelled"
        if not turn.cancelled:
            raise
        if turn.modern:
            return Outcome(b"", 0)
        return Outcome(error_frame(turn.id, LEGACY_REQUEST_CANCELLED, "Request cancelled"))
    except ProtocolError as error:
        turn.error = str(error.code)
        if not turn.recorded:
            note(turn.caller, turn.info, turn.method, error)
        status = error.status or sdk.http_status(error.code, modern=turn.modern)
        return Outcome(error_frame(turn.id, error.code, error.message, error.data), status, error.headers)
    finally:
        turn.running = False
        unregister(turn)
        observe.end(turn, span)
        if channel is not None:
            channel.end()
        if turn.cancelled and turn.task is not None:
            turn.task.uncancel()


async def _open_wrapping(turn: Turn) -> None:
    """Let a call of a tool by its name in the arguments be that tool's own call, for tasks and questions too."""
    with contextlib.suppress(TenantGoneError, DatabaseError):  # whoever answers finds it again
        own = await pipeline.catalogue(turn.caller)
        inside = deferred.opened(own.callable_tools, deferred.CALL, turn.params.get("arguments"))
        if inside is not None and own.find(inside[0]) is not None:
            turn.params = {**turn.params, "name": inside[0], "arguments": inside[1]}


async def _handle(turn: Turn, message: dict[str, Any], lines: list[tuple[bytes, bytes]] | None) -> bytes:
    """The result as JSON. Raises ProtocolError alone (and CancelledError)."""
    try:
        if turn.method == "tools/call":
            sdk.check_params("tools/call", turn.version, message)
            meta = turn.params.get("_meta")
            if type(meta) is dict and IDEMPOTENCY_KEY in meta:
                turn.info = replace(turn.info, idempotency_key=_checked_key(meta[IDEMPOTENCY_KEY]))
            # The headers mirror what the client knows: not the arguments inside another call.
            if turn.modern and lines is not None and turn.params is message["params"]:
                await _check_mirrored(turn, lines)
            if (
                turn.modern
                and tasks.EXTENSION in turn.extensions
                and (begun := await tasks.begin(turn)) is not None
            ):
                return begun
            return sdk.encode_tool_result(await handlers.run_tool(turn), modern=turn.modern)
        if turn.method in lists.KEPT_METHODS:
            sdk.check_params(turn.method, turn.version, message)
            return await lists.answer(turn)
        if turn.method == subscriptions.LISTEN and turn.modern:
            sdk.check_params(turn.method, turn.version, message)
            return sdk.encode_result(await subscriptions.listen(turn))
        if turn.method in tasks.METHODS:
            return await tasks.answer(turn)
        return dumps(await sdk.serve(turn))
    except ProtocolError:
        raise
    except InputRequired as asked:
        return _asked(turn, asked)
    except CapabilityMissing as missing:
        raise ProtocolError(
            MISSING_CAPABILITY, str(missing), {"requiredCapabilities": missing.required}, status=400
        ) from None
    except ServiceUnavailable as error:
        raise unavailable(str(error)) from None
    except TenantGoneError:  # deleted since the key was checked
        raise stranger(access.AccessDenied.PUBLIC) from None
    except DatabaseError as error:
        logger.error("%s found no database: %s", turn.method, type(error).__name__)
        raise unavailable("Portico's database is not available. Try again in a moment.") from None
    except Exception as error:
        what = f"{turn.method[:100]} at {turn.caller.tenant.slug}"
        raise failure(what, error, turn.info.request_id) from None


def _checked_key(key: Any) -> str:
    if not is_key(key):
        raise ProtocolError(INVALID_PARAMS, f"Invalid request parameters. _meta.{IDEMPOTENCY_KEY}: {BAD_KEY}")
    return str(key)


def _asked(turn: Turn, asked: InputRequired) -> bytes:
    """The result that puts questions; before 2026-07-28 the error that names the pages to open."""
    if turn.modern and turn.method in asking.METHODS:
        rounds = turn.channel.rounds if isinstance(turn.channel, LiveChannel) else None
        return sdk.encode_modern(asking.result_of(turn, rounds or asking.Rounds(), asked))
    pages = [asking.wire_request(ask, legacy=True)["params"] for ask in asked.requests.values()
             if isinstance(ask, ElicitURL)]  # fmt: skip
    if turn.modern or not pages:
        raise failure(f"Asking in {turn.method}", asked, turn.info.request_id)
    said = " ".join(f"{page['message']} {page['url']}" for page in pages)
    raise ProtocolError(LEGACY_URL_REQUIRED, said, {"elicitations": pages})


def failure(what: str, error: Exception, request_id: str, *, status: int | None = None) -> ProtocolError:
    """A mistake of ours: all of it to the log, nothing of it to the client."""
    logger.exception("%s failed", what, exc_info=error)
    text = f"Something failed inside Portico; the operator finds it under {request_id}."
    return ProtocolError(INTERNAL_ERROR, text, status=status)


async def _check_mirrored(turn: Turn, lines: list[tuple[bytes, bytes]]) -> None:
    """Compare ``Mcp-Param-*`` headers with the arguments, by the tool's own schema."""
    arguments = turn.params.get("arguments")
    if not arguments and not any(name.startswith(sdk.PARAM_PREFIX) for name, _ in lines):
        return
    entry = (await pipeline.catalogue(turn.caller)).find(turn.params["name"])
    if entry is not None and _mirrors(entry.spec.input_schema):
        sdk.check_param_headers(entry.spec.input_schema, arguments or {}, sdk.ManyHeaders(lines))


def _new_session(turn: Turn, result: bytes) -> bytes:
    version = orjson.loads(result)["protocolVersion"]
    client = sessions.client_info(turn.params.get("clientInfo"))
    flags = sessions.capability_flags(turn.params.get("capabilities"))
    return sessions.issue(turn.caller, version, client, flags).encode()


_mirroring: dict[int, tuple[Any, bool]] = {}


def _mirrors(schema: dict[str, Any]) -> bool:
    """Whether a schema mirrors arguments into headers; remembered per schema object."""
    known = _mirroring.get(id(schema))
    if known is None or known[0] is not schema:
        if len(_mirroring) > 10_000:
            _mirroring.clear()
        known = _mirroring[id(schema)] = (schema, sdk.mirrors_headers(schema))
    return known[1]
