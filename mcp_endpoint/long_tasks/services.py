"""The states of a task: every change is one conditional statement, so that two can never both win.

``working`` without a run waits for a worker; a worker claims it by writing its run's id;
questions park it (``input_required``, no run), answers queue it again. What ended stays as
it is until it is purged.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from celery import current_app
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis import RedisError

from audit.events import Event
from audit.services import record_in_transaction
from common.bus import bus
from common.text import clean_text
from connectors.call_info import CallInfo
from connectors.snapshot import ToolEntry
from mcp_endpoint.long_tasks import ANSWER_S, KEEP_S, MAX_OPEN, QUEUE_S, RUN_TASK
from mcp_endpoint.long_tasks.contents import (
    Payload,
    Questions,
    open_questions,
    seal_outcome,
    seal_payload,
    seal_questions,
)
from mcp_endpoint.long_tasks.notices import tell
from mcp_endpoint.models import OPEN, Task
from tenants.principals import Caller

logger = logging.getLogger(__name__)

CANCEL = "task-cancel"  # the kind of message that tells a worker
MAX_MESSAGE = 500
Status = Task.Status


class TooManyTasks(Exception):
    """The tenant has as many unfinished tasks as it may have."""


class QueueAway(Exception):
    """The task could not be handed to the workers: Redis does not answer."""


def task_create(
    *,
    caller: Caller,
    entry: ToolEntry,
    called_as: str,
    payload: Payload,
    abilities: dict[str, Any],
    info: CallInfo,
    timeout: float,
) -> Task:
    """Store a task and queue it; it is committed when this returns.

    ``timeout`` is the tool's, in seconds. Raises :class:`TooManyTasks` and
    :class:`QueueAway` (then nothing is stored).
    """
    tenant_id = caller.tenant.id
    if Task.objects.for_tenant(tenant_id).filter(status__in=OPEN).count() >= MAX_OPEN:
        raise TooManyTasks
    now = timezone.now()
    row = Task(
        pk=uuid4(),
        tenant_id=tenant_id,
        principal_id=caller.principal_id,
        key_id=caller.key_id,
        address=caller.address,
        client_name=caller.client.name,
        client_version=caller.client.version,
        request_id=info.request_id,
        trace_id=info.trace_id,
        connection=entry.connection.ref.slug,
        tool=entry.spec.name,
        called_as=called_as,
        writes=entry.spec.writes,
        abilities=abilities,
        queued_at=now,
        created_at=now,
        updated_at=now,
        expires_at=now + timedelta(seconds=QUEUE_S + timeout + KEEP_S),
    )
    row.payload = seal_payload(entry.connection.key, row, payload)
    row.save(force_insert=True)
    try:
        enqueue(row)
    except QueueAway:
        row.delete()
        raise
    return row


def enqueue(row: Task) -> None:
    """Hand a task to the workers; twice is harmless. Raises :class:`QueueAway`."""
    try:
        current_app.send_task(RUN_TASK, args=[str(row.tenant_id), str(row.pk)], retry=False)
    except (OperationalError, RedisError, OSError) as error:
        raise QueueAway from error


def task_claim(tenant_id: UUID, task_id: UUID, run: UUID) -> Task | None:
    """Take a waiting task for a run; None where it is gone, over, cancelled or taken."""
    now = timezone.now()
    rows = Task.objects.for_tenant(tenant_id).filter(pk=task_id)
    waiting = rows.filter(status=Status.WORKING, run=None)
    if not waiting.update(run=run, runs=F("runs") + 1, beat_at=now, updated_at=now, message=""):
        return None
    row: Task | None = rows.select_related("tenant", "principal", "principal__user").first()
    return row


def task_beat(row: Task, run: UUID, message: str | None) -> Literal["go", "cancel", "lost"]:
    """Say that a run lives, and how far it is; the answer says whether it shall go on."""
    now = timezone.now()
    mine = _mine(row, run)
    changed: dict[str, Any] = {"beat_at": now}
    if message is not None:
        changed |= {"message": clean_text(message, MAX_MESSAGE), "updated_at": now}
    if not mine.update(**changed):
        return "lost"
    if message is not None:
        tell(row.tenant_id, row.pk)
    return "cancel" if mine.values_list("cancelling", flat=True).first() else "go"


def task_finish(
    row: Task, run: UUID, status: str, *, message: str = "", outcome: bytes | None = None
) -> bool:
    """End a run's task with its result or error (JSON); False where the run had lost it."""
    now = timezone.now()
    changed = _mine(row, run).update(
        outcome=b"" if outcome is None else seal_outcome(row, outcome),
        **_over(row, status, message, now),
    )
    if changed:
        tell(row.tenant_id, row.pk)
    return bool(changed)


