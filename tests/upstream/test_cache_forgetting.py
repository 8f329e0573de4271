"""Writes and admins end what is kept, everywhere and in whatever order things happen."""

import asyncio
import json

import pytest

from audit.models import AuditEvent
from common.bus import bus, wait_until_connected
from common.db import in_db
from common.redis import sync_client
from connectors.channel import Channel
from connectors.context import CallContext
from connectors.models import Connection
from connectors.pipeline import call_tool
from connectors.providers.restaurant.models import MenuItem
from connectors.remembering import wrote
from connectors.services import cache_clear, connection_delete
from connectors.snapshot import snapshot_of
from connectors.upstream.cache import forgetting
from connectors.upstream.cache.copies import copies
from connectors.upstream.cache.forgetting import forget_marks, stats_of, tell
from connectors.upstream.cache.keeper import keeper
from connectors.upstream.cache.plans import connection_mark, planned
from connectors.upstream.client import close_all
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant
from tests.upstream.faulty import answer, reset
from tests.upstream.kept import Place, numbered, until


@pytest.fixture
async def place(double):
    double.script = [numbered(n) for n in range(100)]
    yield await in_db(Place, double.url)
    await close_all()


async def cached(place, tool="kept_item", **arguments):
    """What the next equal call is: hit or miss; from memory, else from Redis."""
    return (await place.call(tool, **arguments)).cache


async def filled(place):
    await place.call("kept_item", number=1)
    await place.call("kept_item", number=2)
    await place.call("kept_list")
    await place.call("kept_fields")


async def left(place):
    return [
        await cached(place, number=1), await cached(place, number=2),
        await cached(place, "kept_list"), await cached(place, "kept_fields"),
    ]  # fmt: skip


@pytest.mark.parametrize("memory", [True, False], ids=["memory", "redis"])
async def test_a_write_forgets_results_of_its_tags_and_those_without_any(place, memory):
    await filled(place)
    await place.call("kept_change", number=1)
    if not memory:
        copies.clear()
    assert await left(place) == ["miss", "hit", "miss", "hit"]


async def test_a_write_without_tags_forgets_all_of_its_connection(place):
    await filled(place)
    await place.call("kept_make")
    assert await left(place) == ["miss"] * 4


async def test_a_write_forgets_nothing_of_another_connection(place, double):
    other = await in_db(Place, double.url)
    await filled(other)
    await place.call("kept_make")
    assert await left(other) == ["hit"] * 4


async def test_a_write_whose_outcome_is_unknown_forgets(place, double):
    await filled(place)
    double.script = [reset, *[numbered(n) for n in range(9)]]
    assert (await place.call("kept_make")).is_error
    assert await left(place) == ["miss"] * 4


async def test_a_write_that_is_given_up_forgets(place, double):
    await filled(place)
    held = Held()
    double.script = [held, *[numbered(n) for n in range(9)]]
    call = asyncio.create_task(place.call("kept_make"))
    await until(lambda: held.came)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    held.go.set()
    await until(lambda: not copies._rooms[place.tenant.pk].copies)
    assert await left(place) == ["miss"] * 4


class Held:
    """A step of the double that answers when it is told to."""

    def __init__(self, number=0):
        self.came, self.go, self.number = False, asyncio.Event(), number

    async def __call__(self, writer):
        self.came = True
        await self.go.wait()
        writer.write(numbered(self.number))
        await writer.drain()


@pytest.mark.parametrize("memory", [True, False], ids=["memory", "redis"])
async def test_a_read_that_began_before_a_write_is_not_kept_after_it(place, double, memory):
    held = Held(77)
    double.script = [held, *[numbered(n) for n in range(9)]]
    read = asyncio.create_task(place.call("kept_item", number=1))
    await until(lambda: held.came)
    assert not (await place.call("kept_change", number=1)).is_error
    held.go.set()
    assert (await read).structured == {"item": {"n": 77}}
    if not memory:
        copies.clear()
    after = await place.call("kept_item", number=1)
    assert (after.cache, after.structured) == ("miss", {"item": {"n": 1}})


