"""What probes find: states and their changes, what is counted, uptime and history."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connectors.base import CheckResult
from connectors.health.history import Hour, Uptime, health_of, health_purge, hours_of, total
from connectors.health.recording import Found, record_check
from connectors.health.states import FAILURES_TO_FAIL, Outcome, Standing, is_alarming
from connectors.models import (
    Connection,
    HealthHour,
    HealthState,
    StateChange,
)
from tests.factories import make_tenant
from tests.upstream.probed import (
    BAD,
    FAILING,
    GOOD,
    OK,
    T0,
    UNKNOWN,
    changes,
    connected,
    health,
)
from tests.upstream.threads import at_once

# -- the state machine -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "failures", "outcome", "then", "then_failures"),
    [
        (UNKNOWN, 0, Outcome.OK, OK, 0),
        (UNKNOWN, 0, Outcome.FAILED, UNKNOWN, 1),
        (UNKNOWN, 1, Outcome.FAILED, FAILING, 2),
        (UNKNOWN, 1, Outcome.OK, OK, 0),
        (UNKNOWN, 0, Outcome.UNTOLD, UNKNOWN, 0),
        (OK, 0, Outcome.OK, OK, 0),
        (OK, 0, Outcome.FAILED, OK, 1),
        (OK, 1, Outcome.OK, OK, 0),
        (OK, 1, Outcome.FAILED, FAILING, 2),
        (OK, 0, Outcome.UNTOLD, UNKNOWN, 0),
        (FAILING, 2, Outcome.FAILED, FAILING, 3),
        (FAILING, 9, Outcome.OK, OK, 0),
        (FAILING, 9, Outcome.UNTOLD, UNKNOWN, 0),
    ],
)
def test_a_state_and_an_outcome_make_the_next_state(state, failures, outcome, then, then_failures):
    assert FAILURES_TO_FAIL == 2
    later = T0 + timedelta(minutes=5)
    found = Standing(state, T0, failures).after(outcome, later)
    assert (found.state, found.failures) == (then, then_failures)
    assert found.since == (T0 if then == state else later)


def test_people_are_told_of_failing_and_of_the_end_of_it_alone():
    told = {(a, b) for a in HealthState for b in HealthState if a != b and is_alarming(a, b)}
    assert told == {(UNKNOWN, FAILING), (OK, FAILING), (FAILING, OK)}


# -- recording ---------------------------------------------------------------------------------


def test_tests_are_counted_by_the_hour_and_changes_are_written_once():
    connection = connected()
    for found in (GOOD, BAD, BAD, BAD, GOOD):
        record_check(connection.tenant_id, connection.pk, found)
    assert changes(connection) == [("unknown", "ok"), ("ok", "failing"), ("failing", "ok")]
    rows = HealthHour.objects.for_tenant(connection.tenant_id).filter(connection=connection)
    counted = [sum(row) for row in zip(*rows.values_list("probes", "failures", "latency_ms"), strict=True)]
    assert counted == [5, 3, 2 * 40 + 3 * 60]
    found = health(connection)
    assert (found.state, found.day.percent, found.month.probes) == ("ok", 40.0, 5)
    assert [change.state for change in found.changes] == ["ok", "failing", "ok"]
    assert found.changes[1].message == "No route."


def test_tests_at_once_are_all_counted_and_change_the_state_once():
    connection = connected()
    at_once(6, lambda: record_check(connection.tenant_id, connection.pk, BAD))
    assert changes(connection) == [("unknown", "failing")]
    assert health(connection).day.probes == 6


def test_of_a_connection_that_is_switched_off_the_last_answer_alone_is_kept():
    connection = connected(enabled=False)
    record_check(connection.tenant_id, connection.pk, BAD)
    found = health(connection)
    assert (found.state, found.message, found.day.probes, changes(connection)) == (
        "disabled", "No route.", 0, [],
    )  # fmt: skip


def test_a_connection_that_was_removed_meanwhile_is_no_error():
    connection = connected()
    tenant_id, key = connection.tenant_id, connection.pk
    connection.delete()
    assert record_check(tenant_id, key, GOOD) is None
    assert record_check(make_tenant().pk, connected().pk, GOOD) is None  # of another tenant


def test_no_secret_stands_in_a_message():
    connection = connected()
    said = Found(CheckResult(False, "Refused: Bearer planted-secret-value"), Outcome.FAILED, 1)
    for _ in range(2):
        record_check(connection.tenant_id, connection.pk, said)
    found = health(connection)
    assert "planted" not in found.message + found.changes[0].message
    assert "Refused" in found.message


# -- history -----------------------------------------------------------------------------------


def hour(connection, at, probes, failures, latency=10):
    HealthHour.objects.create(
        tenant_id=connection.tenant_id, connection=connection, hour=at, probes=probes, failures=failures,
        latency_ms=latency * probes,
    )  # fmt: skip


def test_uptime_is_the_share_of_tests_that_succeeded_in_each_span():
    connection, now = connected(), T0
    this = now.replace(minute=0)
    hour(connection, this, 10, 1)
    hour(connection, this - timedelta(hours=23), 10, 2)
    hour(connection, this - timedelta(hours=24), 20, 20)  # yesterday's, no longer of the day
    hour(connection, this - timedelta(hours=7 * 24), 60, 0)  # not of the week
    hour(connection, this - timedelta(hours=30 * 24), 100, 100)  # not of the month
    hour(connected(), this, 50, 50)  # another's
    found = health_of(Connection.objects.for_tenant(connection.tenant_id).get(pk=connection.pk), now)
    assert (found.day.probes, found.day.percent) == (20, 85.0)
    assert (found.week.probes, found.week.percent) == (40, 42.5)
    assert (found.month.probes, found.month.percent) == (100, 77.0)
    assert found.day.latency_ms == 10


@pytest.mark.parametrize(
    ("probes", "failures", "percent"),
    [(0, 0, None), (1, 0, 100.0), (1, 1, 0.0), (3, 1, 66.66), (20_001, 1, 99.99), (8640, 1, 99.98)],
)
def test_a_percentage_is_cut_so_that_one_failure_is_never_a_hundred(probes, failures, percent):
    assert Uptime(probes, failures).percent == percent


def test_hours_are_whole_in_order_and_there_without_tests_too():
    connection = connected()
    hour(connection, T0.replace(minute=0) - timedelta(hours=2), 4, 1, latency=30)
    found = hours_of(connection, 4, T0)
    assert [one.at.hour for one in found] == [7, 8, 9, 10]
    assert [one.uptime.probes for one in found] == [0, 4, 0, 0]
    assert found[1] == Hour(T0.replace(hour=8, minute=0), Uptime(4, 1, 30))
    assert total(found) == Uptime(4, 1, 30)


def test_history_older_than_35_days_is_removed_and_the_state_stays():
    connection = connected()
    for found in (BAD, BAD):
        record_check(connection.tenant_id, connection.pk, found)
    now = timezone.now()
    hour(connection, now.replace(minute=0, second=0, microsecond=0) - timedelta(days=36), 1, 0)
    hour(connection, now.replace(minute=0, second=0, microsecond=0) - timedelta(days=34), 1, 0)
    old = StateChange.objects.for_tenant(connection.tenant_id).filter(connection=connection)
    old.update(at=now - timedelta(days=36))
    assert health_purge(now, batch=1) >= 2
    rows = HealthHour.objects.for_tenant(connection.tenant_id).filter(connection=connection)
    assert rows.filter(hour__lt=now - timedelta(days=35)).count() == 0 and rows.count() == 2
    assert changes(connection) == []
    assert health(connection).state == "failing"
