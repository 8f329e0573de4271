"""Keeping what a test of a connection found: its page, its hour, its state, and whom to tell.

One transaction with the connection's row locked, so that two tests at once are counted one
after the other, and a change of state is told exactly once.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from common import metrics
from common.redaction import redact, redact_text
from common.text import clean_json, clean_text
from connectors.alerts.queueing import queue_alerts
from connectors.base import CheckResult
from connectors.health.lacking import keep_lacking
from connectors.health.states import Outcome, Standing, is_alarming
from connectors.models import Connection, HealthCheck, HealthHour, HealthState, StateChange
from tenants.models import Tenant

CONFIRM_S: Final = 60  # a first failure is looked into again after so long, or sooner
JITTER: Final = 0.1  # so that connections made at once are not probed at once for ever


@dataclass(frozen=True, slots=True)
class Found:
    """What a test found, how long it took, and which version of the connection was tested."""

    result: CheckResult
    outcome: Outcome
    latency_ms: int
    version: int | None = None


def record_check(
    tenant_id: UUID, connection_id: UUID, found: Found, *, slot: datetime | None = None
) -> StateChange | None:
    """Keep what a test found; returns the change of state, where there was one.

    ``slot`` is the moment that a probe's claim put into ``next_probe_at``: a probe whose slot
    has passed on (it ran twice, or too late) counts nothing. A person's test has none. Of a
    connection that is switched off only the last answer is kept.
    """
    with transaction.atomic():
        connection = (
            Connection.objects.for_tenant(tenant_id)
            .select_for_update(of=("self",), no_key=True)
            .select_related("tenant")
            .filter(pk=connection_id)
            .first()
        )
        if connection is None:
            return None  # removed meanwhile
        check = _locked_check(connection)
        if slot is not None and not (check.next_probe_at == slot and is_probed(connection)):
            return None
        now = timezone.now()
        change = None
        fields = ["state", "since", "failures", "next_probe_at"]
        if slot is None or found.outcome is not Outcome.UNTOLD or _is_shared(connection):
            _keep_answer(check, found)
            fields += ["ok", "message", "details", "latency_ms", "checked_at"]
        if connection.enabled:
            change = _judge(connection, check, found, now)
            _plan(connection, check, now, probed=slot is not None)
        check.save(update_fields=fields)
        if found.outcome is Outcome.OK:
            keep_lacking(connection, found.result.details, found.version)
    if found.outcome is not Outcome.UNTOLD:
        metrics.probed(connection.connector, found.outcome is Outcome.OK)
    return change


def is_probed(connection: Connection) -> bool:
    """Whether a connection is looked after: it is on, its tenant is, and it wants to be."""
    return bool(
        connection.enabled and connection.probe_minutes and connection.tenant.status == Tenant.Status.ACTIVE
    )


def next_probe(minutes: int, standing: Standing, now: datetime) -> datetime:
    """When a connection is probed next, a little earlier or later than its interval says."""
    seconds = minutes * 60
    if standing.doubtful:
        seconds = min(seconds, CONFIRM_S)
    return now + timedelta(seconds=seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  not for security


def _plan(connection: Connection, check: HealthCheck, now: datetime, *, probed: bool) -> None:
    """The next probe: after one by its interval; after a person's test sooner, where that left a doubt."""
    standing = _standing(check)
    if probed:
        check.next_probe_at = next_probe(connection.probe_minutes, standing, now)
    elif standing.doubtful and check.next_probe_at is not None and is_probed(connection):
        check.next_probe_at = min(check.next_probe_at, next_probe(connection.probe_minutes, standing, now))


def _locked_check(connection: Connection) -> HealthCheck:
    rows = HealthCheck.objects.for_tenant(connection.tenant_id).filter(connection=connection)
    found: HealthCheck | None = rows.select_for_update(no_key=True).first()
    if found is None:
        # The claim of probes makes it as well, and does not hold the connection.
        HealthCheck.objects.bulk_create([untested(connection)], ignore_conflicts=True)
        found = rows.select_for_update(no_key=True).get()
    return found


def untested(connection: Connection) -> HealthCheck:
    """The row of a connection that nobody tested yet; its message is empty."""
    return HealthCheck(tenant_id=connection.tenant_id, connection=connection, ok=False, message="")


def _keep_answer(check: HealthCheck, found: Found) -> None:
    check.ok = found.result.ok
    message = clean_text(redact_text(found.result.message), 500)
    check.message = message or ("It works." if found.result.ok else "It fails.")
    check.details = clean_json(redact(dict(found.result.details)))
    check.latency_ms = found.latency_ms


def _judge(connection: Connection, check: HealthCheck, found: Found, now: datetime) -> StateChange | None:
    """Count a test and move the state on; a change is written, and told where it matters."""
    if found.outcome is not Outcome.UNTOLD:
        _count(connection, found, now)
    former = _standing(check)
    standing = former.after(found.outcome, now)
    check.state, check.since, check.failures = standing.state, standing.since, standing.failures
    if standing.state == former.state:
        return None
    change: StateChange = StateChange.objects.create(
        tenant_id=connection.tenant_id,
        connection=connection,
        former=former.state,
        state=standing.state,
        message=clean_text(redact_text(found.result.message), 500),
    )
    if is_alarming(former.state, standing.state):
        queue_alerts(change, now)
    return change


def _count(connection: Connection, found: Found, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    failed = int(found.outcome is Outcome.FAILED)
    rows = HealthHour.objects.for_tenant(connection.tenant_id).filter(connection=connection, hour=hour)
    counted = rows.update(
        probes=F("probes") + 1,
        failures=F("failures") + failed,
        latency_ms=F("latency_ms") + found.latency_ms,
    )
    if not counted:  # the connection's lock keeps others from making it now
        HealthHour.objects.create(
            tenant_id=connection.tenant_id, connection=connection, hour=hour, probes=1, failures=failed,
            latency_ms=found.latency_ms,
        )  # fmt: skip


def _standing(check: HealthCheck) -> Standing:
    return Standing(HealthState(check.state), check.since, check.failures)


def _is_shared(connection: Connection) -> bool:
    """Whether what the platform finds is what members find too."""
    return connection.credential_mode != Connection.CredentialMode.PRINCIPAL
