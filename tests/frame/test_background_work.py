"""The rules that every background task keeps, and what runs them."""

import inspect
import shlex
from pathlib import Path
from uuid import UUID

import pytest
from celery.schedules import crontab
from django.conf import settings

from common.tasks import MAX_LOST, BoundedTask, WorkersLostError
from portico.celery import VISIBILITY_S, app
from portico.queues import LONG_QUEUE, ROUTES, SHORT_QUEUES
from portico.supervisor import commands

app.loader.import_default_modules()
OURS = {name: task for name, task in sorted(app.tasks.items()) if not name.startswith(("celery.", "tests."))}
# Where the message says what is to be done, beside ids: a moment that was planned for.
MOMENTS = {"slot", "at"}


def test_the_walk_sees_the_tasks_of_every_room():
    rooms = {name.split(".")[0] for name in OURS}
    assert {"audit", "connectors", "mcp_endpoint"} <= rooms and len(OURS) > 12


@pytest.mark.parametrize("name", OURS)
def test_a_task_is_acknowledged_after_its_work_and_ended_in_time(name):
    task = OURS[name]
    assert isinstance(task, BoundedTask)
    assert task.acks_late and task.reject_on_worker_lost is not False and task.ignore_result
    assert 0 < task.soft_time_limit < task.time_limit < VISIBILITY_S, "or it would be given out twice"
    assert app.conf.task_reject_on_worker_lost and app.conf.task_acks_late


@pytest.mark.parametrize("name", OURS)
def test_a_task_takes_ids_alone(name):
    signature = inspect.signature(inspect.unwrap(OURS[name].run))
    for parameter in signature.parameters.values():
        assert parameter.name.endswith("_id") or parameter.name in MOMENTS, parameter
        assert parameter.annotation in (str, UUID, "str", "UUID"), parameter


@pytest.mark.parametrize("name", OURS)
def test_a_task_has_a_queue_and_long_ones_a_queue_of_their_own(name):
    queue = app.amqp.router.route({}, name)["queue"].name
    assert queue in (*SHORT_QUEUES, LONG_QUEUE)
    assert (queue == LONG_QUEUE) == (OURS[name].time_limit > 600)


def test_each_kind_that_asks_other_systems_has_a_queue_of_its_own():
    queues = {name: app.amqp.router.route({}, name)["queue"].name for name in OURS}
    assert {queues[name] for name in OURS} == {*SHORT_QUEUES, LONG_QUEUE}, (
        "a queue without a task, or a task without"
    )
    assert queues["connectors.tasks.warm_up"] == "warm"
    assert queues["mcp_endpoint.tasks.run"] == LONG_QUEUE
    assert set(ROUTES.values()) == {*SHORT_QUEUES, LONG_QUEUE}
    assert {queue.name for queue in app.conf.task_queues} == {*SHORT_QUEUES, LONG_QUEUE}


def test_no_result_is_stored_and_messages_are_json():
    assert app.conf.result_backend is None and app.conf.task_ignore_result
    assert app.conf.accept_content == ["json"] and app.conf.task_serializer == "json"


@pytest.mark.parametrize("entry", app.conf.beat_schedule, ids=str)
def test_what_a_worker_missed_is_done_once(entry):
    line = app.conf.beat_schedule[entry]
    assert not line.get("args") and line["task"] in OURS
    expires, schedule = line["options"]["expires"], line["schedule"]
    if isinstance(schedule, crontab):
        assert expires <= 43_200
    else:
        assert expires <= schedule, "or messages pile up while no worker is there"


def test_a_message_that_costs_too_many_workers_is_refused():
    class Once(BoundedTask):
        name = "tests.frame.once"

        class request:
            delivery_info = {"redelivered": True}

    message = "test-" + __name__
    from common.redis import sync_client

    sync_client().delete(f"portico:celery-lost:{message}")
    for _ in range(MAX_LOST - 1):
        Once().before_start(message, (), {})
    with pytest.raises(WorkersLostError):
        Once().before_start(message, (), {})
    Once.request.delivery_info = {"redelivered": False}
    Once().before_start(message, (), {})


def queues_of(words: list[str]) -> set[str]:
    return set(words[words.index("-Q") + 1].split(","))


def test_the_quick_starts_workers_take_every_queue_once_and_one_of_them_has_beat():
    workers = {name: shlex.split(line) for name, line in commands(reload=False).items() if " worker " in line}
    taken = [queue for words in workers.values() for queue in queues_of(words)]
    assert sorted(taken) == sorted([*SHORT_QUEUES, LONG_QUEUE])
    assert sum("--beat" in words for words in workers.values()) == 1


def test_composes_workers_take_every_queue_once_and_one_of_them_has_beat():
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((Path(settings.ROOT) / "compose.yaml").read_text())["services"]
    workers = [
        list(map(str, row["command"])) for row in services.values() if "worker" in row.get("command", [])
    ]
    taken = [queue for words in workers for queue in queues_of(words)]
    assert sorted(taken) == sorted([*SHORT_QUEUES, LONG_QUEUE])
    assert sum("--beat" in words for words in workers) == 1
