"""Spending: the one step that checks all limits of a call and debits them, and how it is undone.

Redis is asked with little patience. Where it does not answer, this process counts for itself
and asks again a second later; which counters served a call is part of its debit.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from django.db import DatabaseError, InterfaceError

from common.db import in_db
from common.redis import async_client
from connectors.errors import TimedOut
from connectors.limiting import script
from connectors.limiting.asking import Line
from connectors.limiting.local import Counters
from connectors.limiting.rules import Due, Limits
from connectors.limiting.saying import refused
from connectors.limiting.seeds import used_so_far
from connectors.limiting.spent import Spent
from connectors.limiting.verdict import Verdict
from connectors.recording import ServiceUnavailable
from tenants.principals import Caller

logger = logging.getLogger(__name__)

MAX_WAIT_S: Final = 5.0  # for a connection's turn
MARGIN_S: Final = 0.05  # of a call's time that waiting for its turn must leave


@dataclass(frozen=True, slots=True)
class Debit:
    """What a call was charged, so that it can be given back."""

    limits: Limits
    dues: tuple[Due, ...]
    taken_ms: int
    slot_ms: int
    local: bool
    waited: bool


class Step:
    """One process's way to the counters."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.spent = Spent()
        self.line = Line(self._returned)
        self._seeding: dict[tuple[int, str, bool], asyncio.Task[None]] = {}
        self._returning: set[asyncio.Task[None]] = set()

    async def spend(
        self, limits: Limits, caller: Caller, deadline: float, now: float | None = None
    ) -> Debit | None:
        """Debit a call and wait for its connection's turn; see :func:`connectors.limits.charge`."""
        dues = limits.dues(caller, now)
        if not dues and not limits.interval_ms:
            return None
        if known := self.spent.refusals(dues):
            raise refused(limits, dues, known, time.time() if now is None else now)
        verdict, local = await self._decide(limits, dues, deadline)
        if verdict.refusals:
            if not local:  # this process's own counters are as quick, and Redis is to be found again
                self.spent.remember(dues, verdict.refusals)
            raise refused(limits, dues, verdict.refusals, time.time() if now is None else now)
        debit = Debit(limits, tuple(dues), verdict.now_ms, verdict.slot_ms, local, bool(verdict.wait_ms))
        if verdict.wait_ms:
            try:
                await asyncio.sleep(verdict.wait_ms / 1_000)
            except asyncio.CancelledError:
                self.give_back_later(debit)
                raise
        return debit

    async def give_back(self, debit: Debit, *, turn: bool) -> None:
        """Undo a debit; ``turn``: the connection's turn was not used either. Never fails."""
        self.spent.forget(debit.dues)
        limits, slot = debit.limits, debit.slot_ms if turn else 0
        what = (debit.dues, limits.interval_key, limits.interval_ms, slot, debit.taken_ms)
        if debit.local:
            self.counters.give_back(*what)
        elif not self.line.resting():
            await self.line.ask(partial(script.give_back, async_client(), *what))

    def give_back_later(self, debit: Debit) -> None:
        """As :meth:`give_back` of everything, for a call that was cancelled: nobody waits for it."""
        task = asyncio.get_running_loop().create_task(self.give_back(debit, turn=True))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _decide(self, limits: Limits, dues: list[Due], deadline: float) -> tuple[Verdict, bool]:
        verdict, local = Verdict(), False
        for _ in range(4):  # a counter may go, or Redis, between two of these
            left = deadline - time.monotonic()
            patience = int(max(0.0, min(MAX_WAIT_S, left - MARGIN_S)) * 1_000)
            what = (dues, limits.interval_key, limits.interval_ms, patience)
            answer = None
            if not self.line.resting():
                answer = await self.line.ask(partial(script.take, async_client(), *what))
            local = answer is None
            verdict = self.counters.take(*what) if answer is None else answer
            if not verdict.missing:
                return verdict, local
            for index in verdict.missing:
                await self._seed(limits, dues[index], local, deadline)
        logger.warning("A month's counter of tenant %s cannot be kept", limits.tenant_id)
        return Verdict(now_ms=verdict.now_ms), local

    async def _seed(self, limits: Limits, due: Due, local: bool, deadline: float) -> None:
        """Begin a month's counter with what the database knows; one look for all calls that wait."""
        flight = (id(asyncio.get_running_loop()), due.key, local)
        task = self._seeding.get(flight)
        if task is None:
            task = asyncio.ensure_future(self._seeded(limits, due, local))
            self._seeding[flight] = task
            task.add_done_callback(lambda _: self._seeding.pop(flight, None))
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await asyncio.shield(task)
        except TimeoutError as error:
            raise TimedOut("The use of this month was not known in time.", retryable=True) from error
        except (DatabaseError, InterfaceError) as error:
            raise ServiceUnavailable(executed=False) from error

    async def _seeded(self, limits: Limits, due: Due, local: bool) -> None:
        assert due.month is not None
        used = await in_db(used_so_far, limits.tenant_id, due)
        if local:
            self.counters.seed(due.key, used)
        else:
            await self.line.ask(partial(script.seed, async_client(), due.key, used, due.month.ends))

    async def _returned(self) -> None:
        """Redis is back: tell it what months were debited meanwhile; windows forget it."""
        for key, cost in self.counters.settle().items():
            await self.line.ask(partial(script.add, async_client(), key, cost))


step = Step()
