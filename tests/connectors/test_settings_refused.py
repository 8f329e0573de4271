from datetime import timedelta

import pytest
from django.utils import timezone

from connectors.base import CheckResult
from connectors.health.recording import Found, record_check
from connectors.health.states import Outcome
from connectors.models import HealthCheck
from connectors.services import connection_update, credential_set
from tenants.errors import InvalidValue
from tenants.principals import Actor
from tests.factories import make_connection, make_tenant

ACTOR = Actor.system("tests")


@pytest.mark.parametrize(
    "text", ["rubbish", " ", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_certificate_authority_that_nobody_can_read_is_refused_when_it_is_saved(text):
    connection = make_connection(make_tenant(), "probe")
    with pytest.raises(InvalidValue) as refused:
        connection_update(connection, actor=ACTOR, network={"ca": text})
    assert refused.value.field == "network.ca"


def test_a_time_for_the_results_of_a_tool_that_does_not_exist_is_refused():
    tenant = make_tenant()
    with pytest.raises(InvalidValue, match="no_such_tool") as refused:
        make_connection(tenant, "probe", cache={"tools": {"no_such_tool": 5}})
    assert refused.value.field == "cache.tools"


def test_a_new_shared_credential_and_a_first_failed_test_bring_the_next_probe_near():
    connection = make_connection(make_tenant(), "probe", credential={"token": "one"})
    tenant = connection.tenant
    later = timezone.now() + timedelta(hours=1)
    record_check(tenant.pk, connection.pk, Found(CheckResult(True, "Fine."), Outcome.OK, 1))
    checks = HealthCheck.objects.for_tenant(tenant).filter(connection=connection)
    checks.update(next_probe_at=later)
    record_check(tenant.pk, connection.pk, Found(CheckResult(False, "No."), Outcome.FAILED, 1))
    assert checks.get().next_probe_at < timezone.now() + timedelta(minutes=2)
    record_check(tenant.pk, connection.pk, Found(CheckResult(True, "Fine."), Outcome.OK, 1))
    checks.update(next_probe_at=later)
    credential_set(connection, {"token": "two"}, actor=ACTOR)
    assert checks.get().next_probe_at is None
