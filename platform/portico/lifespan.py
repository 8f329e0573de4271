"""What each web process does when it starts and when it stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.db import DatabaseError

from common.bus import bus
from common.db import in_db, shut_down_pool
from common.redis import async_client, sync_client
from common.writer import writer
from mcp_endpoint.client_counts import counts
from portico import invariants, telemetry
from tenants.changes import watcher

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def start() -> list[str]:
    """Begin to watch for changes; returns the reasons why this process must not serve.

    A database that does not answer is no reason: ``/readyz`` says 503 until it does.
    """
    watcher.start(asyncio.get_running_loop())
    telemetry.start()
    try:
        return [
            *await in_db(invariants.database_problems),
            *await in_db(invariants.key_problems),
        ]
    except DatabaseError as error:
        logger.warning("The database does not answer yet: %s", type(error).__name__)
        return []


async def stop() -> None:
    """Write what is queued and close what is open; one failing step does not skip the next."""
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("watcher", lambda: asyncio.to_thread(watcher.stop)),
        ("bus", lambda: asyncio.to_thread(bus.stop)),
        ("writer", lambda: asyncio.to_thread(writer.stop)),
        ("counts of clients", lambda: asyncio.to_thread(counts.flush)),
        ("telemetry", lambda: asyncio.to_thread(telemetry.stop)),
        ("redis", async_client().aclose),
        ("redis of threads", lambda: asyncio.to_thread(sync_client().close)),
        ("database pool", lambda: asyncio.to_thread(shut_down_pool)),
    ]
    for name, step in steps:
        try:
            await step()
        except Exception as error:
            logger.warning("Closing the %s failed: %s", name, type(error).__name__)


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI lifespan protocol around :func:`start` and :func:`stop`."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            problems = await start()
            if problems:
                await send({"type": "lifespan.startup.failed", "message": " ".join(problems)})
                return
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
