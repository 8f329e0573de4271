"""Results of reading tools are kept for a while, and equal calls at one time make one request.

The parts are in :mod:`connectors.upstream.cache`; here is their order for a call. A hit in this
process's memory asks nobody. Else the first of equal calls looks into Redis and, where nothing
fresh is there, asks the system, one process at a time; the others wait for it. While the
system rests, the last good answer is given, marked as stale.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from common import metrics
from connectors.context import CallContext
from connectors.errors import CircuitOpen, ConnectorError
from connectors.results import ToolResult
from connectors.shape import shape
from connectors.snapshot import ToolEntry
from connectors.upstream.cache import store
from connectors.upstream.cache.copies import Copy, copies
from connectors.upstream.cache.flights import Outcome, Waiting, flight_for, is_enough, is_everybodys, take_off
from connectors.upstream.cache.forgetting import ASK_S, AWAY, forget_marks, tell
from connectors.upstream.cache.keeper import keeper
from connectors.upstream.cache.plans import Plan, planned, written_marks
from connectors.upstream.cache.sealing import opened, packed, sealed

logger = logging.getLogger(__name__)

Run = Callable[[], Awaitable[ToolResult]]
PATIENCE_S: Final = 5.0  # for another process that asks the system
FIRST_PAUSE_S: Final = 0.01
LONGEST_PAUSE_S: Final = 0.1
MAX_REMEMBERED: Final = 50  # results that one write may refresh

_background: set[asyncio.Task[Any]] = set()


def plan_of(entry: ToolEntry, context: CallContext, arguments: Mapping[str, Any]) -> Plan | None:
    """How a call's result is kept; None where it is not."""
    if entry.spec.cache == "-":
        return None
    return planned(entry.connection, entry.spec, context, arguments)


async def through(plan: Plan, context: CallContext, run: Run, *, refresh: bool = False) -> ToolResult:
    """The kept result, or what ``run`` gives, which is kept. ``refresh`` has it run in any case.

    The result's ``cache`` and ``_meta.cache`` say hit, miss or stale, ``_meta.age_s`` how old
    it is. Raises what ``run`` raises, for callers that waited for an equal call too, and
    TimedOut where the call's time ends with waiting.
    """
    if not refresh:
        copy = copies.find(plan.tenant_id, plan.key)
        if copy is not None:
            keeper.count(plan.tenant_id, plan.view.connector_slug, "hit")
            return copy.answer()
    span = context.deadline - time.monotonic()
    while not refresh and (flight := flight_for(plan)) is not None:
        async with Waiting(plan.spec.name, context.deadline):
            outcome = await asyncio.shield(flight.landed)
        if not is_enough(outcome, flight, span):
            continue
        if isinstance(outcome, ConnectorError):
            raise outcome.with_traceback(None)
        assert outcome is not None
        return _counted(plan, _of_another(outcome))
    return _counted(plan, await _fly(plan, context, run, span, refresh=refresh))


async def _fly(plan: Plan, context: CallContext, run: Run, span: float, *, refresh: bool) -> ToolResult:
    flight = take_off(plan, span)
    outcome: Outcome = None
    try:
        result = await _fetch(plan, context, run, flight.moment, refresh=refresh)
        outcome = None if context.asked else result
        return result
    except ConnectorError as error:
        outcome = error if is_everybodys(error) and not context.asked else None
        raise
    finally:
        flight.land(outcome)


async def _fetch(plan: Plan, context: CallContext, run: Run, moment: int, *, refresh: bool) -> ToolResult:
    token = store.new_token()
    found: ToolResult | store.Look | None = None
    try:
        found = await _look(plan, context, token, moment, refresh=refresh)
        if isinstance(found, ToolResult):
            return found
        if found is None or not found.leads:
            token = ""
        result = await run()
    except CircuitOpen as error:
        last = None if found is None or refresh else await _last_good(plan, token, error)
        if last is not None:
            return last
        _give_back(plan, token)
        raise
    except BaseException:
        _give_back(plan, token)
        raise
    if result.is_error or context.asked:
        _give_back(plan, token)
    else:
        await _keep(plan, token, found.began if found else None, result, moment)
    return _said(result, "miss")


async def _look(
    plan: Plan, context: CallContext, token: str, moment: int, *, refresh: bool
) -> ToolResult | store.Look | None:
    """A fresh result from Redis, or the leave to ask the system; None where Redis is away."""
    pause, patience = FIRST_PAUSE_S, time.monotonic() + PATIENCE_S
    while not keeper.resting and not keeper.owes(plan.tenant_id):
        try:
            async with asyncio.timeout(ASK_S):
                found = await store.look(plan, token, refresh=refresh)
        except AWAY:
            keeper.lost()
            return None
        keeper.found()
        if found.sealed is not None:
            result = opened(plan, found.sealed)
            if result is not None:
                copy = Copy(plan.key, plan.marks, result, len(found.sealed), found.age_s, found.fresh_s)
                copies.keep(plan.tenant_id, copy, moment)
                return copy.answer()
            refresh = True  # damaged, or under a key that is gone: read it anew
        elif found.leads or refresh or time.monotonic() > patience:
            return found
        else:
            async with Waiting(plan.spec.name, context.deadline):
                await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_S)
    return None


