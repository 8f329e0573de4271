import asyncio
import json
import uuid

import jsonschema_rs
import pytest

from connectors.errors import InvalidInput
from connectors.providers.memory.connector import Memory
from connectors.providers.memory.types import MAX_INT
from tests.providers.memory.conftest import Bench, Maker

REQUIRED = {
    "cache_set", "cache_get", "cache_delete", "cache_exists", "cache_expire", "cache_ttl", "cache_keys",
    "cache_scan", "cache_mget", "cache_mset", "cache_incr", "cache_decr", "cache_flush", "cache_info", "cache_ping",
}  # fmt: skip
BEYOND = {"cache_get_or_set", "cache_append_list", "cache_get_list", "cache_delete_pattern", "cache_touch"}
HINTS = {
    "cache_set": "I", "cache_get": "R", "cache_delete": "DI", "cache_exists": "R", "cache_expire": "I",
    "cache_ttl": "R", "cache_keys": "R", "cache_scan": "R", "cache_mget": "R", "cache_mset": "I",
    "cache_incr": "W", "cache_decr": "W", "cache_flush": "DI", "cache_info": "R", "cache_ping": "R",
    "cache_delete_pattern": "DI",
}  # fmt: skip


def test_the_connector_has_its_fifteen_required_tools_and_five_more() -> None:
    assert {name for name, spec in Memory.tools.items() if spec.required} == REQUIRED
    assert set(Memory.tools) == REQUIRED | BEYOND
    assert Memory.built_in and Memory.slug == "memory"


def test_every_tool_says_what_it_does_to_the_store() -> None:
    assert {name: Memory.tools[name].hint for name in HINTS} == HINTS
    assert not any(spec.hints.open_world for spec in Memory.tools.values())


def test_every_tool_has_a_title_a_description_and_both_schemas() -> None:
    for spec in Memory.tools.values():
        assert spec.title and spec.description and spec.default_on
        assert spec.input_schema["type"] == "object" and spec.output_schema is not None
        jsonschema_rs.validator_for(spec.input_schema)
        jsonschema_rs.validator_for(spec.output_schema)


async def test_every_answer_keeps_the_shape_that_its_tool_announces(memory: Bench) -> None:
    calls = {
        "cache_ping": {}, "cache_set": {"key": "a", "value": {"b": 1}, "ttl": 60}, "cache_get": {"key": "a"},
        "cache_get_or_set": {"key": "b", "value": None}, "cache_exists": {"keys": ["a", "x"]},
        "cache_expire": {"key": "b", "seconds": 30}, "cache_ttl": {"key": "b"}, "cache_touch": {"keys": ["b"]},
        "cache_mset": {"data": {"c": 1, "d": "e"}}, "cache_mget": {"keys": ["c", "x"]}, "cache_incr": {"key": "c"},
        "cache_decr": {"key": "c"}, "cache_append_list": {"key": "l", "items": [1]}, "cache_get_list": {"key": "l"},
        "cache_keys": {}, "cache_scan": {}, "cache_info": {}, "cache_delete": {"keys": ["a"]},
        "cache_delete_pattern": {"pattern": "l*"}, "cache_flush": {"confirm": True},
    }  # fmt: skip
    assert set(calls) == set(Memory.tools)
    for name, arguments in calls.items():
        spec = Memory.tools[name]
        jsonschema_rs.validate(spec.input_schema, arguments)
        answer = await getattr(memory, name)(**arguments)
        jsonschema_rs.validate(spec.output_schema, json.loads(json.dumps(answer)))


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -7, 1.5, 1e300, 2**53 + 1, 2**70, "", "text", "ünï\u2603 😀\x00", [], {}, [1, [2, {"a": None}]],
     {"k": {"": []}}, '{"looks": "like json"}', "[", "5"],
    ids=repr,
)  # fmt: skip
async def test_a_value_comes_back_as_it_went_in(memory: Bench, value: object) -> None:
    await memory.cache_set(key="v", value=value)
    found = await memory.cache_get(key="v")
    assert found == {"key": "v", "found": True, "value": value}
    assert type(found["value"]) is type(value)


