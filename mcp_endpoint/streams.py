"""All open notification streams of this process, whatever carries them, and who is told what.

A change of a tenant, heard from :mod:`tenants.changes`, makes each of its streams look at its
key and its lists again; news of a resource comes over :mod:`common.bus`. So a process has one
subscription, however many streams it holds.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from common.bus import bus
from connectors import updates
from mcp_endpoint import session_uris, speakers
from mcp_endpoint.open_stream import LISTS, SendFrame, Stream
from mcp_endpoint.session_uris import digest_of
from mcp_endpoint.sessions import Session
from mcp_endpoint.stream_registry import AWAY, Streams
from mcp_endpoint.wire import stranger, unavailable
from tenants import access
from tenants.changes import watcher
from tenants.principals import Caller

EVERYTHING: Final = frozenset(LISTS)
TASK_KIND: Final = "task_notice"

_all: tuple[Streams, ...] = ()  # replaced, never changed: threads walk through it
_lock = threading.Lock()


def of_loop() -> Streams:
    """The streams of the running event loop."""
    global _all
    loop = asyncio.get_running_loop()
    for streams in _all:
        if streams.loop is loop:
            return streams
    with _lock:
        made = Streams(loop)
        _all = (*(streams for streams in _all if not streams.loop.is_closed()), made)
    return made


async def open(
    caller: Caller,
    session: Session | None,
    send_frame: SendFrame,
    close: Callable[[], None] | None = None,
    *,
    ping: Callable[[], Awaitable[None]] | None = None,
    abort: Callable[[], None] | None = None,
    wants: frozenset[str] = EVERYTHING,
    uris: tuple[str, ...] = (),
    tasks: frozenset[str] = frozenset(),
    head: bytes = b"",
    first: bytes = b"",
) -> Stream:
    """Open a stream of notifications for a caller; it hears of nobody else's news.

    ``send_frame(frame)`` sends one JSON-RPC frame (it may raise OSError); ``close()`` is called
    once when the stream must end: the key was revoked, the server stops. ``ping()`` keeps a
    quiet connection alive and ``abort()`` cuts off a client that does not read, where the
    transport can. With a ``session`` its subscriptions come from Redis; else ``uris`` and
    ``wants`` (of "tools", "prompts", "resources") say what it hears. ``head`` are members of
    each notification's params as JSON, without braces; ``first`` is the frame that goes out
    before any other. Whoever opens it calls ``leave()`` at the end. Raises ProtocolError: 401,
    429 (too many streams), 503.
    """
    streams = of_loop()
    stream = Stream(
        streams, caller, send_frame, close=close, ping=ping, abort=abort, wants=wants,
        opened_at=speakers.moment(),
    )  # fmt: skip
    stream.uris, stream.tasks, stream.head = uris, tasks, head
    streams.add(stream)  # before it looks at anything, so that no change is lost between
    try:
        if session is not None:
            stream.session, stream.session_expires = digest_of(session), session.expires_at
            await streams.speakers.enter(stream)
            await streams.read(stream)
        else:
            await streams.renew(stream)
    except AWAY:
        stream.leave()
        raise unavailable("Streams cannot be opened right now; try again in a moment.") from None
    except BaseException:
        stream.leave()
        raise
    if stream.ended:
        stream.leave()
        raise stranger(access.AccessDenied.PUBLIC)
    stream.begin(first)
    return stream


def open_count(tenant_id: UUID | None = None) -> int:
    """How many streams this process holds open, of one tenant or of all."""
    return sum(streams.count(tenant_id) for streams in _all)


def open_by_tenant() -> dict[UUID, int]:
    """How many streams this process holds open of each tenant that has any; from any thread."""
    tenants = {tenant_id for streams in _all for tenant_id in list(streams.of_tenant)}
    return {tenant_id: number for tenant_id in tenants if (number := open_count(tenant_id))}


async def end_all(seconds: float) -> None:
    """End this loop's streams gracefully, within so many seconds; no new ones are taken."""
    await of_loop().end_all(seconds)


def notify_task(tenant_id: UUID, task_id: str, method: str, params: Mapping[str, Any]) -> None:
    """Tell the streams of all workers that listen to a durable task; for threads and tasks."""
    bus.publish(tenant_id, TASK_KIND, {"task": task_id, "method": method, "params": dict(params)})


def _on_change(tenant_id: UUID, version: int) -> None:
    for streams in _all:
        streams.from_thread(tenant_id, streams.tenant_changed, tenant_id)


def _on_resource(tenant_id: UUID, body: dict[str, Any]) -> None:
    targets = updates.read(body)
    for streams in _all:
        streams.from_thread(tenant_id, streams.resources_updated, tenant_id, targets)


def _on_subscriptions(tenant_id: UUID, body: dict[str, Any]) -> None:
    for streams in _all:
        streams.from_thread(tenant_id, streams.session_changed, tenant_id, str(body.get("session")))


def _on_stream(tenant_id: UUID, body: dict[str, Any]) -> None:
    heard = speakers.read(tenant_id, body)
    for streams in _all if heard is not None else ():
        streams.from_thread(tenant_id, streams.stream_elsewhere, *heard)  # type: ignore[misc]


def _on_task(tenant_id: UUID, body: dict[str, Any]) -> None:
    for streams in _all:
        streams.from_thread(
            tenant_id, streams.task_notice, tenant_id, body["task"], body["method"], body["params"]
        )


watcher.subscribe(_on_change)
bus.subscribe(updates.KIND, _on_resource)
bus.subscribe(session_uris.KIND, _on_subscriptions)
bus.subscribe(speakers.KIND, _on_stream)
bus.subscribe(TASK_KIND, _on_task)
