"""Background work of the connectors; tasks carry ids, never secrets."""

from datetime import datetime
from uuid import UUID

from celery import current_task, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from common.loops import run_in_loop
from common.tasks import tenant_task
from connectors import warming
from connectors.alerts.delivery import LEASE_S, deliver, due_alerts
from connectors.artifacts import artifacts_purge
from connectors.health.history import health_purge
from connectors.health.probing import due_probes, probe, probe_overran
from connectors.refreshing import refresh_due_tokens, refresh_token
from connectors.services.idempotent_calls import purge_idempotent_calls
from connectors.upstream.ending import CLOSING_S, end_loop
from connectors.usage import ROLL_UP_S, roll_up, tenants_to_count, usage_purge
from connectors.warming import Due, claim_due, warm


@shared_task(name="connectors.tasks.purge_artifacts", acks_late=True, soft_time_limit=270, time_limit=300)
def purge_artifacts() -> int:
    """Remove files whose day is over."""
    return artifacts_purge()


@shared_task(name="connectors.tasks.queue_due_probes", acks_late=True, soft_time_limit=50, time_limit=60)
def queue_due_probes() -> int:
    """Start a task for each connection whose probe is due; returns how many."""
    queued = 0
    while batch := due_probes(timezone.now()):
        for due in batch:
            # Whoever waits until its next slot is claimed anew: an older message is worthless.
            probe_connection.apply_async(
                (str(due.tenant_id), str(due.connection_id), due.slot.isoformat()), expires=due.interval_s
            )
        queued += len(batch)
    return queued


@tenant_task("connectors.tasks.probe_connection", acks_late=True, soft_time_limit=30, time_limit=75)
def probe_connection(tenant_id: UUID, connection_id: str, slot: str) -> None:
    """Probe one connection; a second message for the same slot does nothing."""
    which = (tenant_id, UUID(connection_id), datetime.fromisoformat(slot))
    try:
        run_in_loop(probe(*which))
    except SoftTimeLimitExceeded:
        probe_overran(*which)
        end_loop(CLOSING_S)  # its connector may hold the loop for ever: the next probe gets another


@shared_task(name="connectors.tasks.queue_due_alerts", acks_late=True, soft_time_limit=50, time_limit=60)
def queue_due_alerts() -> int:
    """Start a task for each alert whose next try is due; returns how many."""
    queued = 0
    while batch := due_alerts(timezone.now()):
        for due in batch:
            alert_deliver.apply_async(
                (str(due.tenant_id), str(due.delivery_id), due.slot.isoformat()), expires=LEASE_S
            )
        queued += len(batch)
    return queued


@tenant_task("connectors.tasks.alert_deliver", acks_late=True, soft_time_limit=40, time_limit=60)
def alert_deliver(tenant_id: UUID, delivery_id: str, slot: str) -> None:
    """Make one try to deliver an alert; a second message for the same try does nothing."""
    deliver(tenant_id, UUID(delivery_id), datetime.fromisoformat(slot))


@shared_task(name="connectors.tasks.purge_health", acks_late=True, soft_time_limit=540, time_limit=600)
def purge_health() -> int:
    """Remove health history older than 35 days; returns how many rows went."""
    return health_purge()


@shared_task(name="connectors.tasks.queue_due_warm_ups", acks_late=True, soft_time_limit=50, time_limit=60)
def queue_due_warm_ups() -> int:
    """Start a task for each warm-up that is due; returns how many."""
    queued = 0
    while claimed := claim_due(timezone.now(), _queue_warm_up):
        queued += claimed
    return queued


def _queue_warm_up(due: Due) -> None:
    # Whoever waits until the next run is superseded by it.
    ids = (str(due.tenant_id), str(due.warm_up_id), due.at.isoformat())
    warm_up.apply_async(ids, expires=due.interval_s)


@tenant_task(
    "connectors.tasks.warm_up",
    acks_late=True,
    soft_time_limit=warming.SOFT_LIMIT_S,
    time_limit=warming.HARD_LIMIT_S,
)
def warm_up(tenant_id: UUID, warm_up_id: str, at: str) -> bool:
    """Make one planned run of a warm-up; a second message for the same run does nothing."""
    return warm(tenant_id, UUID(warm_up_id), datetime.fromisoformat(at), current_task.request.id or "")


@shared_task(name="connectors.tasks.queue_usage_roll_ups", acks_late=True, soft_time_limit=50, time_limit=60)
def queue_usage_roll_ups() -> int:
    """Start a task for each tenant whose audit has events that are not counted yet; returns how many."""
    tenants = tenants_to_count()
    for tenant_id in tenants:
        usage_roll_up.apply_async((str(tenant_id),), expires=ROLL_UP_S)
    return len(tenants)


@tenant_task("connectors.tasks.usage_roll_up", acks_late=True, soft_time_limit=270, time_limit=300)
def usage_roll_up(tenant_id: UUID) -> int:
    """Count one tenant's new calls; returns how many events were read."""
    return roll_up(tenant_id)


@shared_task(name="connectors.tasks.purge_usage", acks_late=True, soft_time_limit=540, time_limit=600)
def purge_usage() -> int:
    """Remove counts older than two years; returns how many rows went."""
    return usage_purge()


@shared_task(name="connectors.tasks.queue_due_tokens", acks_late=True, soft_time_limit=50, time_limit=60)
def queue_due_tokens() -> int:
    """Start a task for each stored token that ends soon; returns how many."""
    due = refresh_due_tokens()
    for tenant_id, _connection_id, credential_id in due:
        token_refresh.apply_async((str(tenant_id), str(credential_id)), expires=60)
    return len(due)


@tenant_task("connectors.tasks.token_refresh", acks_late=True, soft_time_limit=100, time_limit=120)
def token_refresh(tenant_id: UUID, credential_id: str) -> str:
    """Renew one stored token where it is time; a second message finds a new one and does nothing."""
    return refresh_token(tenant_id, UUID(credential_id))


@shared_task(name="connectors.tasks.purge_idempotent", acks_late=True, soft_time_limit=270, time_limit=300)
def purge_idempotent() -> int:
    """Remove answers that were kept for calls that a client may repeat; returns how many."""
    return purge_idempotent_calls()
