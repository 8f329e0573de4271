"""Tasks that nobody moves on: no worker, a lost one, an end that is long ago."""

import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from audit.models import AuditEvent
from mcp_endpoint.long_tasks import services as tasks
from mcp_endpoint.long_tasks.tending import purge, settle, tend
from mcp_endpoint.models import Task
from tests.mcp_endpoint.jobs import ENTRY
from tests.mcp_endpoint.speak import Place
from tests.mcp_endpoint.tasking import about, jobs_place, queued_here, row_of, send, stand, start

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture(autouse=True)
def queue(monkeypatch):
    return queued_here(monkeypatch)


def age(place: Place, task_id: str, **fields) -> Task:
    Task.objects.for_tenant(place.tenant).filter(pk=task_id).update(**fields)
    return row_of(place, task_id)


def ago(seconds: float):
    return timezone.now() - timedelta(seconds=seconds)


def test_a_task_without_a_worker_says_so_and_expires_unrun():
    place = jobs_place()
    task_id = (start(place, "job_secret", word="hush"))["taskId"]
    age(place, task_id, queued_at=ago(60))
    assert (stand(place, task_id))["statusMessage"] == "Waits for a worker; perhaps none is running."
    age(place, task_id, queued_at=ago(901))
    found = stand(place, task_id)
    assert found["status"] == "failed"
    assert found["error"]["code"] == -32603 and "nothing was run" in found["error"]["message"]
    rows = AuditEvent.objects.for_calls(place.tenant, [task_id])
    assert [(row.outcome, row.error_type) for row in rows] == [("error", "timeout")]


def test_a_write_whose_worker_is_gone_ends_with_an_unknown_outcome_and_never_runs_again(queue):
    place = jobs_place()
    task_id = (start(place, "job_secret", word="hush"))["taskId"]
    run = uuid.uuid4()
    row = tasks.task_claim(place.tenant.pk, uuid.UUID(task_id), run)
    assert tasks.task_claim(place.tenant.pk, uuid.UUID(task_id), uuid.uuid4()) is None, "a second message"
    assert not settle(row), "it lives"
    age(place, task_id, beat_at=ago(61))
    found = stand(place, task_id)
    assert found["status"] == "failed" and "outcome is unknown" in found["error"]["message"]
    assert tasks.task_beat(row, run, None) == "lost"
    assert not tasks.task_finish(row, run, "completed", outcome=b"{}"), "a late end changes nothing"
    assert queue == [task_id], "it was queued once"


def test_a_read_whose_worker_is_gone_runs_again_but_not_for_ever(queue):
    place = jobs_place()
    task_id = (start(place, "job_echo", word="a"))["taskId"]
    for attempt in (1, 2):
        assert tasks.task_claim(place.tenant.pk, uuid.UUID(task_id), uuid.uuid4()) is not None
        age(place, task_id, beat_at=ago(61))
        assert (stand(place, task_id))["status"] == "working"
        assert queue == [task_id] * (attempt + 1)
    assert tasks.task_claim(place.tenant.pk, uuid.UUID(task_id), uuid.uuid4()) is not None
    age(place, task_id, beat_at=ago(61))
    assert (stand(place, task_id))["status"] == "failed"
    assert AuditEvent.objects.for_calls(place.tenant, [task_id]).count() == 1


def test_tending_ends_what_is_lost_queues_what_waits_and_purges_what_is_over(queue):
    place = jobs_place()
    waits, lost, over, kept = [(start(place, "job_secret", word="a"))["taskId"] for _ in range(4)]
    age(place, waits, queued_at=ago(200))
    tasks.task_claim(place.tenant.pk, uuid.UUID(lost), uuid.uuid4())
    age(place, lost, beat_at=ago(61))
    send(about(place, "cancel", over))
    send(about(place, "cancel", kept))
    age(place, over, expires_at=ago(1))
    assert send(about(place, "get", over)).error["code"] == -32602, "over, though not purged yet"
    tend()
    assert waits in queue[4:]
    assert row_of(place, lost).status == "failed"
    left = {str(pk) for pk in Task.objects.for_tenant(place.tenant).values_list("pk", flat=True)}
    assert left == {waits, lost, kept}
    assert row_of(place, kept).expires_at > timezone.now() + timedelta(seconds=3590)
    purge()
    assert Task.objects.for_tenant(place.tenant).count() == 3
