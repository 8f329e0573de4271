"""The same counting within this process, for while Redis is away."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.limiting.rules import Due
from connectors.limiting.verdict import Refusal, Verdict, part_of

MAX_COUNTERS: Final = 20_000


@dataclass(slots=True)
class Window:
    """A moving window: its parts, oldest first, each ``[end, count]``."""

    period_ms: int
    parts: deque[list[int]] = field(default_factory=deque)
    used: int = 0

    def look(self, now: int) -> int:
        """How much is used now."""
        while self.parts and self.parts[0][0] + self.period_ms <= now:
            self.used -= self.parts.popleft()[1]
        return self.used

    def free_in(self, now: int, surplus: int) -> int:
        """Milliseconds until ``surplus`` of what is counted now has left."""
        for end, count in self.parts:
            surplus -= count
            if surplus <= 0:
                return end + self.period_ms - now
        return self.period_ms

    def debit(self, now: int, calls: int, cost: int) -> None:
        """Count a call of a limit of so many."""
        part = part_of(now, self.period_ms, calls)
        if self.parts and self.parts[-1][0] >= part:
            self.parts[-1][1] += cost
        else:
            self.parts.append([part, cost])
        self.used += cost

    def give_back(self, taken: int, calls: int, cost: int) -> None:
        """Undo a debit, where it still counts."""
        part = part_of(taken, self.period_ms, calls)
        for found in reversed(self.parts):
            if found[0] == part:
                cost = min(cost, found[1])
                found[1] -= cost
                self.used -= cost
                return


class Counters:
    """Windows, months and turns of one process; for any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, Window] = OrderedDict()
        self._months: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        # What was debited from months here and is not in Redis.
        self.owed: dict[str, int] = {}

    def take(
        self, dues: Sequence[Due], interval_key: str, interval_ms: int, patience_ms: int
    ) -> Verdict:  # as script.take()
        """Check and debit."""
        with self._lock:
            now = int(self._clock() * 1_000)
            missing, refusals = [], []
            for index, due in enumerate(dues):
                rule = due.rule
                if not rule.period_ms:
                    found = self._months.get(due.key)
                    if found is None:
                        missing.append(index)
                    elif found + due.cost > rule.calls:
                        refusals.append(Refusal(index, found, -1))
                    continue
                window = self._window(due.key, rule.period_ms)
                used = window.look(now)
                if used + due.cost > rule.calls:
                    free = window.free_in(now, used + due.cost - rule.calls)
                    refusals.append(Refusal(index, used, free))
            slot = max(now, self._turns.get(interval_key, 0)) if interval_ms else now
            if slot - now > patience_ms:
                refusals.append(Refusal(len(dues), 0, slot - now))
            if refusals or missing:
                return Verdict(refusals=tuple(refusals), missing=() if refusals else tuple(missing))
            for due in dues:
                if due.rule.period_ms:
                    self._windows[due.key].debit(now, due.rule.calls, due.cost)
                else:
                    self._months[due.key] += due.cost
                    self.owed[due.key] = self.owed.get(due.key, 0) + due.cost
            if interval_ms:
                self._turns[interval_key] = slot + interval_ms
            return Verdict(now_ms=now, wait_ms=slot - now, slot_ms=slot)

    def give_back(
        self, dues: Sequence[Due], interval_key: str, interval_ms: int, slot_ms: int, taken_ms: int
    ) -> None:  # as script.give_back()
        """Undo a debit of a call that was not executed after all."""
        with self._lock:
            for due in dues:
                if due.rule.period_ms:
                    if due.key in self._windows:
                        self._windows[due.key].give_back(taken_ms, due.rule.calls, due.cost)
                elif due.key in self._months:
                    self._months[due.key] -= due.cost
                    self.owed[due.key] = self.owed.get(due.key, 0) - due.cost
            if interval_ms and slot_ms and self._turns.get(interval_key) == slot_ms + interval_ms:
                self._turns[interval_key] = slot_ms

    def seed(self, key: str, used: int) -> None:
        """Begin a month's counter."""
        with self._lock:
            self._months.setdefault(key, used)

    def settle(self) -> dict[str, int]:
        """Forget everything; what the months of Redis have to be told of."""
        with self._lock:
            owed = {key: cost for key, cost in self.owed.items() if cost > 0}
            for found in (self._windows, self._months, self._turns, self.owed):
                found.clear()
            return owed

    def _window(self, key: str, period_ms: int) -> Window:
        found = self._windows.get(key)
        if found is None:
            found = self._windows[key] = Window(period_ms)
            if len(self._windows) > MAX_COUNTERS:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(key)
        return found