async def test_a_missing_key_is_told_apart_from_a_stored_null(memory: Bench) -> None:
    await memory.cache_set(key="null", value=None)
    assert (await memory.cache_get(key="null"))["found"] is True
    assert await memory.cache_get(key="none") == {"key": "none", "found": False, "value": None}


async def test_set_replaces_and_tells_whether_the_key_is_new(memory: Bench) -> None:
    first = await memory.cache_set(key="k", value="long " * 50)
    second = await memory.cache_set(key="k", value="short")
    assert (first["created"], second["created"], second["size_bytes"]) == (True, False, 7)
    assert await memory.counted() == (1, 8)


async def test_only_if_absent_lets_one_of_many_callers_win(memory: Bench) -> None:
    answers = await asyncio.gather(
        *(memory.cache_set(key="lock", value=n, only_if="absent", ttl=30) for n in range(50))
    )
    winners = [n for n, answer in enumerate(answers) if answer["stored"]]
    assert len(winners) == 1
    assert (await memory.cache_get(key="lock"))["value"] == winners[0]


async def test_only_if_present_never_makes_a_key(memory: Bench) -> None:
    assert (await memory.cache_set(key="k", value=1, only_if="present"))["stored"] is False
    assert await memory.counted() == (0, 0)
    await memory.cache_set(key="k", value=1)
    assert (await memory.cache_set(key="k", value=2, only_if="present"))["stored"] is True


async def test_get_or_set_gives_all_callers_the_same_value(memory: Bench) -> None:
    answers = await asyncio.gather(*(memory.cache_get_or_set(key="k", value={"n": n}) for n in range(30)))
    assert len({answer["value"]["n"] for answer in answers}) == 1
    assert sum(answer["created"] for answer in answers) == 1


async def test_delete_and_exists_tell_what_was_there(memory: Bench) -> None:
    await memory.cache_mset(data={"a": 1, "b": 2})
    assert await memory.cache_exists(keys=["a", "x", "a"]) == {"exists": {"a": True, "x": False}, "count": 1}
    assert await memory.cache_delete(keys=["a", "x"]) == {"deleted": 1, "missing": 1}
    assert await memory.counted() == (1, 2)


async def test_mget_reads_what_mset_stored(memory: Bench) -> None:
    stored = await memory.cache_mset(data={"a": [1], "b": None})
    assert stored == {"stored": 2, "created": 2, "expires_in": None}
    assert await memory.cache_mget(keys=["b", "x", "a"]) == {
        "values": {"b": None, "a": [1]},
        "missing": ["x"],
        "omitted": [],
        "count": 2,
    }


async def test_mget_names_the_values_that_would_make_its_answer_too_long(memory: Bench) -> None:
    await memory.cache_mset(data={f"k{n}": "x" * 20_000 for n in range(4)})
    found = await memory.cache_mget(keys=["k0", "k1", "k2", "k3"])
    assert (list(found["values"]), found["omitted"]) == (["k0", "k1"], ["k2", "k3"])
    rest = await memory.cache_mget(keys=found["omitted"])
    assert (list(rest["values"]), rest["omitted"]) == (["k2", "k3"], [])


async def test_ten_thousand_entries_are_stored_in_one_call(memory: Bench) -> None:
    data = {f"user:{n}": {"name": f"Üser {n}", "n": n} for n in range(10_000)}
    assert (await memory.cache_mset(data=data, ttl=600))["created"] == 10_000
    assert (await memory.cache_mset(data=data))["created"] == 0
    keys, _ = await memory.counted()
    assert keys == 10_000
    assert (await memory.cache_ttl(key="user:9999"))["ttl"] is None
    assert (await memory.cache_get(key="user:9999"))["value"] == data["user:9999"]
    assert (await memory.cache_flush(confirm=True))["deleted"] == 10_000
    assert await memory.counted() == (0, 0)


async def test_counting_at_once_never_loses_a_step(memory: Bench) -> None:
    answers = await asyncio.gather(
        *(memory.cache_incr(key="n", amount=3) for _ in range(60)),
        *(memory.cache_decr(key="n") for _ in range(60)),
    )
    assert (await memory.cache_get(key="n"))["value"] == 120
    assert sum(answer["created"] for answer in answers) == 1
    assert await memory.counted() == (1, 4)


