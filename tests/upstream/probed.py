"""What the tests of probes share: a connector that fails when told to, its connections, what is due."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils import timezone

from common.loops import run_in_loop
from connectors.base import CheckResult, Connector
from connectors.health.history import health_of
from connectors.health.probing import due_probes, probe
from connectors.health.recording import Found
from connectors.health.states import Outcome
from connectors.models import (
    Connection,
    HealthCheck,
    HealthState,
    StateChange,
)
from tests.factories import make_connection, make_tenant, unique

ENTRY = "ailing=tests.upstream.probed:Ailing"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)

UNKNOWN, OK, FAILING = HealthState.UNKNOWN, HealthState.OK, HealthState.FAILING
T0 = datetime(2026, 5, 4, 10, 20, tzinfo=UTC)
GOOD = Found(CheckResult(True, "Fine."), Outcome.OK, 40)
BAD = Found(CheckResult(False, "No route."), Outcome.FAILED, 60)
UNTOLD = Found(CheckResult(False, "No credential."), Outcome.UNTOLD, 0)
SICK: dict[uuid.UUID, BaseException] = {}  # what the check of a connection raises
ASKED: list[uuid.UUID] = []


class Ailing(Connector):
    slug = "ailing"
    title = "Ailing"
    description = "Works until a test has it fail."

    async def check(self, ctx):
        ASKED.append(self.connection.id)
        if (error := SICK.get(self.connection.id)) is not None:
            raise error
        await asyncio.sleep(0)
        return CheckResult(True, "Fine.")


class Plain(Connector):
    slug = "plainone"
    title = "Plain"
    description = "Has nothing outside."


def connected(tenant=None, **fields):
    return make_connection(tenant or make_tenant(), "ailing", slug=unique("a")[:12], **fields)


def health(connection):
    row = Connection.objects.for_tenant(connection.tenant_id).select_related("health").get(pk=connection.pk)
    return health_of(row)


def changes(connection):
    rows = StateChange.objects.for_tenant(connection.tenant_id).filter(connection=connection).order_by("at")
    return [(row.former, row.state) for row in rows]


def claimed(connection, now=None):
    """The claims of this connection alone; others of the suite's database are claimed along."""
    return [due for due in due_probes(now or timezone.now(), 10_000) if due.connection_id == connection.pk]


def run_probe(due):
    return run_in_loop(probe(due.tenant_id, due.connection_id, due.slot))


def make_due(connection):
    HealthCheck.objects.for_tenant(connection.tenant_id).filter(connection=connection).update(
        next_probe_at=timezone.now() - timedelta(seconds=1)
    )
