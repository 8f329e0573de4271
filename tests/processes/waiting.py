"""A connector whose calls wait, and note in files when they begin, end and are cancelled.

The moments are of ``time.monotonic()``, which all processes of a machine share; the folder is
named by the environment of the server under test.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated

from pydantic import Field

from connectors.base import Connector, Context, tool

ENTRY = "waiting=tests.processes.waiting:Waiting"
FOLDER = "TEST_WAITING_NOTES"
Seconds = Annotated[float, Field(ge=0, le=60)]


def note(word: str, what: str) -> None:
    """Write down that something happened now."""
    place = Path(os.environ[FOLDER])
    unfinished = place / f".{word}.{what}"
    unfinished.write_text(repr(time.monotonic()))
    unfinished.rename(place / f"{word}.{what}")


def noted(folder: Path, word: str, what: str) -> float | None:
    """When it happened, or None."""
    try:
        return float((folder / f"{word}.{what}").read_text())
    except FileNotFoundError:
        return None


class Waiting(Connector):
    slug = "waiting"
    title = "Waiting"
    description = "For tests: calls that take as long as they are told."
    built_in = True

    @tool(title="Read", hint="R")
    async def waiting_read(self, ctx: Context, word: str, seconds: Seconds = 30, tell: bool = False) -> str:
        """Wait, then answer."""
        return await self._wait(ctx, word, seconds, tell)

    @tool(title="Write", hint="W", toolset="write")
    async def waiting_write(self, ctx: Context, word: str, seconds: Seconds = 30, tell: bool = False) -> str:
        """Wait as a call does that changes something."""
        return await self._wait(ctx, word, seconds, tell)

    @tool(title="Log", hint="R")
    async def waiting_log(self, ctx: Context) -> str:
        """Send a line of the level info and one of the level error."""
        await ctx.log("info", "an info line")
        await ctx.log("error", "an error line")
        return "told"

    async def _wait(self, ctx: Context, word: str, seconds: float, tell: bool) -> str:
        note(word, "started")
        try:
            if tell:
                await ctx.progress(1, 2, "waiting")
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            note(word, "cancelled")
            raise
        note(word, "done")
        return f"waited for {word}"
