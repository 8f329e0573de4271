"""Real workers on a real broker: killed in the middle of their work, and what their messages hold."""

import base64
import json
import os
import re
import signal
from datetime import timedelta
from uuid import UUID

import pytest
from django.conf import settings
from django.utils import timezone

from common.tasks import MAX_LOST
from connectors import services, tasks
from connectors.models import UsageCursor, WarmUp
from connectors.usage import roll_up
from portico.celery import app
from tests.connectors.test_usage import calls, happened
from tests.connectors.test_warm_ups import ACTOR, made, now_due, place
from tests.connectors.warm_tools import noted
from tests.factories import make_tenant
from tests.live import eventually
from tests.mcp_endpoint.jobs import ENTRY
from tests.mcp_endpoint.tasking import jobs_place, start
from tests.processes.held import FOLDER
from tests.processes.working import broker, unacknowledged, waiting, worker

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@pytest.fixture(autouse=True)
def empty_broker():
    broker().flushdb()
    yield
    broker().flushdb()


def settled():
    return not unacknowledged() and not any(waiting(queue.name) for queue in app.conf.task_queues)


def run(row, planned):
    tasks.warm_up.apply_async((str(row.tenant_id), str(row.pk), planned.isoformat()))


def test_a_warm_up_whose_worker_is_killed_is_made_again_and_once(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path, tool="warmed_wait")
    planned = now_due(row)
    with worker(tmp_path):
        run(row, planned)
        (first,) = eventually(lambda: noted(tmp_path), 30)
        os.kill(int(first), signal.SIGKILL)
        again = eventually(lambda: len(noted(tmp_path)) > 1 and noted(tmp_path), 30)
        assert again[1] != first
        (tmp_path / "go").touch()
        eventually(lambda: WarmUp.objects.for_tenant(tenant).get().last_ok, 30)
        run(row, planned)  # a second message for the same run
        eventually(settled, 30)
    assert len(noted(tmp_path)) == 2
    row.refresh_from_db()
    assert row.last_ok and row.last_at > planned


def test_a_message_over_which_every_worker_dies_is_given_up(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path, tool="warmed_die")
    with worker(tmp_path) as log:
        run(row, now_due(row))
        eventually(lambda: "WorkersLostError" in log.read_text(), 60)
        eventually(settled, 30)
        harmless = made(tenant, connection, tmp_path)
        run(harmless, now_due(harmless))
        eventually(lambda: WarmUp.objects.for_tenant(tenant).get(pk=harmless.pk).last_ok, 30)
    assert len(noted(tmp_path)) == MAX_LOST + 1


def test_a_roll_up_whose_worker_is_killed_in_its_transaction_counts_every_call_once(tmp_path):
    tenant = make_tenant()
    roll_up(tenant.pk)
    happened(tenant, times=7)
    with worker(tmp_path, "-I", "tests.processes.held", **{FOLDER: str(tmp_path)}):
        tasks.usage_roll_up.delay(str(tenant.pk))
        (first,) = eventually(lambda: noted(tmp_path), 30)
        os.kill(int(first), signal.SIGKILL)
        assert calls(tenant) == 0, "nothing of it was committed"
        eventually(lambda: len(noted(tmp_path)) > 1, 30)
        (tmp_path / "go").touch()
        eventually(lambda: calls(tenant), 30)
        tasks.usage_roll_up.delay(str(tenant.pk))
        eventually(settled, 30)
    assert calls(tenant) == 7
    assert UsageCursor.objects.for_tenant(tenant).get().seq > 7


def test_what_waited_too_long_is_dropped_and_other_queues_are_left_alone(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path)
    planned = now_due(row)
    ids = (str(tenant.pk), str(row.pk), planned.isoformat())
    for _ in range(3):  # a worker that was away for three rounds
        tasks.warm_up.apply_async(ids, expires=timezone.now() - timedelta(seconds=1))
    tasks.purge_usage.delay()
    with worker(tmp_path, "-Q", "warm"):
        eventually(lambda: not waiting("warm") and not unacknowledged(), 30)
    assert noted(tmp_path) == []
    assert len(waiting("portico")) == 1, "this worker was not asked to do it"


PLANTED = "pl4nted-in-a-message"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")


def is_id(value):
    try:
        return str(UUID(value)) == value
    except ValueError:
        return bool(TIME.fullmatch(value))


def test_messages_carry_ids_and_times_and_no_secret(tmp_path):
    tenant, connection = place()
    services.credential_set(connection, {"token": PLANTED}, actor=ACTOR)
    row = made(tenant, connection, tmp_path, arguments={"word": PLANTED})
    now_due(row)
    happened(tenant, arguments={"word": PLANTED})
    start(jobs_place(), "job_secret", word=PLANTED)
    (
        tasks.queue_due_warm_ups(),
        tasks.queue_usage_roll_ups(),
        tasks.queue_due_probes(),
        tasks.queue_due_tokens(),
    )
    seen = set()
    for queue in app.conf.task_queues:
        for message in waiting(queue.name):
            envelope = json.loads(message)
            body = base64.b64decode(envelope["body"]).decode()
            assert PLANTED not in message.decode() + body
            arguments, named, _ = json.loads(body)
            assert all(is_id(value) for value in (*arguments, *named.values())), (
                envelope["headers"]["task"],
                body,
            )
            seen.add((envelope["headers"]["task"], queue.name))
    assert {
        ("connectors.tasks.warm_up", "warm"),
        ("connectors.tasks.usage_roll_up", "portico"),
        ("mcp_endpoint.tasks.run", "tasks"),
    } <= seen
    everything = b"".join(value for key in broker().scan_iter() for value in _bytes_of(key))
    assert PLANTED.encode() not in everything


def _bytes_of(key):
    kind = broker().type(key)
    yield key
    if kind == b"list":
        yield from broker().lrange(key, 0, -1)
    elif kind == b"hash":
        yield from broker().hvals(key)
