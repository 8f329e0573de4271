"""Probes: which are due, what they find, what is counted, and what the history says."""

import asyncio
import signal
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.utils import timezone

from common.db import in_db
from common.loops import run_in_loop
from connectors import tasks
from connectors.alerts.delivery import due_alerts
from connectors.alerts.services import alert_target_create
from connectors.base import CheckResult, Connector
from connectors.errors import AuthenticationFailed, ConnectionFailed
from connectors.health import recording
from connectors.health.history import Hour, Uptime, health_of, health_purge, hours_of, total
from connectors.health.probing import due_probes, probe, probe_overran
from connectors.health.recording import Found, record_check
from connectors.health.states import FAILURES_TO_FAIL, Outcome, Standing, is_alarming
from connectors.models import (
    AlertDelivery,
    Connection,
    HealthCheck,
    HealthHour,
    HealthState,
    StateChange,
)
from connectors.services import connection_check, connection_update, credential_set
from connectors.tasks import probe_connection
from tenants import services as tenants
from tests.factories import SYSTEM, make_caller, make_connection, make_member, make_tenant, unique
from tests.live import eventually
from tests.mcp_endpoint.jobs import Worker
from tests.upstream.receiving import receiver
from tests.upstream.threads import at_once, closing

ENTRY = "ailing=tests.upstream.test_probes:Ailing"
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


# -- which are due -----------------------------------------------------------------------------


def test_a_new_connection_is_probed_soon_and_then_by_its_interval():
    connection = connected(probe_minutes=10)
    now = timezone.now()
    (due,) = claimed(connection, now)
    assert timedelta(minutes=9) <= due.slot - now <= timedelta(minutes=11)
    assert claimed(connection, now + timedelta(minutes=8)) == []
    assert run_probe(due).ok
    found = health(connection)
    assert (found.state, found.probing, found.day.percent) == ("ok", "yes", 100.0)
    assert found.next_probe_at != due.slot
    (again,) = claimed(connection, found.next_probe_at)
    assert again.slot > due.slot


def test_a_probe_that_was_lost_is_made_up_for_long_before_the_next_days():
    connection = connected(probe_minutes=1_440)
    now = timezone.now()
    (lost,) = claimed(connection, now)
    assert claimed(connection, now + timedelta(minutes=8)) == []
    (due,) = claimed(connection, now + timedelta(minutes=12))
    assert due.interval_s == 600
    assert run_probe(lost) is None and run_probe(due).ok
    assert health(connection).next_probe_at - now > timedelta(minutes=1_290)


def test_a_first_failure_is_looked_into_again_soon():
    connection = connected(probe_minutes=60)
    SICK[connection.pk] = ConnectionFailed("No route.")
    (due,) = claimed(connection)
    run_probe(due)
    soon = health(connection)
    assert (soon.state, soon.check.failures) == ("unknown", 1)
    assert soon.next_probe_at - timezone.now() < timedelta(minutes=2)
    make_due(connection)
    run_probe(claimed(connection)[0])
    down = health(connection)
    assert down.state == "failing" and down.message == "No route."
    assert down.next_probe_at - timezone.now() > timedelta(minutes=50)


def test_each_due_connection_is_claimed_by_one_worker():
    tenant = make_tenant()
    mine = {connected(tenant).pk for _ in range(6)}
    got = [due for batch in at_once(4, lambda: due_probes(timezone.now(), 10_000)) for due in batch]
    found = [due.connection_id for due in got if due.connection_id in mine]
    # A row that another worker holds is passed over, and taken at the next look.
    found += [due.connection_id for due in due_probes(timezone.now(), 10_000) if due.connection_id in mine]
    assert sorted(found) == sorted(mine)


def test_what_is_off_suspended_never_to_be_probed_or_has_nothing_outside_is_not_due(monkeypatch):
    from connectors import registry

    monkeypatch.setitem(registry.BUILT_IN, "plainone", "tests.upstream.test_probes:Plain")
    suspended = make_tenant()
    rows = [
        connected(enabled=False), connected(probe_minutes=0), connected(suspended),
        make_connection(make_tenant(), "plainone", slug="plain"),
    ]  # fmt: skip
    tenants.tenant_suspend(tenant=suspended, actor=SYSTEM)
    due = {due.connection_id for due in due_probes(timezone.now(), 10_000)}
    assert not due & {row.pk for row in rows}
    assert health(rows[3]).probing == "not_needed"
    assert health(rows[1]).probing == "off"


