"""What the tests of alerts share: a receiver, a tenant, its targets, what is due and sent."""

import pytest
from django.utils import timezone

from connectors.alerts import services
from connectors.alerts.delivery import deliver, due_alerts
from connectors.base import CheckResult
from connectors.health.recording import Found, record_check
from connectors.health.states import Outcome
from connectors.models import AlertDelivery
from tests.factories import SYSTEM, make_connection, make_tenant, unique
from tests.upstream.receiving import receiver

GOOD = Found(CheckResult(True, "Fine."), Outcome.OK, 40)
BAD = Found(CheckResult(False, "No route, Bearer planted-secret-value."), Outcome.FAILED, 60)
Status = AlertDelivery.Status


@pytest.fixture
def there():
    with receiver() as running:
        yield running


@pytest.fixture
def tenant():
    return make_tenant()


def target_of(tenant, address, kind="webhook", **fields):
    return services.alert_target_create(
        tenant=tenant, kind=kind, name=unique("a"), address=address, actor=SYSTEM, **fields
    )


def fail(tenant, connection=None):
    connection = connection or make_connection(tenant, "goals", slug=unique("g")[:12])
    for _ in range(2):
        record_check(tenant.pk, connection.pk, BAD)
    return connection


def rows(tenant):
    return list(AlertDelivery.objects.for_tenant(tenant).order_by("created_at"))


def claim(tenant, at=None):
    """The claims of this tenant alone."""
    return [due for due in due_alerts(at or timezone.now(), 10_000) if due.tenant_id == tenant.pk]


def run_due(tenant, at=None):
    return [deliver(due.tenant_id, due.delivery_id, due.slot) for due in claim(tenant, at)]


def closed_port():
    """A port that nobody listens on."""
    from tests.services import free_port

    return free_port()
