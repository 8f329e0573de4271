"""Delivering alerts: at least once each, with pauses that grow, under an id that never changes.

A due delivery is claimed by moving ``next_try_at`` on; then its try is counted, it is sent with
no lock held, and its end is written. Who dies in between leaves a delivery that is due again at
the moved moment: it is sent once more with the same id, by which a receiver knows it. A claim
that no worker came to is no try: many alerts at once may wait longer than their claims hold.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import record_change
from connectors.alerts.messages import of_change
from connectors.alerts.services import alert_target_facts, give_up_waiting, send_alert
from connectors.alerts.tries import Tried
from connectors.models import AlertDelivery, AlertTarget
from tenants.models import Tenant
from tenants.principals import Actor

logger = logging.getLogger(__name__)

# Seconds before the second, third ... try; after the last one a delivery has failed.
PAUSES_S: Final = (30, 120, 600, 3600, 21_600)
LEASE_S: Final = 90  # a try that has not ended by then is taken for dead
TOO_OLD: Final = timedelta(hours=24)  # a tenant was suspended, or nothing ran, for so long
LONGEST_ASKED_S: Final = 21_600.0
BATCH: Final = 100

Status = AlertDelivery.Status


@dataclass(frozen=True, slots=True)
class Due:
    """A try to make: the delivery and the slot that it was claimed for."""

    tenant_id: UUID
    delivery_id: UUID
    slot: datetime


def due_alerts(now: datetime, limit: int = BATCH) -> list[Due]:
    """Claim the deliveries whose next try is due, at most ``limit``; each goes to one worker."""
    with transaction.atomic():
        rows = list(
            AlertDelivery.unscoped.select_for_update(skip_locked=True, of=("self",), no_key=True)
            .filter(status=Status.WAITING, next_try_at__lte=now, tenant__status=Tenant.Status.ACTIVE)
            .order_by("next_try_at")[:limit]
        )
        for row in rows:
            row.next_try_at = now + timedelta(seconds=LEASE_S)
            if row.created_at < now - TOO_OLD or row.attempts > len(PAUSES_S):
                row.status, row.next_try_at = Status.FAILED, None
                row.last_error = row.last_error or _("It could not be delivered in time.")
        AlertDelivery.unscoped.bulk_update(rows, ["next_try_at", "status", "last_error"])
    return [Due(row.tenant_id, row.pk, row.next_try_at) for row in rows if row.next_try_at is not None]


def deliver(tenant_id: UUID, delivery_id: UUID, slot: datetime) -> Tried | None:
    """Make one try of a claimed delivery; None where it is over, or claimed by somebody else since."""
    rows = AlertDelivery.objects.for_tenant(tenant_id).filter(
        pk=delivery_id, status=Status.WAITING, next_try_at=slot
    )
    if not rows.update(attempts=F("attempts") + 1):
        return None
    row: AlertDelivery | None = rows.select_related(
        "target", "target__tenant", "change__connection", "change__tenant"
    ).first()
    if row is None:
        return None
    tried = send_alert(row.target, of_change(str(row.pk), row.change))
    with transaction.atomic():
        target = _locked_target(row) if tried.gone else None  # before the delivery, as everywhere
        if _ended(row, tried, slot) and target is not None:
            _retire(target)
    return tried


def _ended(row: AlertDelivery, tried: Tried, slot: datetime) -> bool:
    """Write how a try ended, unless the delivery was ended or claimed meanwhile."""
    now = timezone.now()
    values: dict[str, object] = {"last_error": tried.error[:300]}
    if tried.ok:
        values |= {"status": Status.DONE, "done_at": now, "next_try_at": None}
    elif tried.final or row.attempts > len(PAUSES_S):
        values |= {"status": Status.FAILED, "next_try_at": None}
        logger.warning("An alert of tenant %s was given up: %s", row.tenant_id, tried.error)
    else:
        pause = max(PAUSES_S[row.attempts - 1], min(tried.retry_after or 0.0, LONGEST_ASKED_S))
        values["next_try_at"] = now + timedelta(seconds=pause)
    rows = AlertDelivery.objects.for_tenant(row.tenant_id).filter(
        pk=row.pk, status=Status.WAITING, next_try_at=slot
    )
    return bool(rows.update(**values))


def _locked_target(row: AlertDelivery) -> AlertTarget | None:
    """A delivery's target as it is now, if it is switched on still."""
    rows = AlertTarget.objects.for_tenant(row.tenant_id).select_for_update(no_key=True)
    found: AlertTarget | None = rows.filter(pk=row.target_id, enabled=True).first()
    return found


def _retire(target: AlertTarget) -> None:
    """Switch a target off whose receiver said that it is gone (HTTP 410)."""
    before = alert_target_facts(target)
    target.enabled = False
    target.save(update_fields=["enabled"])
    give_up_waiting(target, _("The receiver wants no more alerts (HTTP 410)."))
    record_change(
        tenant=target.tenant_id,
        actor=Actor.system("alerts"),
        name=f"alert_target.update {target.name}",
        before=before,
        after=alert_target_facts(target),
    )
