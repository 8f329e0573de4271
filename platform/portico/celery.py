"""Background work: ``celery -A portico.celery worker --beat``.

One queue per kind, so that an installation can give each kind workers of its own; docs/background-work.md
says which worker takes which. A message is acknowledged after its work, is given out again when its
worker dies, and carries ids alone.
"""

import os
import signal
import ssl
import time
from typing import Any

import billiard
from celery import Celery
from celery.schedules import crontab
from celery.signals import celeryd_init, setup_logging, worker_process_shutdown, worker_shutdown
from django.conf import settings
from kombu import Queue

from portico import celery_metrics as celery_metrics  # its signals count what the worker does
from portico.queues import LONG_QUEUE, ROUTES, SHORT_QUEUES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")


BEAT_END_S = 5.0

# Redis gives a message out again that was not acknowledged for so long; above every task's time limit.
VISIBILITY_S = 3600
HARD_LIMIT_S, SOFT_LIMIT_S = 600, 540  # of tasks that say nothing else


def _broker(url: str) -> str:
    """A Redis URL as kombu writes it: sockets have a scheme of their own there."""
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url


@celeryd_init.connect
def _refuse(**_: Any) -> None:
    from portico.configuration import refuse

    refuse(settings.CONFIGURATION_PROBLEMS)


@setup_logging.connect
def _keep_django_logging(**_: Any) -> None:
    """Celery leaves logging alone while something is connected to this signal."""


@worker_shutdown.connect
def _end_beat(**_: Any) -> None:
    """End the embedded beat for good.

    Celery asks it once; in the moment after its fork beat still has the worker's own handler,
    takes the signal for a request to the worker, and the worker then waits for it for ever.
    """
    end = time.monotonic() + BEAT_END_S
    while beat := [child for child in billiard.active_children() if child.name == "Beat"]:
        for child in beat:
            if time.monotonic() < end:
                child.terminate()
            else:
                os.kill(child.pid, signal.SIGKILL)
        time.sleep(0.05)


@worker_process_shutdown.connect
@worker_shutdown.connect
def _end_loop(**_: Any) -> None:
    """A token that is exchanged just now is stored, and systems see their connections closed."""
    from connectors.upstream.cache.keeper import keeper
    from connectors.upstream.ending import end_loop

    end_loop()
    keeper.stop()


def _every(seconds: float, task: str) -> dict[str, Any]:
    """A line of the table. A message that no worker took until the next one is dropped, so that
    a worker that was away does it once and not once for each time that it missed."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


def _at(task: str, expires: int, **when: str) -> dict[str, Any]:
    return {"task": task, "schedule": crontab(**when), "options": {"expires": expires}}


app = Celery("portico", task_cls="common.tasks:BoundedTask")
app.set_default()  # "current" is a matter of each thread; calls are queued from several
_url = _broker(settings.CELERY_BROKER_URL)
_options: dict[str, Any] = {
    "broker_url": _url,
    # Celery itself prefers the variable CELERY_BROKER_URL, as it was written, to broker_url.
    "broker_read_url": _url,
    "broker_write_url": _url,
    "broker_transport_options": {
        "global_keyprefix": "portico:celery:",
        "visibility_timeout": VISIBILITY_S,
    },
    "broker_connection_retry_on_startup": True,
    # JSON alone: a pickled message would run code of whoever can write to the broker.
    "task_serializer": "json",
    "accept_content": ["json"],
    "result_serializer": "json",
    "task_ignore_result": True,
    "task_default_queue": "portico",
    "task_queues": [Queue(name) for name in (*SHORT_QUEUES, LONG_QUEUE)],
    "task_create_missing_queues": False,
    "task_routes": [list(ROUTES.items())],
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_time_limit": HARD_LIMIT_S,
    "task_soft_time_limit": SOFT_LIMIT_S,
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": False,
    "timezone": "UTC",
    # One static table; what is due per tenant stands in rows that these tasks read.
    "beat_schedule": {
        "audit checkpoints": _at("audit.tasks.checkpoint_all", 3600, minute="0"),
        "audit retention": _at("audit.tasks.retention", 43_200, hour="3", minute="20"),
        "purge of old files": _at("connectors.tasks.purge_artifacts", 900, minute="*/15"),
        "probes that are due": _every(30.0, "connectors.tasks.queue_due_probes"),
        "alerts that are due": _every(30.0, "connectors.tasks.queue_due_alerts"),
        "purge of old health": _at("connectors.tasks.purge_health", 43_200, hour="3", minute="40"),
        "tokens that end soon": _every(60.0, "connectors.tasks.queue_due_tokens"),
        "purge of repeated calls": _every(300.0, "connectors.tasks.purge_idempotent"),
        "warm-ups that are due": _every(30.0, "connectors.tasks.queue_due_warm_ups"),
        "roll-up of use": _at("connectors.tasks.queue_usage_roll_ups", 300, minute="*/5"),
        "purge of old use": _at("connectors.tasks.purge_usage", 43_200, hour="4", minute="10"),
        "tasks without a worker or over": _every(60.0, "mcp_endpoint.tasks.tend"),
    },
    "beat_schedule_filename": str(settings.VAR / "celerybeat-schedule"),
}
if settings.CELERY_BROKER_URL.startswith("rediss://"):
    _options["broker_use_ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
app.conf.update(_options)
app.autodiscover_tasks()
