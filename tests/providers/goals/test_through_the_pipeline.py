"""The tools as callers reach them: permissions, schemas, audit and all."""

import asyncio
import json

import pytest

from common.db import in_db
from connectors.pipeline import UnknownTool, call_tool
from connectors.providers.goals.models import Counter, Goal, Task, TaskNote
from connectors.reading import ResourceNotFound, list_resources, read_resource
from connectors.services import connection_delete
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant


async def test_callers_of_two_tenants_and_two_connections_each_have_their_own_goals():
    one, two = await in_db(make_tenant), await in_db(make_tenant)
    for tenant, slug in ((one, "goals"), (one, "later"), (two, "goals")):
        await in_db(make_connection, tenant, "goals", slug)
    owner, stranger = await in_db(make_caller, one), await in_db(make_caller, two)
    calls = [(owner, "create_goal"), (owner, "later__create_goal"), (stranger, "create_goal")]
    made = await asyncio.gather(*(call_tool(who, name, {"description": name}) for who, name in calls * 4))
    for start in range(3):
        assert sorted(result.structured["id"] for result in made[start::3]) == [
            f"GOAL-000{n}" for n in range(1, 5)
        ]
    assert (await call_tool(owner, "delete_goal", {"goal_id": "GOAL-0004"})).structured["deleted"]
    assert (await call_tool(owner, "get_goal", {"goal_id": "GOAL-0004"})).is_error
    for who, uri in ((owner, "goal://later/GOAL-0004"), (stranger, "goal://GOAL-0004")):
        (contents,) = await read_resource(who, uri)
        assert json.loads(contents.text)["url"] == uri
        assert uri in {entry.uri for entry in await list_resources(who)}
    for who, uri in ((owner, "goal://GOAL-0004"), (stranger, "goal://later/GOAL-0004")):
        with pytest.raises(ResourceNotFound):
            await read_resource(who, uri)


async def test_a_viewer_reads_and_never_writes():
    tenant = await in_db(make_tenant)
    await in_db(make_connection, tenant, "goals")
    viewer, operator = await in_db(make_caller, tenant, "viewer"), await in_db(make_caller, tenant)
    await call_tool(operator, "create_goal", {"description": "x"})
    assert (await call_tool(viewer, "list_goals", {})).structured["count"] == 1
    with pytest.raises(UnknownTool):
        await call_tool(viewer, "create_goal", {"description": "x"})


@pytest.mark.parametrize(
    ("tool", "arguments", "word"),
    [
        ("create_goal", {"description": ""}, "description"),
        ("create_goal", {"description": "x", "priority": "urgent"}, "priority"),
        ("create_goal", {"description": "x" * 10_001}, "description"),
        ("create_goal", {"description": "\ud800"}, "description"),
        ("create_goal", {"description": "x", "colour": "red"}, "colour"),
        ("get_goal", {"goal_id": "1"}, "goal_id"),
        ("get_goal", {"goal_id": "GOAL-0001'; --"}, "goal_id"),
        ("list_goals", {"limit": 0}, "limit"),
        ("update_task_status", {"task_id": "TASK-0001", "status": "done"}, "status"),
        ("batch_update_tasks", {"updates": []}, "updates"),
        (
            "link_task",
            {"task_id": "TASK-0001", "system": "x", "external_id": "1", "url": "javascript:x"},
            "url",
        ),
    ],
)
async def test_arguments_that_break_the_schema_are_named(tool, arguments, word):
    tenant = await in_db(make_tenant)
    await in_db(make_connection, tenant, "goals")
    result = await call_tool(await in_db(make_caller, tenant), tool, arguments)
    assert result.is_error
    assert result.error_type == "validation"
    assert word in json.loads(result.content[0].text)["error"]


async def test_a_deleted_connection_takes_its_goals_along_and_leaves_the_others_alone():
    tenant = await in_db(make_tenant)
    for slug in ("goals", "later"):
        row = await in_db(make_connection, tenant, "goals", slug)
    caller = await in_db(make_caller, tenant)
    for prefix in ("", "later__"):
        await call_tool(caller, f"{prefix}create_goal", {"description": "x"})
        await call_tool(caller, f"{prefix}add_task", {"goal_id": "GOAL-0001", "description": "y"})
        await call_tool(caller, f"{prefix}add_task_note", {"task_id": "TASK-0001", "note": "z"})
    gone = row.pk
    await in_db(connection_delete, row, actor=SYSTEM)
    for model in (Goal, Task, TaskNote, Counter):
        assert await in_db(model.objects.filter(tenant=tenant, connection_id=gone).count) == 0
    assert (await call_tool(caller, "get_task", {"task_id": "TASK-0001"})).structured["notes"]
