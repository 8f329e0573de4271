"""Putting a change of state down for each target, in the transaction that made the change."""

from datetime import datetime

from connectors.models import AlertDelivery, AlertTarget, StateChange


def queue_alerts(change: StateChange, now: datetime) -> int:
    """Make a delivery for every target of the change's tenant that is switched on; returns how many."""
    targets = list(
        AlertTarget.objects.for_tenant(change.tenant_id)
        .select_for_update(no_key=True)  # one that is removed meanwhile must not take the change along
        .filter(enabled=True)
        .order_by("pk")
    )
    AlertDelivery.objects.bulk_create(
        AlertDelivery(tenant_id=change.tenant_id, target=target, change=change, next_try_at=now)
        for target in targets
    )
    return len(targets)
