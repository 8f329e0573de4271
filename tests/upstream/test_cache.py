"""What is kept of a reading tool's results, for whom and for how long."""

import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from audit.models import AuditEvent
from common.db import in_db
from common.redis import sync_client
from connectors.call_info import CallInfo
from connectors.channel import Channel
from connectors.pipeline import call_tool
from connectors.services import cache_stats, connection_update, credential_set, permission_set
from connectors.snapshot import snapshot_of
from connectors.upstream import breaker
from connectors.upstream.cache import store
from connectors.upstream.cache.copies import copies
from connectors.upstream.cache.keeper import keeper
from connectors.upstream.client import close_all
from tenants.models import Principal
from tests.factories import SYSTEM, make_caller
from tests.upstream.faulty import answer
from tests.upstream.kept import TOKEN, Place, numbered

PLANTED = "planted-answer-of-the-system"


@pytest.fixture
async def place(double):
    double.script = [numbered(n) for n in range(100)]
    yield await in_db(Place, double.url)
    await close_all()


async def change(place, **fields):
    place.row = await in_db(connection_update, place.row, actor=SYSTEM, **fields)


def caches_of(place):
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call", phase="done").order_by("seq")
    return list(rows.values_list("cache", flat=True))


async def test_an_equal_call_is_answered_from_memory_and_says_so(place, double):
    first = await place.call("kept_item", number=1)
    again = await place.call("kept_item", number=1)
    assert (first.cache, first.meta["cache"]) == ("miss", "miss")
    assert (again.cache, again.meta["cache"], again.meta["age_s"]) == ("hit", "hit", 0)
    assert again.structured == first.structured == {"item": {"n": 0}}
    assert again.content == first.content
    assert len(double.came) == 1
    assert await in_db(caches_of, place) == ["miss", "hit"]


async def test_an_equal_call_of_another_process_is_answered_from_redis(place, double):
    first = await place.call("kept_item", number=1)
    copies.clear()
    again = await place.call("kept_item", number=1)
    assert (again.cache, again.structured, again.content) == ("hit", first.structured, first.content)
    assert len(double.came) == 1


@pytest.mark.parametrize(
    "arguments",
    [{"number": 1, "fields": "all"}, {"fields": "all", "number": 1.0}, {"number": 1}],
    ids=["default", "order", "same"],
)
async def test_calls_that_mean_the_same_are_equal(place, double, arguments):
    await place.call("kept_item", number=1)
    assert (await place.call("kept_item", **arguments)).cache == "hit"


@pytest.mark.parametrize(
    "arguments",
    [{"limit": 11}, {"words": ["a"]}, {"words": []}, {"limit": 10.5}],
    ids=["other", "list", "empty", "part"],
)
async def test_calls_that_mean_something_else_are_not_equal(place, double, arguments):
    await place.call("kept_list")
    assert (await place.call("kept_list", limit=10, words=None)).cache == "hit"
    assert (await place.call("kept_list", **arguments)).cache == "miss"
    assert len(double.came) == 2


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("kept_newest", {}), ("kept_secret", {"password": "x"}), ("kept_wrong", {}), ("kept_large", {})],
    ids=["no class", "secret argument", "error", "too large"],
)
async def test_what_must_not_be_kept_is_not(place, double, tool, arguments):
    for _ in range(2):
        assert (await place.call(tool, **arguments)).cache in ("", "miss")
    assert len(double.came) == 2
    assert sync_client().zcard(f"{place.base}:index") == 0


async def test_a_failure_is_not_kept(place, double):
    double.script = [answer(404), numbered(1)]
    assert (await place.call("kept_item", number=1)).is_error
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 1}}


@pytest.mark.parametrize(
    ("cache", "tool", "seconds"),
    [
        ({}, "kept_list", 30),
        ({}, "kept_item", 300),
        ({}, "kept_fields", 3600),
        ({"ttl_s": 7}, "kept_item", 7),
        ({"ttl_s": 7, "tools": {"kept_item": 9}}, "kept_item", 9),
        ({"ttl_s": 0, "tools": {"kept_item": 9}}, "kept_item", 9),
        ({"tools": {"kept_item": 0}}, "kept_item", None),
        ({"ttl_s": 0}, "kept_item", None),
        ({"enabled": False}, "kept_item", None),
        ({"ttl_s": 60, "tools": {"kept_newest": 60}}, "kept_newest", None),
    ],
    ids=["S", "M", "L", "connection", "tool", "tool alone", "tool off", "off", "switch", "never"],
)
async def test_a_result_is_kept_as_long_as_its_class_and_the_connection_say(place, cache, tool, seconds):
    await change(place, cache=cache)
    arguments = {"number": 1} if tool == "kept_item" else {}
    await place.call(tool, **arguments)
    members = sync_client().zrange(f"{place.base}:index", 0, -1)
    if seconds is None:
        assert members == []
        return
    (member,) = members
    value = sync_client().get(f"{place.base}:v:{member.decode()}")
    assert int(value[32:48]) - int(value[16:32]) == seconds * 1_000_000


