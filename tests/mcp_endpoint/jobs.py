"""A connector whose tools become tasks, and a real Celery worker that works them off.

A job is steered through files in a folder, since it runs in another process: it notes each
run in ``runs``, waits for ``go`` where it is told to, and notes how it ended in ``ended``.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from connectors.base import Connector, Context, Roots, tool
from connectors.errors import Conflict
from portico.celery import app
from tests.live import ROOT, environment, eventually

ENTRY = "jobs=tests.mcp_endpoint.jobs:Jobs"
CONFIRM = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


async def steered(ctx: Context, folder: str) -> str:
    """Note the run, wait for the word, note the end."""
    here = Path(folder)
    with (here / "runs").open("a") as runs:
        runs.write(f"{os.getpid()}\n")
    try:
        for step in range(2000):
            if (here / "go").exists():
                break
            await ctx.progress(step + 1, 2000, "waiting for the word")
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        (here / "ended").write_text("cancelled")
        raise
    (here / "ended").write_text("done")
    return "went"


class Jobs(Connector):
    slug = "jobs"
    title = "Jobs"
    description = "Long-running tools for tests."
    built_in = True

    @tool(title="Quick", hint="R")
    async def job_quick(self, ctx: Context, word: str = "x") -> str:
        """No task at all."""
        return word

    @tool(title="Echo", hint="R", long_running=True)
    async def job_echo(self, ctx: Context, word: str, times: int = 1) -> dict[str, str | int]:
        """Give a word back."""
        return {"word": word, "times": times}

    @tool(title="Secret", hint="W", long_running=True, secret_arguments=("word",))
    async def job_secret(self, ctx: Context, word: str) -> str:
        """Take a secret."""
        return f"{len(word)} characters"

    @tool(title="Read", hint="R", long_running=True, timeout=60)
    async def job_read(self, ctx: Context, folder: str) -> str:
        """Wait for the word, changing nothing."""
        return await steered(ctx, folder)

    @tool(title="Write", hint="W", long_running=True, timeout=60)
    async def job_write(self, ctx: Context, folder: str) -> str:
        """Wait for the word, as something that changes the system."""
        return await steered(ctx, folder)

    @tool(title="Must", hint="R", task="must")
    async def job_must(self, ctx: Context) -> str:
        """Always a task, always failing."""
        raise Conflict("No.", hint="Never mind.")

    @tool(title="Folders", hint="R", long_running=True)
    async def job_folders(self, ctx: Context) -> str:
        """Ask for what the test's client cannot give."""
        await ctx.ask({"folders": Roots()})
        return "never"

    @tool(title="Delete", hint="DI", long_running=True)
    async def job_delete(self, ctx: Context, name: str) -> str:
        """Ask before deleting (nothing)."""
        answer = await ctx.elicit(f"Delete {name}?", CONFIRM, key="sure")
        if not answer.content.get("sure"):
            return f"kept {name}"
        who = await ctx.elicit("Who are you?", NAME, key="who")
        return f"deleted {name} for {who.content['name']}"

    @tool(title="Ask first", hint="R", task="must", ask_first=True)
    async def job_ask_first(self, ctx: Context) -> str:
        """Ask before there is a task."""
        answer = await ctx.elicit("Who are you?", NAME, key="who")
        return f"hello {answer.content['name']}"


def own_queue() -> str:
    """The broker of this test process alone: the processes of one test run share a Redis.

    Whatever is queued in this process goes there from now on.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 12 + 3
    url = os.environ["REDIS_URL"]
    socket = url.startswith("unix://")
    mine = f"{url}?virtual_host={number}" if socket else url.rpartition("/")[0] + f"/{number}"
    app.conf.broker_write_url = mine.replace("unix://", "redis+socket://", 1)
    return mine


QUEUE = own_queue()


class Worker:
    """A Celery worker on the test database, without beat."""

    def __init__(self, folder: Path, *, at_once: int = 2, **more: str) -> None:
        self.log = folder / "celery.log"
        env = environment(
            PORTICO_CONNECTORS=f"{os.environ['PORTICO_CONNECTORS']},{ENTRY}", CELERY_BROKER_URL=QUEUE, **more
        )
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "--quiet", "-A", "portico.celery", "worker",
                 "--concurrency", str(at_once), "--loglevel", "info", "--without-gossip", "--without-mingle",
                 "--without-heartbeat", "-n", f"test-{os.urandom(4).hex()}@%h"],
                cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

        eventually(lambda: " ready." in self.text() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.text()[-3000:]

    def text(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
