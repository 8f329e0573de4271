"""Answers that would be too long for a client: shorter, and nothing is lost."""

import json
from typing import Any

from common.db import in_db
from connectors.pipeline import call_tool
from connectors.reading import read_resource
from connectors.results import ToolResult
from tenants.principals import Caller
from tests.factories import make_caller, make_connection, make_tenant

LONG = "l" * 9_000


async def caller_of_goals() -> Caller:
    tenant = await in_db(make_tenant)
    await in_db(make_connection, tenant, "goals")
    caller: Caller = await in_db(make_caller, tenant)
    return caller


def whole(result: ToolResult) -> Any:
    """The answer, of which the pipeline had to cut nothing."""
    assert not result.is_error, result.content
    assert "truncated" not in result.meta
    return result.structured


async def walk(caller: Caller, tool: str, **arguments: Any) -> list[str]:
    """The ids of all pages."""
    seen: list[str] = []
    page: dict[str, Any] = {}
    while not seen or "next_cursor" in page:
        cursor = {"cursor": page["next_cursor"]} if page else {}
        page = whole(await call_tool(caller, tool, {**arguments, **cursor}))
        assert page["count"] == len(page["items"])
        seen += [item["id"] for item in page["items"]]
    return seen


async def test_no_goal_or_task_is_lost_between_pages_of_long_records() -> None:
    caller = await caller_of_goals()
    for _ in range(9):
        await call_tool(caller, "create_goal", {"description": LONG, "title": "x"})
    assert await walk(caller, "list_goals") == [f"GOAL-{n:04}" for n in range(9, 0, -1)]
    rows = [{"description": f"find {LONG}", "title": f"t{n}"} for n in range(9)]
    whole(await call_tool(caller, "break_down_goal", {"goal_id": "GOAL-0001", "subtasks": rows}))
    ids = [f"TASK-{n:04}" for n in range(1, 10)]
    assert await walk(caller, "search_tasks", query="find") == ids[::-1]
    got, left = [], ids
    while left:
        answer = whole(await call_tool(caller, "batch_get_tasks", {"task_ids": left}))
        got += [item["id"] for item in answer["items"]]
        left = answer.get("omitted", [])
    assert got == ids
    offered = whole(await call_tool(caller, "get_next_tasks", {}))
    assert [item["id"] for item in offered["items"]] == ids[: offered["count"]]


async def test_the_newest_of_many_long_notes_are_shown_and_the_older_can_be_read() -> None:
    caller = await caller_of_goals()
    await call_tool(caller, "create_goal", {"description": "x"})
    await call_tool(caller, "add_task", {"goal_id": "GOAL-0001", "description": "y"})
    for n in range(20):
        note = {"task_id": "TASK-0001", "note": f"{n:02}{'n' * 3_900}"}
        saved = whole(await call_tool(caller, "add_task_note", note))
        assert saved["notes"][-1]["text"].startswith(f"{n:02}")
    read: list[str] = []
    while len(read) < 20:
        asked = {"task_id": "TASK-0001", "skip_notes": len(read), "fields": ["notes"]}
        part = whole(await call_tool(caller, "get_task", asked))
        read = [note["text"][:2] for note in part["notes"]] + read
        assert part.get("notes_omitted", 0) == 20 - len(read)
    assert read == [f"{n:02}" for n in range(20)]
    whole(await call_tool(caller, "get_task", {"task_id": "TASK-0001"}))


async def test_a_goal_with_all_the_tasks_it_can_have_is_read_and_planned_whole() -> None:
    caller = await caller_of_goals()
    await call_tool(caller, "create_goal", {"description": LONG})
    for batch in range(5):
        rows = [{"description": f"{batch} {n} {'t' * 180}"} for n in range(100)]
        await call_tool(caller, "break_down_goal", {"goal_id": "GOAL-0001", "subtasks": rows})
    ids = [f"TASK-{n:04}" for n in range(1, 501)]
    goal = whole(await call_tool(caller, "get_goal", {"goal_id": "GOAL-0001"}))
    assert [line["id"] for line in goal["tasks"]] == ids
    plan = whole(await call_tool(caller, "generate_execution_plan", {"goal_id": "GOAL-0001"}))
    assert [line["id"] for phase in plan["phases"] for line in phase["tasks"]] == ids
    assert {line["status"] for line in goal["tasks"]} == {"ready"}
    (contents,) = await read_resource(caller, "goal://GOAL-0001")
    assert json.loads(contents.text)["tasks"][-1]["title"] == f"4 99 {'t' * 115}"
