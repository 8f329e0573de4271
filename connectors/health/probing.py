"""Probing connections: which are due, and one probe.

Schedules are data: ``HealthCheck.next_probe_at``. Claiming a due row moves it on, and the
moved moment is the probe's slot: whoever records a result must still find it there, so a
probe that runs twice, or after its time, counts once or not at all. One that dies half-way, or
whose message was lost, is due again at its slot: after ten minutes at most, also where the
connection is probed once a day.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from common.db import in_db
from connectors.base import CheckResult, Connector
from connectors.health.recording import Found, is_probed, next_probe, record_check, untested
from connectors.health.states import Outcome, Standing
from connectors.models import Connection, HealthCheck
from connectors.registry import UnknownConnectorError, connector_class, connector_slugs
from connectors.services.checks import CHECK_TIMEOUT_S, examine
from connectors.snapshot import TenantGoneError
from tenants.models import Tenant

logger = logging.getLogger(__name__)

BATCH: Final = 200
LEASE_MIN: Final = 10  # so long a probe may wait for a worker


@dataclass(frozen=True, slots=True)
class Due:
    """A probe to make: the connection, the slot that it answers for, and the seconds until that."""

    tenant_id: UUID
    connection_id: UUID
    slot: datetime
    interval_s: int


def needs_probe(connector: type[Connector]) -> bool:
    """Whether a connector has something outside that a probe can ask: it has a check of its own."""
    return connector.check is not Connector.check


def due_probes(now: datetime, limit: int = BATCH) -> list[Due]:
    """Claim the connections whose probe is due, the longest waiting first, at most ``limit``.

    Several workers may ask at once: each row goes to one of them. Connections that are new
    get their row first.
    """
    probed = Q(
        connection__connector__in=_probed_connectors(),
        connection__enabled=True,
        connection__probe_minutes__gt=0,
        tenant__status=Tenant.Status.ACTIVE,
    )
    with transaction.atomic():
        _make_missing(limit)
        rows = list(
            HealthCheck.unscoped.select_for_update(skip_locked=True, of=("self",), no_key=True)
            .filter(probed, Q(next_probe_at__lte=now) | Q(next_probe_at=None))
            .select_related("connection")
            .order_by(F("next_probe_at").asc(nulls_first=True))[:limit]
        )
        for row in rows:
            row.next_probe_at = next_probe(_held(row), Standing(), now)
        HealthCheck.unscoped.bulk_update(rows, ["next_probe_at"])
    return [Due(row.tenant_id, row.connection_id, row.next_probe_at, _held(row) * 60) for row in rows]


def _held(row: HealthCheck) -> int:
    """Minutes for which a claim holds."""
    return min(row.connection.probe_minutes, LEASE_MIN)


async def probe(tenant_id: UUID, connection_id: UUID, slot: datetime) -> CheckResult | None:
    """Test a connection as the platform, for the slot that was claimed.

    None where there was nothing to do: the slot has passed on, or the connection or its tenant
    is gone, switched off or suspended.
    """
    connection = await in_db(_wanted, tenant_id, connection_id, slot)
    if connection is None:
        return None
    try:
        found = await examine(connection)
    except TenantGoneError:
        return None
    await in_db(record_check, tenant_id, connection_id, found, slot=slot)
    return found.result


def probe_overran(tenant_id: UUID, connection_id: UUID, slot: datetime) -> None:
    """Record a probe whose connector did not even stop when its time was over."""
    logger.warning("The check of connection %s did not stop in time", connection_id)
    said = _("No answer within %(seconds)d seconds.") % {"seconds": CHECK_TIMEOUT_S}
    found = Found(CheckResult(False, said), Outcome.FAILED, CHECK_TIMEOUT_S * 1000)
    record_check(tenant_id, connection_id, found, slot=slot)


def _probed_connectors() -> list[str]:
    found = []
    for slug in connector_slugs():
        try:
            if needs_probe(connector_class(slug)):
                found.append(slug)
        except UnknownConnectorError:
            continue
    return found


def _make_missing(limit: int) -> None:
    """Rows for connections that were never tested nor probed."""
    rows: QuerySet[Connection] = Connection.unscoped.filter(
        health=None,
        connector__in=_probed_connectors(),
        enabled=True,
        probe_minutes__gt=0,
        tenant__status=Tenant.Status.ACTIVE,
    ).only("tenant_id")[:limit]
    HealthCheck.unscoped.bulk_create([untested(row) for row in rows], ignore_conflicts=True)


def _wanted(tenant_id: UUID, connection_id: UUID, slot: datetime) -> Connection | None:
    """The connection, if its probe for this slot is still to be made."""
    row: Connection | None = (
        Connection.objects.for_tenant(tenant_id)
        .select_related("tenant", "health")
        .filter(pk=connection_id, health__next_probe_at=slot)
        .first()
    )
    return row if row is not None and is_probed(row) else None
