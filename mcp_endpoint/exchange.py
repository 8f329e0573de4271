"""One HTTP request to a tenant's MCP endpoint, from plain values to a plain reply.

Neither Django's request nor ASGI's scope is known here: the doors (:mod:`mcp_endpoint.asgi`,
:mod:`mcp_endpoint.views`) build an :class:`Inbound`, lend a :class:`~mcp_endpoint.wire.Wire`
for streaming and send the :class:`~mcp_endpoint.wire.Reply`. The order is the house's: host,
origin, method, size, authentication, media types, body, era, shape, handler.
"""

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings
from django.db import Error as DatabaseError

from common.log_context import request_context, tenant_context
from connectors import pipeline
from connectors.pipeline import CallInfo, ServiceUnavailable
from connectors.snapshot import TenantGoneError
from mcp_endpoint import handlers, lists, messages, origin, sdk, sessions
from mcp_endpoint.channel import LiveChannel, level_of
from mcp_endpoint.refusals import note_refusal
from mcp_endpoint.stream import EventStream
from mcp_endpoint.turn import Turn, cancel_running, register, unregister
from mcp_endpoint.wire import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    LEGACY_REQUEST_CANCELLED,
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    Header,
    ProtocolError,
    Reply,
    Wire,
    dumps,
    error_frame,
    event,
    result_frame,
)
from tenants import access
from tenants.principals import Caller

logger = logging.getLogger(__name__)

RETRY_AFTER_S = b"2"
_BLANKS = " \t"  # around a header's value; not every HTTP parser takes them away (RFC 9110, 5.5)
_ROUTING = {b"mcp-method": "mcp-method", b"mcp-name": "mcp-name"}
_SAFE_ID = re.compile(rb"^[A-Za-z0-9._:-]{1,64}$")
_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class Inbound:
    """An HTTP request as plain values.

    ``lines`` are the header lines with lowercase names, ``peer`` the address of the
    connection, ``read_body(limit)`` gives the whole body or raises
    :class:`~mcp_endpoint.wire.BodyTooLarge` or :class:`~mcp_endpoint.wire.ClientGone`.
    """

    http_method: str
    slug: str
    lines: list[tuple[bytes, bytes]]
    peer: str
    read_body: Callable[[int], Awaitable[bytes]]


async def exchange(request: Inbound, wire: Wire) -> Reply | None:
    """Answer a request: a reply, or None where the answer was streamed or nobody waits for it."""
    headers = dict(request.lines)
    web = headers.get(b"origin")
    extra: tuple[Header, ...] = ()
    try:
        host = headers.get(b"host", b"")
        if not origin.host_allowed(host):
            raise ProtocolError(INVALID_REQUEST, "This host name is not served here.", status=400)
        if web is not None:
            if not origin.origin_allowed(web, host):
                raise ProtocolError(
                    INVALID_REQUEST,
                    "Web pages of this origin may not use this server; the operator adds it to "
                    "PORTICO_ALLOWED_ORIGINS.",
                    status=403,
                )
            extra = origin.cors_headers(web)
        if request.http_method != "POST":
            return _not_a_post(request.http_method, headers, extra)
        return await _Conversation(request, headers, extra, wire).answer()
    except ProtocolError as error:
        status = error.status or 400
        return Reply(
            status, error_frame(None, error.code, error.message, error.data), (*error.headers, *extra)
        )
    except ClientGone:
        return None


def _not_a_post(method: str, headers: Mapping[bytes, bytes], extra: tuple[Header, ...]) -> Reply:
    if method == "OPTIONS":
        asked = headers.get(b"access-control-request-headers", b"")
        return Reply(204, headers=((b"allow", b"POST, OPTIONS"), *origin.preflight_headers(asked), *extra))
    raise ProtocolError(
        INVALID_REQUEST,
        "Send MCP messages with POST; there is no stream to GET and no session to DELETE here.",
        status=405,
        headers=((b"allow", b"POST, OPTIONS"), *extra),
    )


