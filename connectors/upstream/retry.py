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
    BROKEN = "broken"  # it may have arrived: the connection broke before the answer's end
    LATE = "late"  # it may have arrived, and may still be worked on: no answer in time


_READ_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
_BROKEN_WAY: Final = frozenset({502, 504})
_BUSY: Final = frozenset({503, 529})  # 529 is Anthropic's "overloaded"


def asked_to_wait(answer: Answer) -> bool:
    """Whether the system says that it did nothing, and when to come back.

    A 429 says it by itself, a 503 with ``Retry-After`` alone (RFC 9110, 15.6.4): without it
    the 503 may come from something on the way that knows nothing of the request's fate.
    """
    return answer.status == 429 or (answer.status in _BUSY and answer.retry_after is not None)


def may_have_happened(outcome: Answer | Lost) -> bool:
    """Whether a request that ended like this may have taken effect all the same."""
    if isinstance(outcome, Answer):
        return outcome.status >= 500 and not asked_to_wait(outcome)
    return outcome is not Lost.BEFORE


def does_no_harm(
    kind: Kind,
    outcome: Answer | Lost,
    *,
    broken_before: bool = False,
    before_commit: Callable[[Answer], bool] | None = None,
) -> bool:
    """Whether a request that ended like this may be sent once more.

    ``broken_before``: an earlier sending of it was lost on a broken way already.
    ``before_commit`` knows the system's own codes for "nothing was done, come again" (a
    locked row, a secondary limit).
    """
    if isinstance(outcome, Lost):
        if outcome is Lost.BEFORE:
            return True
        if kind is Kind.REPEATABLE:  # who is late may still work on it: no second one beside it
            return outcome is Lost.BROKEN and not broken_before
        return kind is Kind.READ
    if before_commit is not None and before_commit(outcome):
        return True
    if kind is Kind.READ:
        return outcome.status in _READ_AGAIN or asked_to_wait(outcome)
    if kind is Kind.REPEATABLE and outcome.status in _BROKEN_WAY:
        return not broken_before
    return asked_to_wait(outcome)


def wait_before(outcome: Answer | Lost, attempt: int) -> float:
    """Seconds to rest: what the system asks for, at least a growing, jittered moment."""
    backoff = FIRST_WAIT_S * 2 ** (attempt - 1) * (0.5 + random.random())  # noqa: S311  not for security
    asked = outcome.retry_after if isinstance(outcome, Answer) else None
    return max(asked or 0.0, backoff)


@dataclass(slots=True)
class Budget:
    """How many repetitions a connection has left in this process, so that no storm meets a sick system."""

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