async def _keep(plan: Plan, token: str, began: int | None, result: ToolResult, moment: int) -> None:
    """Store a result here and in Redis, unless it was outdated while it was read; ``began`` None: here alone."""
    connector = plan.view.connector_slug
    data = packed(result)
    if data is None or len(data) > store.MAX_VALUE:
        metrics.cached(connector, "refused")
        _give_back(plan, token)
        return
    if began is not None:
        secret = sealed(plan, data)
        if secret is None:
            _give_back(plan, token)
            return
        try:
            async with asyncio.timeout(ASK_S):
                kept, evicted = await store.keep(plan, token, began, secret)
        except AWAY:
            keeper.lost()
        except BaseException:
            _give_back(plan, token)
            raise
        else:
            metrics.cached(connector, "stored" if kept else "refused")
            for _ in range(evicted):
                metrics.cached(connector, "evicted")
            if not kept:
                return
    copies.keep(plan.tenant_id, Copy(plan.key, plan.marks, result, len(data), 0.0, plan.ttl_s), moment)


async def _last_good(plan: Plan, token: str, error: CircuitOpen) -> ToolResult | None:
    """What the system said last, marked as stale; None where nothing is kept."""
    try:
        async with asyncio.timeout(ASK_S):
            found = await store.last_good(plan, token)
    except AWAY:
        keeper.lost()
        return None
    result = opened(plan, found[0]) if found else None
    if found is None or result is None:
        return None
    at = datetime.now(UTC) - timedelta(seconds=found[1])
    more = {"cached_at": at.isoformat(timespec="seconds"), "age_s": int(found[1])}
    if error.retry_after is not None:
        more["retry_after"] = error.retry_after
    return _said(result, "stale", **more)


async def wrote(
    entry: ToolEntry, context: CallContext, arguments: Mapping[str, Any], *, ok: bool, took_s: float = 0.0
) -> None:
    """Forget what a call of a writing tool may have changed, and keep what it said to remember.

    ``took_s`` is how long it ran: where another write came in between, nobody knows which of
    the two is newer, and nothing is kept. Done to its end also where the caller gives up.
    """
    marks = written_marks(entry.connection, entry.spec, arguments)
    metrics.cached(entry.connection.connector_slug, "forgotten")
    try:
        await asyncio.shield(_in_background(_wrote(entry, context, marks, took_s, remember=ok)))
    except Exception:  # the write has happened, and its answer is not ours to lose
        logger.exception("What %s ended is forgotten a moment later", entry.spec.name)
        keeper.owe(entry.connection.ref.tenant_id, marks)


async def _wrote(
    entry: ToolEntry, context: CallContext, marks: tuple[str, ...], took_s: float, *, remember: bool
) -> None:
    tenant_id = entry.connection.ref.tenant_id
    kept = _remembered(entry, context) if remember else []
    if len(kept) > MAX_REMEMBERED:
        logger.warning("%s remembered more than %d results", entry.spec.name, MAX_REMEMBERED)
        kept = kept[:MAX_REMEMBERED]
    also = {mark for plan, _ in kept for mark in plan.marks}
    began = await forget_marks(tenant_id, marks, took_s, also)
    if began is None and kept:
        # Another write came in between, and what it had remembered may be older than this one.
        marks = (*marks, *(mark for plan, _ in kept for mark in plan.own_marks))
        await forget_marks(tenant_id, marks)
    await tell(tenant_id, marks)
    if began is not None:
        for plan, result in kept:
            await _keep(plan, "", began, result, copies.moment)


def _remembered(entry: ToolEntry, context: CallContext) -> list[tuple[Plan, ToolResult]]:
    """What a write had to say of reading tools' results, as those would have been."""
    found = []
    for name, arguments, value in context.remembered:
        spec = entry.connection.connector.tools.get(name)
        if spec is None or spec.cache == "-":
            continue
        try:
            plan, result = planned(entry.connection, spec, context, arguments), shape(value)
        except Exception:  # the write has succeeded, whatever its connector says of other tools
            logger.exception("What %s remembered of %s could not be kept", entry.spec.name, name)
            continue
        if plan is not None and not result.is_error:
            found.append((plan, result))
    return found


def _said(result: ToolResult, cache: str, **more: Any) -> ToolResult:
    return replace(result, cache=cache, meta={**result.meta, "cache": cache, **more})


def _of_another(outcome: ToolResult) -> ToolResult:
    """What an equal call got, for one that waited for it: a hit, unless it was stale or an error."""
    if outcome.cache != "miss" or outcome.is_error:
        return outcome
    return _said(outcome, "hit", age_s=0)


def _counted(plan: Plan, result: ToolResult) -> ToolResult:
    keeper.count(plan.tenant_id, plan.view.connector_slug, result.cache)
    return result


def _give_back(plan: Plan, token: str) -> None:
    """End the lock that is held by a token; nobody waits for it."""
    if token and not keeper.resting:
        _in_background(_unlock(plan, token))


async def _unlock(plan: Plan, token: str) -> None:
    try:
        async with asyncio.timeout(ASK_S):
            await store.unlock(plan, token)
    except AWAY:
        keeper.lost()


def _in_background(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    task = asyncio.create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)
    return task
