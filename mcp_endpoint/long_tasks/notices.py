"""A task as its client sees it, and news of it for those who listen (``notifications/tasks``)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from mcp_endpoint import streams
from mcp_endpoint.long_tasks import POLL_MS
from mcp_endpoint.models import Task

Status = Task.Status
CHANGED = "notifications/tasks"
WAITS = "Waits for a worker."
WAITS_LONG = "Waits for a worker; perhaps none is running."
LONG_S = 30.0


def tell(tenant_id: UUID, task_id: UUID) -> None:
    """Tell the streams that listen to a task how it stands now; after the change was committed.

    Results, errors and questions are not in it: whoever listens asks for them with ``tasks/get``.
    """
    row = Task.objects.for_tenant(tenant_id).filter(pk=task_id).first()
    if row is not None:
        streams.notify_task(tenant_id, str(task_id), CHANGED, as_task(row))


def as_task(row: Task) -> dict[str, Any]:
    """A task as the protocol writes it (SEP-2663, "Tasks"); times in UTC, durations in milliseconds."""
    message, now = row.message, timezone.now()
    age = (now - row.created_at).total_seconds()
    if row.status == Status.WORKING and row.run is None and not message:
        waited = (now - row.queued_at).total_seconds()
        message = WAITS if waited < LONG_S else WAITS_LONG
    made: dict[str, Any] = {
        "taskId": str(row.pk),
        "status": row.status,
        "createdAt": _iso(row.created_at),
        "lastUpdatedAt": _iso(row.updated_at),
        "ttlMs": int((row.expires_at - row.created_at).total_seconds() * 1000),
        "pollIntervalMs": next(ms for limit, ms in POLL_MS if age < limit),
    }
    if message:
        made["statusMessage"] = message
    return made


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
