"""Counting: what processes write, what becomes of it when they end, and how it is added up."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from common import metrics
from common.metrics import files, recording, tables
from common.metrics.figures import Figures, figures, histogram
from common.metrics.instruments import registry
from tests.factories import unique
from tests.live import ROOT, environment, eventually
from tests.mcp_endpoint.speak import Place, by_door, make_place, modern


def calls_of(connector: str, found: Figures | None = None) -> dict:
    return (found or figures()).total("calls", by=(1, 2, 3), only={0: connector})


def child(folder, code: str, **options) -> subprocess.Popen:
    """A process that counts into a folder of its own."""
    started = (
        "import os, sys, pathlib\nfrom django.conf import settings\n"
        f"settings.configure(VAR=pathlib.Path({str(folder)!r}))\n"
        "from common import metrics\nfrom common.metrics import recording\n" + code
    )
    return subprocess.Popen(
        [sys.executable, "-c", started], cwd=ROOT, env=environment(), stdout=subprocess.PIPE,
        stdin=subprocess.PIPE, **options,
    )  # fmt: skip


@pytest.fixture
def place():
    return make_place(connectors=("probe",))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of metrics that only the children of a test write to."""
    monkeypatch.setattr(settings, "VAR", tmp_path)
    return tmp_path


def read(folder) -> Figures:
    """The figures of other processes, without this one's."""
    from common.metrics import figures as module

    files.bury(folder / "metrics")
    found = Figures()
    for told in files.read_all(folder / "metrics"):
        module._add(found, told)
    return found


def test_a_call_is_counted_with_its_duration_in_its_bucket():
    name = unique("c")
    metrics.called(name, "read", "ok", "", 0.004)
    metrics.called(name, "read", "ok", "", 0.004)
    metrics.called(name, "write", "error", "timeout", 120.0)
    found = calls_of(name)
    row = found[("read", "ok", "")]
    assert row[tables.SHORT_BUCKETS.index(0.005)] == 2
    assert row[-1] == pytest.approx(0.008)
    assert found[("write", "error", "timeout")][len(tables.SHORT_BUCKETS)] == 1


def test_buckets_are_told_with_all_that_is_below_them():
    row = [0] * (len(tables.SHORT_BUCKETS) + 2)
    row[0], row[3], row[-2], row[-1] = 1, 2, 4, 9.5
    told = list(histogram(row, tables.SHORT_BUCKETS))
    assert told[0] == ("0.001", 1)
    assert told[3] == ("0.01", 3)
    assert told[9] == ("1.0", 3)
    assert told[-1] == ("+Inf", 7)


def test_counts_from_many_threads_are_all_there():
    name = unique("c")
    threads = [
        threading.Thread(target=lambda: [metrics.cached(name, "hit") for _ in range(2_000)]) for _ in range(8)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert figures().total("cache", only={0: name}) == 16_000


def test_a_table_that_is_full_counts_the_rest_together(monkeypatch):
    table = tables.Table("of a test", 2)
    try:
        monkeypatch.setattr(tables, "MAX_ROWS", 3)
        for number in range(10):
            table.add((str(number), "x"))[0] += 1
        assert len(table.rows) == 4
        assert table.rows[("other", "other")] == [7]
    finally:
        del tables.ALL["of a test"]


def test_what_processes_counted_is_added_up_and_gauges_are_of_the_living(folder):
    code = "recording.start('web'); metrics.called('multi', 't', 'ok', '', 0.1); metrics.sample('streams', lambda: {('t',): 3}); recording.flush(); print('on', flush=True); sys.stdin.read()"
    both = [child(folder, code) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == b"on\n"
    found = read(folder)
    assert sum(found.total("calls", by=(0,))[("multi",)][:-1]) == 2
    assert found.sampled("streams") == 6
    assert found.processes == {"web": 2}
    both[0].kill()  # it says nothing more: its lock alone tells that it has gone
    both[0].wait()
    found = read(folder)
    assert sum(found.total("calls", by=(0,))[("multi",)][:-1]) == 2
    assert found.sampled("streams") == 3
    assert found.processes == {"web": 1}
    assert found.samples["process_cpu"][("web",)] > 0
    both[1].communicate()
    found = read(folder)
    assert found.total("calls") == 2
    assert found.sampled("streams") == 0
    left = sorted(path.name for path in (folder / "metrics").iterdir())
    assert left == ["lock", "v1-past.json"]


def test_a_process_that_ends_by_itself_writes_its_last_counts(folder):
    assert child(folder, "metrics.limited('quota')").wait(60) == 0
    assert read(folder).total("limited", only={0: "quota"}) == 1


def test_a_forked_child_tells_its_own_counts_alone(folder):
    code = (
        "metrics.limited('key'); recording.flush()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    metrics.limited('tool'); recording.flush(); os._exit(0)\n"
        "os.waitpid(pid, 0); recording.flush(); print('on', flush=True); sys.stdin.read()\n"
    )
    process = child(folder, code)
    assert process.stdout.readline() == b"on\n"
    found = read(folder)
    assert found.counts["limited"] == {("key",): [1], ("tool",): [1]}
    assert found.processes == {"command": 1}
    process.communicate()


def test_files_are_for_their_owner_alone(folder):
    assert child(folder, "metrics.limited('key')").wait(60) == 0
    home = folder / "metrics"
    assert home.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in home.iterdir()} == {0o600}


def test_a_file_that_was_cut_off_is_left_out(folder):
    assert child(folder, "metrics.limited('key')").wait(60) == 0
    (folder / "metrics" / "v1-web-1-abc.json").write_bytes(b'{"kind":"web","coun')
    (folder / "metrics" / "v0-web-1-abc.json").write_bytes(b"of another version")
    assert read(folder).total("limited") == 1


def test_a_folder_that_cannot_be_written_stops_nothing_and_is_said_once(folder):
    (folder / "metrics").write_text("a file in its place")
    code = "metrics.limited('key'); recording.flush(); recording.flush(); print('on')"
    process = child(folder, code, stderr=subprocess.PIPE)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"on\n")
    assert said.count(b"Metrics cannot be written") == 1, said


