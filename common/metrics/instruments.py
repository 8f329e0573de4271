"""Every figure that Prometheus may ask for, with its labels; docs/metrics.md lists the same.

Imported by whoever answers Prometheus alone: its client library costs a process 80 ms.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from common.metrics.figures import Figures, figures, histogram
from common.metrics.tables import LONG_BUCKETS, SHORT_BUCKETS

# A table, the labels of the family and which of the table's they are.
_COUNTERS: Final = (
    ("portico_requests", "Requests that were answered.", "requests", ("door", "era", "method", "status"),
     (0, 1, 2, 3)),
    ("portico_tool_calls", "Tool calls that ended.", "calls", ("connector", "tool", "outcome"), (0, 1, 2)),
    ("portico_cache_events", "What happened to results that are kept.", "cache", ("connector", "event"),
     (0, 1)),
    ("portico_limits_refused", "Calls that a limit refused.", "limited", ("scope",), (0,)),
    ("portico_breaker_events", "What happened to circuit breakers.", "breaker", ("connector", "event"),
     (0, 1)),
    ("portico_upstream_requests", "Requests to systems.", "sent", ("connector", "outcome"), (0, 1)),
    ("portico_upstream_repetitions", "Requests to systems that were sent again.", "repeated",
     ("connector",), (0,)),
    ("portico_probes", "Probes of connections.", "probed", ("connector", "outcome"), (0, 1)),
    ("portico_tasks", "Background tasks that ended.", "tasks", ("task", "outcome"), (0, 1)),
)  # fmt: skip
_HISTOGRAMS: Final = (
    ("portico_tool_call_duration_seconds", "How long tool calls took.", "calls", ("connector",), (0,),
     SHORT_BUCKETS),
    ("portico_upstream_request_duration_seconds", "How long requests to systems took.", "sent",
     ("connector",), (0,), SHORT_BUCKETS),
    ("portico_task_duration_seconds", "How long background tasks took.", "tasks", ("task",), (0,),
     LONG_BUCKETS),
)  # fmt: skip
# A sample, the labels under which it is shown; without any the processes are added up.
_GAUGES: Final = (
    ("portico_breakers_open", "Circuit breakers that are open.", "breakers_open", ("connector",)),
    ("portico_redis_away", "Processes that go on without Redis.", "redis_away", ("use",)),
    ("portico_cache_entries", "Results that are kept.", "cache_entries", ()),
    ("portico_cache_bytes", "Bytes of results that are kept.", "cache_bytes", ()),
    ("portico_open_streams", "Open streams of notifications.", "streams", ()),
    ("portico_audit_queue", "Rows of the audit that wait for the database.", "audit_queue", ()),
    ("portico_audit_failing", "Processes whose last write to the audit failed.", "audit_failing", ()),
    ("portico_bus_connected", "Processes that listen to the bus.", "bus_connected", ("process",)),
    ("portico_process_resident_memory_bytes", "Resident memory.", "process_memory", ("process",)),
    ("portico_process_open_files", "Open files and sockets.", "process_files", ("process",)),
    ("portico_process_threads", "Threads.", "process_threads", ("process",)),
)  # fmt: skip


class Collector:
    """Portico's figures as prometheus_client collects them."""

    def __init__(self, about: dict[str, str], given: Figures | None = None) -> None:
        self._about = about
        self._given = given

    def collect(self) -> Iterator[Metric]:
        """Every family, those without any sample too."""
        found = self._given or figures()
        yield InfoMetricFamily("portico_build", "What runs.", value=self._about)
        for name, doc, table, labels, by in _COUNTERS:
            counter = CounterMetricFamily(name, doc, labels=labels)
            for key, row in found.total(table, by=by).items():
                counter.add_metric(key, sum(row[:-1]) if len(row) > 1 else row[0])
            yield counter
        yield _errors(found)
        for name, doc, table, labels, by, buckets in _HISTOGRAMS:
            durations = HistogramMetricFamily(name, doc, labels=labels)
            for key, row in found.total(table, by=by).items():
                durations.add_metric(key, list(histogram(row, buckets)), row[-1])
            yield durations
        yield from _gauges(found)

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked for when the collector is registered."""
        return ()


def _errors(found: Figures) -> Metric:
    errors = CounterMetricFamily(
        "portico_tool_errors", "Tool calls that failed.", labels=("connector", "tool", "type")
    )
    for key, row in found.total("calls", by=(0, 1, 3)).items():
        if key[2]:
            errors.add_metric(key, sum(row[:-1]))
    return errors


def _gauges(found: Figures) -> Iterator[Metric]:
    for name, doc, sample, labels in _GAUGES:
        gauge = GaugeMetricFamily(name, doc, labels=labels)
        if not labels:
            gauge.add_metric((), found.sampled(sample))
        for key, value in found.samples.get(sample, {}).items() if labels else ():
            gauge.add_metric(key, value)
        yield gauge
    processes = GaugeMetricFamily("portico_processes", "Processes that live.", labels=("process",))
    for kind, number in found.processes.items():
        processes.add_metric((kind,), number)
    yield processes
    used = CounterMetricFamily("portico_process_cpu_seconds", "CPU time.", labels=("process",))
    for key, value in found.samples.get("process_cpu", {}).items():
        used.add_metric(key, value)
    yield used
    unknown = CounterMetricFamily(
        "portico_unknown_tenants", "Requests with a key for a tenant that does not exist."
    )
    unknown.add_metric((), found.sampled("unknown_tenants"))
    yield unknown


def registry(about: dict[str, str], given: Figures | None = None) -> CollectorRegistry:
    """A registry of Portico's figures alone; ``about`` says what runs."""
    made = CollectorRegistry(auto_describe=False)
    collector: Any = Collector(about, given)
    made.register(collector)
    return made


def names() -> set[str]:
    """Every name that a query may use."""
    found: set[str] = set()
    for family in Collector({"version": "", "python": ""}, Figures()).collect():
        if family.type == "counter":
            found.add(f"{family.name}_total")
        elif family.type == "info":
            found.add(f"{family.name}_info")
        elif family.type == "histogram":
            found |= {f"{family.name}_bucket", f"{family.name}_sum", f"{family.name}_count"}
        else:
            found.add(family.name)
    return found
