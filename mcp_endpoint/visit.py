"""One HTTP request at a tenant's endpoint: its headers, its id, and who sends it.

Neither Django's request nor ASGI's scope is known here: the doors (:mod:`mcp_endpoint.asgi`,
:mod:`mcp_endpoint.views`) build an :class:`Inbound`.
"""

import random
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings

from common import metrics
from common.log_context import request_context, tenant_context
from connectors.call_info import CallInfo
from mcp_endpoint import messages, narrowing, origin, sdk
from mcp_endpoint.inbound import Inbound
from mcp_endpoint.refusals import note_refusal
from mcp_endpoint.wire import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    Header,
    ProtocolError,
    Reply,
    error_frame,
)
from mcp_endpoint.wire import RETRY_AFTER_S as RETRY_AFTER_S
from mcp_endpoint.wire import stranger as stranger
from mcp_endpoint.wire import unavailable as unavailable
from tenants import access
from tenants.principals import Caller

_SAFE_ID = re.compile(rb"^[A-Za-z0-9._:-]{1,64}$")


class Visit:
    """A request that may come as far as the key: its host and origin are welcome here."""

    __slots__ = ("caller", "extra", "headers", "json_accepted", "request", "request_id", "sse_accepted")

    def __init__(self, request: Inbound) -> None:
        """Raises ProtocolError for a host or an origin that is not served."""
        self.request = request
        self.headers: Mapping[bytes, bytes] = dict(request.lines)
        self.extra: tuple[Header, ...] = ()
        self.json_accepted = self.sse_accepted = True
        self.caller: Caller | None = None
        self.request_id = ""
        self._check_origin()

    def _check_origin(self) -> None:
        host, web = self.headers.get(b"host", b""), self.headers.get(b"origin")
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
            self.extra = origin.cors_headers(web)

    def identify(self) -> None:
        """Give the request its id, the client's own where it is a decent one."""
        given = self.headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _SAFE_ID.match(given) else f"{random.getrandbits(96):024x}"
        request_context.set(self.request_id)  # of this request's own task, so nobody resets it
        self.extra = ((b"x-request-id", self.request_id.encode()), *self.extra)

    async def authenticate(self) -> Caller:
        """The caller behind the bearer secret, narrowed to what the request asks for.

        Raises ProtocolError: 401 or 503, and for a caller that is known 404 for an unknown
        endpoint and 400 for unknown toolsets.
        """
        held = self.headers.get(b"authorization")
        secret = access.presented_key(held.decode("latin-1")) if held is not None else None
        address = _address(self.request.peer, self._forwarded(), tuple(settings.PORTICO_TRUSTED_PROXIES))
        try:
            caller = await access.authenticate(self.request.slug, secret, address=address, via="mcp")
        except access.AccessDenied as error:
            raise stranger(str(error)) from None
        except access.AccessUnavailable as error:
            raise unavailable(str(error)) from None
        tenant_context.set(caller.tenant.slug)
        self.caller = caller
        request = self.request
        asks = request.endpoint or request.query or narrowing.HEADER in self.headers
        if asks and request.transport != "messages":  # those have what their stream asked for
            self.caller = caller = await narrowing.narrowed(caller, request)
        return caller

    def _forwarded(self) -> str | None:
        """All lines of ``X-Forwarded-For`` as one."""
        if b"x-forwarded-for" not in self.headers:
            return None
        lines = [value for name, value in self.request.lines if name == b"x-forwarded-for"]
        return b",".join(lines).decode("latin-1")[-2048:]

    def check_media_types(self) -> None:
        """Note what the client takes. Raises ProtocolError with 415 or 406."""
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

    def refused(self, error: ProtocolError, request_id: Any = None, method: str = "") -> Reply:
        """The reply to a message that did not become a request; noted where its caller is known."""
        note(self.caller, CallInfo(self.request_id), method, error)
        frame = error_frame(request_id, error.code, error.message, error.data)
        status = error.status or sdk.http_status(error.code, modern=True)
        count_refused(self.request, status)
        return Reply(status, frame, (*error.headers, *self.extra))


def count_refused(request: Inbound, status: int) -> None:
    """Count a request that never became one: nobody knows its era or its method."""
    metrics.requested("http" if request.transport == "mcp" else "sse", "", "", str(status))


def note(caller: Caller | None, info: CallInfo, method: str, error: ProtocolError) -> None:
    """Have a known caller's mistake recorded; what is ours (503, internal) is in the log."""
    if caller is not None and error.code != INTERNAL_ERROR:
        note_refusal(caller, info, method=method, code=error.code, message=error.message)


@lru_cache(maxsize=1024)
def _address(peer: str, forwarded: str | None, trusted: tuple[str, ...]) -> str:
    """The caller's address; ``trusted`` only makes the memory of it obey the setting."""
    return access.client_address(peer, forwarded)
