"""How a process that serves MCP ends: what is queued is written, what is open is closed."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from common.bus import bus
from common.db import shut_down_pool
from common.redis import async_client, sync_client
from common.writer import writer
from connectors.upstream.cache.keeper import keeper
from connectors.upstream.client import close_all
from connectors.upstream.tokens import end_renewals
from mcp_endpoint.client_counts import counts
from tenants.changes import watcher

logger = logging.getLogger(__name__)

Step = tuple[str, Callable[[], Any]]


async def end_process(*more: Step) -> None:
    """Write what is queued and close what is open; one failing step does not skip the next.

    ``more`` are steps of the caller's own, taken before Redis and the database are closed.
    """
    steps: list[Step] = [
        ("watcher", lambda: asyncio.to_thread(watcher.stop)),
        ("bus", lambda: asyncio.to_thread(bus.stop)),
        ("writer", lambda: asyncio.to_thread(writer.stop)),
        ("counts of clients", lambda: asyncio.to_thread(counts.flush)),
        ("counts of kept results", lambda: asyncio.to_thread(keeper.stop)),
        *more,
        ("renewals of tokens", end_renewals),
        ("clients of systems", close_all),
        ("redis", async_client().aclose),
        ("redis of threads", lambda: asyncio.to_thread(sync_client().close)),
        ("database pool", lambda: asyncio.to_thread(shut_down_pool)),
    ]
    for name, step in steps:
        try:
            await step()
        except Exception as error:
            logger.warning("Closing the %s failed: %s", name, type(error).__name__)