def task_park(row: Task, run: UUID, payload: Payload, questions: Questions) -> bool:
    """Let a task wait for its client's answers; False where the run had lost it."""
    now = timezone.now()
    changed = (
        _mine(row, run)
        .filter(cancelling=False)
        .update(
            status=Status.INPUT_REQUIRED,
            run=None,
            message="Waiting for input.",
            payload=seal_payload(row.tenant, row, payload),
            questions=seal_questions(row, questions),
            updated_at=now,
            expires_at=max(row.expires_at, now + timedelta(seconds=ANSWER_S + QUEUE_S + KEEP_S)),
        )
    )
    if changed:
        tell(row.tenant_id, row.pk)
    return bool(changed)


def task_answer(row: Task, responses: dict[str, Any]) -> None:
    """Take answers to open questions; others are ignored. The last one queues the task again."""
    with transaction.atomic():
        locked = Task.objects.for_tenant(row.tenant_id).filter(pk=row.pk, status=Status.INPUT_REQUIRED)
        now_row: Task | None = locked.select_for_update(of=("self",)).select_related("tenant").first()
        if now_row is None:
            return
        questions = open_questions(now_row)
        for name, question in questions.items():
            if question.answer is None and isinstance(responses.get(name), dict):
                question.answer = responses[name]
        now = timezone.now()
        changed: dict[str, Any] = {"questions": seal_questions(now_row, questions), "updated_at": now}
        complete = all(question.answer is not None for question in questions.values())
        if complete:
            changed |= {"status": Status.WORKING, "message": "", "queued_at": now}
        locked.update(**changed)
    if complete:
        tell(row.tenant_id, row.pk)
        try:
            enqueue(now_row)
        except QueueAway:  # it stands in the row; tending queues it when Redis is back
            logger.warning("A task of tenant %s could not be queued yet", row.tenant_id)


def task_cancel(row: Task) -> None:
    """Cancel a task: at once where it waits, through its worker where it runs."""
    with transaction.atomic():
        transaction.on_commit(lambda: tell(row.tenant_id, row.pk))
        rows = Task.objects.for_tenant(row.tenant_id).filter(pk=row.pk, status__in=OPEN)
        now = timezone.now()
        if rows.filter(run=None).update(**_over(row, Status.CANCELLED, "Cancelled by its client.", now)):
            record_in_transaction(unrun(row, "cancelled", "", "Cancelled while it waited."))
            return
        running = rows.filter(cancelling=False).update(
            cancelling=True, message="Being cancelled.", updated_at=now
        )
    if running:
        bus.publish(row.tenant_id, CANCEL, {"task": str(row.pk)})


def unrun(row: Task, outcome: str, error_type: str, message: str) -> Event:
    """The audit's event for a call that ended without a run's own record."""
    principal = row.principal
    return Event(
        tenant_id=row.tenant_id,
        kind="call",
        name=row.tool,
        connection=row.connection,
        outcome=outcome,
        error_type=error_type,
        message=message,
        call_id=str(row.pk),
        principal_id=str(principal.pk),
        principal_kind=principal.kind,
        principal_name=principal.display_name,
        key_id=row.key_id,
        via="task",
        client_name=row.client_name,
        client_version=row.client_version,
        request_id=row.request_id,
        trace_id=row.trace_id,
        address=row.address,
    )


def _mine(row: Task, run: UUID) -> Any:
    return Task.objects.for_tenant(row.tenant_id).filter(pk=row.pk, run=run, status=Status.WORKING)


def _over(row: Task, status: str, message: str, now: datetime) -> dict[str, Any]:
    """What every end writes: the arguments go, the outcome stays for a while."""
    return {
        "status": status,
        "message": clean_text(message, MAX_MESSAGE),
        "run": None,
        "payload": b"",
        "questions": b"",
        "updated_at": now,
        "expires_at": max(row.expires_at, now + timedelta(seconds=KEEP_S)),
    }
