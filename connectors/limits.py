"""What calls may cost: rates, quotas and the rest between calls, debited for what is executed.

The pieces are in :mod:`connectors.limiting`. A call that is answered from the cache, refused or
not valid never comes here; one that its system's breaker or pause stopped before any request was
sent is given back.
"""

from dataclasses import replace

from connectors.limiting.step import Debit, step
from connectors.snapshot import ConnectionView, ToolEntry
from tenants.principals import Caller


async def charge(caller: Caller, entry: ToolEntry, deadline: float) -> Debit | None:
    """Debit a call that is about to be executed, every limit that applies or none.

    Waits (at most 5 s, and never beyond ``deadline``, of ``time.monotonic()``) for the
    connection's turn where its calls are to be some time apart. None for a tool without limits,
    which costs no look anywhere. Raises RateLimited, with ``details`` ``limit`` and ``scope``;
    ServiceUnavailable where a month's use is not known and the database is away.
    """
    limits = entry.limits
    return None if limits is None else await step.spend(limits, caller, deadline)


async def charge_reading(caller: Caller, view: ConnectionView, deadline: float) -> Debit | None:
    """As :func:`charge`, for a resource or prompt of a connection: one call of weight 1."""
    limits = view.limits
    return None if limits is None else await step.spend(limits, caller, deadline)


async def take_turn(caller: Caller, view: ConnectionView, deadline: float) -> None:
    """Wait for the connection's turn and debit nothing: what lists, completes and tests is no call.

    Waits as :func:`charge` does. Raises RateLimited where the turn is too far off.
    """
    limits = view.limits
    if limits is not None and limits.interval_ms:
        await step.spend(replace(limits, always=(), by_key={}), caller, deadline)


async def give_back(debit: Debit, *, turn: bool = True) -> None:
    """Undo the debit of a call that was not executed after all; ``turn`` False: the system was asked."""
    await step.give_back(debit, turn=turn)