class _Conversation:
    """A POST: who sends it, what it says, and the way of its answer."""

    __slots__ = (
        "caller",
        "extra",
        "headers",
        "json_accepted",
        "request",
        "request_id",
        "sse_accepted",
        "wire",
    )

    def __init__(
        self, request: Inbound, headers: dict[bytes, bytes], extra: tuple[Header, ...], wire: Wire
    ) -> None:
        self.request = request
        self.headers = headers
        self.wire = wire
        given = headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _SAFE_ID.match(given) else f"{random.getrandbits(96):024x}"
        request_context.set(self.request_id)  # of this request's own task, so nobody resets it
        self.extra = ((b"x-request-id", self.request_id.encode()), *extra)
        self.json_accepted = self.sse_accepted = True
        self.caller: Caller | None = None

    async def answer(self) -> Reply | None:
        """Work through the request; every refusal is a reply."""
        request_id: Any = None
        method = ""
        try:
            limit = settings.PORTICO_MAX_BODY
            if messages.announced(self.headers.get(b"content-length", b"0")) > limit:
                raise BodyTooLarge
            self.caller = caller = await self._authenticate()
            tenant_context.set(caller.tenant.slug)
            self._check_media_types()
            message = messages.parse(await self.request.read_body(limit))
            if type(message.get("id")) in (int, str):
                request_id = message["id"]
            if type(message.get("method")) is str:
                method = message["method"]
            return await self._answer_message(caller, message)
        except ProtocolError as error:
            self._note(self.caller, method, error)
            return self._error(error, request_id)
        except BodyTooLarge:
            text = f"The body is larger than {settings.PORTICO_MAX_BODY:,} bytes."
            return self._error(ProtocolError(INVALID_REQUEST, text, status=413), None)
        except BodyTimeout:
            text = "The body did not arrive in time."
            return self._error(ProtocolError(INVALID_REQUEST, text, status=408), None)
        except ClientGone:
            raise
        except Exception as error:
            return self._error(self._failure("a message", error, status=503), request_id)

    async def _authenticate(self) -> Caller:
        """The caller behind the bearer secret. Raises ProtocolError with 401 or 503."""
        held = self.headers.get(b"authorization")
        secret = access.presented_key(held.decode("latin-1")) if held is not None else None
        address = _address(self.request.peer, self._forwarded(), tuple(settings.PORTICO_TRUSTED_PROXIES))
        try:
            return await access.authenticate(self.request.slug, secret, address=address, via="mcp")
        except access.AccessDenied as error:
            raise _stranger(str(error)) from None
        except access.AccessUnavailable as error:
            raise _unavailable(str(error)) from None

    def _forwarded(self) -> str | None:
        """All lines of ``X-Forwarded-For`` as one."""
        if b"x-forwarded-for" not in self.headers:
            return None
        lines = [value for name, value in self.request.lines if name == b"x-forwarded-for"]
        return b",".join(lines).decode("latin-1")[-2048:]

    def _check_media_types(self) -> None:
        content_type = self.headers.get(b"content-type", b"")
        if not messages.is_json(content_type[:200]):
            raise ProtocolError(
                INVALID_REQUEST, "Send the body with 'Content-Type: application/json'.", status=415
            )
        self.json_accepted, self.sse_accepted = messages.accepts(self.headers.get(b"accept", b"*/*")[:500])
        if not self.json_accepted and not self.sse_accepted:
            raise ProtocolError(
                INVALID_REQUEST,
                "Accept 'application/json, text/event-stream'; answers are one of these.",
                status=406,
            )

    async def _answer_message(self, caller: Caller, message: dict[str, Any]) -> Reply | None:
        """Tell era and kind of a message, and answer it."""
        params = message.get("params")
        meta = params.get("_meta") if type(params) is dict else None
        told = self.headers.get(b"mcp-protocol-version")
        version = told.decode("latin-1").strip(_BLANKS) if told is not None else None
        method = message.get("method")
        modern = (type(meta) is dict and sdk.VERSION_KEY in meta) or (
            version is not None and version not in sdk.HANDSHAKE_VERSIONS and method != "initialize"
        )
        if "method" not in message and ("result" in message or "error" in message) and not modern:
            return Reply(202, headers=self.extra)  # an answer to a request that we never sent
        messages.check_envelope(message)
        if modern:
            return await self._modern(caller, message, version or "")
        return await self._legacy(caller, message, version)

    async def _modern(self, caller: Caller, message: dict[str, Any], version: str) -> Reply | None:
        """A message of 2026-07-28: everything it needs is in it."""
        if len(self.headers) != len(self.request.lines):
            sdk.check_duplicates([(n.decode("latin-1"), v.decode("latin-1")) for n, v in self.request.lines])
        if "id" not in message:
            sdk.check_modern_notification(version)
            return Reply(202, headers=self.extra)
        method: str = message["method"]
        routing = {"mcp-protocol-version": version} if version else {}
        for name in _ROUTING:
            if (value := self.headers.get(name)) is not None:
                routing[_ROUTING[name]] = value.decode("latin-1").strip(_BLANKS)
        sdk.check_modern(message, routing)
        params: dict[str, Any] = message["params"]
        meta = params["_meta"]
        told = meta.get(sdk.CLIENT_INFO_KEY)
        if told is not None:
            caller = sessions.named(caller, sessions.client_info(told))
        turn = Turn(caller, True, version, message["id"], method, params)
        turn.info = CallInfo(self.request_id, self._trace_id(meta))
        return await self._run(turn, message, meta, meta.get(sdk.LOG_LEVEL_KEY))

    async def _legacy(self, caller: Caller, message: dict[str, Any], version: str | None) -> Reply | None:
        """A message of the handshake era; the session, where there is one, says what was negotiated."""
        method: str = message["method"]
        session = None
        token = self.headers.get(b"mcp-session-id")
        if token is not None and method != "initialize":
            session = sessions.open_session(token.decode("latin-1"), caller)
            if session is None:
                raise ProtocolError(INVALID_REQUEST, "Session not found; initialize again.", status=404)
            caller = sessions.named(caller, session.client)
        params = message.get("params")
        if "id" not in message:
            if method == "notifications/cancelled" and session is not None and params:
                cancel_running(session, params.get("requestId"))
            return Reply(202, headers=self.extra)
        if session is not None:
            version = session.version  # clients were seen to send another one than they negotiated
        elif version is None or method == "initialize":
            version = sdk.NEWEST_HANDSHAKE_VERSION if method == "initialize" else sdk.ASSUMED_VERSION
        params = params if params is not None else {}
        turn = Turn(caller, False, version, message["id"], method, params, session)
        meta = params.get("_meta")
        meta = meta if type(meta) is dict else {}
        turn.info = CallInfo(self.request_id, self._trace_id(meta))
        return await self._run(turn, message, meta, level_of(session.token if session else None))

    async def _run(
        self, turn: Turn, message: dict[str, Any], meta: Mapping[str, Any], level: str | None
    ) -> Reply | None:
        """Let the handler work, streaming meanwhile where the client takes it."""
        stream = EventStream(
            self.wire,
            allowed=self.sse_accepted,
            headers=self.extra,
            on_close=turn.cancel if turn.modern else None,  # before 2026 leaving is not cancelling
        )
        turn.channel = LiveChannel(stream.send, sdk.progress_token(turn.params), level)
        turn.task = asyncio.current_task()
        turn.running = True
        register(turn)
        stream.attend()
        headers = self.extra
        status = 200
        try:
            result = await self._handle(turn, message)
            frame = result_frame(turn.id, result)
            if turn.method == "initialize":
                headers = (*headers, (b"mcp-session-id", _new_session(turn, result)))
        except asyncio.CancelledError:
            if not turn.cancelled:
                raise
            if turn.modern:
                frame, status = b"", 0
            else:
                frame = error_frame(turn.id, LEGACY_REQUEST_CANCELLED, "Request cancelled")
        except ProtocolError as error:
            self._note(turn.caller, turn.method, error, recorded=turn.recorded)
            status = error.status or sdk.http_status(error.code, modern=turn.modern)
            headers = (*error.headers, *headers)
            frame = error_frame(turn.id, error.code, error.message, error.data)
        finally:
            turn.running = False
            unregister(turn)
            stream.leave()
            if turn.cancelled and turn.task is not None:
                turn.task.uncancel()
        if not status:
            return None
        if stream.opened or (not self.json_accepted and status == 200):
            await stream.send(event(frame))
            return None
        return Reply(status, frame, headers)

    async def _handle(self, turn: Turn, message: dict[str, Any]) -> bytes:
        """The result as JSON. Raises ProtocolError alone (and CancelledError)."""
        try:
            if turn.method == "tools/call":
                sdk.check_params("tools/call", turn.version, message)
                if turn.modern:
                    await self._check_mirrored(turn)
                return sdk.encode_tool_result(await handlers.run_tool(turn), modern=turn.modern)
            if turn.method in lists.KEPT_METHODS:
                sdk.check_params(turn.method, turn.version, message)
                return await lists.answer(turn)
            return dumps(await sdk.serve(turn))
        except ProtocolError:
            raise
        except ServiceUnavailable as error:
            raise _unavailable(str(error)) from None
        except TenantGoneError:  # deleted since the key was checked
            raise _stranger(access.AccessDenied.PUBLIC) from None
        except DatabaseError as error:
            logger.error("%s found no database: %s", turn.method, type(error).__name__)
            raise _unavailable("Portico's database is not available. Try again in a moment.") from None
        except Exception as error:
            raise self._failure(turn.method[:100], error) from None

    def _failure(self, what: str, error: Exception, *, status: int | None = None) -> ProtocolError:
        """A mistake of ours: all of it to the log, nothing of it to the client."""
        logger.exception("%s at %s failed", what, self.request.slug[:64], exc_info=error)
        text = f"Something failed inside Portico; the operator finds it under {self.request_id}."
        return ProtocolError(INTERNAL_ERROR, text, status=status)

    async def _check_mirrored(self, turn: Turn) -> None:
        """Compare ``Mcp-Param-*`` headers with the arguments, by the tool's own schema."""
        arguments = turn.params.get("arguments")
        if not arguments and not any(name.startswith(sdk.PARAM_PREFIX) for name in self.headers):
            return
        entry = (await pipeline.catalogue(turn.caller)).find(turn.params["name"])
        if entry is not None and _mirrors(entry.spec.input_schema):
            sdk.check_param_headers(
                entry.spec.input_schema, arguments or {}, sdk.ManyHeaders(self.request.lines)
            )

    def _trace_id(self, meta: Mapping[str, Any]) -> str:
        parent = meta.get("traceparent")
        if parent is None and (raw := self.headers.get(b"traceparent")) is not None:
            parent = raw.decode("latin-1")
        found = _TRACEPARENT.match(parent) if type(parent) is str else None
        return found.group(1) if found else ""

    def _note(
        self, caller: Caller | None, method: str, error: ProtocolError, *, recorded: bool = False
    ) -> None:
        """Have a known caller's mistake recorded; what is ours (503, internal) is in the log."""
        if caller is not None and not recorded and error.code != INTERNAL_ERROR:
            note_refusal(
                caller, CallInfo(self.request_id), method=method, code=error.code, message=error.message
            )

    def _error(self, error: ProtocolError, request_id: Any) -> Reply:
        frame = error_frame(request_id, error.code, error.message, error.data)
        return Reply(
            error.status or sdk.http_status(error.code, modern=True), frame, (*error.headers, *self.extra)
        )