async def test_counting_keeps_all_digits_of_large_numbers(memory: Bench) -> None:
    await memory.cache_set(key="n", value=2**53)
    assert (await memory.cache_incr(key="n"))["value"] == 2**53 + 1
    assert (await memory.cache_incr(key="m", amount=-MAX_INT))["value"] == -MAX_INT


@pytest.mark.parametrize("value", ["5", 1.0, 5.5, None, [1], True, 2**70], ids=repr)
async def test_counting_refuses_what_is_no_whole_number(memory: Bench, value: object) -> None:
    await memory.cache_set(key="n", value=value)
    with pytest.raises(InvalidInput) as refused:
        await memory.cache_incr(key="n")
    assert refused.value.code == "not_an_integer"
    assert (await memory.cache_get(key="n"))["value"] == value


async def test_counting_past_64_bits_is_refused_and_changes_nothing(memory: Bench) -> None:
    await memory.cache_set(key="n", value=MAX_INT)
    with pytest.raises(InvalidInput) as refused:
        await memory.cache_incr(key="n")
    assert refused.value.code == "overflow"
    assert (await memory.cache_get(key="n"))["value"] == MAX_INT
    with pytest.raises(InvalidInput):
        await memory.cache_incr(key="n", amount=2**64)


async def test_a_list_grows_under_many_callers(memory: Bench) -> None:
    await memory.cache_set(key="l", value=[])
    await asyncio.gather(*(memory.cache_append_list(key="l", items=[n, {"n": [n]}]) for n in range(40)))
    whole = await memory.cache_get_list(key="l")
    assert (whole["length"], whole["count"]) == (80, 80)
    assert sorted(item for item in whole["items"] if isinstance(item, int)) == list(range(40))
    assert (await memory.cache_get(key="l"))["value"] == whole["items"]
    await memory.counted()


async def test_a_list_is_read_from_either_end(memory: Bench) -> None:
    made = await memory.cache_append_list(key="l", items=list(range(10)))
    assert made == {"key": "l", "appended": 10, "length": 10, "created": True}
    assert (await memory.cache_get_list(key="l", start=-3))["items"] == [7, 8, 9]
    assert (await memory.cache_get_list(key="l", start=2, limit=2))["items"] == [2, 3]
    assert (await memory.cache_get_list(key="l", start=-99, limit=1))["items"] == [0]
    assert (await memory.cache_get_list(key="l", start=99))["items"] == []
    assert (await memory.cache_get_list(key="none"))["found"] is False


async def test_a_value_that_is_no_list_is_not_appended_to(memory: Bench) -> None:
    for value in ({"a": 1}, "[text]", 5):
        await memory.cache_set(key="v", value=value)
        with pytest.raises(InvalidInput, match="no list"):
            await memory.cache_append_list(key="v", items=[1])
        with pytest.raises(InvalidInput, match="no list"):
            await memory.cache_get_list(key="v")
        assert (await memory.cache_get(key="v"))["value"] == value


