"""The audit's background work: checkpoints every hour, retention every night."""

import logging
from uuid import UUID

from celery import shared_task

from audit.checkpoints import checkpoint_chains
from audit.retention import apply_retention, tenants_with_retention
from common.tasks import tenant_task

logger = logging.getLogger(__name__)


@shared_task(name="audit.tasks.checkpoint_all", acks_late=True, soft_time_limit=540, time_limit=600)
def checkpoint_all() -> int:
    """Sign the head of every chain that moved; returns how many."""
    return checkpoint_chains()


@shared_task(name="audit.tasks.retention", acks_late=True, soft_time_limit=50, time_limit=60)
def retention() -> int:
    """Start a task for each tenant that does not keep its events for ever; returns how many."""
    tenants = tenants_with_retention()
    for tenant_id in tenants:
        retention_of_tenant.delay(str(tenant_id))
    return len(tenants)


@tenant_task("audit.tasks.retention_of_tenant", acks_late=True, soft_time_limit=540, time_limit=600)
def retention_of_tenant(tenant_id: UUID) -> int:
    """Remove what one tenant no longer keeps; returns how many events went."""
    removed = apply_retention(tenant_id)
    if removed:
        logger.info("Retention removed %d audit events", removed)
    return removed
