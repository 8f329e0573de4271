import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from django.db import connection, transaction

from common.bus import bus
from tenants import changes, services
from tenants.changes import GONE, Watcher, tenant_changed, watcher
from tenants.models import Tenant
from tests.factories import SYSTEM, make_key, make_tenant

ROOT = Path(__file__).resolve().parents[2]

# Another process: authenticates in a loop and says whenever its answer changes.
OTHER = """
import sys, time
sys.path[:0] = [{root!r}, {root!r} + "/platform"]
import django
django.setup()
from django.conf import settings
from tenants.access import AccessDenied, authenticate_blocking
last = None
while True:
    try:
        authenticate_blocking(sys.argv[1], sys.argv[2], address="192.0.2.1")
        now = "open"
    except AccessDenied as denied:
        now = denied.reason
    if now != last:
        print(now, flush=True)
        last = now
    time.sleep(0.005)
"""


def eventually(condition, within=3.0):
    end = time.monotonic() + within
    while time.monotonic() < end:
        if condition():
            return True
    return False


def other_process(tenant, secret, *, redis_url):
    name = str(connection.settings_dict["NAME"])
    url = f"sqlite:///{name}" if connection.vendor == "sqlite" else _postgres_url(name)
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": redis_url,
        "DJANGO_SETTINGS_MODULE": "portico.settings",
    }
    return subprocess.Popen(
        [sys.executable, "-c", OTHER.format(root=str(ROOT)), tenant.slug, secret],
        env=env, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def _postgres_url(name):
    parts = connection.settings_dict
    return f"postgres://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{name}"


@pytest.mark.parametrize("with_redis", [True, False], ids=["with redis", "without redis"])
def test_another_process_obeys_within_a_second(with_redis):
    tenant = make_tenant()
    key, secret = make_key(tenant)
    redis_url = os.environ["REDIS_URL"] if with_redis else "redis://127.0.0.1:1/0"
    process = other_process(tenant, secret, redis_url=redis_url)
    try:
        assert process.stdout.readline().strip() == "open"
        for change, answer in (
            (lambda: services.tenant_suspend(tenant=tenant, actor=SYSTEM), "suspended"),
            (lambda: services.tenant_resume(tenant=tenant, actor=SYSTEM), "open"),
            (lambda: services.access_key_revoke(key=key, actor=SYSTEM), "revoked"),
        ):
            change()
            start = time.monotonic()
            assert process.stdout.readline().strip() == answer
            assert time.monotonic() - start < 1.0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_poll_finds_what_another_process_committed():
    tenant, other = make_tenant(), Watcher()
    other.poll(sweep=True)
    heard = []
    other.subscribe(lambda tenant_id, version: heard.append((tenant_id, version)))
    with transaction.atomic():
        tenant_changed(tenant.pk)
    other.poll()
    assert (tenant.pk, tenant.version + 1) in heard
    assert other.current_version(tenant.pk) == tenant.version + 1


def test_a_change_that_is_rolled_back_is_not_announced():
    tenant = make_tenant()
    version = watcher.current_version(tenant.pk)
    with pytest.raises(RuntimeError), transaction.atomic():
        tenant_changed(tenant.pk)
        raise RuntimeError
    assert watcher.current_version(tenant.pk) == version


def test_a_transaction_that_commits_late_is_still_seen():
    """Stamped half a minute before it shows: inside the overlap, so the next poll has it."""
    tenant, other = make_tenant(), Watcher()
    other.poll()
    from django.db.models import F
    from django.db.models.functions import Now

    Tenant.objects.filter(pk=tenant.pk).update(
        version=F("version") + 1, changed_at=Now() - changes.OVERLAP / 2
    )
    other.poll()
    assert other.current_version(tenant.pk) == tenant.version + 1


def test_one_poll_is_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        Watcher().poll()


def test_a_sweep_finds_deleted_tenants_and_changes_older_than_the_overlap():
    tenant, other = make_tenant(), Watcher()
    other.poll()
    assert other.current_version(tenant.pk)
    suspended = services.tenant_suspend(tenant=tenant, actor=SYSTEM)
    services.tenant_delete(tenant=suspended, actor=SYSTEM)
    other.poll(sweep=True)
    assert other.current_version(tenant.pk) == GONE


def test_older_news_does_not_undo_newer():
    other, tenant_id, heard = Watcher(), uuid4(), []
    other.subscribe(lambda _, version: heard.append(version))
    for version in (3, 2, 3, 4):
        other.heard(tenant_id, version)
    assert heard == [3, 4]


def test_a_failing_subscriber_does_not_silence_the_others(caplog):
    other, heard = Watcher(), []
    other.subscribe(lambda *_: 1 / 0)
    other.subscribe(lambda _, version: heard.append(version))
    other.heard(uuid4(), 1)
    assert heard == [1]


def test_news_of_the_bus_are_heard_and_nonsense_is_not():
    tenant_id = uuid4()
    for nonsense in ({}, {"version": "7"}, {"version": None}):
        bus.publish(tenant_id, "tenant", nonsense)
    assert watcher.current_version(tenant_id) == 0
    bus.publish(tenant_id, "tenant", {"version": 7})
    assert watcher.current_version(tenant_id) == 7


def test_the_thread_survives_a_database_that_is_away(monkeypatch, caplog):
    other, tenant = Watcher(), make_tenant()
    away = True
    real = other.poll

    def poll(**kwargs):
        if away:
            from django.db import OperationalError

            raise OperationalError("gone")
        real(**kwargs)

    other.poll = poll
    monkeypatch.setattr(changes, "POLL_S", 0.01)
    monkeypatch.setattr(redis.Redis, "publish", lambda *_: None)
    other.start()
    try:
        assert eventually(lambda: other.last_error == "OperationalError")
        away = False
        assert eventually(lambda: other.current_version(tenant.pk) >= tenant.version)
        assert other.last_error is None
    finally:
        other.stop()
