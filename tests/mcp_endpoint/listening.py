"""Streams of notifications at the ASGI door, read event by event."""

import asyncio
import json
from typing import Any

from common.db import in_db
from connectors import services as connectors
from tests.factories import SYSTEM, make_key
from tests.mcp_endpoint.speak import Place, Post, Running, by_door, headers_of, initialize, legacy, modern

WITHIN_S = 5.0
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
TOOLS = "notifications/tools/list_changed"
PROMPTS = "notifications/prompts/list_changed"
RESOURCES = "notifications/resources/list_changed"
UPDATED = "notifications/resources/updated"
EVERYTHING = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}


class Listener:
    """A client that holds a stream open."""

    def __init__(self, post: Post) -> None:
        self.running = Running(post)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.over = False
        self._text = ""
        self._frames: list[Any] = []

    async def opened(self) -> "Listener":
        """Wait until the stream is there; with 200."""
        while not self.status:
            await self._read()
        assert self.status == 200, self._text
        return self

    async def next(self) -> Any:
        """The next frame; comments are passed over."""
        while not self._frames:
            assert not self.over, "the stream is over"
            await self._read()
        return self._frames.pop(0)

    async def method(self) -> str:
        """What the next frame says."""
        return (await self.next())["method"]

    async def end(self) -> list[Any]:
        """The frames that are left, once the stream is over."""
        while not self.over:
            await self._read()
        await asyncio.wait_for(self.running.task, WITHIN_S)
        return self._frames

    async def leave(self) -> None:
        """Close the connection."""
        self.running.gone.set()
        await asyncio.wait_for(self.running.task, WITHIN_S)

    async def _read(self) -> None:
        message = await asyncio.wait_for(self.running.sent.get(), WITHIN_S)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {n.decode(): v.decode("latin-1") for n, v in message["headers"]}
            return
        self._text += message["body"].decode()
        self.over = not message.get("more_body", False)
        *events, self._text = self._text.split("\r\n\r\n")
        for event in events:
            for line in event.splitlines():
                if line.startswith("data: "):
                    self._frames.append(json.loads(line.removeprefix("data: ")))


async def listen(place: Place, id: Any = 1, **wanted: Any) -> Listener:
    """Open ``subscriptions/listen``; without ``wanted`` for all lists. Its acknowledgement is still to be read."""
    params = {"notifications": wanted or EVERYTHING}
    return await Listener(modern(place, "subscriptions/listen", params, id=id)).opened()


async def listening(place: Place, **wanted: Any) -> Listener:
    """As :func:`listen`, acknowledged."""
    made = await listen(place, **wanted)
    assert await made.method() == "notifications/subscriptions/acknowledged"
    return made


def get(place: Place | None, path: str, session: str | None, **more: Any) -> Post:
    """A GET of a session's stream."""
    made = headers_of(place, content_type=None, **{"accept": "text/event-stream", **more})
    if session is not None:
        made["mcp-session-id"] = session
    return Post(path, b"", list(made.items()), "GET")


async def session_of(place: Place) -> str:
    """A new session of the handshake era."""
    return (await by_door(initialize(place))).headers["mcp-session-id"]


async def hearing(place: Place, session: str) -> Listener:
    """The open stream of a session."""
    return await Listener(get(place, place.path, session)).opened()


async def subscribe(place: Place, session: str, uri: str, method: str = "resources/subscribe") -> Any:
    """Subscribe a session to a resource, or unsubscribe it."""
    return await by_door(legacy(place, method, {"uri": uri}, mcp_session_id=session))


async def another(place: Place, role: str = "operator", **rights: Any) -> Place:
    """Another key of the same tenant."""
    key, secret = await in_db(make_key, place.tenant, role=role, **rights)
    return Place(place.tenant, secret, key)


async def switch(place: Place, tool: str, enabled: bool) -> None:
    """Switch a tool of the probe on or off, as an admin does."""
    probe = await in_db(place.tenant.connections.get, slug="probe")
    await in_db(connectors.switch_set, probe, tool=tool, enabled=enabled, actor=SYSTEM)
