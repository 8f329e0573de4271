"""What the worker's tasks cost and how they end, told by the same folder as the web's figures."""

import os
import signal
import subprocess
import sys

import pytest
from celery import shared_task

from common import metrics
from common.metrics import files
from common.metrics.figures import Figures, figures
from tests.factories import unique
from tests.live import ROOT, environment, eventually


@shared_task(name="tests.frame.counted")
def counted(fail: bool = False) -> None:
    if fail:
        raise RuntimeError("no")


def ended(outcome: str) -> float:
    return figures().total("tasks", only={0: "tests.frame.counted", 1: outcome})


def test_a_task_is_counted_by_its_name_and_how_it_ended():
    import portico.celery  # noqa: F401 - connects the signals

    before = ended("ok"), ended("failed")
    counted.apply()
    with pytest.raises(RuntimeError):
        counted.apply(args=[True], throw=True)
    assert (ended("ok"), ended("failed")) == (before[0] + 1, before[1] + 1)


def test_tasks_have_buckets_that_are_long_enough():
    name = unique("task")
    metrics.worked(name, "ok", 45.0)
    (row,) = figures().total("tasks", by=(0,), only={0: name}).values()
    assert (row[7], row[-1]) == (1, 45.0)  # 30 to 60 seconds


def test_a_worker_tells_its_tasks_and_keeps_their_counts_when_it_has_stopped(database, tmp_path):
    home = tmp_path / "var" / "metrics"
    log = (tmp_path / "worker.log").open("wb")
    env = environment(PORTICO_VAR=str(tmp_path / "var"))
    code = (
        "import sys, threading, time, django; django.setup()\n"
        "from portico.celery import app\n"
        "from celery import signals\n"
        "@app.task(name='tests.counted')\ndef counted(): pass\n"
        "app.conf.update(broker_url='memory://', broker_read_url='memory://', broker_write_url='memory://')\n"
        "@signals.worker_ready.connect\ndef ready(**_):\n    [counted.apply_async(queue='portico') for _ in range(3)]\n"
        "app.worker_main(['worker', '--pool', 'solo', '--loglevel', 'INFO', '--without-gossip', '--without-mingle'])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, stdout=log, stderr=log)

    def told() -> Figures:
        from common.metrics import figures as module

        found = Figures()
        for one in files.read_all(home):
            module._add(found, one)
        return found

    try:
        found = eventually(
            lambda: (got := told()).total("tasks", only={0: "tests.counted", 1: "ok"}) == 3 and got, 60
        )
        assert found.processes == {"worker": 1}
        assert found.samples["process_memory"][("worker",)] > 1e7
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()
    assert "Traceback" not in (tmp_path / "worker.log").read_text()
    found = told()
    assert found.total("tasks", only={0: "tests.counted"}) == 3
    assert found.processes == {}
