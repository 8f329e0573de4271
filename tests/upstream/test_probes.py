"""Probes: which are due, how they run, and what they may use."""

import asyncio
import signal
import threading
from datetime import timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from common.db import in_db
from connectors import tasks
from connectors.alerts.delivery import due_alerts
from connectors.alerts.services import alert_target_create
from connectors.base import CheckResult
from connectors.errors import AuthenticationFailed, ConnectionFailed
from connectors.health import recording
from connectors.health.history import Uptime
from connectors.health.probing import due_probes, probe_overran
from connectors.health.recording import record_check
from connectors.health.states import Standing
from connectors.models import (
    AlertDelivery,
)
from connectors.services import connection_check, connection_update, credential_set
from connectors.tasks import probe_connection
from tenants import services as tenants
from tests.factories import SYSTEM, make_caller, make_connection, make_member, make_tenant
from tests.live import eventually
from tests.mcp_endpoint.jobs import Worker
from tests.upstream.probed import (
    ASKED,
    BAD,
    GOOD,
    SICK,
    UNTOLD,
    changes,
    claimed,
    connected,
    health,
    make_due,
    run_probe,
)
from tests.upstream.receiving import receiver
from tests.upstream.threads import at_once, closing

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

    monkeypatch.setitem(registry.BUILT_IN, "plainone", "tests.upstream.probed:Plain")
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