async def test_a_result_is_asked_for_anew_when_its_time_is_over(place, double):
    await change(place, cache={"tools": {"kept_item": 1}})
    await place.call("kept_item", number=1)
    copies.clear()
    age(place, 2)
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 1}}


def age(place, seconds):
    """Let stored results look as if they were stored before."""
    client = sync_client()
    for member in client.zrange(f"{place.base}:index", 0, -1):
        name = f"{place.base}:v:{member.decode()}"
        value = client.get(name)
        times = [int(value[at : at + 16]) - seconds * 1_000_000 for at in (16, 32)]
        client.set(name, value[:16] + b"".join(b"%016d" % t for t in times) + value[48:], keepttl=True)


async def test_a_changed_connection_or_credential_has_results_of_its_own(place, double):
    await place.call("kept_item", number=1)
    await change(place, name="Another name")
    assert (await place.call("kept_item", number=1)).cache == "miss"
    await in_db(credential_set, place.row, {"token": "another"}, actor=SYSTEM)
    assert (await place.call("kept_item", number=1)).cache == "miss"


async def test_two_tenants_with_equal_arguments_share_nothing(place, double):
    other = await in_db(Place, double.url)
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 0}}
    assert (await other.call("kept_item", number=1)).structured == {"item": {"n": 1}}
    copies.clear()
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 0}}
    assert (await other.call("kept_item", number=1)).structured == {"item": {"n": 1}}


async def test_a_value_moved_to_another_place_is_not_read(place, double):
    other = await in_db(Place, double.url)
    await place.call("kept_item", number=1)
    await other.call("kept_item", number=1)
    client = sync_client()
    (mine,) = client.zrange(f"{place.base}:index", 0, -1)
    (theirs,) = client.zrange(f"{other.base}:index", 0, -1)
    client.set(f"{other.base}:v:{theirs.decode()}", client.get(f"{place.base}:v:{mine.decode()}"))
    copies.clear()
    assert (await other.call("kept_item", number=1)).structured == {"item": {"n": 2}}


async def test_people_with_accounts_of_their_own_share_nothing(double):
    double.script = [numbered(n) for n in range(9)]
    place = await in_db(Place, double.url, credential_mode="principal")

    def people():
        found = [make_caller(place.tenant) for _ in range(2)]
        for caller in found:
            principal = Principal.objects.for_tenant(place.tenant).get(pk=caller.principal_id)
            credential_set(place.row, {"token": "own"}, actor=SYSTEM, principal=principal)
        return found

    one, two = await in_db(people)
    assert (await place.call("kept_item", one, number=1)).structured == {"item": {"n": 0}}
    assert (await place.call("kept_item", two, number=1)).structured == {"item": {"n": 1}}
    assert (await place.call("kept_item", one, number=1)).cache == "hit"
    stands_in = replace(one, actor=replace(two, actor=None))
    answered = await place.call("kept_item", stands_in, number=1)
    assert answered.is_error and answered.error_type == "authentication"


async def test_callers_with_tokens_of_their_own_share_nothing(double):
    double.script = [numbered(n) for n in range(9)]
    place = await in_db(Place, double.url, caller_token=True)

    def brought(token):
        return CallInfo(tokens={"kept": SecretStr(token)})

    first = await place.call("kept_item", info=brought("token-one"), number=1)
    other = await place.call("kept_item", info=brought("token-two"), number=1)
    shared = await place.call("kept_item", number=1)
    again = await place.call("kept_item", info=brought("token-one"), number=1)
    assert [r.structured["item"]["n"] for r in (first, other, shared, again)] == [0, 1, 2, 0]
    assert again.cache == "hit"


async def test_what_lies_in_redis_tells_nothing(place, double):
    double.script = [answer(200, json.dumps({"said": PLANTED}).encode())]
    await place.call("kept_list", words=["planted-argument"])
    await place.call("kept_change", number=4711)
    keeper.flush()
    client = sync_client()
    for name in client.scan_iter(f"{place.base}*"):
        kind = client.type(name)
        stored = {
            b"string": client.get, b"hash": client.hgetall, b"zset": lambda n: client.zrange(n, 0, -1),
        }[kind](name)  # fmt: skip
        for planted in (PLANTED, "planted-argument", "item:4711", TOKEN):
            assert planted not in f"{name!r} {stored!r}"