async def test_a_read_after_a_write_does_not_wait_for_one_from_before(place, double):
    held = Held(77)
    double.script = [held, *[numbered(n) for n in range(9)]]
    before = asyncio.create_task(place.call("kept_item", number=1))
    await until(lambda: held.came)
    await place.call("kept_change", number=1)
    after = asyncio.create_task(place.call("kept_item", number=1))
    await until(lambda: after.done() or len(double.came) > 2, 20)
    assert (await after).structured == {"item": {"n": 1}}
    held.go.set()
    assert (await before).structured == {"item": {"n": 77}}
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 1}}


@pytest.mark.parametrize("memory", [True, False], ids=["memory", "redis"])
async def test_what_a_write_remembers_answers_the_next_read(place, double, memory):
    await place.call("kept_item", number=1)
    await place.call("kept_change", number=1, remember=True)
    if not memory:
        copies.clear()
    got = await place.call("kept_item", number=1)
    assert (got.cache, got.structured) == ("hit", {"item": {"n": 1}})
    assert json.loads(got.content[0].text) == got.structured
    assert len(double.came) == 2


async def test_what_a_failed_write_wanted_remembered_is_not(place, double):
    double.script = [answer(500), answer(500), answer(500), numbered(5)]
    assert (await place.call("kept_change", number=1, remember=True)).is_error
    assert await cached(place, number=1) == "miss"


async def test_of_two_writes_at_a_time_neither_is_remembered(place):
    """Who of the two was later in the system, nobody here can know."""
    view = (await snapshot_of(place.tenant.pk)).connection("kept")
    entry = (await snapshot_of(place.tenant.pk)).tools["kept_change"]

    def context(name):
        made = CallContext(place.caller, view, Channel(), "r", 1e12)
        made.remember("kept_item", {"number": 1}, {"item": {"name": name}})
        return made

    await wrote(entry, context("first"), {"number": 1}, ok=True, took_s=0.0)
    assert await cached(place, number=1) == "hit"
    await wrote(entry, context("second"), {"number": 1}, ok=True, took_s=60.0)
    assert await cached(place, number=1) == "miss"


async def test_forgotten_marks_are_bounded_and_the_oldest_then_count_as_all(place, monkeypatch):
    monkeypatch.setattr("connectors.upstream.cache.store.MAX_MARKS", 5)
    await place.call("kept_fields")
    for number in range(20):
        await forget_marks(place.tenant.pk, [f"mark-{number}"])
    assert sync_client().zcard(f"{place.base}:forgot") <= 7
    copies.clear()
    assert await cached(place, "kept_fields") == "miss"


async def test_an_admin_forgets_a_connection_or_everything_and_it_is_audited(place, double):
    second = await in_db(Place, double.url)
    await filled(place)
    await filled(second)
    assert await in_db(lambda: cache_clear(place.tenant, place.row, actor=SYSTEM)) == 4
    assert stats_of(place.tenant.pk)["entries"] == 0
    assert await left(place) == ["miss"] * 4
    assert await left(second) == ["hit"] * 4
    assert await in_db(lambda: cache_clear(place.tenant, actor=SYSTEM)) == 4
    assert await left(place) == ["miss"] * 4

    def audited():
        rows = AuditEvent.objects.for_tenant(place.tenant).filter(kind="config", name__startswith="cache")
        return list(rows.order_by("seq").values_list("name", flat=True))

    assert await in_db(audited) == ["cache.clear kept", "cache.clear *"]


async def test_a_deleted_connections_results_are_gone(place):
    await filled(place)
    await in_db(connection_delete, place.row, actor=SYSTEM)
    assert stats_of(place.tenant.pk)["entries"] == 0
    assert not list(sync_client().scan_iter(f"{place.base}:v:*"))
    assert not await in_db(lambda: Connection.objects.for_tenant(place.tenant).exists())


