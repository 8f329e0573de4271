"""Removing what is older than a tenant wants to keep: only a prefix, and never under a hold.

Each batch is checked before it goes, and leaves a signed anchor, so that the rest of the
chain still verifies and nobody can hide a removal of his own behind retention.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from audit.events import Event, now_us
from audit.keys import current_kid, seal
from audit.models import AuditAnchor, AuditCheckpoint, AuditEvent, AuditHead, to_us
from audit.rows import COLUMNS, HASH, SEQ
from audit.services import record_in_transaction
from audit.verification import BrokenChainError, check_row, rows_of

logger = logging.getLogger(__name__)
BATCH = 1_000
_AT = COLUMNS.index("at_us")

_before: list[Callable[[Any], object]] = []


def before_removal(step: Callable[[Any], object]) -> None:
    """Have a room do something with a tenant's events (by its id) before any go; raising keeps them."""
    if step not in _before:
        _before.append(step)


def apply_retention(tenant_id: Any, *, batch: int = BATCH) -> int:
    """Remove a tenant's events that are older than its retention; returns how many.

    A legal hold, set before or while this runs, stops it before the next batch. A prefix
    that does not verify is kept and reported in the log.
    """
    for step in _before:
        step(tenant_id)
    removed = 0
    while True:
        count = _remove_batch(tenant_id, batch)
        removed += count
        if count < batch:
            break
    if removed:
        with transaction.atomic():
            record_in_transaction(
                Event(
                    tenant_id, "system", name="audit.retention", principal_name="retention", via="system",
                    count=removed, message=f"{removed} events were older than the tenant keeps them.",
                )
            )  # fmt: skip
    return removed


def _remove_batch(tenant_id: Any, batch: int) -> int:
    tenants = apps.get_model("tenants", "Tenant")
    with transaction.atomic():
        # The row lock makes a hold that is being set wait for this batch, or this batch see it.
        tenant = tenants.objects.select_for_update(no_key=True).filter(pk=tenant_id).first()
        if tenant is None or tenant.audit_legal_hold or not tenant.audit_retention_days:
            return 0
        cutoff = to_us(timezone.now() - timedelta(days=tenant.audit_retention_days))
        chain = tenant.pk.hex
        head = AuditHead.unscoped.filter(chain=chain).first()
        if head is None:
            return 0
        anchor = AuditAnchor.unscoped.filter(chain=chain).first()
        seq, digest = (anchor.seq, anchor.hash) if anchor else (0, "")
        count = 0
        try:
            for row in rows_of(chain, 0, head.seq - 1):  # the last row stays: the head names it
                if count >= batch or row[_AT] >= cutoff:
                    break
                check_row(row, seq, digest)
                seq, digest, count = row[SEQ], row[HASH], count + 1
        except BrokenChainError as error:
            logger.error("Retention keeps the events of chain %s: %s", chain, error)
            return 0
        if count:
            _anchor(chain, tenant.pk, seq, digest, count, anchor)
            AuditEvent.objects.for_tenant(tenant).filter(seq__lte=seq).delete()
            AuditCheckpoint.objects.for_tenant(tenant).filter(chain=chain, seq__lte=seq).delete()
        return count


def _anchor(chain: str, tenant_id: Any, seq: int, digest: str, count: int, old: AuditAnchor | None) -> None:
    kid, at_us = current_kid(), now_us()
    AuditAnchor.unscoped.update_or_create(
        chain=chain,
        defaults={
            "tenant_id": tenant_id,
            "seq": seq,
            "hash": digest,
            "at_us": at_us,
            "removed": count + (old.removed if old else 0),
            "key_ring_id": kid,
            "signature": seal(kid, "anchor", chain, seq, digest, at_us),
        },
    )


def tenants_with_retention() -> list[Any]:
    """The ids of the tenants whose old events are removed."""
    tenants = apps.get_model("tenants", "Tenant")
    rows = tenants.objects.filter(audit_legal_hold=False, audit_retention_days__gt=0)
    return list(rows.order_by("pk").values_list("pk", flat=True))
