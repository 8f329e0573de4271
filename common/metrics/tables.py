"""The tables that a process counts in.

A row is a list of numbers: of a plain count one, of durations the count of each bucket (the
last of them without an upper bound) and then the sum in seconds.
"""

import os
import threading
from typing import Final

Key = tuple[str, ...]
Row = list[float]

OTHER: Final = "other"
MAX_ROWS: Final = 5_000
SHORT_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
LONG_BUCKETS: Final = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)


class Table:
    """Counts by a fixed number of labels."""

    __slots__ = ("buckets", "name", "rows", "width")

    def __init__(self, name: str, labels: int, buckets: tuple[float, ...] = ()) -> None:
        self.name = name
        self.width = labels
        self.buckets = buckets
        self.rows: dict[Key, Row] = {}
        ALL[name] = self

    def add(self, key: Key) -> Row:
        """A new row, or that of all the others where the table is full; under :data:`lock`."""
        if len(self.rows) >= MAX_ROWS:
            key = (OTHER,) * self.width
        return self.rows.setdefault(key, [0] * (len(self.buckets) + 2) if self.buckets else [0])


ALL: dict[str, Table] = {}
CALLS: Final = Table("calls", 4, SHORT_BUCKETS)  # connector, tool, outcome, type of error
REQUESTS: Final = Table("requests", 4)  # door, era, method, status
CACHE: Final = Table("cache", 2)  # connector, event
LIMITED: Final = Table("limited", 1)  # scope
BREAKER: Final = Table("breaker", 2)  # connector, event
SENT: Final = Table("sent", 2, SHORT_BUCKETS)  # connector, outcome
REPEATED: Final = Table("repeated", 1)  # connector
PROBED: Final = Table("probed", 2)  # connector, outcome
TASKS: Final = Table("tasks", 2, LONG_BUCKETS)  # task, outcome

away: dict[str, bool] = {}  # uses of Redis, and whether they go on without it
lock = threading.Lock()  # around every row; held for a moment


def _in_child() -> None:
    # What was counted before the fork is the parent's to tell.
    global lock
    lock = threading.Lock()
    away.clear()
    for table in ALL.values():
        table.rows.clear()


os.register_at_fork(after_in_child=_in_child)
