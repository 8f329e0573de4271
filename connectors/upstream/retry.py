"""When a request is sent again: the rules, apart from any network code.

What must never happen is a second creation. So the rules ask two things: may the first try
have taken effect, and does it harm to have the effect twice?
"""

import enum
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.upstream.answers import Answer

ATTEMPTS: Final = 3
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 20.0
BUDGET_SHARE: Final = 0.1  # of the calls of a connection may be sent again
BUDGET_MOST: Final = 10.0


class Kind(enum.Enum):
    """What a second sending would do to the system."""

    READ = "read"  # nothing
    REPEATABLE = "repeatable"  # the same effect once more, so none
    ONCE = "once"  # a second effect: it is created, sent, added again


class Lost(enum.Enum):
    """Where a request without an answer was lost."""

    BEFORE = "before"  # it was not sent: no connection, no TLS, no room in the pool
    AFTER = "after"  # it may have arrived: the answer broke off or did not come


_READ_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
_ASKED_TO_WAIT: Final = frozenset({429, 503})
_BROKEN_WAY: Final = frozenset({502, 504})


def may_repeat(
    kind: Kind,
    outcome: Answer | Lost,
    attempt: int,
    *,
    before_commit: Callable[[Answer], bool] | None = None,
) -> bool:
    """Whether a request whose ``attempt`` (from 1) ended like this may be sent once more.

    ``before_commit`` knows the system's own codes for "nothing was done, come again" (a
    locked row, a secondary limit).
    """
    if attempt >= ATTEMPTS:
        return False
    if outcome is Lost.BEFORE:
        return True
    if outcome is Lost.AFTER:
        return kind is Kind.READ or (kind is Kind.REPEATABLE and attempt == 1)
    if before_commit is not None and before_commit(outcome):
        return True
    told = outcome.retry_after is not None
    if kind is Kind.READ:
        return outcome.status in _READ_AGAIN
    if kind is Kind.REPEATABLE:
        if outcome.status in _ASKED_TO_WAIT:
            return told
        return outcome.status in _BROKEN_WAY and attempt == 1
    return outcome.status == 429 or (outcome.status == 503 and told)


def wait_before(outcome: Answer | Lost, attempt: int) -> float:
    """Seconds to rest: what the system asks for, at least a growing, jittered moment."""
    backoff = FIRST_WAIT_S * 2 ** (attempt - 1) * (0.5 + random.random())  # noqa: S311  not for security
    asked = outcome.retry_after if isinstance(outcome, Answer) else None
    return max(asked or 0.0, backoff)


@dataclass(slots=True)
class Budget:
    """How many repetitions a connection has left, so that a sick system is not stormed."""

    left: float = 3.0

    def call(self) -> None:
        """Earn a share of a repetition with each call."""
        self.left = min(BUDGET_MOST, self.left + BUDGET_SHARE)

    def take(self) -> bool:
        """Spend one repetition; False where there is none."""
        if self.left < 1:
            return False
        self.left -= 1
        return True
