"""The official clients against what `make run` starts, used as a user uses them."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import mcp
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from tests.docs.pages import KEY, URL, blocks, pages
from tests.e2e.inspector import Inspector
from tests.e2e.running import House, connected, running
from tests.e2e.walks import ALL_NAMES, WALKS, a_year
from tests.mcp_endpoint.conftest import node_tools

__all__ = ["node_tools", "running"]  # fixtures
pytestmark = pytest.mark.e2e
MODES = ["auto", "legacy", "2026-07-28"]


async def tools_of(client: mcp.Client) -> dict[str, Any]:
    """All pages of the list, by name."""
    found: dict[str, Any] = {}
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        found.update({tool.name: tool for tool in page.tools})
        if (cursor := page.next_cursor) is None:
            return found


def checked(tool: Any, result: Any) -> Any:
    """A successful answer's structured content, held to the tool's own promises."""
    assert not result.is_error, (tool.name, result.content)
    if tool.output_schema is not None:
        assert tool.output_schema["type"] == "object"
        jsonschema_rs.Draft202012Validator(tool.output_schema).validate(result.structured_content)
    assert json.loads(result.content[0].text) == result.structured_content, tool.name
    return result.structured_content


@pytest.mark.parametrize("mode", MODES)
async def test_every_tool_of_the_three_connectors_does_its_work(running: House, mode: str) -> None:
    async with connected(running.bistro, mode) as client:
        assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
        if mode != "2026-07-28":  # there the client takes the version for granted and asks nothing
            assert "create_goal" in (client.instructions or "")
        tools = await tools_of(client)
        called = set()
        for walk in WALKS.values():
            steps = walk()
            name, arguments = next(steps)
            while True:
                answer = checked(tools[name], await client.call_tool(name, arguments))
                called.add(name)
                try:
                    name, arguments = steps.send(answer)
                except StopIteration:
                    break
        assert called == set(tools), "a tool without a step in its walk"


async def test_the_list_has_exactly_the_permitted_tools(running: House) -> None:
    names = {}
    for mode in MODES:
        async with connected(running.bistro, mode) as client:
            names[mode] = await tools_of(client)
    async with httpx2.AsyncClient(headers=running.bistro.headers) as http:
        answer = await http.get(f"{running.url}/api/v1/tenants/bistro/tools")
    catalogue = {row["exposed_name"]: row for row in answer.json()}
    for listed in names.values():
        assert set(listed) == set(catalogue) >= ALL_NAMES
        for name, tool in listed.items():
            assert tool.input_schema == catalogue[name]["input_schema"]
            assert tool.title and tool.description and tool.annotations.read_only_hint is not None
    async with connected(running.harbor) as client:
        listed = set(await tools_of(client))
    assert listed == {
        row["exposed_name"] for row in running.api("GET", "tenants/harbor/tools")
    }  # the administrator owns both sample tenants
    assert "create_goal" in listed and "cache_get" in listed and "process_order" not in listed


@pytest.mark.parametrize("mode", MODES)
async def test_everything_readable_is_read_and_completed(running: House, mode: str) -> None:
    async with connected(running.bistro, mode) as client:
        goal = (await client.call_tool("create_goal", {"description": "Be read"})).structured_content["id"]
        listed = {row.uri: row for row in (await client.list_resources()).resources}
        assert {"restaurant://config/database_schema", "restaurant://menu_items", f"goal://{goal}"} <= set(
            listed
        )
        for uri, row in listed.items():
            contents = (await client.read_resource(uri)).contents
            assert contents[0].uri == uri
            assert contents[0].mime_type == row.mime_type, uri
            assert contents[0].text
        item = listed["restaurant://menu_items/MARGHE01"]
        assert set(item.meta) >= {"price", "category"}

        templates = {row.uri_template for row in (await client.list_resource_templates()).resource_templates}
        assert templates == {
            "goal://{id}", "goal://{id}/plan", "restaurant://menu_items/{id}", "restaurant://orders/{date}",
            "restaurant://orders/{date}/{order_id}",
        }  # fmt: skip
        day = await completed(client, "restaurant://orders/{date}", "date", a_year()["end_date"][:7])
        assert "MARGHE01" in await completed_all(client, "restaurant://menu_items/{id}", "id", "marg")
        assert goal in await completed_all(client, "goal://{id}", "id", goal)
        orders = (await client.read_resource(f"restaurant://orders/{day}")).contents
        assert json.loads(orders[0].text)["orders"] == len(orders) - 1
        order = json.loads(orders[1].text)
        assert set(order) == {"id", "name", "content"} and set(orders[1].meta) >= {
            "customer",
            "total",
            "status",
        }
        again = (await client.read_resource(f"restaurant://orders/{day}/{order['id']}")).contents
        assert json.loads(again[0].text) == order
        plan = json.loads((await client.read_resource(f"goal://{goal}/plan")).contents[0].text)
        assert plan["goal_id"] == goal
        with pytest.raises(MCPError, match="not found"):
            await client.read_resource("restaurant://menu_items/NOTHING1")
        with pytest.raises(MCPError, match=r"no day of the calendar.*YYYY-MM-DD") as refused:
            await client.read_resource("restaurant://orders/yesterday")
        assert refused.value.error.code == -32602


async def completed_all(client: mcp.Client, template: str, name: str, value: str) -> list[str]:
    answer = await client.complete(ResourceTemplateReference(uri=template), {"name": name, "value": value})
    return answer.completion.values


async def completed(client: mcp.Client, template: str, name: str, value: str) -> str:
    return (await completed_all(client, template, name, value))[0]


@pytest.mark.parametrize("mode", MODES)
async def test_the_prompts_are_filled(running: House, mode: str) -> None:
    async with connected(running.bistro, mode) as client:
        prompts = {row.name: row for row in (await client.list_prompts()).prompts}
        assert set(prompts) == {"daily_briefing", "plan-goal"}
        assert all(argument.description for row in prompts.values() for argument in row.arguments)
        day = a_year()["end_date"]
        briefing = await client.get_prompt("daily_briefing", {"date": day})
        assert day in briefing.messages[0].content.text
        assert (await client.get_prompt("daily_briefing")).messages
        plan = await client.get_prompt("plan-goal", {"goal": "Open a second bistro"})
        assert "Open a second bistro" in plan.messages[0].content.text
        days = await client.complete(
            PromptReference(name="daily_briefing"), {"name": "date", "value": day[:7]}
        )
        assert day in days.completion.values


@pytest.mark.parametrize("mode", MODES)
async def test_a_long_report_tells_its_progress_and_its_file_is_read_both_ways(
    running: House, mode: str
) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def note(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with connected(running.bistro, mode) as client:
        made = await client.call_tool(
            "generate_report", {"report_type": "sales", **a_year()}, progress_callback=note
        )
        assert not made.is_error, made.content
        steps = told[0][1]
        assert [done for done, _, _ in told] == list(range(1, int(steps or 0) + 1)) and len(told) >= 13
        assert told[0][2].startswith("Read ") and told[-1] == (steps, steps, "Done")
        link = next(part for part in made.content if part.type == "resource_link")
        read = (await client.read_resource(link.uri)).contents[0]
    file = base64.b64decode(read.blob)
    assert read.mime_type == "application/pdf" and file.startswith(b"%PDF-") and b"%%EOF" in file[-32:]
    assert len(file) == link.size
    url = made.structured_content["download_url"]
    async with httpx2.AsyncClient() as http:
        answer = await http.get(url, headers=running.bistro.headers)
        assert answer.status_code == 200 and answer.content == file
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        for stranger in ({}, running.harbor.headers):
            assert (await http.get(url, headers=stranger)).status_code == 401


async def test_a_key_opens_its_own_tenants_url_alone(running: House) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"Accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient() as http:
        answers = [
            await http.post(url, json=ping, headers={**accept, **headers})
            for url, headers in (
                (running.bistro.url, running.harbor.headers),
                (running.harbor.url, running.bistro.headers),
                (running.bistro.url, {}),
                (f"{running.url}/t/nobody/mcp", running.bistro.headers),
            )
        ]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in answers[0].text


async def test_tenants_do_not_see_each_others_goals_and_memory(running: House) -> None:
    async with connected(running.bistro) as bistro, connected(running.harbor) as harbor:
        await bistro.call_tool("cache_set", {"key": "shared?", "value": "bistro"})
        assert (await harbor.call_tool("cache_get", {"key": "shared?"})).structured_content["found"] is False
        made = (
            await bistro.call_tool("create_goal", {"description": "Secret of the bistro"})
        ).structured_content
        seen = await harbor.call_tool("search_tasks", {"query": "bistro"})
        assert seen.structured_content["items"] == []
        goals = (await harbor.call_tool("list_goals", {})).structured_content["items"]
        assert made["description"] not in [goal["description"] for goal in goals]


async def test_a_viewers_key_sees_and_calls_only_what_reads(running: House) -> None:
    viewer = await asyncio.to_thread(running.place, "viewer", "reader")
    async with connected(running.bistro) as client:
        reading = {name for name, tool in (await tools_of(client)).items() if tool.annotations.read_only_hint}
    async with connected(viewer) as client:
        assert set(await tools_of(client)) == reading
        assert (await client.call_tool("list_menu_items", {"limit": 1})).structured_content["count"] == 1
        for name in ("cache_set", "process_order", "nothing_at_all"):
            with pytest.raises(MCPError, match=f"Unknown tool: {name}") as refused:
                await client.call_tool(name, {})
            assert refused.value.error.code == -32602


async def test_an_expensive_operation_is_limited_per_caller(running: House) -> None:
    caller = await asyncio.to_thread(running.place, "operator", "spender")
    async with connected(caller) as client:
        answers = [await client.call_tool("expensive_operation", {"data": "x"}) for _ in range(6)]
    assert [answer.is_error for answer in answers] == [False] * 5 + [True]
    refusal = json.loads(answers[5].content[0].text)
    assert "Rate limit exceeded: 5/300s" in refusal["error"] and refusal["type"] == "rate_limit"
    assert refusal["retryable"] and 0 < refusal["retry_after"] <= 300


async def test_a_mistake_is_answered_with_what_would_be_right(running: House) -> None:
    async with connected(running.bistro) as client:
        for name, arguments, words in MISTAKES:
            answer = await client.call_tool(name, arguments)
            assert answer.is_error, name
            said = answer.content[0].text
            assert all(word in said for word in words), said


def test_the_inspector_lists_reads_and_uses_every_tool(
    running: House, node_tools: Path, tmp_path: Path
) -> None:
    permitted = {row["exposed_name"] for row in running.api("GET", "tenants/bistro/tools")}
    day = a_year()["end_date"]
    with Inspector(node_tools, tmp_path, running.bistro) as inspector:
        for era in ("modern", "legacy", "auto"):
            listed = inspector.ask(era, "tools/list", "--strict")["tools"]
            assert {tool["name"] for tool in listed} == permitted >= ALL_NAMES
        eras = cycle(("modern", "legacy"))
        assert set().union(*(inspector.walk(walk(), eras) for walk in WALKS.values())) == permitted
        for era in ("modern", "legacy"):
            resources = [row["uri"] for row in inspector.ask(era, "resources/list")["resources"]]
            assert "restaurant://menu_items/MARGHE01" in resources
            for uri in [*resources, f"restaurant://orders/{day}"]:
                assert inspector.ask(era, "resources/read", "--uri", uri)["contents"][0]["text"]
            assert len(inspector.ask(era, "resources/templates/list")["resourceTemplates"]) == 5
            assert len(inspector.ask(era, "prompts/list")["prompts"]) == 2
            filled = ("--prompt-name", "daily_briefing", "--prompt-args", f"date={day}")
            assert day in inspector.ask(era, "prompts/get", *filled)["messages"][0]["content"]["text"]


def test_the_inspectors_program_is_served_and_refused_with_anothers_key(
    running: House, node_tools: Path, tmp_path: Path
) -> None:
    own = Inspector(node_tools, tmp_path, running.bistro)
    shown = own.run("modern", "tools/call", "--tool-name", "cache_ping")
    assert shown.returncode == 0 and '"ok":true' in shown.stdout, shown.stderr
    stranger = Inspector(node_tools, tmp_path, replace(running.bistro, key=running.harbor.key))
    refused = stranger.run("modern", "tools/list", "--stored-auth-only")
    assert refused.returncode != 0 and refused.stdout == ""


CURLS = [
    (page, block.text)
    for page in pages()
    for block in blocks(page)
    if block.text.startswith("curl ") and "call-tool" in block.text
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_documentations_calls_over_plain_http_work(running: House) -> None:
    assert {page for page, _ in CURLS} >= {"README.md", "docs/clients.md", "docs/api.md"}
    for page, text in CURLS:
        said = shown_as(running, text)
        done = subprocess.run(
            ["bash", "-c", said], capture_output=True, text=True, timeout=30, check=False,
            env={"PATH": os.environ["PATH"], "KEY": running.bistro.key},
        )  # fmt: skip
        assert done.returncode == 0, (page, done.stderr)
        answer = json.loads(done.stdout)
        assert answer["is_error"] is False and answer["structured_content"], (page, done.stdout)


def shown_as(running: House, text: str) -> str:
    """An example with this house's address and key in place of those that are printed."""
    return text.replace(URL, running.url).replace(KEY, running.bistro.key)


MISTAKES: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("get_sales_data", {"date": "yesterday"}, ("YYYY-MM-DD", "validation")),
    ("get_sales_data", {"date": "2026-01-02", "location": "mars"}, ("old-town", "not_found")),
    ("update_inventory", {"item_id": "AAAAAAAA", "quantity": 1}, ("list_menu_items", "not_found")),
    ("update_task_status", {"task_id": "TASK-0001", "status": "done"}, ("in_progress", "completed")),
    ("cache_set", {"key": "a", "value": 1, "ttl": -1}, ("minimum of 0", "validation")),
    ("cache_flush", {}, ("confirm=true", "cache_delete_pattern")),
    ("process_order", {"order_data": {"items": []}}, ("INVALID_ORDER", "items")),
]
