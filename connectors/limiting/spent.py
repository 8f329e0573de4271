"""Windows that are known to be full: refused without asking Redis, until they may be free again.

What is remembered can only be too strict where somebody changed a counter by hand, which is
noticed within :data:`AT_MOST_S`; a limit that is changed is another rule, with other calls.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from connectors.limiting.rules import Due
from connectors.limiting.verdict import Refusal

MAX_KNOWN: Final = 10_000
AT_MOST_S: Final = 60.0


class Full(NamedTuple):
    """A window that lets nothing through that costs as much as ``cost`` until ``until`` (monotonic)."""

    until: float
    free_at: float
    calls: int
    cost: int
    used: int


class Spent:
    """The full windows that one process knows of."""

    def __init__(self) -> None:
        self._full: OrderedDict[str, Full] = OrderedDict()
        self._lock = threading.Lock()

    def refusals(self, dues: Sequence[Due]) -> list[Refusal]:
        """Which of these are known to be full."""
        if not self._full:
            return []
        found, now = [], time.monotonic()
        for index, due in enumerate(dues):
            full = self._full.get(due.key)
            if full is None or full.calls != due.rule.calls or due.cost < full.cost:
                continue
            if full.until <= now:
                with self._lock:
                    self._full.pop(due.key, None)
                continue
            free = int((full.free_at - now) * 1_000) + 1 if due.rule.period_ms else -1
            found.append(Refusal(index, full.used, free))
        return found

    def remember(self, dues: Sequence[Due], refusals: Sequence[Refusal]) -> None:
        """Take note of what was refused."""
        now = time.monotonic()
        with self._lock:
            for place, used, free_in_ms in refusals:
                if place >= len(dues):
                    continue  # a turn that is far off comes nearer all the time
                due = dues[place]
                free_at = now + (free_in_ms / 1_000 if free_in_ms >= 0 else AT_MOST_S)
                until = min(free_at, now + AT_MOST_S)
                self._full[due.key] = Full(until, free_at, due.rule.calls, due.cost, used)
                self._full.move_to_end(due.key)
            while len(self._full) > MAX_KNOWN:
                self._full.popitem(last=False)

    def forget(self, dues: Sequence[Due]) -> None:
        """Something was given back to these."""
        with self._lock:
            for due in dues:
                self._full.pop(due.key, None)
