"""What each web process does when it starts and when it stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.db import DatabaseError

from common.db import in_db
from common.metrics import stop as stop_counting
from mcp_endpoint.process_end import end_process
from portico import error_reports, invariants, metrics, telemetry
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
    error_reports.start("web")
    metrics.begin("web")
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
    await end_process(
        ("telemetry", lambda: asyncio.to_thread(telemetry.stop)),
        ("error reports", lambda: asyncio.to_thread(error_reports.stop)),
        ("metrics", lambda: asyncio.to_thread(stop_counting)),
    )


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
