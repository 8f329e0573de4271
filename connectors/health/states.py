"""What a row of test results says of a connection, apart from any storage."""

import enum
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from connectors.models import HealthState

FAILURES_TO_FAIL: Final = 2  # in a row; one success is enough to work again


class Outcome(enum.Enum):
    """How a test ended."""

    OK = "ok"
    FAILED = "failed"
    UNTOLD = "untold"  # nothing was learnt of the system: there is no credential to ask it with


@dataclass(frozen=True, slots=True)
class Standing:
    """A connection's state, since when it has it, and how many tests failed in a row."""

    state: HealthState = HealthState.UNKNOWN
    since: datetime | None = None
    failures: int = 0

    def after(self, outcome: Outcome, now: datetime) -> "Standing":
        """The standing after one more test.

        One failure alone changes no state: networks lose packets and systems restart. What can
        no longer be asked is unknown again.
        """
        failures = self.failures + 1 if outcome is Outcome.FAILED else 0
        state = self.state
        if outcome is Outcome.OK:
            state = HealthState.OK
        elif outcome is Outcome.UNTOLD:
            state = HealthState.UNKNOWN
        elif failures >= FAILURES_TO_FAIL:
            state = HealthState.FAILING
        changed = state != self.state or self.since is None
        return replace(self, state=state, since=now if changed else self.since, failures=failures)

    @property
    def doubtful(self) -> bool:
        """Whether a failure awaits its confirmation by the next test."""
        return bool(self.failures) and self.state != HealthState.FAILING


def is_alarming(former: HealthState | str, state: HealthState | str) -> bool:
    """Whether people are told of a change: it fails, or it works again after it failed."""
    return state == HealthState.FAILING or (former == HealthState.FAILING and state == HealthState.OK)
