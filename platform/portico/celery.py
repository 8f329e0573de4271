"""Background work: ``celery -A portico.celery worker --beat``."""

import os
import signal
import ssl
import time
from typing import Any

import billiard
from celery import Celery
from celery.schedules import crontab
from celery.signals import celeryd_init, setup_logging, worker_shutdown
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")


BEAT_END_S = 5.0


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


app = Celery("portico")
app.set_default()  # "current" is a matter of each thread; calls are queued from several
_url = _broker(settings.CELERY_BROKER_URL)
_options: dict[str, Any] = {
    "broker_url": _url,
    # Celery itself prefers the variable CELERY_BROKER_URL, as it was written, to broker_url.
    "broker_read_url": _url,
    "broker_write_url": _url,
    "broker_transport_options": {"global_keyprefix": "portico:celery:", "visibility_timeout": 3600},
    "broker_connection_retry_on_startup": True,
    # JSON alone: a pickled message would run code of whoever can write to the broker.
    "task_serializer": "json",
    "accept_content": ["json"],
    "result_serializer": "json",
    "task_ignore_result": True,
    "task_default_queue": "portico",
    "task_acks_late": True,
    "task_time_limit": 600,
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": False,
    "timezone": "UTC",
    # One static table; what is due per tenant stands in rows that these tasks read.
    "beat_schedule": {
        "audit checkpoints": {"task": "audit.tasks.checkpoint_all", "schedule": crontab(minute="0")},
        "audit retention": {"task": "audit.tasks.retention", "schedule": crontab(hour="3", minute="20")},
        "purge of old files": {
            "task": "connectors.tasks.purge_artifacts",
            "schedule": crontab(minute="*/15"),
        },
        "tasks without a worker or over": {"task": "mcp_endpoint.tasks.tend", "schedule": 60.0},
    },
    "beat_schedule_filename": str(settings.VAR / "celerybeat-schedule"),
}
if settings.CELERY_BROKER_URL.startswith("rediss://"):
    _options["broker_use_ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
app.conf.update(_options)
app.autodiscover_tasks()
