"""What the counters answer, whether in Redis or in this process."""

from dataclasses import dataclass
from typing import Final, NamedTuple

EXACT: Final = 1_000  # calls up to which a window knows each moment; see part_of()


class Refusal(NamedTuple):
    """A rule that forbids the call: its place among the dues (one past them: the interval)."""

    place: int
    used: int
    free_in_ms: int  # until it lets a call of this cost through; -1 where the month's end decides


@dataclass(frozen=True, slots=True)
class Verdict:
    """Granted where nothing is refused and nothing missing; times are the counters' own clock.

    ``wait_ms`` is how long to wait for the connection's turn, ``slot_ms`` when that is;
    ``missing`` are the places of months that have no counter yet.
    """

    now_ms: int = 0
    wait_ms: int = 0
    slot_ms: int = 0
    refusals: tuple[Refusal, ...] = ()
    missing: tuple[int, ...] = ()


def part_of(moment_ms: int, period_ms: int, calls: int) -> int:
    """The last millisecond of the part of time with which a call of this moment is counted.

    Up to 1,000 calls each millisecond is a part of its own; above that a window has 1,000
    parts (of 60 ms for a minute, 86.4 s for a day). A call leaves its window with its part:
    late by less than one of them, never early. So no window holds more than its calls, and no
    counter more than a thousand entries or so.
    """
    grain = 1 if calls <= EXACT else max(1, period_ms // EXACT)
    return (moment_ms // grain + 1) * grain - 1
