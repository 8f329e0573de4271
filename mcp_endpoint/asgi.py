"""The ASGI door: MCP paths without a Django request, a thread or a task of their own."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mcp_endpoint.exchange import exchange
from mcp_endpoint.inbound import Inbound
from mcp_endpoint.wire import BodyTimeout, BodyTooLarge, ClientGone, Header, Reply, error_frame

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATH = re.compile(r"/t/([^/]+)/(?:e/([^/]+)/)?(mcp|sse|messages)/?")
BODY_TIMEOUT_S = 30.0


def match(path: str) -> tuple[str, str, str] | None:
    """Tenant, named endpoint ("" for the tenant's own) and transport of an endpoint's path, else None."""
    found = PATH.fullmatch(path)
    return (found[1], found[2] or "", found[3]) if found else None


class _Wire:
    """Streaming over ASGI's ``send``, and the client's leaving from ``receive``."""

    __slots__ = ("_receive", "_send", "opened")

    lasting = True

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.opened = False

    async def open(self, headers: tuple[Header, ...]) -> None:
        self.opened = True
        await self._send({"type": "http.response.start", "status": 200, "headers": list(headers)})

    async def write(self, chunk: bytes) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def closed(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        # ASGI has no word for it; of the servers, uvicorn's "send" belongs to what holds the transport.
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()


async def mcp_app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Serve one HTTP request to a tenant's endpoint; other paths get 404."""
    place = match(scope["path"])
    if place is None:
        await _send_reply(send, Reply(404, error_frame(None, -32600, "There is no such endpoint.")))
        return

    async def read_body(limit: int) -> bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    body = await _read_rest(receive, body, limit)
            except TimeoutError:
                raise BodyTimeout from None
        if len(body) > limit:
            raise BodyTooLarge
        return body

    client = scope.get("client")
    wire = _Wire(receive, send)
    inbound = Inbound(
        scope["method"], place[0], list(scope["headers"]), client[0] if client else "", read_body,
        place[1], place[2], scope.get("query_string", b""),
    )  # fmt: skip
    try:
        reply = await exchange(inbound, wire)
        if reply is not None:
            await _send_reply(send, reply)
        elif wire.opened:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    except OSError:  # the client has gone while it was answered
        return


async def _read_rest(receive: Receive, first: bytes, limit: int) -> bytes:
    parts, size = [first], len(first)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise BodyTooLarge
        more = message.get("more_body", False)
    return b"".join(parts)


async def _send_reply(send: Send, reply: Reply) -> None:
    body = reply.body
    headers: list[Header] = [*reply.headers, (b"content-length", b"%d" % len(body))]
    if body:
        headers.append((b"content-type", reply.content_type))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = mcp_app
