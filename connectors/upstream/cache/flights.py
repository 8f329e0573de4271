"""Equal calls at one time make one request: the first one flies, the others wait for it.

Who waits has joined before the first one landed, and after nothing was forgotten that the
first one may have read before: what a client has written it also reads.
"""

import asyncio
import time
import weakref
from typing import Any, TypeAlias

from connectors.deadlines import Deadline
from connectors.errors import (
    AuthenticationFailed,
    ConnectorError,
    NotPermitted,
    RateLimited,
    ReadOnly,
    ServerStopping,
    TimedOut,
)
from connectors.results import ToolResult
from connectors.upstream.cache.copies import copies
from connectors.upstream.cache.plans import Plan

Outcome: TypeAlias = ToolResult | ConnectorError | None
# What may be of one caller alone: its limits, its rights, its client. What the system itself said is everybody's.
_OWN = (RateLimited, AuthenticationFailed, NotPermitted, ReadOnly, ServerStopping)


class Flight:
    """One call on its way to the system, and the future that the others wait for."""

    __slots__ = ("_flights", "landed", "moment", "plan", "span")

    def __init__(self, flights: "dict[bytes, Flight]", plan: Plan, span: float) -> None:
        self._flights = flights
        self.plan = plan
        self.span = span
        self.moment = copies.moment
        self.landed: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def land(self, outcome: Outcome) -> None:
        """Tell the outcome; None where it is of this caller alone, and another one flies."""
        if self._flights.get(self.plan.key) is self:
            del self._flights[self.plan.key]
        if not self.landed.done():
            self.landed.set_result(outcome)


class Waiting(Deadline):
    """``async with``: a wait for an equal call, within this call's own time. Raises TimedOut."""

    __slots__ = ("_name",)

    def __init__(self, name: str, deadline: float) -> None:
        super().__init__(deadline - time.monotonic())
        self._name = name

    async def __aexit__(self, *raised: Any) -> None:
        try:
            await super().__aexit__(*raised)
        except TimeoutError as error:
            said = f"{self._name} did not finish in the time that this call has."
            raise TimedOut(said, retryable=True, hint="Try again.") from error


_by_loop: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bytes, Flight]]" = (
    weakref.WeakKeyDictionary()
)


def flight_for(plan: Plan) -> Flight | None:
    """The flight that a call of this plan may wait for."""
    found = _flights().get(plan.key)
    if found is None or copies.forgotten_since(plan.tenant_id, found.moment, plan.marks):
        return None
    return found


def take_off(plan: Plan, span: float) -> Flight:
    """Be the one who flies; ``span`` are the seconds that the call has."""
    flights = _flights()
    flight = flights[plan.key] = Flight(flights, plan, span)
    return flight


def is_everybodys(error: ConnectorError) -> bool:
    """Whether an equal call would fail in the same way."""
    return bool(error.upstream_status) or not isinstance(error, _OWN)


def is_enough(outcome: Any, flight: Flight, span: float) -> bool:
    """Whether an outcome serves a call of ``span`` seconds: more patience may bring more."""
    return outcome is not None and not (isinstance(outcome, TimedOut) and span > flight.span * 1.1)


def _flights() -> dict[bytes, Flight]:
    return _by_loop.setdefault(asyncio.get_running_loop(), {})
