"""A connector whose tool says what its worker holds, after a garbage collection."""

import asyncio
import gc
import os
import threading
from pathlib import Path
from typing import Any

from connectors.base import Connector, Context, tool
from mcp_endpoint.streams import open_count


class Weighed(Connector):
    slug = "weighed"
    title = "Weighed"
    description = "For tests: what a worker holds."
    built_in = True

    @tool(title="Weigh", hint="R")
    async def weigh(self, ctx: Context) -> dict[str, Any]:
        """Resident memory in bytes, and numbers of streams, tasks and threads."""
        gc.collect()
        return {
            "bytes": _resident(),
            "streams": open_count(),
            "tasks": len(asyncio.all_tasks()),
            "threads": threading.active_count(),
        }


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