async def test_while_the_system_rests_the_last_good_answer_is_given_and_marked(place, double):
    await place.call("kept_item", number=1)
    copies.clear()
    age(place, 3600)
    identity = await open_breaker(place)
    got = await place.call("kept_item", number=1)
    assert (got.cache, got.structured, got.is_error) == ("stale", {"item": {"n": 0}}, False)
    assert got.meta["cache"] == "stale" and got.meta["age_s"] >= 3600
    assert 0 < got.meta["retry_after"] <= 30 and got.meta["cached_at"].endswith("+00:00")
    never = await place.call("kept_item", number=2)
    assert never.is_error and never.error_type == "circuit_open"
    assert await in_db(caches_of, place) == ["miss", "stale", ""]
    breaker.breaker_of(place.tenant.pk, place.row.pk, identity)._close()
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 1}}


async def open_breaker(place):
    view = (await snapshot_of(place.tenant.pk)).connection("kept")
    identity = f"{view.credential.id.hex}-{view.credential.version}"
    breaker.breaker_of(place.tenant.pk, place.row.pk, identity)._open(20)
    return identity


async def test_a_fresh_answer_needs_no_system(place, double):
    await place.call("kept_item", number=1)
    await open_breaker(place)
    assert (await place.call("kept_item", number=1)).cache == "hit"


async def test_a_call_that_asked_the_person_is_not_kept(place, double):
    class Person(Channel):
        async def ask(self, requests, state=None):
            return {key: {"action": "accept", "content": {"sure": True}} for key in requests}

    for number in (0, 1):
        got = await call_tool(place.caller, "kept_asks", {"number": 1}, channel=Person())
        assert got.structured == {"item": {"n": number}, "sure": True}


async def test_a_hit_costs_nothing_of_a_limit(place, double):
    assert (await place.call("kept_limited", number=1)).cache == "miss"
    assert (await place.call("kept_limited", number=1)).cache == "hit"
    refused = await place.call("kept_limited", number=2)
    assert refused.error_type == "rate_limit"


async def test_a_kept_result_is_confirmed_before_it_is_given(place, double):
    await in_db(
        permission_set, tenant=place.tenant, role="operator", allow=[], deny=[],
        confirm=["kept:kept_confirmed"], actor=SYSTEM,
    )  # fmt: skip
    agreed = CallInfo(confirmed=True)
    assert (await place.call("kept_confirmed", info=agreed)).cache == "miss"
    assert (await place.call("kept_confirmed", info=agreed)).cache == "hit"
    assert (await place.call("kept_confirmed")).is_error
    assert len(double.came) == 1


async def test_a_refreshing_call_asks_and_is_kept(place, double):
    await place.call("kept_item", number=1)
    fresh = await place.call("kept_item", info=CallInfo(refresh=True), number=1)
    assert fresh.structured == {"item": {"n": 1}}
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 1}}


async def test_the_oldest_results_make_room(place, double, monkeypatch):
    monkeypatch.setattr(store, "MAX_ENTRIES", 3)
    for number in range(5):
        await place.call("kept_item", number=number)
    copies.clear()
    assert cache_stats(place.tenant.pk)["entries"] == 3
    assert (await place.call("kept_item", number=4)).cache == "hit"
    assert (await place.call("kept_item", number=0)).cache == "miss"


async def test_a_tenants_results_have_a_size_together(place, double, monkeypatch):
    await place.call("kept_item", number=0)
    one = cache_stats(place.tenant.pk)["bytes"]
    assert one > 0
    monkeypatch.setattr(store, "MAX_BYTES", one * 3)
    for number in range(6):
        await place.call("kept_item", number=number)
    found = cache_stats(place.tenant.pk)
    assert found["entries"] <= 3 and found["bytes"] <= one * 3
    sizes = sync_client().hvals(f"{place.base}:sizes")
    assert sum(map(int, sizes)) == found["bytes"]


async def test_hits_and_misses_are_counted_for_people(place, double):
    for _ in range(3):
        await place.call("kept_item", number=1)
    keeper.flush()
    found = cache_stats(place.tenant.pk)
    assert (found["hits"], found["misses"], found["stale"], found["entries"]) == (2, 1, 0, 1)
    assert found["rate"] == round(2 / 3, 4)
