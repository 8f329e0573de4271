"""An HTTP request at an endpoint as the doors hand it in: neither Django's request nor ASGI's scope."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Inbound:
    """An HTTP request as plain values.

    ``lines`` are the header lines with lowercase names, ``peer`` the address of the
    connection, ``read_body(limit)`` gives the whole body or raises
    :class:`~mcp_endpoint.wire.BodyTooLarge` or :class:`~mcp_endpoint.wire.ClientGone`.
    ``endpoint`` is the slug of a named endpoint ("" for the tenant's own), ``transport`` the
    last part of the path (mcp, sse or messages), ``query`` the raw query string.
    """

    http_method: str
    slug: str
    lines: list[tuple[bytes, bytes]]
    peer: str
    read_body: Callable[[int], Awaitable[bytes]]
    endpoint: str = ""
    transport: str = "mcp"
    query: bytes = b""
