"""What all processes of this machine have counted, added up."""

import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from common.metrics import files, recording
from common.metrics.tables import ALL, Key, Row

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Figures:
    """Sums over processes.

    ``counts[table][key]`` is a row as in :mod:`common.metrics.tables`; ``samples[name][key]``
    what the processes say of themselves, a figure without labels under the kind of process.
    ``processes`` are those that live, by kind.
    """

    counts: dict[str, dict[Key, Row]] = field(default_factory=lambda: {name: {} for name in ALL})
    samples: dict[str, dict[Key, float]] = field(default_factory=lambda: defaultdict(dict))
    processes: dict[str, int] = field(default_factory=dict)

    def total(self, table: str, *, by: tuple[int, ...] = (), only: dict[int, str] | None = None) -> Any:
        """A table's rows added up by some of their labels, given by position; ``only`` selects.

        A dictionary of rows, or without ``by`` one number: how often.
        """
        found: dict[Key, Row] = {}
        for key, row in self.counts[table].items():
            if only and any(key[at] != value for at, value in only.items()):
                continue
            short = tuple(key[at] for at in by)
            mine = found.get(short)
            found[short] = list(row) if mine is None else [a + b for a, b in zip(mine, row, strict=True)]
        if by:
            return found
        row = found.get((), [0])
        return sum(row[:-1]) if len(row) > 1 else row[0]

    def sampled(self, name: str) -> float:
        """A sample of all processes together."""
        return sum(self.samples.get(name, {}).values())


def figures() -> Figures:
    """The figures of this moment; other processes' are up to a few seconds old.

    Where the files cannot be read, those of the processes that could be.
    """
    recording.flush()
    found = Figures()
    try:
        with contextlib.suppress(files.Busy):
            files.bury()
        told = files.read_all()
    except OSError as error:
        logger.warning("Metrics cannot be read: %s", error.strerror)
        return found
    for one in told:
        _add(found, one)
    return found


def _add(found: Figures, told: dict[str, Any]) -> None:
    kind: str = told["kind"]
    if kind:
        found.processes[kind] = found.processes.get(kind, 0) + 1
    for name, rows in told["counts"].items():
        if (table := ALL.get(name)) is None:
            continue
        sums = found.counts[name]
        for row in rows:
            key, numbers = tuple(row[: table.width]), row[table.width :]
            mine = sums.get(key)
            sums[key] = numbers if mine is None else [a + b for a, b in zip(mine, numbers, strict=True)]
    for name, labels, value in told["samples"]:
        key = tuple(labels) or (kind,)
        if name in SHARED:  # every process tells the same of the whole platform
            found.samples[name][key] = max(value, found.samples[name].get(key, 0))
        else:
            found.samples[name][key] = found.samples[name].get(key, 0) + value


SHARED = frozenset({"breakers_open"})


def histogram(row: Row, buckets: tuple[float, ...]) -> Iterator[tuple[str, float]]:
    """A row of durations as Prometheus wants it: upper bounds with the count of all up to them."""
    so_far = 0.0
    for bound, count in zip((*map(_bound, buckets), "+Inf"), row, strict=False):
        so_far += count
        yield bound, so_far


def _bound(seconds: float) -> str:
    return f"{seconds:g}" if seconds != int(seconds) else f"{seconds:.1f}"