async def test_without_redis_calls_go_on_and_what_was_forgotten_is_told_later(place, double, monkeypatch):
    await filled(place)
    monkeypatch.setattr(keeper, "_away_until", 1e12)  # Redis is not asked for as long as this holds
    await place.call("kept_make")
    copies.clear()
    assert await left(place) == ["miss"] * 4
    assert await cached(place, number=1) == "hit"
    monkeypatch.setattr(keeper, "_away_until", 0.0)
    assert keeper.owes(place.tenant.pk)
    copies.clear()
    assert await cached(place, number=1) == "miss", "what Redis has is from before the write"
    await asyncio.to_thread(keeper.flush)
    assert not keeper.owes(place.tenant.pk)
    copies.clear()
    assert await left(place) == ["miss"] * 4
    copies.clear()
    assert await left(place) == ["hit"] * 4


async def test_a_redis_that_does_not_answer_delays_no_call(place, double, monkeypatch, caplog):
    caplog.set_level("INFO")

    async def never(*_):
        await asyncio.sleep(60)

    await asyncio.to_thread(keeper.stop)  # its thread would find at once that this Redis answers
    monkeypatch.setattr("connectors.upstream.cache.store.run", never)
    monkeypatch.setattr("connectors.remembering.ASK_S", 0.05)
    monkeypatch.setattr(forgetting, "ASK_S", 0.05)
    assert await cached(place, number=1) == "miss"
    assert keeper.resting
    assert await cached(place, number=1) == "hit"
    assert caplog.text.count("Redis is not reachable") == 1
    await asyncio.to_thread(keeper.flush)
    assert not keeper.resting and "Redis is back" in caplog.text


async def test_while_messages_may_be_lost_copies_are_trusted_for_a_second_at_most(place, double, monkeypatch):
    assert await asyncio.to_thread(wait_until_connected, 10)
    await place.call("kept_item", number=1)
    (copy,) = copies._rooms[place.tenant.pk].copies.values()
    copy.made -= 2
    assert copies.find(place.tenant.pk, copy.key) is copy
    monkeypatch.setattr(bus, "times", bus.times + 1)  # the subscription was made anew
    assert copies.find(place.tenant.pk, copy.key) is None


async def test_what_is_forgotten_while_a_slow_reader_reads_is_remembered(place):
    """Also when so much is forgotten that nobody can say of what."""
    moment = copies.moment
    for number in range(300):
        copies.forget(place.tenant.pk, [f"mark-{number}"])
    assert copies.forgotten_since(place.tenant.pk, moment, ["something else"])
    assert not copies.forgotten_since(place.tenant.pk, copies.moment, ["mark-299"])


async def test_a_tag_of_a_list_is_a_tag_for_each(place):
    view = (await snapshot_of(place.tenant.pk)).connection("kept")
    context = CallContext(await in_db(make_caller, place.tenant), view, Channel(), "r", 1e12)
    plan = planned(view, view.connector.tools["kept_item"], context, {"number": 1})
    assert plan is not None and len(plan.marks) == 3
    await tell(place.tenant.pk, [connection_mark(place.row.pk)])


async def test_the_restaurants_figures_are_kept_until_one_of_its_tools_writes():
    def furnish():
        tenant = make_tenant()
        row = make_connection(tenant, "restaurant")
        item = MenuItem.objects.for_tenant(tenant).filter(connection_id=row.pk).first()
        return make_caller(tenant), item.code

    caller, item = await in_db(furnish)
    period = {"date_range": {"start_date": "2026-01-01", "end_date": "2026-12-31"}}
    for expected in ("miss", "hit"):
        assert (await call_tool(caller, "get_analytics", period)).cache == expected
    changed = await call_tool(caller, "update_inventory", {"item_id": item, "quantity": 12})
    assert not changed.is_error, changed.content
    assert (await call_tool(caller, "get_analytics", period)).cache == "miss"
