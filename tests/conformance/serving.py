"""The fixture tenant served as in production: gunicorn with two workers, Celery, own Redis.

The database is the one that this process uses, already migrated.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from common.redis_server import start_server
from tests.conformance import ENTRIES
from tests.conformance.proxy import proxied
from tests.live import ROOT, Live
from tests.mcp_endpoint.speak import Place, make_place

WORKERS = 2
settings.PORTICO_CONNECTORS += [entry for entry in ENTRIES if entry not in settings.PORTICO_CONNECTORS]
TASKS_AT_ONCE = 8  # the suite leaves tasks of a minute behind


@dataclass(frozen=True)
class Served:
    """What is served: the URL that needs no key, the tenant, the server behind."""

    url: str
    place: Place
    live: Live


@contextlib.contextmanager
def served(port: int = 0) -> Iterator[Served]:
    """Serve a new fixture tenant until the block ends; ``port`` is the proxy's, 0 for a free one."""
    with contextlib.ExitStack() as ending:
        folder = Path(tempfile.mkdtemp(prefix="ptc-"))  # a short path: sockets have a limit
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        ending.callback(_end, start_server(folder / "redis"))
        place = make_place(connectors=("fixtures", "dynamic"))
        more = {
            "PORTICO_CONNECTORS": ",".join(ENTRIES),
            "REDIS_URL": f"unix://{folder / 'redis' / 'redis.sock'}",
            "PORTICO_VAR": str(folder),
            "PORTICO_DRAIN_S": "2",
        }
        live = Live(folder, workers=WORKERS, **more)
        ending.callback(live.stop)
        ending.callback(_end, _celery(folder, live.env))
        yield Served(ending.enter_context(proxied(live.port, place.path, place.key, port=port)), place, live)


def _celery(folder: Path, env: dict[str, str]) -> "subprocess.Popen[bytes]":
    with (folder / "celery.log").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "--quiet", "-A", "portico.celery", "worker", "--beat",
             "--concurrency", str(TASKS_AT_ONCE), "--loglevel", "info", "--without-gossip",
             "--without-mingle", "-n", f"conformance-{folder.name}@%h"],
            cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
