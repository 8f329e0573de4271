"""Writing audit events: the doors that every other room uses.

From the event loop ``record``; from a thread outside a transaction ``record_blocking``;
inside a service's transaction ``record_in_transaction`` and ``record_change``, as its last
step; where nobody waits ``record_later``.
"""

import uuid
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from audit.archive import LegalHoldError as LegalHoldError
from audit.archive import archive_chain as archive_chain
from audit.chain import write_rows
from audit.events import Event
from audit.failures import failures
from audit.models import AuditEvent
from audit.people import ActorLike, CallerLike
from audit.rows import CHAIN, prepare
from common.redaction import MASK, is_secret_name
from common.writer import writer


async def record(event: Event, *, deadline: float | None = None) -> None:
    """Write an event and return when it is durable (from the event loop).

    ``deadline`` (of ``time.monotonic()``) is for events of calls that have been executed:
    while the database is away they stay queued until then. Without one,
    :class:`common.writer.WriterUnavailableError` is raised as soon as the database does not
    take the event. :class:`common.writer.QueueFullError` means that too many wait. Nothing
    is written in either case. Cancelling the wait does not cancel the write.
    """
    row = prepare(event)
    await writer.submit_async("audit", row, owner=row[CHAIN], deadline=deadline)


def record_blocking(event: Event, *, deadline: float | None = None, timeout: float = 30.0) -> None:
    """Write an event through the process's writer and wait, from a thread outside any transaction.

    Raises as :func:`record`, and TimeoutError after ``timeout`` seconds.
    """
    if connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "Inside a transaction use record_in_transaction: waiting for the writer here could wait for itself."
        )
    row = prepare(event)
    writer.submit("audit", row, owner=row[CHAIN], deadline=deadline).result(timeout)


def record_later(event: Event, *, deadline: float | None = None) -> None:
    """Queue an event nobody waits for; raises :class:`common.writer.QueueFullError` alone."""
    row = prepare(event)
    writer.submit_later("audit", row, owner=row[CHAIN], deadline=deadline)


def record_in_transaction(event: Event) -> None:
    """Write an event inside the caller's own transaction, as a service's last step.

    It locks the chain's head until that transaction ends, so nothing slow may follow.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "record_in_transaction needs a transaction; use record_blocking outside of one."
        )
    write_rows([prepare(event)])


def event_of(caller: CallerLike, kind: str, **fields: Any) -> Event:
    """An event with everything that a caller says of itself; ``fields`` are the event's own."""
    actor = caller.actor
    return Event(
        tenant_id=caller.tenant.id,
        kind=kind,
        principal_id=str(caller.principal_id),
        principal_kind=str(caller.principal_kind),
        principal_name=caller.principal_name,
        actor_id="" if actor is None else str(actor.principal_id),
        actor_name="" if actor is None else actor.principal_name,
        key_id=caller.key_id,
        via=caller.via,
        client_name=caller.client.name,
        client_version=caller.client.version,
        address=caller.address,
        **fields,
    )


async def record_denied(
    caller: CallerLike, *, name: str, reason: str, message: str = "", connection: str = "", arguments: Any = None,
    request_id: str = "", trace_id: str = "",
) -> None:  # fmt: skip
    """Write that an authenticated caller was refused; ``reason`` is an error type such as ``permission``."""
    await record(
        event_of(
            caller, "denial", name=name, connection=connection, outcome="denied", error_type=reason,
            message=message, arguments=arguments, request_id=request_id, trace_id=trace_id,
        )
    )  # fmt: skip


def note_failed_authentication(
    tenant_id: UUID | None, *, address: str, reason: str, key_id: str = ""
) -> None:
    """Count a failed authentication; ``tenant_id`` None (an unknown slug) only counts in metrics."""
    if tenant_id is None:
        failures.unknown_slug()
    else:
        failures.add(tenant_id, key_id=key_id, address=address, reason=reason)


def record_change(
    *,
    tenant: Any,
    actor: ActorLike,
    name: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    connection: str = "",
    message: str = "",
) -> None:
    """Write a configuration change inside the caller's transaction: only what differs, secrets masked.

    ``tenant`` is a Tenant, its id, or None for the platform; ``name`` the changed object and
    what was done (``connection.update bistro``). An empty ``before`` is a creation, an empty
    ``after`` a removal. Values under secret names show that they changed and nothing more.
    """
    old, new = differences(before, after)
    tenant_id = getattr(tenant, "pk", None) or getattr(tenant, "id", None) or tenant
    record_in_transaction(
        Event(
            tenant_id=tenant_id,
            kind="config",
            name=name,
            principal_id=actor.id,
            principal_name=actor.name,
            via=actor.via,
            address=actor.address,
            connection=connection,
            message=message,
            arguments={"before": old, "after": new},
        )
    )


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that differ, as they were and as they are; nested mappings are compared within.

    Secret values are masked after the comparison, so a change of one still shows as a field.
    """
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for field in {**before, **after}:
        was, now = before.get(field), after.get(field)
        if was == now and (field in before) == (field in after):
            continue
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            old[field], new[field] = differences(was, now)
            continue
        if field in before:
            old[field] = _shown(field, was)
        if field in after:
            new[field] = _shown(field, now)
    return old, new


def _shown(field: str, value: Any) -> Any:
    if value and is_secret_name(field) and not isinstance(value, (bool, int, float)):
        return MASK
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"({len(value)} bytes)"
    if type(value).__name__ == "SecretStr":
        return MASK
    return value


def erase_arguments(*, tenant: Any, call_ids: list[str], actor: ActorLike, reason: str) -> int:
    """Erase the arguments of calls (a person asked for it); the chain still verifies.

    The erasure is an event itself. Returns the number of rows that lost their arguments.
    """
    with transaction.atomic():
        rows = AuditEvent.objects.for_calls(tenant, call_ids).exclude(arguments="")
        erased = rows.update(arguments="")
        record_in_transaction(
            Event(
                tenant_id=getattr(tenant, "pk", tenant), kind="system", name="audit.erase",
                call_id=str(uuid.uuid4()), principal_id=actor.id, principal_name=actor.name, via=actor.via,
                address=actor.address, message=reason, count=max(erased, 1), arguments={"call_ids": call_ids},
            )
        )  # fmt: skip
    return erased
