"""What the worker tells of its tasks; imported by :mod:`portico.celery`."""

import threading
import time
from typing import Any

from celery.signals import (
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)

from common import metrics
from common.metrics.tables import OTHER

_begun: dict[str, float] = {}
_outcomes = {"SUCCESS": "ok", "FAILURE": "failed", "RETRY": "retried", "REJECTED": "rejected"}
_lock = threading.Lock()
MAX_BEGUN = 10_000


@worker_ready.connect
@worker_process_init.connect
def _begin(**_: Any) -> None:
    """Tell the figures of the worker and of each of its processes."""
    from portico import error_reports
    from portico.metrics import begin

    error_reports.start("worker")
    begin("worker")


@task_prerun.connect
def _started(task_id: str = "", **_: Any) -> None:
    with _lock:
        if len(_begun) < MAX_BEGUN:
            _begun[task_id] = time.perf_counter()


@task_postrun.connect
def _ended(task_id: str = "", task: Any = None, state: str | None = None, **_: Any) -> None:
    with _lock:
        begun = _begun.pop(task_id, None)
    seconds = time.perf_counter() - begun if begun is not None else 0.0
    metrics.worked(task.name if task is not None else OTHER, _outcomes.get(state or "", "failed"), seconds)


@worker_process_shutdown.connect
@worker_shutdown.connect
def _end(**_: Any) -> None:
    """Write the last figures."""
    metrics.stop()
