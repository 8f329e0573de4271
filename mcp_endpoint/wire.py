"""Bytes on the wire: replies, JSON-RPC frames and server-sent events. No protocol library, no I/O."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from common.text import clean_text

Header = tuple[bytes, bytes]

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
# Of the handshake era only: what its schema and the SDK use there.
LEGACY_RESOURCE_NOT_FOUND = -32002
LEGACY_REQUEST_CANCELLED = -32800
LEGACY_URL_REQUIRED = -32042

RETRY_AFTER_S = b"2"
PING = b": ping\r\n\r\n"
STREAM_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


class ProtocolError(Exception):
    """A request that gets a JSON-RPC error instead of a result.

    ``status`` is the HTTP status, where the era's table does not decide it; the message is
    for whoever operates the client and holds nothing of our inside.
    """

    def __init__(
        self,
        code: int,
        message: str,
        data: Any = None,
        *,
        status: int | None = None,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status
        self.headers = headers


def stranger(message: str) -> ProtocolError:
    """The one answer to whoever has no key for this tenant."""
    return ProtocolError(INVALID_REQUEST, message, status=401, headers=((b"www-authenticate", b"Bearer"),))


def unavailable(message: str) -> ProtocolError:
    """The answer while something that we stand on is away."""
    return ProtocolError(INTERNAL_ERROR, message, status=503, headers=((b"retry-after", RETRY_AFTER_S),))


class BodyTooLarge(Exception):
    """The body is larger than the limit."""


class BodyTimeout(Exception):
    """The body did not arrive in time."""


class ClientGone(Exception):
    """The client closed the connection before its body had arrived."""


@dataclass(slots=True)
class Reply:
    """A whole HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()
    content_type: bytes = b"application/json"


class Wire(Protocol):
    """What a door lends to a running request, so that it can stream.

    ``lasting`` is False where nothing goes out before the end, so that a stream without an
    end makes no sense.
    """

    lasting: bool

    async def open(self, headers: tuple[Header, ...]) -> None:
        """Start a 200 answer that goes on with :meth:`write`."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Send a piece of the open answer."""
        ...

    async def closed(self) -> None:
        """Return once the client has gone; may never return."""
        ...

    def abort(self) -> None:
        """Cut the connection off, with what waits to be sent; does nothing where the door cannot."""
        ...


def dumps(value: Any) -> bytes:
    """Compact JSON; what ``orjson`` refuses goes the slow way instead of failing the call."""
    try:
        return orjson.dumps(value)
    except TypeError:
        text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8")


def _plain(value: Any) -> Any:
    """A value made of JSON's own types: whole text, text keys, no NaN."""
    if isinstance(value, str):
        return clean_text(value, len(value) + 1)
    if isinstance(value, dict):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean_text(str(value), 10_000)


def result_frame(request_id: int | str, result: bytes) -> bytes:
    """The JSON-RPC response around a result that is already JSON."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (dumps(request_id), result)


def error_frame(request_id: int | str | None, code: int, message: str, data: Any = None) -> bytes:
    """A JSON-RPC error response; an unknown id goes out as null."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return dumps({"jsonrpc": "2.0", "id": request_id, "error": error})


def notification_frame(method: str, params: dict[str, Any]) -> bytes:
    """A JSON-RPC notification."""
    return dumps({"jsonrpc": "2.0", "method": method, "params": params})


def event(frame: bytes) -> bytes:
    """A frame as one server-sent event."""
    return b"event: message\r\ndata: %b\r\n\r\n" % frame
