import asyncio

import pytest
from django.conf import settings as django_settings

from connectors.errors import Conflict, InvalidInput
from connectors.providers.memory.settings import MemorySettings
from tests.providers.memory.conftest import Bench, Maker, until


async def test_the_key_limit_holds_under_many_writers(connection: Maker) -> None:
    memory = connection(max_keys=20)
    answers = await asyncio.gather(
        *(memory.cache_set(key=f"k{n}", value=n) for n in range(40)),
        *(memory.cache_incr(key=f"n{n}") for n in range(20)),
        *(memory.cache_append_list(key=f"l{n}", items=[n]) for n in range(20)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(refused) == 60 and all(isinstance(error, Conflict) for error in refused)
    assert (await memory.counted())[0] == 20


async def test_the_byte_limit_holds_under_many_writers(connection: Maker) -> None:
    memory = connection(max_bytes=2000)
    await asyncio.gather(
        *(memory.cache_set(key=f"k{n % 7}", value="x" * (50 * n)) for n in range(30)),
        *(memory.cache_append_list(key="list", items=["y" * 90]) for _ in range(30)),
        return_exceptions=True,
    )
    keys, used = await memory.counted()
    assert keys > 0 and used <= 2000


async def test_a_counter_that_would_grow_past_the_byte_limit_stays_as_it_was(connection: Maker) -> None:
    memory = connection(max_bytes=1024)
    await memory.cache_set(key="n", value=9, ttl=60)
    await memory.cache_set(key="x", value="x" * (1024 - 2 - 3))
    with pytest.raises(Conflict):
        await memory.cache_incr(key="n")
    assert (await memory.cache_get(key="n"))["value"] == 9
    assert (await memory.cache_ttl(key="n"))["ttl"] is not None
    assert await memory.counted() == (2, 1024)


async def test_a_refused_mset_stores_nothing_and_says_which_limit_it_met(connection: Maker) -> None:
    memory = connection(max_keys=3)
    await memory.cache_set(key="a", value="old")
    with pytest.raises(Conflict) as refused:
        await memory.cache_mset(data={"a": "new", "b": 1, "c": 2, "d": 3})
    error = refused.value.as_dict()
    assert (error["code"], error["limit"], error["maximum"]) == ("memory_full", "max_keys", 3)
    assert "cache_delete" in error["hint"]
    assert (await memory.cache_mget(keys=["a", "b", "c", "d"]))["values"] == {"a": "old"}


async def test_a_full_connection_still_takes_smaller_values_and_deletes(connection: Maker) -> None:
    memory = connection(max_keys=2)
    await memory.cache_mset(data={"a": "aaaa", "b": "bbbb"})
    tighter = connection(memory.tenant, max_keys=1, max_bytes=1024)
    tighter.connector.store._keys = memory.connector.store._keys
    tighter.connector.store._connection = memory.connector.store._connection
    assert (await tighter.cache_set(key="a", value="a"))["stored"]
    with pytest.raises(Conflict):
        await tighter.cache_set(key="c", value=1)
    await tighter.cache_delete(keys=["a", "b"])
    assert (await tighter.cache_set(key="c", value=1))["stored"]


async def test_a_value_may_be_as_large_as_the_limit_and_no_larger(connection: Maker) -> None:
    memory = connection(max_value_bytes=100)
    await memory.cache_set(key="k", value="x" * 98)
    for call in (
        memory.cache_set(key="k", value="x" * 99), memory.cache_mset(data={"a": 1, "b": "ü" * 50}),
        memory.cache_get_or_set(key="n", value=["x" * 99]), memory.cache_append_list(key="l", items=["x" * 97]),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as refused:
            await call
        assert refused.value.code == "value_too_large"
    assert await memory.counted() == (1, 101)


async def test_a_list_stops_growing_at_the_value_limit(connection: Maker) -> None:
    memory = connection(max_value_bytes=64)
    with pytest.raises(InvalidInput, match="larger"):
        for n in range(100):
            await memory.cache_append_list(key="l", items=[n])
    whole = await memory.cache_get_list(key="l")
    assert whole["items"] == list(range(whole["length"]))


async def test_expired_keys_make_room_at_once(connection: Maker) -> None:
    memory = connection(max_keys=3)
    await memory.cache_mset(data={"a": 1, "b": 2, "c": 3}, ttl=0.1)
    with pytest.raises(Conflict):
        await memory.cache_set(key="d", value=4)

    async def gone() -> bool:
        return not (await memory.cache_exists(keys=["a", "b", "c"]))["count"]

    await until(gone)
    await memory.cache_mset(data={"d": 4, "e": 5, "f": 6})
    assert (await memory.counted())[0] == 3


async def test_room_is_found_however_many_keys_expired(connection: Maker) -> None:
    memory = connection(max_keys=4000)
    await memory.cache_mset(data={f"k{n}": n for n in range(4000)}, ttl=0.2)

    async def gone() -> bool:
        return not (await memory.cache_exists(keys=["k0", "k3999"]))["count"]

    await until(gone)
    assert (await memory.cache_mset(data={f"n{n}": n for n in range(4000)}))["created"] == 4000
    assert (await memory.counted())[0] == 4000


async def test_the_index_stays_true_while_keys_expire_under_writers(connection: Maker) -> None:
    memory = connection()

    async def work(n: int) -> None:
        for step in range(15):
            await memory.cache_set(key=f"s{n}", value="x" * step, ttl=0.005 if step % 2 else 0.03)
            await memory.cache_incr(key=f"n{n % 3}", ttl=0.004)
            await memory.cache_append_list(key=f"l{n % 3}", items=[step], ttl=0.004)
            await memory.cache_expire(key=f"s{n}", seconds=0.002)
            await memory.cache_delete(keys=[f"n{n % 2}"])

    await asyncio.gather(*(work(n) for n in range(10)))

    async def empty() -> bool:
        return (await memory.cache_info())["keys"] == 0

    await until(empty)
    assert await memory.counted() == (0, 0)


async def test_all_connections_of_a_tenant_share_the_tenants_limit(
    connection: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django_settings, "PORTICO_MEMORY_TENANT_KEYS", 5, raising=False)
    first = connection()
    second, stranger = connection(first.tenant, "second"), connection()
    await first.cache_mset(data={"a": 1, "b": 2, "c": 3}, ttl=0.1)
    await second.cache_mset(data={"a": 1, "b": 2})
    with pytest.raises(Conflict) as refused:
        await second.cache_set(key="c", value=3)
    assert refused.value.as_dict()["limit"] == "tenant_keys"
    await stranger.cache_mset(data={"a": 1, "b": 2, "c": 3, "d": 4})
    assert (await second.cache_info())["tenant_keys"] in (2, 5)  # the first may be about to expire

    async def expired() -> bool:
        return (await second.cache_info())["tenant_keys"] == 2

    await until(expired)  # the second connection's calls take what expired in the first out of the count
    await second.cache_mset(data={"c": 3, "d": 4, "e": 5})
    assert await first.counted() == (0, 0)
    assert (await second.counted())[0] == 5


# Time to live


async def test_a_key_disappears_when_its_time_is_over(memory: Bench) -> None:
    await memory.cache_set(key="k", value="v")
    assert await memory.cache_ttl(key="k") == {"key": "k", "exists": True, "ttl": None}
    assert (await memory.cache_expire(key="k", seconds=0.1))["ttl"] == 0.1
    assert 0 < (await memory.cache_ttl(key="k"))["ttl"] <= 0.1

    async def gone() -> bool:
        return not (await memory.cache_get(key="k"))["found"]

    await until(gone)
    assert await memory.cache_ttl(key="k") == {"key": "k", "exists": False, "ttl": None}
    assert (await memory.cache_expire(key="k", seconds=5))["exists"] is False
    assert (await memory.cache_keys())["items"] == []
    assert await memory.counted() == (0, 0)


async def test_setting_again_starts_the_time_anew_and_counting_does_not(memory: Bench) -> None:
    await memory.cache_set(key="k", value=1, ttl=30)
    await memory.cache_incr(key="k", ttl=9000)
    assert 20 < (await memory.cache_ttl(key="k"))["ttl"] <= 30
    await memory.cache_set(key="k", value=1)
    assert (await memory.cache_ttl(key="k"))["ttl"] is None
    assert (await memory.cache_touch(keys=["k", "x"], ttl=50)) == {
        "touched": 1,
        "missing": 1,
        "expires_in": 50.0,
    }
    assert 40 < (await memory.cache_ttl(key="k"))["ttl"] <= 50
    await memory.cache_touch(keys=["k"])
    assert (await memory.cache_ttl(key="k"))["ttl"] is None


async def test_new_counters_and_lists_take_the_ttl_they_are_given(memory: Bench) -> None:
    await memory.cache_incr(key="n", ttl=30)
    await memory.cache_append_list(key="l", items=[1], ttl=30)
    for key in ("n", "l"):
        assert 20 < (await memory.cache_ttl(key=key))["ttl"] <= 30


async def test_the_default_ttl_and_the_cap_hold_for_every_way_to_write(connection: Maker) -> None:
    capped, defaulted = connection(max_ttl=60), connection(default_ttl=20, max_ttl=60)
    for memory, most in ((capped, 60), (defaulted, 20)):
        await memory.cache_set(key="s", value=1)
        await memory.cache_mset(data={"m": 1})
        await memory.cache_incr(key="i")
        await memory.cache_append_list(key="l", items=[1])
        await memory.cache_get_or_set(key="g", value=1)
        await memory.cache_touch(keys=["s"])
        for key in "smilg":
            assert most - 10 < (await memory.cache_ttl(key=key))["ttl"] <= most, key
    for call in (
        capped.cache_set(key="x", value=1, ttl=61), capped.cache_mset(data={"x": 1}, ttl=61),
        capped.cache_expire(key="s", seconds=61), capped.cache_touch(keys=["s"], ttl=3600),
        capped.cache_incr(key="x", ttl=61),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as refused:
            await call
        assert refused.value.code == "ttl_too_long"


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 10**12])
async def test_a_senseless_ttl_is_refused(memory: Bench, ttl: float) -> None:
    with pytest.raises(InvalidInput) as refused:
        await memory.cache_set(key="k", value=1, ttl=ttl)
    assert refused.value.code == "invalid_ttl"


def test_a_default_above_the_cap_is_a_form_error() -> None:
    with pytest.raises(ValueError, match="default_ttl"):
        MemorySettings(default_ttl=100, max_ttl=50)
