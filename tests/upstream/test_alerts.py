"""Alerts: who gets them, how they are signed, tried again and given up."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from common.redis import sync_client
from connectors.alerts import delivery, services
from connectors.alerts.delivery import PAUSES_S, deliver
from connectors.alerts.messages import of_test
from connectors.alerts.webhook import new_secret, sign
from connectors.health.recording import record_check
from connectors.models import AlertDelivery, AlertTarget
from connectors.tasks import alert_deliver
from tests.factories import SYSTEM, make_connection, make_tenant
from tests.live import ROOT, environment, eventually
from tests.upstream.alerted import (
    BAD,
    GOOD,
    Status,
    claim,
    closed_port,
    fail,
    rows,
    run_due,
    target_of,
    tenant,
    there,
)
from tests.upstream.receiving import receiver
from tests.upstream.threads import at_once

__all__ = ["tenant", "there"]  # fixtures


# -- what is sent --------------------------------------------------------------------------------


def test_a_change_is_told_once_to_each_target_signed_and_without_a_secret(there, tenant):
    target, secret = target_of(tenant, there.url)
    other = make_tenant()
    target_of(other, there.url)
    target_of(tenant, there.url, enabled=False)
    connection = fail(tenant)
    assert [tried.ok for tried in run_due(tenant)] == [True]
    (got,) = there.got
    (row,) = rows(tenant)
    assert (row.status, row.attempts, row.target_id, row.last_error) == (Status.DONE, 1, target.pk, "")
    assert got.path == "/hooks/a:b?of=team"
    assert got.is_signed_with(secret) and not got.is_signed_with(new_secret())
    assert got.headers["webhook-id"] == str(row.pk)
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 120
    assert got.headers["content-type"] == "application/json"
    body = got.json
    assert (body["type"], set(body)) == ("connection.state_changed", {"type", "timestamp", "data"})
    assert body["data"] == {
        "tenant": tenant.slug, "connection": connection.slug, "connector": "goals", "former": "unknown",
        "state": "failing", "since": row.change.at.isoformat(), "message": row.change.message,
    }  # fmt: skip
    assert "No route" in body["data"]["message"] and b"planted" not in got.body
    assert run_due(tenant) == [] and rows(other) == []


def test_the_end_of_a_failure_is_told_and_a_first_success_is_not(there, tenant):
    target_of(tenant, there.url)
    connection = make_connection(tenant, "goals")
    for found in (GOOD, BAD, GOOD):
        record_check(tenant.pk, connection.pk, found)
    assert rows(tenant) == []
    for found in (BAD, BAD, BAD, GOOD, GOOD):
        record_check(tenant.pk, connection.pk, found)
    run_due(tenant)
    assert sorted(got.json["data"]["state"] for got in there.got) == ["failing", "ok"]


def test_the_signature_is_that_of_the_specifications_example():
    """The published example of the Standard Webhooks libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    found = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_long_and_stored_encrypted_for_its_row(tenant, settings):
    settings.PORTICO_SANDBOX = False
    target, secret = target_of(tenant, "https://hooks.example.com/x")
    row = AlertTarget.objects.for_tenant(tenant).get(pk=target.pk)
    assert secret.encode() not in bytes(row.ciphertext) and secret not in repr(row)
    other, _ = target_of(tenant, "https://hooks.example.com/y")
    AlertTarget.objects.for_tenant(tenant).filter(pk=other.pk).update(ciphertext=bytes(row.ciphertext))
    pasted = AlertTarget.objects.for_tenant(tenant).select_related("tenant").get(pk=other.pk)
    tried = services.send_alert(pasted, of_test("x", pasted, timezone.now()))
    assert tried.final and "Renew" in tried.error


def test_a_renewed_secret_signs_and_the_former_one_does_not(there, tenant):
    target, former = target_of(tenant, there.url)
    renewed = services.alert_secret_renew(target, actor=SYSTEM)
    fresh = AlertTarget.objects.for_tenant(tenant).get(pk=target.pk)
    assert services.alert_target_test(fresh, actor=SYSTEM).ok
    assert there.got[0].is_signed_with(renewed) and not there.got[0].is_signed_with(former)
    assert there.got[0].json["type"] == "alert.test"
    assert rows(tenant) == []


# -- tries ---------------------------------------------------------------------------------------


