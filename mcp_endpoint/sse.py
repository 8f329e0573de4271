"""The HTTP+SSE transport of revision 2024-11-05, for clients that know nothing newer.

``GET /t/<slug>/sse`` opens a stream whose first event, ``endpoint``, names the URL that takes
the client's messages; frames come as ``message`` events. :mod:`mcp_endpoint.sse_stream` has
what happens behind the two requests.
"""

from django.conf import settings

from common.bus import MAX_BODY, MessageTooLargeError
from common.signing import BadToken, seal, unseal
from mcp_endpoint import messages, narrowing, origin, sse_stream
from mcp_endpoint.running import failure
from mcp_endpoint.sessions import bound_to
from mcp_endpoint.visit import RETRY_AFTER_S, Visit
from mcp_endpoint.wire import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    ProtocolError,
    Reply,
    Wire,
)
from tenants.principals import Caller

MAX_MESSAGE = MAX_BODY - 10_000  # bytes: what surrounds a message on the bus is small
_PURPOSE = "sse"
_METHODS = b"GET, POST, OPTIONS"
_QUERY = b"sessionId"  # the name that the official SDKs look for


def check_enabled(caller: Caller) -> None:
    """Raise ProtocolError where the tenant has this transport switched off."""
    if not caller.tenant.sse_enabled:
        raise ProtocolError(
            INVALID_REQUEST,
            "This tenant does not serve the HTTP+SSE transport; use Streamable HTTP at "
            f"/t/{caller.tenant.slug}/mcp. An admin of the tenant can switch HTTP+SSE on.",
            status=404,
        )


async def serve(visit: Visit, wire: Wire) -> Reply | None:
    """Answer a GET of the stream, or a POST of a message."""
    visit.identify()
    request = visit.request
    try:
        if request.http_method == "OPTIONS":
            return _preflight(visit)
        if (request.transport, request.http_method) not in (("sse", "GET"), ("messages", "POST")):
            raise ProtocolError(
                INVALID_REQUEST, "GET the stream at /sse; POST messages to the URL that its first event names.",
                status=405, headers=((b"allow", _METHODS),),
            )  # fmt: skip
        caller = await visit.authenticate()
        check_enabled(caller)
        if request.transport == "messages":
            await _take(visit, caller)
            return Reply(202, headers=visit.extra)
        accept = visit.headers.get(b"accept", b"*/*")[:500]
        if not messages.accepts(accept)[1] and b"*/*" not in accept:
            raise ProtocolError(INVALID_REQUEST, "Accept 'text/event-stream'; this is a stream.", status=406)
        if not wire.lasting:
            raise ProtocolError(
                INTERNAL_ERROR, "This development server cannot hold streams open; run Portico with make run.",
                status=501,
            )  # fmt: skip
        narrowing.tokens_of(visit.headers, request.lines)  # what is wrong with them is said now
        await sse_stream.run(visit, wire, message_url(visit, caller))
        return None
    except ProtocolError as error:
        return visit.refused(error)
    except (BodyTooLarge, MessageTooLargeError):
        text = (
            f"A message over HTTP+SSE may have {MAX_MESSAGE:,} bytes; send larger ones with Streamable HTTP "
            f"to /t/{request.slug[:64]}/mcp."
        )
        return visit.refused(ProtocolError(INVALID_REQUEST, text, status=413))
    except BodyTimeout:
        return visit.refused(ProtocolError(INVALID_REQUEST, "The body did not arrive in time.", status=408))
    except ClientGone:
        raise
    except Exception as error:
        what = f"the HTTP+SSE transport at {request.slug[:64]}"
        return visit.refused(failure(what, error, visit.request_id, status=503))


def _preflight(visit: Visit) -> Reply:
    asked = visit.headers.get(b"access-control-request-headers", b"")
    granted = [
        (name, _METHODS if name == b"access-control-allow-methods" else value)
        for name, value in origin.preflight_headers(asked)
    ]
    return Reply(204, headers=((b"allow", _METHODS), *granted, *visit.extra))


def message_url(visit: Visit, caller: Caller) -> tuple[str, str]:
    """A new stream's id, and where its client posts messages.

    The URL is an absolute path with the public prefix: clients resolve it against the URL of
    the stream and refuse another origin.
    """
    stream_id = sse_stream.new_id()
    token = seal(_PURPOSE, stream_id, bind=bound_to(caller))
    request = visit.request
    at = f"e/{request.endpoint}/" if request.endpoint else ""
    query = _QUERY.decode()
    return stream_id, f"{settings.PUBLIC_PATH}/t/{request.slug}/{at}messages?{query}={token}"


async def _take(visit: Visit, caller: Caller) -> None:
    """Hand a message to the stream that it belongs to. Raises ProtocolError."""
    query = dict(part.partition(b"=")[::2] for part in visit.request.query.split(b"&"))
    try:
        stream_id = str(unseal(_PURPOSE, query.get(_QUERY, b"").decode("latin-1"), bind=bound_to(caller)))
    except BadToken:
        raise ProtocolError(
            INVALID_REQUEST,
            "There is no such session; GET the stream again for a new message URL.",
            status=404,
        ) from None
    if messages.announced(visit.headers.get(b"content-length", b"0")) > MAX_MESSAGE:
        raise BodyTooLarge
    visit.check_media_types()
    message = messages.parse(await visit.request.read_body(MAX_MESSAGE))
    if not await sse_stream.hand_over(stream_id, message, caller):
        raise ProtocolError(
            INTERNAL_ERROR, "Too many messages of this session wait; send this one again in a moment.",
            status=503, headers=((b"retry-after", RETRY_AFTER_S),),
        )  # fmt: skip