async def test_calls_over_the_endpoint_are_counted_by_connector_tool_and_outcome(place):
    before = calls_of("probe")
    asked = figures().total("requests", only={2: "tools/call", 3: "ok"})
    for name, arguments in (("probe_echo", {"text": "x"}), ("probe_fail", {})):
        await by_door(modern(place, "tools/call", {"name": name, "arguments": arguments}))
    after = calls_of("probe")
    grown = {key: sum(row[:-1]) - sum(before.get(key, [0, 0])[:-1]) for key, row in after.items()}
    assert grown[("probe_echo", "ok", "")] >= 1
    assert any(
        count and tool == "probe_fail" and outcome == "error" and kind
        for (tool, outcome, kind), count in grown.items()
    )
    assert figures().total("requests", only={2: "tools/call", 3: "ok"}) > asked


async def test_names_that_a_client_invents_become_no_labels(place):
    invented = unique("invented")
    await by_door(modern(place, "tools/call", {"name": invented, "arguments": {}}))
    await by_door(modern(place, f"{invented}/list", {}))
    await by_door(modern(Place(place.tenant, f"ptc_{invented}", None), "tools/list", {}))
    recording.flush()
    assert invented not in str(recording._counts())


async def test_no_tenant_is_named(place):
    await by_door(modern(place, "tools/call", {"name": "probe_echo", "arguments": {"text": "x"}}))
    text = await asyncio.to_thread(lambda: _exposed())
    assert place.tenant.slug not in text
    assert place.tenant.pk.hex not in text


def _exposed() -> str:
    from portico.metrics import exposed

    return exposed()[0].decode()


def test_what_is_exposed_can_be_read_by_prometheus_own_parser():
    name = unique("c")
    metrics.called(name, "read", "ok", "", 0.004)
    metrics.called(name, "read", "error", "timeout", 2.0)
    metrics.sent(name, "2xx", 0.2)
    metrics.worked(name, "ok", 700.0)
    metrics.breaker(name, "opened")
    metrics.probed(name, False)
    metrics.repeated(name)
    metrics.away(name, True)
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(_exposed())
        for sample in family.samples
        if name in sample.labels.values()
    }
    metrics.away(name, False)
    assert found[("portico_tool_calls_total", *sorted((name, "read", "ok")))] == 1
    assert found[("portico_tool_errors_total", *sorted((name, "read", "timeout")))] == 1
    assert found[("portico_tool_call_duration_seconds_count", name)] == 2
    assert found[("portico_tool_call_duration_seconds_bucket", *sorted((name, "0.005")))] == 1
    assert found[("portico_upstream_requests_total", *sorted((name, "2xx")))] == 1
    assert found[("portico_task_duration_seconds_bucket", *sorted((name, "600.0")))] == 0
    assert found[("portico_task_duration_seconds_bucket", *sorted((name, "+Inf")))] == 1
    assert found[("portico_breaker_events_total", *sorted((name, "opened")))] == 1
    assert found[("portico_probes_total", *sorted((name, "failed")))] == 1
    assert found[("portico_upstream_repetitions_total", name)] == 1
    assert found[("portico_redis_away", name)] == 1


def test_families_are_there_before_anything_was_counted():
    names = {family.name for family in registry({"version": "1", "python": "3"}, Figures()).collect()}
    assert {"portico_tool_calls", "portico_tool_call_duration_seconds", "portico_breakers_open"} <= names


def test_whoever_only_counts_does_not_import_prometheus_library():
    code = "import sys, portico.asgi; print(any(name.startswith('prometheus_client') for name in sys.modules), 'sentry_sdk' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_a_stopped_process_is_no_dead_one(folder):
    process = child(
        folder, "metrics.limited('key'); recording.flush(); print('on', flush=True); sys.stdin.read()"
    )
    assert process.stdout.readline() == b"on\n"
    os.kill(process.pid, signal.SIGSTOP)
    try:
        assert files.bury(folder / "metrics") == 0
        assert read(folder).processes == {"command": 1}
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.communicate()
    eventually(lambda: read(folder).processes == {})
