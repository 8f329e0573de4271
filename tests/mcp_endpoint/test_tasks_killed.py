"""A worker that is killed in the middle of its tasks."""

import os
import signal
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from mcp_endpoint.models import Task
from tests.live import eventually
from tests.mcp_endpoint.jobs import ENTRY, Worker
from tests.mcp_endpoint.tasking import audited, jobs_place, stand, start, text_of, until

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


def test_a_killed_worker_leaves_a_write_unknown_and_a_read_is_done_again(database, tmp_path):
    (tmp_path / "w").mkdir(), (tmp_path / "r").mkdir()
    first = Worker(tmp_path)
    try:
        place = jobs_place()
        write = start(place, "job_write", folder=str(tmp_path / "w"))["taskId"]
        read = start(place, "job_read", folder=str(tmp_path / "r"))["taskId"]
        eventually(lambda: (tmp_path / "w" / "runs").exists() and (tmp_path / "r" / "runs").exists(), 20)
        os.killpg(first.process.pid, signal.SIGKILL)
    finally:
        first.process.wait(10)
    assert stand(place, write)["status"] == "working", "nobody knows yet"
    silent = timezone.now() - timedelta(seconds=61)
    Task.objects.for_tenant(place.tenant).update(beat_at=silent)
    found = stand(place, write)
    assert found["status"] == "failed" and "outcome is unknown" in found["statusMessage"]
    (tmp_path / "r" / "go").touch()
    assert stand(place, read)["status"] == "working"
    second = Worker(tmp_path)
    try:
        assert text_of(until(place, read)) == "went"
    finally:
        second.stop()
    assert len((tmp_path / "w" / "runs").read_text().splitlines()) == 1
    assert len((tmp_path / "r" / "runs").read_text().splitlines()) == 2
    assert audited(place, write) == [("attempt", "started")]
    assert audited(place, read) == [("done", "ok")]
