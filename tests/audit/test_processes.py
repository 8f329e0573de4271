import os
import signal
import subprocess
import sys

from django.db import connection

from audit.models import AuditEvent
from audit.verification import verify

CALLS = 400


def start(tenant, calls):
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        url = f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return subprocess.Popen(
        [sys.executable, "-m", "tests.audit.worker", str(tenant.pk), str(calls)],
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": ".:platform"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_four_processes_share_a_chain_and_killing_one_loses_no_answered_call(tenant):
    victim = start(tenant, 1_000_000)
    others = [start(tenant, CALLS) for _ in range(3)]
    answered = [victim.stdout.readline().strip() for _ in range(100)]
    os.kill(victim.pid, signal.SIGKILL)
    rest = victim.stdout.read()
    # The last line may have been cut by the kill: only whole lines were answers.
    answered += rest[: rest.rfind("\n") + 1].split()
    victim.communicate(timeout=10)
    for process in others:
        answered += process.communicate(timeout=60)[0].split()
        assert process.returncode == 0
    written = set(AuditEvent.objects.for_tenant(tenant).values_list("call_id", flat=True))
    assert len(answered) >= 3 * CALLS + 100
    assert set(answered) <= written
    report = verify(tenant.pk.hex)
    assert report.ok, report.problem
