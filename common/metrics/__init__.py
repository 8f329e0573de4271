"""What Portico counts, for Prometheus and for people; labels are few and bounded, never a tenant's data.

Counting is a look into a dictionary of this process; a thread writes what was counted to a
file of its own (:mod:`common.metrics.files`), and whoever asks for the figures adds up the
files of all processes of the machine (:mod:`common.metrics.figures`). A table has at most
:data:`common.metrics.tables.MAX_ROWS` rows; whatever would come beyond them counts as ``other``.
"""

from bisect import bisect_left

from common.metrics import recording, tables
from common.metrics.recording import sample as sample
from common.metrics.recording import start as start
from common.metrics.recording import stop as stop
from common.metrics.tables import LONG_BUCKETS, SHORT_BUCKETS

_calls = tables.CALLS.rows
_requests = tables.REQUESTS.rows
_sent = tables.SENT.rows
_tasks = tables.TASKS.rows


def called(connector: str, tool: str, outcome: str, error_type: str, seconds: float) -> None:
    """A tool call ended."""
    key = (connector, tool, outcome, error_type)
    with tables.lock:
        row = _calls.get(key)
        if row is None:
            row = recording.new_row(tables.CALLS, key)
        row[bisect_left(SHORT_BUCKETS, seconds)] += 1
        row[-1] += seconds


def requested(door: str, era: str, method: str, status: str) -> None:
    """A request was answered.

    ``door`` is the transport (http, sse, stdio) or the part of the site (api, admin, web),
    ``era`` modern or legacy or nothing, ``status`` ok, tool_error, cancelled, a JSON-RPC code
    or an HTTP status.
    """
    key = (door, era, method, status)
    with tables.lock:
        row = _requests.get(key)
        if row is None:
            row = recording.new_row(tables.REQUESTS, key)
        row[0] += 1


def cached(connector: str, event: str) -> None:
    """Something happened to the result cache: hit, miss, stale, stored, evicted, refused or forgotten."""
    _count(tables.CACHE, (connector, event))


def limited(scope: str) -> None:
    """A call was refused: by a limit of the tenant, key, tool, connection, by interval, quota or vendor."""
    _count(tables.LIMITED, (scope,))


def breaker(connector: str, event: str) -> None:
    """A circuit breaker opened, closed, let a probe through, or was reset."""
    _count(tables.BREAKER, (connector, event))


def sent(connector: str, outcome: str, seconds: float) -> None:
    """A request to a system ended: 2xx, 3xx, 4xx, 5xx, timeout, connection or too_large."""
    key = (connector, outcome)
    with tables.lock:
        row = _sent.get(key)
        if row is None:
            row = recording.new_row(tables.SENT, key)
        row[bisect_left(SHORT_BUCKETS, seconds)] += 1
        row[-1] += seconds


def repeated(connector: str) -> None:
    """A request to a system is sent again."""
    _count(tables.REPEATED, (connector,))


def away(use: str, is_away: bool) -> None:
    """Whether Redis is away for a use (limits, cache, breaker), which then goes on per process."""
    if tables.away.get(use) is not is_away:
        tables.away[use] = is_away
        recording.ensure_started()


def probed(connector: str, ok: bool) -> None:
    """A connection was probed."""
    _count(tables.PROBED, (connector, "ok" if ok else "failed"))


def worked(task: str, outcome: str, seconds: float) -> None:
    """A background task ended: ok, failed, retried or rejected."""
    key = (task, outcome)
    with tables.lock:
        row = _tasks.get(key)
        if row is None:
            row = recording.new_row(tables.TASKS, key)
        row[bisect_left(LONG_BUCKETS, seconds)] += 1
        row[-1] += seconds


def _count(table: tables.Table, key: tuple[str, ...]) -> None:
    with tables.lock:
        row = table.rows.get(key)
        if row is None:
            row = recording.new_row(table, key)
        row[0] += 1
