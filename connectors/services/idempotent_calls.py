"""Rows of calls that have a key of their client's: claimed before a call, filled after it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone

from connectors.models import IdempotentCall
from tenants.models import Principal

KEPT: Final = timedelta(minutes=10)
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run the call that has this key."""

    row_id: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    """Another call that has this key: ``ciphertext`` is empty while it runs.

    ``overdue`` says that it should have ended: its process did not live to say how.
    """

    row_id: UUID
    digest: str
    ciphertext: bytes
    overdue: bool


def call_claim(
    tenant_id: UUID, principal_id: UUID, key: str, digest: str, longest: timedelta
) -> Claim | Claimed:
    """Claim a key for a call that runs no longer than ``longest``, or tell who has it.

    The row is committed when this returns: of two callers exactly one gets the claim.
    """
    now = timezone.now()
    rows = IdempotentCall.objects.for_tenant(tenant_id).filter(principal_id=principal_id, key=key)
    while True:
        row = rows.first()
        if row is not None and row.expires_at <= now:
            rows.filter(pk=row.pk, expires_at=row.expires_at).delete()
            row = None
        if row is not None:
            return Claimed(row.pk, row.digest, bytes(row.ciphertext), row.created_at + longest < now)
        made = IdempotentCall(
            pk=uuid4(), tenant_id=tenant_id, principal_id=principal_id, key=key, digest=digest,
            expires_at=now + longest + KEPT,
        )  # fmt: skip
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError:  # another was faster, and has perhaps given it back already
            if not Principal.objects.for_tenant(tenant_id).filter(pk=principal_id).exists():
                raise
            continue
        return Claim(made.pk)


def call_fill(tenant_id: UUID, claim: Claim, ciphertext: bytes) -> None:
    """Store how the call ended; kept for ten minutes from now."""
    own = IdempotentCall.objects.for_tenant(tenant_id).filter(pk=claim.row_id)
    own.update(ciphertext=ciphertext, expires_at=timezone.now() + KEPT)


def call_release(tenant_id: UUID, claim: Claim) -> None:
    """Give a key back: nothing was done under it."""
    IdempotentCall.objects.for_tenant(tenant_id).filter(pk=claim.row_id).delete()


def purge_idempotent_calls() -> int:
    """Remove the rows of all tenants whose time is over; returns how many."""
    removed = 0
    while True:
        over = IdempotentCall.unscoped.filter(expires_at__lte=timezone.now()).order_by("expires_at")
        ids = list(over.values_list("pk", flat=True)[:_BATCH])
        removed += IdempotentCall.unscoped.filter(pk__in=ids, expires_at__lte=timezone.now()).delete()[0]
        if len(ids) < _BATCH:
            return removed
