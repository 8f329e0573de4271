"""What a body and the headers around it must look like before anything looks at their meaning."""

from functools import lru_cache
from typing import Any

from common.strict_json import StrictJSONError, loads
from mcp_endpoint.wire import INVALID_REQUEST, PARSE_ERROR, ProtocolError


def parse(body: bytes) -> dict[str, Any]:
    """One JSON-RPC message of a strict JSON text. Raises ProtocolError."""
    try:
        message = loads(body)
    except StrictJSONError as error:
        raise ProtocolError(PARSE_ERROR, f"Parse error: {error}") from None
    if type(message) is dict:
        return message
    if type(message) is list:
        raise ProtocolError(
            INVALID_REQUEST, "Batches are not accepted; send each message in a POST of its own."
        )
    raise ProtocolError(INVALID_REQUEST, "The body must be one JSON-RPC message, an object.")


def check_envelope(message: dict[str, Any]) -> None:
    """JSON-RPC 2.0 around the method; the same that the SDK's JSONRPCRequest and -Notification accept."""
    problem = ""
    if message.get("jsonrpc") != "2.0":
        problem = "The member 'jsonrpc' must be \"2.0\"."
    elif type(message.get("method")) is not str:
        problem = "The member 'method' must be a string."
    elif "id" in message and type(message["id"]) not in (int, str):
        problem = "The member 'id' must be a string or an integer."
    elif type(message.get("params")) not in (dict, type(None)):
        problem = "The member 'params' must be an object."
    if problem:
        raise ProtocolError(INVALID_REQUEST, problem)


def announced(length: bytes) -> int:
    """The number in Content-Length. Raises ProtocolError."""
    try:
        return int(length)
    except ValueError:
        raise ProtocolError(INVALID_REQUEST, "Content-Length is no number.") from None


@lru_cache(maxsize=64)
def is_json(content_type: bytes) -> bool:
    """Whether a Content-Type says JSON, whatever its parameters."""
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


@lru_cache(maxsize=128)
def accepts(accept: bytes) -> tuple[bool, bool]:
    """Whether JSON and whether an event stream may be sent; a wildcard gets JSON."""
    types = {part.partition(b";")[0].strip() for part in accept.lower().split(b",")}
    any_type = b"*/*" in types
    return (
        any_type or b"application/json" in types or b"application/*" in types,
        b"text/event-stream" in types or b"text/*" in types,
    )
