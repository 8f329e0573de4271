"""Equal calls at one time make one request, and nobody suffers for another caller's sake."""

import asyncio

import pytest

from audit.models import AuditEvent
from common.db import in_db
from common.redis import sync_client
from connectors import remembering
from connectors.call_info import CallInfo
from connectors.recording import ServiceUnavailable
from connectors.results import ToolResult
from connectors.upstream.cache import flights, store
from connectors.upstream.cache.copies import copies
from connectors.upstream.client import close_all
from tests.factories import make_caller
from tests.upstream.faulty import answer
from tests.upstream.kept import Place, until
from tests.upstream.test_cache_forgetting import Held


@pytest.fixture
async def place(double):
    yield await in_db(Place, double.url)
    await close_all()


async def waiting(place, held, calls):
    """The first call at the system, and the others behind it."""
    first = asyncio.create_task(calls[0])
    await until(lambda: held.came)
    others = [asyncio.create_task(call) for call in calls[1:]]
    flight = next(f for f in flights._flights().values() if f.plan.tenant_id == place.tenant.pk)
    await until(lambda: len(flight.landed._callbacks or ()) >= len(others))
    return first, others


async def test_two_hundred_equal_calls_make_one_request_and_each_is_audited(place, double):
    held = Held(7)
    double.script = [held]
    first, others = await waiting(place, held, [place.call("kept_item", number=1) for _ in range(200)])
    held.go.set()
    results = await asyncio.gather(first, *others)
    assert len(double.came) == 1
    assert [r.structured for r in results] == [{"item": {"n": 7}}] * 200
    assert sorted(r.cache for r in results) == ["hit"] * 199 + ["miss"]

    def audited():
        return AuditEvent.objects.for_tenant(place.tenant).filter(kind="call", outcome="ok").count()

    assert await in_db(audited) == 200


async def test_a_failure_of_the_system_is_everybodys(place, double):
    held = Held()
    held.go.set()
    double.script = [answer(404)] * 3
    results = await asyncio.gather(*(place.call("kept_item", number=1) for _ in range(20)))
    assert {r.error_type for r in results} == {"not_found"}
    assert len(double.came) == 1


async def test_who_is_cancelled_at_the_system_takes_nobody_along(place, double):
    held = Held()
    double.script = [held, answer(200, b'{"n": 2}')]
    first, others = await waiting(place, held, [place.call("kept_item", number=1) for _ in range(20)])
    first.cancel()
    results = await asyncio.gather(*others)
    held.go.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert [r.structured for r in results] == [{"item": {"n": 2}}] * 19
    assert len(double.came) == 2


async def test_who_is_cancelled_while_waiting_changes_nothing(place, double):
    held = Held(7)
    double.script = [held]
    first, others = await waiting(place, held, [place.call("kept_item", number=1) for _ in range(5)])
    others[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await others[0]
    held.go.set()
    assert [r.structured for r in await asyncio.gather(first, *others[1:])] == [{"item": {"n": 7}}] * 4
    assert len(double.came) == 1


async def test_who_waits_waits_no_longer_than_its_own_time(place, double):
    held = Held(7)
    double.script = [held]
    hasty = place.call("kept_item", info=CallInfo(timeout=0.1), number=1)
    first, others = await waiting(place, held, [place.call("kept_item", number=1), hasty])
    got = await others[0]
    assert got.error_type == "timeout"
    held.go.set()
    assert (await first).structured == {"item": {"n": 7}}


async def test_the_impatience_of_the_first_is_not_everybodys(place, double):
    held = Held()
    double.script = [held, answer(200, b'{"n": 2}')]
    hasty = place.call("kept_item", info=CallInfo(timeout=0.5), number=1)
    first, others = await waiting(place, held, [hasty, place.call("kept_item", number=1)])
    assert (await first).error_type == "timeout"
    assert (await others[0]).structured == {"item": {"n": 2}}
    held.go.set()


async def test_the_limit_of_the_first_is_not_everybodys(place, double):
    tired, fresh = place.caller, await in_db(make_caller, place.tenant)
    await place.call("kept_limited", tired, number=1)
    results = await asyncio.gather(
        place.call("kept_limited", tired, number=2), place.call("kept_limited", fresh, number=2)
    )
    assert [r.error_type for r in results] == ["rate_limit", ""]


async def test_the_broken_record_of_the_first_is_not_everybodys(place, double, monkeypatch):
    """What refuses one call before it is sent is no answer of the system."""
    original = remembering._fetch
    calls = []

    async def fetch(plan, context, run, moment, *, refresh):
        calls.append(plan)
        if len(calls) == 1:
            await asyncio.sleep(0)
            raise ServiceUnavailable(executed=False)
        return await original(plan, context, run, moment, refresh=refresh)

    monkeypatch.setattr(remembering, "_fetch", fetch)
    results = await asyncio.gather(
        *(place.call("kept_item", number=1) for _ in range(5)), return_exceptions=True
    )
    assert [type(r) for r in results] == [ServiceUnavailable, *[ToolResult] * 4]
    assert len(double.came) == 1


async def test_who_finds_another_process_at_the_system_waits_for_its_result(place, double):
    """The lock of a process that works is respected, and that of one that died ends."""
    held = Held(7)
    double.script = [held]
    first = asyncio.create_task(place.call("kept_item", number=1))
    await until(lambda: held.came)
    flights._flights().clear()  # as it is in another process
    second = asyncio.create_task(place.call("kept_item", number=1))
    await asyncio.wait([second], timeout=0.2)
    assert not second.done() and len(double.came) == 1
    held.go.set()
    assert (await first).cache == "miss"
    assert ((await second).cache, (await second).structured) == ("hit", {"item": {"n": 7}})
    assert len(double.came) == 1


@pytest.mark.parametrize("how", ["failed", "died"])
async def test_who_waits_goes_on_where_the_other_process_fails(place, double, monkeypatch, how):
    monkeypatch.setattr(store, "LOCK_S", 0.3)
    held = Held(7)
    double.script = [held, answer(200, b'{"n": 2}')]
    first = asyncio.create_task(place.call("kept_item", number=1))
    await until(lambda: held.came)
    flights._flights().clear()
    second = asyncio.create_task(place.call("kept_item", number=1))
    if how == "failed":
        first.cancel()
    assert (await second).structured == {"item": {"n": 2}}
    held.go.set()
    await asyncio.wait([first])


async def test_no_lock_is_left_behind(place, double):
    double.script = [answer(200), answer(404), answer(200)]
    await place.call("kept_item", number=1)
    await place.call("kept_item", number=2)
    await place.call("kept_wrong")
    await until(lambda: not list(sync_client().scan_iter(f"{place.base}:lock:*")))
    assert copies.size > 0