def test_a_receiver_that_fails_is_tried_again_with_the_same_id_after_growing_pauses(there, tenant):
    _, secret = target_of(tenant, there.url)
    fail(tenant)
    there.script = [500, 503, 400]
    now = timezone.now()
    for number, pause in enumerate(PAUSES_S[:3], start=1):
        ((tried,), (row,)) = run_due(tenant, now), rows(tenant)
        assert not tried.ok and (row.status, row.attempts) == (Status.WAITING, number)
        assert "HTTP" in row.last_error
        wait = (row.next_try_at - timezone.now()).total_seconds()
        assert pause - 30 < wait <= pause
        assert claim(tenant, row.next_try_at - timedelta(seconds=1)) == []
        now = row.next_try_at
    assert run_due(tenant, now)[0].ok
    (row,) = rows(tenant)
    assert (row.status, row.attempts, row.last_error) == (Status.DONE, 4, "")
    assert {got.headers["webhook-id"] for got in there.got} == {str(row.pk)}
    assert len(there.got) == 4 and all(got.is_signed_with(secret) for got in there.got)


def test_after_the_last_try_a_delivery_has_failed(there, tenant):
    target_of(tenant, there.url)
    fail(tenant)
    there.script = [500] * 10
    now = timezone.now()
    for _ in range(len(PAUSES_S) + 1):
        assert len(run_due(tenant, now)) == 1
        now = rows(tenant)[0].next_try_at
    (row,) = rows(tenant)
    assert (row.status, row.attempts, row.next_try_at) == (Status.FAILED, 6, None)
    assert len(there.got) == 6


def test_a_receiver_that_asks_for_patience_gets_it(there, tenant):
    target_of(tenant, there.url)
    fail(tenant)
    there.script = [(429, {"retry-after": "900"})]
    run_due(tenant)
    (row,) = rows(tenant)
    assert 800 < (row.next_try_at - timezone.now()).total_seconds() <= 900


def test_another_alert_for_a_receiver_that_asked_for_patience_waits_as_long(there, tenant):
    target_of(tenant, there.url)
    fail(tenant)
    there.script = [(503, {"retry-after": "7200"})]
    run_due(tenant)
    fail(tenant)
    (tried,) = run_due(tenant)
    row = rows(tenant)[1]
    assert not tried.ok and len(there.got) == 1
    assert 7000 < (row.next_try_at - timezone.now()).total_seconds() <= 7200


def test_a_receiver_that_is_gone_is_switched_off_and_what_waits_for_it_given_up(there, tenant):
    target, _ = target_of(tenant, there.url)
    fail(tenant)
    first = claim(tenant)
    fail(tenant)
    there.script = [410]
    for due in first:
        deliver(due.tenant_id, due.delivery_id, due.slot)
    target.refresh_from_db()
    assert not target.enabled
    assert [row.status for row in rows(tenant)] == [Status.FAILED, Status.FAILED]
    assert all("410" in row.last_error for row in rows(tenant))
    events = AuditEvent.objects.for_tenant(tenant).filter(name=f"alert_target.update {target.name}")
    assert events.count() == 1


def test_a_redirect_is_not_followed(there, tenant):
    with receiver() as elsewhere:
        target_of(tenant, there.url)
        fail(tenant)
        there.script = [(307, {"location": elsewhere.url})]
        assert "redirects" in run_due(tenant)[0].error
        assert elsewhere.got == [] and rows(tenant)[0].status == Status.WAITING


def test_what_was_claimed_is_not_sent_twice_by_a_second_message(there, tenant):
    target_of(tenant, there.url)
    fail(tenant)
    (due,) = claim(tenant)
    for _ in range(3):
        alert_deliver(str(due.tenant_id), str(due.delivery_id), due.slot.isoformat())
    assert len(there.got) == 1 and rows(tenant)[0].status == Status.DONE


def test_each_due_delivery_is_claimed_by_one_worker(there, tenant):
    for _ in range(3):
        target_of(tenant, there.url)
    fail(tenant)
    got = [due for batch in at_once(4, lambda: claim(tenant)) for due in batch]
    got += claim(tenant)
    assert len(got) == len({due.delivery_id for due in got}) == 3


