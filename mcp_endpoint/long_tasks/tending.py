"""Tasks that nobody moves on: no worker took them, their worker is gone, nobody answered, their time is over.

Each minute one background job looks after all of them; who asks for a task has its row
looked after first, so an answer is right also while that job does not run.
"""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.services import record_in_transaction
from mcp_endpoint.long_tasks import ANSWER_S, KEEP_S, MAX_RUNS, QUEUE_S, REQUEUE_S, STALE_S
from mcp_endpoint.long_tasks.contents import seal_outcome
from mcp_endpoint.long_tasks.notices import tell
from mcp_endpoint.long_tasks.services import QueueAway, enqueue, unrun
from mcp_endpoint.models import ENDED, Task
from mcp_endpoint.wire import INTERNAL_ERROR, dumps

logger = logging.getLogger(__name__)

Status = Task.Status
NOT_TAKEN = "No worker took this task in time; nothing was run."
NOT_ANSWERED = "Nobody answered this task's questions in time; nothing more was run."
LOST_READ = "The worker that ran this task is gone; nothing was changed. Call the tool again."
LOST_WRITE = (
    "The worker that ran this task is gone, so its outcome is unknown: "
    "it may have taken effect. Look before you repeat it."
)
BATCH = 500


def settle(row: Task) -> bool:
    """Move a task on that nobody else will; True where it was changed (read it again then)."""
    now = timezone.now()
    if row.status == Status.INPUT_REQUIRED:
        if row.updated_at > _before(now, ANSWER_S):
            return False
        return _fail(row, NOT_ANSWERED, "timeout")
    if row.status != Status.WORKING:
        return False
    if row.run is None:
        return row.queued_at <= _before(now, QUEUE_S) and _fail(row, NOT_TAKEN, "timeout")
    if row.beat_at is not None and row.beat_at > _before(now, STALE_S):
        return False
    if not row.writes and not row.cancelling and row.runs < MAX_RUNS:
        return _run_again(row, now)
    # A lost write has its attempt in the audit, which shows it as "outcome unknown": no second row.
    return _fail(row, LOST_WRITE if row.writes else LOST_READ, "" if row.writes else "internal")


def task_find(tenant_id: UUID, principal_id: UUID, task_id: Any) -> Task | None:
    """A principal's task by the id as the client wrote it, looked after; None for every other id."""
    try:
        wanted = UUID(task_id)
    except (ValueError, TypeError, AttributeError):
        return None
    if str(wanted) != task_id:
        return None
    rows = (
        Task.objects.for_tenant(tenant_id)
        .filter(pk=wanted, principal_id=principal_id)
        .select_related("tenant", "principal", "principal__user")
    )
    row: Task | None = rows.first()
    if row is not None and settle(row):
        row = rows.first()
    return None if row is None or (row.ended and row.expires_at <= timezone.now()) else row


def tend() -> int:
    """Settle what is due in all tenants and purge what is over; returns how many rows changed."""
    now = timezone.now()
    due = Task.unscoped.select_related("tenant", "principal", "principal__user").filter(
        Q(status=Status.INPUT_REQUIRED, updated_at__lte=_before(now, ANSWER_S))
        | Q(status=Status.WORKING, run=None, queued_at__lte=_before(now, REQUEUE_S))
        | Q(status=Status.WORKING, run__isnull=False, beat_at__lte=_before(now, STALE_S))
    )
    changed = 0
    for row in due[:BATCH]:
        if settle(row):
            changed += 1
        elif row.run is None and row.status == Status.WORKING:
            try:  # a restarted Redis may have lost its message; a second one is harmless
                enqueue(row)
            except QueueAway:
                break
    return changed + purge()


def purge() -> int:
    """Remove ended tasks whose time is over, in batches; returns how many."""
    removed = 0
    while ids := list(
        Task.unscoped.filter(expires_at__lte=timezone.now(), status__in=ENDED).values_list("pk", flat=True)[
            :BATCH
        ]
    ):
        removed += Task.unscoped.filter(pk__in=ids).delete()[0]
    return removed


def _before(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)


def _fail(row: Task, message: str, error_type: str) -> bool:
    """End a task that stands as we read it; with its audit event, where no run wrote one."""
    now = timezone.now()
    with transaction.atomic():
        changed = _as_read(row).update(
            status=Status.FAILED,
            message=message,
            outcome=seal_outcome(row, dumps({"code": INTERNAL_ERROR, "message": message})),
            run=None,
            payload=b"",
            questions=b"",
            updated_at=now,
            expires_at=max(row.expires_at, now + timedelta(seconds=KEEP_S)),
        )
        if changed and error_type:
            record_in_transaction(unrun(row, "error", error_type, message))
    if changed:
        tell(row.tenant_id, row.pk)
    return bool(changed)


def _run_again(row: Task, now: datetime) -> bool:
    """A read that lost its worker is queued once more."""
    if not _as_read(row).update(run=None, beat_at=None, queued_at=now, message="", updated_at=now):
        return False
    try:
        enqueue(row)
    except QueueAway:
        logger.warning("A task of tenant %s could not be queued again yet", row.tenant_id)
    return True


def _as_read(row: Task) -> Any:
    return Task.objects.for_tenant(row.tenant_id).filter(
        pk=row.pk, status=row.status, run=row.run, beat_at=row.beat_at, queued_at=row.queued_at
    )
