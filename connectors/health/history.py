"""Reading how a connection is and was: uptime, hours, changes; and forgetting what is old."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from connectors.health.probing import needs_probe
from connectors.models import Connection, HealthCheck, HealthHour, HealthState, StateChange
from connectors.registry import UnknownConnectorError, connector_class

KEPT: Final = timedelta(days=35)
DAY_H, WEEK_H, MONTH_H = 24, 7 * 24, 30 * 24
LAST_CHANGES: Final = 10
BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Uptime:
    """Tests of a span of hours and how many failed; ``latency_ms`` is their mean."""

    probes: int = 0
    failures: int = 0
    latency_ms: int = 0

    @property
    def percent(self) -> float | None:
        """The share that succeeded, cut to two digits so that only no failure at all is 100; None of none."""
        if not self.probes:
            return None
        return math.floor(10_000 * (self.probes - self.failures) / self.probes) / 100


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of tests; the hour begins at ``at`` (UTC)."""

    at: datetime
    uptime: Uptime


@dataclass(frozen=True, slots=True)
class Health:
    """Everything there is to say of a connection's health; see :func:`health_of`.

    ``state`` is a :class:`HealthState` or ``disabled``. ``probing`` says whether it is probed:
    yes, off (its interval is 0, or it is disabled), not_needed (nothing outside) or
    not_installed.
    """

    state: str
    since: datetime | None
    probing: str
    check: HealthCheck | None
    day: Uptime
    week: Uptime
    month: Uptime
    changes: tuple[StateChange, ...]

    @property
    def message(self) -> str:
        """The last answer's words; empty before the first."""
        return self.check.message if self.check else ""

    @property
    def next_probe_at(self) -> datetime | None:
        """When it is probed next, as planned now."""
        return self.check.next_probe_at if self.check and self.probing == "yes" else None


def health_of(connection: Connection, now: datetime | None = None) -> Health:
    """A connection's state, uptime and last changes, newest first."""
    now = now or timezone.now()
    check: HealthCheck | None = getattr(connection, "health", None)
    state = str(check.state) if check else HealthState.UNKNOWN.value
    changes = StateChange.objects.for_tenant(connection.tenant_id).filter(connection=connection)
    hours = hours_of(connection, MONTH_H, now)
    return Health(
        state=state if connection.enabled else "disabled",
        since=check.since if check else None,
        probing=probing_of(connection),
        check=check,
        day=total(hours[-DAY_H:]),
        week=total(hours[-WEEK_H:]),
        month=total(hours),
        changes=tuple(changes.order_by("-at")[:LAST_CHANGES]),
    )


def probing_of(connection: Connection) -> str:
    """Whether a connection is probed: yes, off, not_needed or not_installed."""
    try:
        needed = needs_probe(connector_class(connection.connector))
    except UnknownConnectorError:
        return "not_installed"
    if not needed:
        return "not_needed"
    return "yes" if connection.enabled and connection.probe_minutes else "off"


def hours_of(connection: Connection, count: int, now: datetime | None = None) -> list[Hour]:
    """The last ``count`` hours, oldest first, the running one last; hours without tests are there too."""
    this_hour = (now or timezone.now()).replace(minute=0, second=0, microsecond=0)
    first = this_hour - timedelta(hours=count - 1)
    rows = HealthHour.objects.for_tenant(connection.tenant_id).filter(
        connection=connection, hour__gte=first, hour__lte=this_hour
    )
    known = {row.hour: Uptime(row.probes, row.failures, row.latency_ms // max(row.probes, 1)) for row in rows}
    moments = (first + timedelta(hours=number) for number in range(count))
    return [Hour(moment, known.get(moment, Uptime())) for moment in moments]


def total(hours: Iterable[Hour]) -> Uptime:
    """Several hours as one."""
    probes = failures = latency = 0
    for hour in hours:
        probes += hour.uptime.probes
        failures += hour.uptime.failures
        latency += hour.uptime.latency_ms * hour.uptime.probes
    return Uptime(probes, failures, latency // max(probes, 1))


def health_purge(now: datetime | None = None, batch: int = BATCH) -> int:
    """Remove the hours and changes (with their deliveries) of all tenants older than 35 days; how many."""
    before = (now or timezone.now()) - KEPT
    removed = 0
    for rows in (HealthHour.unscoped.filter(hour__lt=before), StateChange.unscoped.filter(at__lt=before)):
        while ids := list(rows.order_by().values_list("pk", flat=True)[:batch]):
            rows.model.unscoped.filter(pk__in=ids).delete()
            removed += len(ids)
    return removed
