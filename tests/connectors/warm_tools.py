"""A connector whose reading tools are kept and count their runs in a file, for other processes too."""

import asyncio
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from pydantic import BaseModel, SecretStr

from connectors.base import Connector, Context, tool
from connectors.errors import Conflict

ENTRY = "warmed=tests.connectors.warm_tools:Warmed"


def have_it() -> None:
    """Make the connector known to this process."""
    if ENTRY not in settings.PORTICO_CONNECTORS:
        settings.PORTICO_CONNECTORS.append(ENTRY)


def noted(folder: Path) -> list[str]:
    """The processes that ran the tool."""
    file = folder / "runs"
    return file.read_text().splitlines() if file.exists() else []


def note(folder: str) -> int:
    with (Path(folder) / "runs").open("a") as runs:
        runs.write(f"{os.getpid()}\n")
    return len(noted(Path(folder)))


class Warmed(Connector):
    slug = "warmed"
    title = "Warmed"
    description = "Tools whose results are kept."

    class Credentials(BaseModel):
        token: SecretStr

    @tool(title="Read", hint="R", cache="M")
    async def warmed_read(self, ctx: Context, folder: str, word: str = "x") -> dict[str, Any]:
        """Count a run."""
        return {"run": note(folder), "word": word}

    @tool(title="Wait", hint="R", cache="M", timeout=60)
    async def warmed_wait(self, ctx: Context, folder: str) -> dict[str, Any]:
        """Count a run and wait for the file ``go``."""
        run = note(folder)
        for _ in range(2000):
            if (Path(folder) / "go").exists():
                break
            await asyncio.sleep(0.02)
        return {"run": run}

    @tool(title="Die", hint="R", cache="M")
    async def warmed_die(self, ctx: Context, folder: str) -> str:
        """Take the whole process along."""
        note(folder)
        os.kill(os.getpid(), 9)
        return "never"

    @tool(title="Fail", hint="R", cache="M")
    async def warmed_fail(self, ctx: Context) -> str:
        """Never works."""
        raise Conflict("It is broken.")

    @tool(title="Fresh", hint="R")
    async def warmed_fresh(self, ctx: Context) -> str:
        """Is never kept."""
        return "fresh"

    @tool(title="Sure", hint="R", cache="M", confirm=True)
    async def warmed_sure(self, ctx: Context) -> str:
        """Needs a person."""
        return "sure"

    @tool(title="Secret", hint="R", cache="M", secret_arguments=("word",))
    async def warmed_secret(self, ctx: Context, word: str) -> str:
        """Takes a secret."""
        return "told"

    @tool(title="Must", hint="R", cache="M", task="must")
    async def warmed_must(self, ctx: Context) -> str:
        """Runs as a task alone."""
        return "never"

    @tool(title="Write", hint="W")
    async def warmed_write(self, ctx: Context) -> str:
        """Writes."""
        return "written"