def test_a_worker_that_is_killed_after_sending_has_it_sent_again_with_the_same_id(there, tenant):
    _, secret = target_of(tenant, there.url)
    fail(tenant)
    (due,) = claim(tenant)
    never = threading.Event()
    there.script = [never]
    code = (
        "import django; django.setup()\n"
        "from datetime import datetime; from uuid import UUID\n"
        "from connectors.alerts.delivery import deliver\n"
        f"deliver(UUID('{due.tenant_id}'), UUID('{due.delivery_id}'),"
        f" datetime.fromisoformat('{due.slot.isoformat()}'))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(PORTICO_SANDBOX="true")
    )
    try:
        eventually(lambda: there.got or process.poll() is not None, 60)
        assert there.got
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        never.set()
    (row,) = rows(tenant)
    assert (row.status, row.attempts, row.next_try_at) == (Status.WAITING, 1, due.slot)
    assert claim(tenant, due.slot - timedelta(seconds=1)) == []  # who knows whether it still runs
    assert run_due(tenant, due.slot)[0].ok
    (row,) = rows(tenant)
    assert (row.status, row.attempts) == (Status.DONE, 2)
    first, second = there.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == str(row.pk)
    assert first.body == second.body and second.is_signed_with(secret)


def test_what_kills_every_worker_is_given_up_in_the_end(there, tenant, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    target_of(tenant, there.url)
    fail(tenant)
    monkeypatch.setattr(delivery, "send_alert", killed)
    now = timezone.now()
    for _ in range(len(PAUSES_S) + 1):
        (due,) = claim(tenant, now)
        with pytest.raises(Killed):
            deliver(due.tenant_id, due.delivery_id, due.slot)
        now = due.slot
    assert claim(tenant, now) == []
    assert (rows(tenant)[0].status, rows(tenant)[0].attempts) == (Status.FAILED, len(PAUSES_S) + 1)


def test_an_alert_that_no_worker_came_to_has_lost_no_try(there, tenant):
    """Many systems fail at once, and their alerts wait longer for a worker than a claim holds."""
    target_of(tenant, there.url)
    fail(tenant)
    now = timezone.now()
    for _ in range(2 * len(PAUSES_S)):
        (due,) = claim(tenant, now)
        now = due.slot
    assert [tried.ok for tried in run_due(tenant, now)] == [True]
    assert (rows(tenant)[0].status, rows(tenant)[0].attempts) == (Status.DONE, 1)


def test_an_alert_that_waited_for_a_day_is_not_sent_any_more(there, tenant):
    target_of(tenant, there.url)
    fail(tenant)
    AlertDelivery.objects.for_tenant(tenant).update(created_at=timezone.now() - timedelta(hours=25))
    assert claim(tenant) == []
    (row,) = rows(tenant)
    assert row.status == Status.FAILED and "in time" in row.last_error


def test_a_target_that_is_switched_off_gets_nothing_that_waits(there, tenant):
    target, _ = target_of(tenant, there.url)
    fail(tenant)
    services.alert_target_update(target, enabled=False, actor=SYSTEM)
    assert run_due(tenant) == [] and there.got == []
    assert rows(tenant)[0].last_error == services.SWITCHED_OFF


def test_a_target_that_is_removed_between_claim_and_send_is_no_error(there, tenant):
    target, _ = target_of(tenant, there.url)
    fail(tenant)
    (due,) = claim(tenant)
    services.alert_target_delete(target, actor=SYSTEM)
    assert deliver(due.tenant_id, due.delivery_id, due.slot) is None
    assert deliver(make_tenant().pk, due.delivery_id, due.slot) is None
    assert there.got == []


def test_a_dead_receiver_keeps_no_other_from_its_alerts(there, tenant):
    dead = f"http://127.0.0.1:{closed_port()}/x"
    target_of(tenant, dead)
    target_of(tenant, there.url)
    fail(tenant)
    assert sorted(tried.ok for tried in run_due(tenant)) == [False, True]
    assert len(there.got) == 1


def test_a_retried_delivery_keeps_its_place_among_tenants(there):
    """Suspended tenants get nothing; after they are resumed what is young enough goes out."""
    from tenants import services as tenants

    tenant = make_tenant()
    target_of(tenant, there.url)
    fail(tenant)
    tenants.tenant_suspend(tenant=tenant, actor=SYSTEM)
    assert claim(tenant) == []
    tenants.tenant_resume(tenant=tenant, actor=SYSTEM)
    assert [tried.ok for tried in run_due(tenant)] == [True]


def test_nothing_of_an_alert_is_in_redis_but_ids(there, tenant):
    _, secret = target_of(tenant, there.url)
    fail(tenant)
    run_due(tenant)
    client = sync_client()
    for key in client.scan_iter(f"*{tenant.pk.hex}*"):
        held = client.dump(key) or b""
        assert secret.encode() not in held and b"No route" not in held
    assert uuid.UUID(there.got[0].headers["webhook-id"])
    assert delivery.LEASE_S > 60  # longer than the task's own time limit