@pytest.mark.parametrize("key", ["", "x" * 513, "a\nb", "a\x00b", "\x7f", "a\ud800"], ids=ascii)
async def test_an_unusable_key_is_refused_everywhere(memory: Bench, key: str) -> None:
    for call in (
        memory.cache_set(key=key, value=1), memory.cache_get(key=key), memory.cache_delete(keys=["ok", key]),
        memory.cache_mset(data={"ok": 1, key: 2}), memory.cache_incr(key=key),
        memory.cache_append_list(key=key, items=[1]), memory.cache_expire(key=key, seconds=5),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as refused:
            await call
        assert refused.value.code == "invalid_key"
    assert await memory.counted() == (0, 0)


async def test_what_is_no_json_value_is_refused(memory: Bench) -> None:
    for value in ("\ud800", {"a": {1, 2}}):
        with pytest.raises(InvalidInput) as refused:
            await memory.cache_set(key="k", value=value)
        assert refused.value.code == "invalid_value"


async def test_keys_are_found_by_pattern_in_order(memory: Bench) -> None:
    await memory.cache_mset(data=dict.fromkeys(["user:2", "user:1", "user:10:x", "a[b]", "a*c", "ü:1"], 0))
    for pattern, expected in {
        "*": ["a*c", "a[b]", "user:1", "user:10:x", "user:2", "ü:1"],
        "user:?": ["user:1", "user:2"],
        "user:[13]*": ["user:1", "user:10:x"],
        r"a\*c": ["a*c"],
        r"a\[b\]": ["a[b]"],
        "ü*": ["ü:1"],
        "[": [],
        "nothing*": [],
    }.items():
        assert (await memory.cache_keys(pattern=pattern))["items"] == expected, pattern


async def test_a_long_list_of_keys_is_cut_and_says_so(memory: Bench) -> None:
    await memory.cache_mset(data={f"k{n:04}": n for n in range(2500)})
    cut = await memory.cache_keys(limit=2000)
    assert (cut["count"], cut["truncated"]) == (2000, True)
    whole = await memory.cache_keys(limit=2500)
    assert (whole["count"], whole["truncated"]) == (2500, False)


async def test_paging_finds_every_key(memory: Bench) -> None:
    await memory.cache_mset(data={f"k{n}": n for n in range(3000)})
    seen: set[str] = set()
    cursor, pages = None, 0
    while pages == 0 or cursor:
        page = await memory.cache_scan(cursor=cursor, count=500, match="k*")
        seen.update(page["items"])
        cursor, pages = page["next_cursor"], pages + 1
    assert len(seen) == 3000
    assert pages >= 3


async def test_a_cursor_serves_its_connection_caller_and_pattern_alone(connection: Maker) -> None:
    mine = connection()
    await mine.cache_mset(data={f"k{n}": n for n in range(2000)})
    cursor = (await mine.cache_scan(count=10))["next_cursor"]
    neighbour, stranger = connection(mine.tenant, "second"), connection()
    caller = mine.ctx.caller
    neighbour.ctx.caller = caller
    tampered = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for bench, arguments in (
        (mine, {"cursor": "0"}), (mine, {"cursor": tampered}), (mine, {"cursor": cursor, "match": "k1*"}),
        (neighbour, {"cursor": cursor}), (stranger, {"cursor": cursor}),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as refused:
            await bench.cache_scan(**arguments)
        assert refused.value.code == "invalid_cursor"
    mine.ctx.caller = type(caller)(
        **{**{f: getattr(caller, f) for f in caller.__slots__}, "principal_id": uuid.uuid4()}
    )
    with pytest.raises(InvalidInput):
        await mine.cache_scan(cursor=cursor)


async def test_delete_pattern_counts_first_and_deletes_then(memory: Bench) -> None:
    await memory.cache_mset(data={**{f"tmp:{n}": n for n in range(1500)}, "keep": 1})
    dry = await memory.cache_delete_pattern(pattern="tmp:*", dry_run=True)
    assert (dry["matched"], dry["deleted"]) == (1500, 0)
    assert (await memory.cache_delete_pattern(pattern="tmp:*"))["deleted"] == 1500
    assert (await memory.cache_keys())["items"] == ["keep"]
    assert (await memory.counted())[0] == 1


async def test_a_pattern_that_would_cost_too_much_is_refused(memory: Bench) -> None:
    with pytest.raises(InvalidInput) as refused:
        await memory.cache_keys(pattern="*a" * 9)
    assert refused.value.code == "invalid_pattern"


async def test_flush_needs_a_confirmation(memory: Bench) -> None:
    await memory.cache_set(key="k", value=1)
    for arguments in ({}, {"confirm": False}):
        with pytest.raises(InvalidInput) as refused:
            await memory.cache_flush(**arguments)
        assert refused.value.code == "confirmation_required"
    assert (await memory.cache_flush(confirm=True))["deleted"] == 1


async def test_ping_and_check_answer(memory: Bench) -> None:
    assert (await memory.cache_ping())["ok"] is True
    result = await memory.connector.check(memory.ctx)
    assert result.ok, result.message