def test_what_was_switched_off_after_the_claim_is_not_probed():
    connection = connected()
    (due,) = claimed(connection)
    connection_update(connection, enabled=False, actor=SYSTEM)
    assert run_probe(due) is None
    assert connection.pk not in ASKED


def test_a_changed_connection_is_probed_at_once():
    connection = connected(probe_minutes=600)
    claimed(connection)
    assert claimed(connection) == []
    connection_update(connection, probe_minutes=1, actor=SYSTEM)
    (due,) = claimed(connection)
    assert due.interval_s == 60


# -- probes ------------------------------------------------------------------------------------


def test_a_slot_is_counted_once_however_often_its_task_runs():
    connection = connected()
    (due,) = claimed(connection)
    for _ in range(3):
        probe_connection(str(due.tenant_id), str(due.connection_id), due.slot.isoformat())
    assert ASKED.count(connection.pk) == 1
    assert health(connection).day.probes == 1


def test_of_two_runs_of_a_slot_at_once_one_is_counted():
    connection = connected()
    (due,) = claimed(connection)
    for _ in range(2):
        record_check(connection.tenant_id, connection.pk, BAD, slot=due.slot)
    found = health(connection)
    assert (found.day.probes, found.check.failures) == (1, 1)


def test_a_probe_that_died_is_due_again_at_its_slot():
    connection = connected()
    (due,) = claimed(connection)  # and nobody runs it
    (again,) = claimed(connection, due.slot)
    assert run_probe(due) is None  # its message comes too late
    assert run_probe(again).ok
    assert health(connection).day.probes == 1


def test_a_probe_of_a_connector_that_does_not_stop_is_a_failure():
    connection = connected()
    (due,) = claimed(connection)
    probe_overran(*(due.tenant_id, due.connection_id, due.slot))
    found = health(connection)
    assert "No answer within" in found.message and found.check.failures == 1


def test_a_connector_that_blocks_its_loop_is_a_failure_and_the_next_probe_gets_another(monkeypatch):
    """What Celery does at the soft time limit: it raises in the thread that waits."""
    from common import loops
    from connectors.snapshot import load

    monkeypatch.setattr(loops, "CANCEL_S", 0.2)
    tenant = make_tenant()
    blocking, well = connected(tenant), connected(tenant)
    release = threading.Event()

    async def block(ctx):
        release.wait(30)
        return CheckResult(True, "Too late.")

    def over(*_):
        raise SoftTimeLimitExceeded

    load(tenant.pk).connection(blocking.slug).connector.check = block
    slots = {due.connection_id: due for due in due_probes(timezone.now(), 10_000)}
    former = signal.signal(signal.SIGALRM, over)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        due = slots[blocking.pk]
        probe_connection(str(due.tenant_id), str(due.connection_id), due.slot.isoformat())
        assert not release.is_set()
        assert "No answer within" in health(blocking).message
        assert run_probe(slots[well.pk]).ok
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
        release.set()
    assert health(blocking).day == Uptime(1, 1, health(blocking).day.latency_ms)


def test_a_dead_system_holds_no_other_probe_up():
    """Each probe is a task of its own; one that hangs takes its own time and no other's."""
    tenant = make_tenant()
    hanging, well = connected(tenant), connected(tenant)
    release = threading.Event()

    async def hang(ctx):
        await asyncio.to_thread(release.wait, 20)
        raise ConnectionFailed("At last.")

    from connectors.snapshot import load

    load(tenant.pk).connection(hanging.slug).connector.check = hang
    slots = {due.connection_id: due for due in due_probes(timezone.now(), 10_000)}
    stuck = threading.Thread(target=closing, args=(lambda: run_probe(slots[hanging.pk]),))
    stuck.start()
    try:
        assert run_probe(slots[well.pk]).ok
        assert stuck.is_alive()
        assert health(well).state == "ok" and health(hanging).day.probes == 0
    finally:
        release.set()
        stuck.join()


