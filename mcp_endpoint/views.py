"""The same exchange as an async Django view: for runserver, ``reverse()`` and the test client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from mcp_endpoint.exchange import exchange
from mcp_endpoint.inbound import Inbound
from mcp_endpoint.wire import BodyTooLarge, Header, Reply


class _QueueWire:
    """A wire whose chunks wait in a queue until Django sends them."""

    lasting = True

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.opened = asyncio.Event()
        self.left = asyncio.Event()
        self.headers: tuple[Header, ...] = ()

    async def open(self, headers: tuple[Header, ...]) -> None:
        self.headers = headers
        self.opened.set()

    async def write(self, chunk: bytes) -> None:
        if self.left.is_set():
            raise ConnectionResetError
        self.chunks.put_nowait(chunk)

    async def closed(self) -> None:
        await self.left.wait()

    def abort(self) -> None:
        self.left.set()


class _HeldWire(_QueueWire):
    """Under WSGI nothing can be sent before the end: the events come at once."""

    lasting = False

    def __init__(self) -> None:
        super().__init__()
        self.held: list[bytes] = []

    async def write(self, chunk: bytes) -> None:
        self.held.append(chunk)


@csrf_exempt  # a bearer key is sent by the client on purpose, never by a browser on its own
async def mcp(
    request: HttpRequest, slug: str, endpoint: str = "", transport: str = "mcp"
) -> HttpResponseBase:
    """Serve one request to a tenant's MCP endpoint."""

    async def read_body(limit: int) -> bytes:
        body = request.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge
        return body

    inbound = Inbound(
        request.method or "", slug, _lines(request), str(request.META.get("REMOTE_ADDR") or ""), read_body,
        endpoint, transport, request.META.get("QUERY_STRING", "").encode("latin-1"),
    )  # fmt: skip
    if not hasattr(request, "scope"):
        held = _HeldWire()
        reply = await exchange(inbound, held)
        return _response(reply) if reply else _with_headers(HttpResponse(b"".join(held.held)), held.headers)
    return await _streaming(inbound)


_running: set["asyncio.Task[Reply | None]"] = set()  # a loop keeps no task alive by itself


async def _streaming(inbound: Inbound) -> HttpResponseBase:
    """Run the exchange beside the response, which may end before it: who leaves does not always cancel."""
    wire = _QueueWire()

    async def work() -> Reply | None:
        try:
            return await exchange(inbound, wire)
        finally:
            wire.chunks.put_nowait(None)

    task = asyncio.create_task(work())
    _running.add(task)
    task.add_done_callback(_running.discard)
    opened = asyncio.create_task(wire.opened.wait())
    try:
        await asyncio.wait({task, opened}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        wire.left.set()
        raise
    finally:
        opened.cancel()
    if not wire.opened.is_set():
        reply = await task
        return _response(reply) if reply else HttpResponse(status=204)
    return _with_headers(StreamingHttpResponse(_drain(wire, task)), wire.headers)


async def _drain(wire: _QueueWire, task: "asyncio.Task[Reply | None]") -> AsyncIterator[bytes]:
    try:
        while (chunk := await wire.chunks.get()) is not None:
            yield chunk
        await task
    finally:
        wire.left.set()


def _lines(request: HttpRequest) -> list[tuple[bytes, bytes]]:
    """The request's header lines; its id is the one that Django's middleware gave it."""
    lines = _sent(request)
    known = request.META.get("portico.request_id")
    if known is not None:
        lines = [(name, value) for name, value in lines if name != b"x-request-id"]
        lines.append((b"x-request-id", str(known).encode("latin-1")))
    if not any(name == b"host" for name, _ in lines):  # WSGI may know the host without a header
        lines.append((b"host", request.get_host().encode("latin-1")))
    return lines


def _sent(request: HttpRequest) -> list[tuple[bytes, bytes]]:
    scope: Any = getattr(request, "scope", None)
    if scope is not None:
        return [(name.lower(), value) for name, value in scope["headers"]]
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()
    ]


def _response(reply: Reply) -> HttpResponse:
    response = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type.decode())
    if not reply.body:
        del response["Content-Type"]
    return _with_headers(response, reply.headers)  # type: ignore[return-value]


def _with_headers(response: HttpResponseBase, headers: tuple[Header, ...]) -> HttpResponseBase:
    for name, value in headers:
        response[name.decode("latin-1").title()] = value.decode("latin-1")
    return response
