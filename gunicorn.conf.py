"""gunicorn's settings: ``gunicorn portico.asgi:application`` reads this file by itself."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")

from django.conf import settings  # noqa: E402

from common.metrics import files  # noqa: E402
from portico.configuration import refuse  # noqa: E402
from portico.logging import configuration  # noqa: E402

refuse(settings.CONFIGURATION_PROBLEMS)

_host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
bind = f"{_host}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
worker_class = "portico.worker.PorticoWorker"
# A worker notifies from its event loop; one that cannot for a minute is stuck.
timeout = 60
# Above the worker's own time to drain, or gunicorn would kill it in the middle.
graceful_timeout = settings.PORTICO_DRAIN_S + 10
keepalive = 75
backlog = 2048
control_socket_disable = True
loglevel = settings.LOG_LEVEL.lower()
logconfig_dict = configuration(**settings.LOGGING)
# The heartbeat file belongs in memory, where no slow disk can stop it.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def on_starting(server: Any) -> None:
    """Add up what the processes of a former run have counted and left behind."""
    with contextlib.suppress(OSError):
        files.bury()


def child_exit(server: Any, worker: Any) -> None:
    """Keep the counts of a worker that has ended, and drop its gauges."""
    with contextlib.suppress(OSError):
        files.bury()
