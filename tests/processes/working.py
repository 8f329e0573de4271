"""Celery workers on the test database and on a broker of this test process alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.connectors.warm_tools import ENTRY
from tests.live import ROOT, environment, eventually
from tests.mcp_endpoint.jobs import QUEUE


def broker() -> redis.Redis:
    """What stands in this process's broker."""
    url = QUEUE.replace("?virtual_host=", "?db=")
    return redis.Redis.from_url(url)


def waiting(queue: str) -> list[bytes]:
    """The messages of a queue that no worker took."""
    found: list[bytes] = broker().lrange(f"portico:celery:{queue}", 0, -1)  # type: ignore[assignment]
    return found


def unacknowledged() -> int:
    """How many messages workers hold."""
    return int(broker().hlen("portico:celery:unacked"))  # type: ignore[arg-type]


@contextmanager
def worker(folder: Path, *options: str, **env: str) -> Iterator[Path]:
    """A worker while the block runs; gives the file with what it writes."""
    log = folder / "celery.log"
    known = f"{os.environ['PORTICO_CONNECTORS']},{ENTRY}"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "--quiet", "-A", "portico.celery", "worker", "--concurrency", "1",
             "--loglevel", "info", "--without-gossip", "--without-mingle", "--without-heartbeat",
             "-n", f"test-{os.urandom(4).hex()}@%h", *options],
            cwd=ROOT, env=environment(PORTICO_CONNECTORS=known, CELERY_BROKER_URL=QUEUE, **env),
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        eventually(lambda: b" ready." in log.read_bytes() or process.poll() is not None, 60)
        assert process.poll() is None, log.read_text()[-3000:]
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