def _new_session(turn: Turn, result: bytes) -> bytes:
    version = orjson.loads(result)["protocolVersion"]
    client = sessions.client_info(turn.params.get("clientInfo"))
    flags = sessions.capability_flags(turn.params.get("capabilities"))
    return sessions.issue(turn.caller, version, client, flags).encode()


def _stranger(message: str) -> ProtocolError:
    return ProtocolError(INVALID_REQUEST, message, status=401, headers=((b"www-authenticate", b"Bearer"),))


def _unavailable(message: str) -> ProtocolError:
    return ProtocolError(INTERNAL_ERROR, message, status=503, headers=((b"retry-after", RETRY_AFTER_S),))


@lru_cache(maxsize=1024)
def _address(peer: str, forwarded: str | None, trusted: tuple[str, ...]) -> str:
    """The caller's address; ``trusted`` only makes the memory of it obey the setting."""
    return access.client_address(peer, forwarded)


_mirroring: dict[int, tuple[Any, bool]] = {}


def _mirrors(schema: dict[str, Any]) -> bool:
    """Whether a schema mirrors arguments into headers; remembered per schema object."""
    known = _mirroring.get(id(schema))
    if known is None or known[0] is not schema:
        if len(_mirroring) > 10_000:
            _mirroring.clear()
        known = _mirroring[id(schema)] = (schema, sdk.mirrors_headers(schema))
    return known[1]
