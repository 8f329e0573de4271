"""Memory as a caller meets it: through the pipeline, with permission, schema check and audit."""

import time
from typing import Any

from common.db import in_db
from connectors import pipeline
from tenants.principals import Caller
from tests.factories import make_caller, make_connection, make_tenant


async def team(*roles: str, **fields: Any) -> list[Caller]:
    """Callers of a new tenant that has one memory connection."""

    def make() -> list[Caller]:
        tenant = make_tenant()
        make_connection(tenant, "memory", slug="memory", **fields)
        return [make_caller(tenant, role) for role in roles or ("operator",)]

    return await in_db(make)


async def test_a_caller_reads_what_it_stored_and_a_stranger_does_not() -> None:
    [caller], [stranger] = await team(), await team()
    stored = await pipeline.call_tool(
        caller, "cache_set", {"key": "greeting", "value": {"text": "hello"}, "ttl": 60}
    )
    assert stored.structured["stored"] is True
    found = await pipeline.call_tool(caller, "cache_get", {"key": "greeting"})
    assert found.structured == {"key": "greeting", "found": True, "value": {"text": "hello"}}
    assert (await pipeline.call_tool(stranger, "cache_get", {"key": "greeting"})).structured["found"] is False
    assert (await pipeline.call_tool(stranger, "cache_flush", {"confirm": True})).structured["deleted"] == 0
    assert (await pipeline.call_tool(caller, "cache_keys", {})).structured["items"] == ["greeting"]


async def test_all_tools_of_a_new_connection_are_listed_and_a_viewer_sees_those_that_read() -> None:
    operator, viewer = await team("operator", "viewer")
    assert len((await pipeline.catalogue(operator)).tools) == 20
    seen = (await pipeline.catalogue(viewer)).tools
    assert {tool.name for tool in seen} == {
        "cache_get", "cache_exists", "cache_ttl", "cache_keys", "cache_scan", "cache_mget", "cache_get_list",
        "cache_info", "cache_ping",
    }  # fmt: skip


async def test_bad_arguments_and_full_memory_are_errors_that_a_model_can_read() -> None:
    [caller] = await team(settings={"max_keys": 1})
    for name, arguments, error_type in (
        ("cache_set", {"key": "k"}, "validation"),
        ("cache_set", {"key": "", "value": 1}, "validation"),
        ("cache_set", {"key": "k", "value": 1, "ttl": -5}, "validation"),
        ("cache_incr", {"key": "k", "amount": 1.5}, "validation"),
        ("cache_mset", {"data": {}}, "validation"),
        ("cache_mset", {"data": {"a": 1, "b": 2}}, "conflict"),
        ("cache_flush", {"confirm": False}, "validation"),
    ):
        result = await pipeline.call_tool(caller, name, arguments)
        assert (result.is_error, result.error_type) == (True, error_type), (name, arguments)


async def test_ten_thousand_entries_pass_the_whole_pipeline_quickly() -> None:
    [caller] = await team()
    start = time.perf_counter()
    data = {f"user:{n}": {"name": f"User {n}"} for n in range(10_000)}
    result = await pipeline.call_tool(caller, "cache_mset", {"data": data})
    assert result.structured["stored"] == 10_000
    assert time.perf_counter() - start < 2  # with room for a busy machine


async def test_no_key_is_lost_where_long_keys_make_an_answer_too_long() -> None:
    [caller] = await team()
    names = {f"{n:04}:{'ü' * 180}" for n in range(1200)}
    await pipeline.call_tool(caller, "cache_mset", {"data": dict.fromkeys(names, 1)})
    listed = (await pipeline.call_tool(caller, "cache_keys", {"limit": 5000})).structured
    assert listed["items"] == sorted(names)[: listed["count"]]
    assert (listed["count"] > 200, listed["truncated"]) == (True, True)
    seen: set[str] = set()
    page: dict[str, Any] = {"next_cursor": None}
    while not seen or page["next_cursor"]:
        asked = {"count": 1000, "cursor": page["next_cursor"]}
        result = await pipeline.call_tool(caller, "cache_scan", asked)
        page = result.structured
        assert "truncated" not in result.meta and len(page["items"]) == page["count"]
        seen.update(page["items"])
    assert seen == names


async def test_keys_count_towards_the_answer_of_reading_several_values() -> None:
    [caller] = await team()
    data = {f"{n:04}:{'k' * 40}": "v" * 60 for n in range(900)}
    await pipeline.call_tool(caller, "cache_mset", {"data": data})
    left, got = list(data), {}
    while left:
        result = await pipeline.call_tool(caller, "cache_mget", {"keys": left})
        assert not result.is_error and "truncated" not in result.meta
        assert result.structured["values"]
        got.update(result.structured["values"])
        left = result.structured["omitted"]
    assert got == data
    refused = await pipeline.call_tool(caller, "cache_mget", {"keys": [f"{n:0>200}" for n in range(400)]})
    assert refused.is_error and "too_many_keys" in refused.content[0].text


async def test_a_long_list_is_read_in_parts_that_say_how_far_they_go() -> None:
    [caller] = await team(settings={"max_value_bytes": 1_000_000})
    items = [f"{n:04}:{'i' * 150}" for n in range(1000)]
    await pipeline.call_tool(caller, "cache_set", {"key": "l", "value": items})
    read: list[str] = []
    while len(read) < 1000:
        result = await pipeline.call_tool(caller, "cache_get_list", {"key": "l", "start": len(read)})
        assert "truncated" not in result.meta
        part = result.structured
        assert (len(part["items"]), part["length"]) == (part["count"], 1000) and part["items"]
        read += part["items"]
    assert read == items


async def test_the_cursor_of_any_pattern_is_taken_back() -> None:
    [caller] = await team()
    await pipeline.call_tool(caller, "cache_mset", {"data": {f"{n:0>70}": n for n in range(300)}})
    asked = {"match": "[^" + "😀" * 509 + "]", "count": 10}
    first = (await pipeline.call_tool(caller, "cache_scan", asked)).structured
    following = await pipeline.call_tool(caller, "cache_scan", {**asked, "cursor": first["next_cursor"]})
    assert first["next_cursor"] and not following.is_error