async def test_a_persons_test_is_counted_too():
    connection = await in_db(connected)
    SICK[connection.pk] = ConnectionFailed("No route.")
    for _ in range(2):
        await connection_check(connection)
    found = await in_db(health, connection)
    assert (found.state, found.day.probes) == ("failing", 2)
    del SICK[connection.pk]
    await connection_check(connection)
    assert (await in_db(health, connection)).state == "ok"


def test_a_connection_without_a_credential_is_unknown_and_not_failing():
    connection = connected()
    SICK[connection.pk] = AuthenticationFailed("There is no credential yet.", code="no_credential")
    for _ in range(3):
        make_due(connection)
        run_probe(claimed(connection)[0])
    found = health(connection)
    assert (found.state, found.day.probes, changes(connection)) == ("unknown", 0, [])
    assert "no credential" in found.message


async def test_where_members_sign_in_alone_ones_refused_credential_is_ones_own_matter():
    tenant = await in_db(make_tenant)
    connection = await in_db(connected, tenant, credential_mode="principal")
    SICK[connection.pk] = AuthenticationFailed("Refused.")
    caller = await in_db(make_caller, tenant)
    for _ in range(3):
        assert not (await connection_check(connection, caller=caller)).ok
    found = await in_db(health, connection)
    assert (found.state, found.message, found.day.probes) == ("unknown", "Refused.", 0)
    SICK[connection.pk] = ConnectionFailed("No route.")  # but a dead system is everybody's
    for _ in range(2):
        await connection_check(connection, caller=caller)
    assert (await in_db(health, connection)).state == "failing"


def test_a_probe_that_learns_nothing_leaves_a_members_last_test_on_the_page():
    connection = connected(credential_mode="principal")
    record_check(connection.tenant_id, connection.pk, GOOD)
    before = health(connection).check.checked_at
    (due,) = claimed(connection)
    record_check(connection.tenant_id, connection.pk, UNTOLD, slot=due.slot)
    found = health(connection)
    assert (found.state, found.message, found.check.ok, found.check.checked_at) == (
        "unknown", "Fine.", True, before,
    )  # fmt: skip


def test_a_probe_uses_nobodys_personal_credential():
    tenant = make_tenant()
    connection = make_connection(tenant, "probe", credential_mode="principal")
    credential_set(
        connection, {"user": "ada", "token": "planted"}, principal=make_member(tenant, "owner"), actor=SYSTEM
    )
    (due,) = claimed(connection)
    assert not run_probe(due).ok
    found = health(connection)
    assert (found.state, found.check.ok, found.check.details, found.day.probes) == ("unknown", False, {}, 0)


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


def test_probes_do_not_stay_in_step():
    now = timezone.now()
    moments = {recording.next_probe(10, Standing(), now) for _ in range(20)}
    assert len(moments) == 20
    assert all(timedelta(minutes=9) <= moment - now <= timedelta(minutes=11) for moment in moments)


def test_probes_and_alerts_go_through_the_broker_to_a_worker(tmp_path, monkeypatch):
    tenant = make_tenant()
    connection = make_connection(tenant, "goals")  # which the worker knows as well
    other = connected(tenant)
    monkeypatch.setattr(tasks, "due_probes", lambda now: claimed(connection, now))
    monkeypatch.setattr(
        tasks,
        "due_alerts",
        lambda now: [due for due in due_alerts(now, 10_000) if due.tenant_id == tenant.pk],
    )
    worker = Worker(tmp_path, PORTICO_SANDBOX="true")
    try:
        with receiver() as there:
            _, secret = alert_target_create(
                tenant=tenant, kind="webhook", name="hook", address=there.url, actor=SYSTEM
            )
            for _ in range(2):
                record_check(tenant.pk, other.pk, BAD)
            assert (tasks.queue_due_probes(), tasks.queue_due_alerts()) == (1, 1)
            eventually(lambda: health(connection).state == "ok", 60)
            assert health(connection).day == Uptime(1, 0, health(connection).day.latency_ms)
            eventually(lambda: there.got, 60)
            assert there.got[0].is_signed_with(secret)
            assert there.got[0].json["data"]["connection"] == other.slug
            eventually(lambda: AlertDelivery.objects.for_tenant(tenant).get().status == "done")
    finally:
        worker.stop()
