"""Speaking to the endpoint in tests: through the ASGI door and through the Django view alike."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from django.test import AsyncClient, Client

from mcp_endpoint.asgi import mcp_app
from tests.factories import make_connection, make_key, make_tenant, unique

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "tester", "version": "1.0"},
}
ACCEPT = "application/json, text/event-stream"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass
class Place:
    """A tenant with connections, and a key to it."""

    tenant: Any
    key: str
    access_key: Any

    @property
    def path(self) -> str:
        return f"/t/{self.tenant.slug}/mcp"


def make_place(
    role: str = "operator", connectors: tuple[str, ...] = ("demo", "probe"), **rights: Any
) -> Place:
    tenant = make_tenant()
    for connector in connectors:
        make_connection(tenant, connector)
    access_key, secret = make_key(tenant, role=role, **rights)
    return Place(tenant, secret, access_key)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        assert self.headers["content-type"] == "text/event-stream"
        lines = self.body.decode().splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    @property
    def result(self) -> Any:
        message = self.json if self.headers["content-type"] == "application/json" else self.events[-1]
        assert "result" in message, message
        return message["result"]

    @property
    def error(self) -> Any:
        message = self.json if self.headers["content-type"] == "application/json" else self.events[-1]
        assert "error" in message, message
        return message["error"]


@dataclass
class Post:
    """An HTTP request to be sent through either door."""

    path: str
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    method: str = "POST"


def headers_of(place: Place | None, **more: str | None) -> dict[str, str]:
    made = {"content-type": "application/json", "accept": ACCEPT}
    if place is not None:
        made["authorization"] = f"Bearer {place.key}"
    for name, value in more.items():
        name = name.replace("_", "-")
        made.pop(name, None)
        if value is not None:
            made[name] = value
    return made


def modern(
    place: Place, method: str, params: dict[str, Any] | None = None, *, id: Any = 1, **more: Any
) -> Post:
    """A request of 2026-07-28 with its envelope and routing headers."""
    meta = {**META, **more.pop("meta", {})}
    routing: dict[str, Any] = {"mcp_protocol_version": MODERN, "mcp_method": method}
    if method in NAMED and params:
        routing["mcp_name"] = str(params.get(NAMED[method]))
    message = {"jsonrpc": "2.0", "id": id, "method": method, "params": {**(params or {}), "_meta": meta}}
    return Post(
        place.path, json.dumps(message).encode(), list(headers_of(place, **{**routing, **more}).items())
    )


def legacy(
    place: Place,
    method: str,
    params: dict[str, Any] | None = None,
    *,
    id: Any = 1,
    version: str | None = HANDSHAKE,
    **more: Any,
) -> Post:
    """A request of the handshake era; ``id=None`` makes a notification."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        message["id"] = id
    if params is not None:
        message["params"] = params
    headers = headers_of(place, mcp_protocol_version=version, **more)
    return Post(place.path, json.dumps(message).encode(), list(headers.items()))


def initialize(place: Place, version: str = HANDSHAKE, client: str = "tester", **capabilities: Any) -> Post:
    params = {
        "protocolVersion": version,
        "capabilities": capabilities,
        "clientInfo": {"name": client, "version": "1.0"},
    }
    return legacy(place, "initialize", params, version=None)


class Running:
    """A request at the ASGI door whose answer is read as it comes."""

    def __init__(self, post: Post) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._post = post
        self._read = False
        headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in post.headers]
        if not any(name == b"host" for name, _ in headers):
            headers.append((b"host", b"testserver"))
        scope = {
            "type": "http", "method": post.method, "path": post.path, "headers": headers, "client": ("127.0.0.1", 5),
        }  # fmt: skip
        self.task = asyncio.create_task(mcp_app(scope, self._receive, self.sent.put))

    async def _receive(self) -> dict[str, Any]:
        if not self._read:
            self._read = True
            return {"type": "http.request", "body": self._post.body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def chunks(self) -> AsyncIterator[dict[str, Any]]:
        while not (self.task.done() and self.sent.empty()):
            got = asyncio.create_task(self.sent.get())
            await asyncio.wait({got, self.task}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
            if got.done():
                yield got.result()
            else:
                got.cancel()
        await self.task

    async def answer(self) -> Answer:
        status, headers, body = 0, {}, b""
        async for message in self.chunks():
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {n.decode(): v.decode("latin-1") for n, v in message["headers"]}
            else:
                body += message["body"]
        return Answer(status, headers, body)


async def by_door(post: Post) -> Answer:
    """Through the ASGI door."""
    return await Running(post).answer()


async def by_view(post: Post) -> Answer:
    """Through Django's ASGI handler, its middleware and the async view."""
    headers = dict(post.headers)
    content_type = headers.pop("content-type", "")
    response = await AsyncClient().generic(
        post.method, post.path, post.body, content_type=content_type, headers=headers
    )
    chunks = (
        [chunk async for chunk in response.streaming_content] if response.streaming else [response.content]
    )
    return Answer(response.status_code, {n.lower(): v for n, v in response.items()}, b"".join(chunks))


async def by_runserver(post: Post) -> Answer:
    """Through Django's WSGI handler, as under ``manage.py runserver``."""
    headers = dict(post.headers)
    content_type = headers.pop("content-type", "")
    response = await asyncio.to_thread(
        Client().generic, post.method, post.path, post.body, content_type=content_type, headers=headers
    )
    return Answer(response.status_code, {n.lower(): v for n, v in response.items()}, response.content)


async def eventually(check: Any, seconds: float = 5.0) -> None:
    """Wait until a condition holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not check():
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(0.005)


__all__ = ["Answer", "Place", "Post", "Running", "by_door", "by_runserver", "by_view", "eventually", "unique"]
