import json
from datetime import UTC, datetime, timedelta

import pytest

from common.db import in_db
from connectors.errors import Conflict, InvalidInput, NotFound
from connectors.providers.goals.connector import Goals
from connectors.providers.goals.models import Counter
from tests.factories import make_tenant
from tests.providers.goals.conftest import Store, another_store

REQUIRED = {
    "create_goal", "break_down_goal", "get_goal", "list_goals", "update_goal", "delete_goal", "get_next_tasks",
    "get_task", "update_task_status", "delete_task", "generate_execution_plan", "batch_update_tasks",
    "batch_get_tasks", "get_agent_status",
}  # fmt: skip


def test_all_24_tools_are_there_and_the_14_required_ones_are_marked():
    assert len(Goals.tools) == 24
    assert {spec.name for spec in Goals.tools.values() if spec.required} == REQUIRED
    assert all(spec.default_on and not spec.hints.open_world for spec in Goals.tools.values())
    assert all(spec.output_schema for spec in Goals.tools.values())


async def test_a_created_goal_is_answered_with_its_record_and_where_a_copy_may_be_kept(store: Store):
    made = await store.call(
        "create_goal",
        description="Move the shop\nto the new host",
        priority="high",
        repos=["acme/shop"],
        metadata={"team": "web", "n": [1, {"ü": None}]},
    )
    status = made.pop("_cache_status")
    assert status["stored"] is True
    assert status["key"] == "goal:GOAL-0001"
    expires = datetime.fromisoformat(status["expires"])
    assert timedelta(days=6) < expires - datetime.now(UTC) <= timedelta(days=7)
    assert made["id"] == "GOAL-0001"
    assert made["title"] == "Move the shop"
    assert made["status"] == "pending"
    assert made["priority"] == "high"
    assert made["url"] == "goal://GOAL-0001"
    assert await store.call("get_goal", goal_id="GOAL-0001") == {**made, "tasks": []}


async def test_ids_count_up_per_connection_and_grow_beyond_four_digits(store: Store):
    assert [await store.goal() for _ in range(3)] == ["GOAL-0001", "GOAL-0002", "GOAL-0003"]
    counters = Counter.objects.filter(tenant=store.ctx.row.tenant_id, connection=store.ctx.row, kind="goal")
    await in_db(counters.update, value=9_999)
    assert await store.goal() == "GOAL-10000"
    assert (await store.call("get_goal", goal_id="GOAL-10000"))["id"] == "GOAL-10000"


async def test_goals_are_listed_newest_first_in_pages_and_by_status_and_priority(store: Store):
    for number in range(5):
        await store.goal(title=f"Goal {number}", priority="low" if number % 2 else "critical")
    await store.call("update_goal", goal_id="GOAL-0002", status="cancelled")
    first = await store.call("list_goals", limit=3)
    assert [goal["id"] for goal in first["items"]] == ["GOAL-0005", "GOAL-0004", "GOAL-0003"]
    second = await store.call("list_goals", limit=3, cursor=first["next_cursor"])
    assert [goal["id"] for goal in second["items"]] == ["GOAL-0002", "GOAL-0001"]
    assert "next_cursor" not in second
    assert (await store.call("list_goals", priority="low"))["count"] == 2
    cancelled = await store.call("list_goals", status="cancelled", fields=["status"])
    assert cancelled["items"] == [{"id": "GOAL-0002", "status": "cancelled"}]


async def test_a_cursor_is_worthless_with_other_filters_or_in_another_connection(store: Store):
    for _ in range(3):
        await store.goal()
    cursor = (await store.call("list_goals", limit=1))["next_cursor"]
    other = await another_store(store.ctx.row.tenant, "second")
    assert (await store.refused("list_goals", cursor=cursor, status="pending")).code == "invalid_cursor"
    assert (await other.refused("list_goals", cursor=cursor)).code == "invalid_cursor"
    assert (await store.refused("list_goals", cursor="what.ever")).type == "validation"


async def test_an_update_changes_what_is_given_and_nothing_else(store: Store):
    goal = await store.goal(title="Old", metadata={"a": 1})
    changed = await store.call("update_goal", goal_id=goal, title="New", priority="low")
    assert (changed["title"], changed["priority"], changed["metadata"]) == ("New", "low", {"a": 1})
    assert changed["version"] == 2
    assert changed["_cache_status"]["key"] == f"goal:{goal}"
    again = await store.call("update_goal", goal_id=goal, title="New")
    assert again["version"] == 2, "writing the same again changes nothing"
    assert isinstance(await store.refused("update_goal", goal_id=goal), InvalidInput)
    stale = await store.refused("update_goal", goal_id=goal, title="Newer", if_version=1)
    assert isinstance(stale, Conflict)
    assert stale.code == "version_changed"


async def test_a_deleted_goal_takes_its_tasks_along_and_its_number_is_never_used_again(store: Store):
    goal, tasks = await store.example()
    await store.call("add_task_note", task_id=tasks["design"], note="Blue")
    assert await store.call("delete_goal", goal_id=goal) == {"id": goal, "deleted": True, "tasks_deleted": 5}
    assert isinstance(await store.refused("get_goal", goal_id=goal), NotFound)
    assert isinstance(await store.refused("get_task", task_id=tasks["design"]), NotFound)
    assert isinstance(await store.refused("delete_goal", goal_id=goal), NotFound)
    assert await store.goal() == "GOAL-0002"


async def test_what_is_not_there_is_named_with_the_tool_that_finds_it(store: Store):
    error = await store.refused("get_goal", goal_id="GOAL-0404")
    assert error.as_dict()["type"] == "not_found"
    assert "GOAL-0404" in error.message
    assert "list_goals" in error.hint
    task = await store.refused("update_task_status", task_id="TASK-0404", status="completed")
    assert isinstance(task, NotFound)
    assert "search_tasks" in task.hint


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"description": "   \n "}, "empty"),
        ({"description": "x", "metadata": {"a": "y" * 20_000}}, "metadata"),
        ({"description": "x", "metadata": {"a": "nul\x00"}}, "NUL"),
        ({"description": "x", "metadata": {"a": 2**70}}, "metadata"),
    ],
)
async def test_a_goal_that_cannot_be_stored_is_refused_before_it_gets_a_number(store: Store, arguments, word):
    error = await store.refused("create_goal", **arguments)
    assert isinstance(error, InvalidInput)
    assert word in error.message
    assert await store.goal() == "GOAL-0001"


async def test_text_that_no_database_takes_is_cleaned(store: Store):
    made = await store.call("create_goal", description="a\x00b", title="t\x00")
    assert made["description"] == "a\ufffdb"
    assert (await store.call("get_goal", goal_id=made["id"]))["title"] == made["title"]


async def test_a_goal_moves_by_the_rules_and_completes_only_without_open_tasks(store: Store):
    goal, tasks = await store.example()
    error = await store.refused("update_goal", goal_id=goal, status="completed")
    assert isinstance(error, Conflict)
    assert tasks["research"] in error.message
    await store.call("update_goal", goal_id=goal, status="cancelled")
    illegal = await store.refused("update_goal", goal_id=goal, status="blocked")
    assert illegal.code == "illegal_move"
    assert "in_progress" in illegal.hint
    closed = await store.refused("update_task_status", task_id=tasks["research"], status="in_progress")
    assert closed.code == "goal_closed"
    assert (await store.call("get_next_tasks"))["items"] == []
    assert (await store.refused("add_task", goal_id=goal, description="More")).code == "goal_closed"
    await store.call("update_goal", goal_id=goal, status="in_progress")
    assert (await store.call("get_next_tasks"))["count"] == 1


async def test_a_goal_follows_its_tasks_and_completes_with_the_last_one(store: Store):
    goal = await store.goal()
    made = await store.call(
        "break_down_goal", goal_id=goal, subtasks=[{"description": "a"}, {"description": "b"}]
    )
    assert made["goal_status"] == "ready"
    one, two = (task["id"] for task in made["tasks"])
    assert (await store.call("update_task_status", task_id=one, status="completed"))[
        "goal_status"
    ] == "in_progress"
    assert (await store.call("update_task_status", task_id=two, status="cancelled"))[
        "goal_status"
    ] == "completed"
    got = await store.call("get_goal", goal_id=goal)
    assert got["progress"] == {"tasks": 1, "completed": 1, "percent": 100}


async def test_two_connections_and_two_tenants_never_see_each_other(store: Store):
    tenant = await in_db(make_tenant)
    first, second = await another_store(tenant, "goals"), await another_store(tenant, "other")
    stores = [store, first, second]
    for one in stores:
        goal, tasks = await one.example()
        assert (goal, tasks["research"]) == ("GOAL-0001", "TASK-0001")
    assert (await second.call("get_goal", goal_id="GOAL-0001"))["url"] == "goal://other/GOAL-0001"
    await first.call("delete_goal", goal_id="GOAL-0001")
    await second.call("update_task_status", task_id="TASK-0001", status="completed")
    assert isinstance(await first.refused("get_task", task_id="TASK-0001"), NotFound)
    assert (await store.call("get_task", task_id="TASK-0001"))["status"] == "ready"
    assert (await first.call("list_goals"))["count"] == 0
    assert (await first.call("search_tasks", query="Research"))["count"] == 0
    assert (await first.call("batch_get_tasks", task_ids=["TASK-0001"]))["missing"] == ["TASK-0001"]
    assert (await first.call("get_agent_status"))["tasks"] == {}
    refused = await first.refused(
        "batch_update_tasks", updates=[{"task_id": "TASK-0001", "status": "completed"}]
    )
    assert isinstance(refused, NotFound)


async def test_the_status_counts_states_and_shows_claims(store: Store):
    _, tasks = await store.example()
    await store.call("claim_task", task_id=tasks["research"], agent="ada")
    status = await store.call("get_agent_status")
    assert status["goals"] == {"ready": 1}
    assert status["tasks"] == {"ready": 1, "pending": 4}
    assert [(lease["task_id"], lease["agent"]) for lease in status["leases"]] == [(tasks["research"], "ada")]
    assert (await store.connector.check(store.ctx)).ok


async def test_a_goal_and_its_plan_are_resources_with_a_list_and_completion(store: Store):
    goal, _ = await store.example()
    specs = {spec.uri: spec for spec in Goals.resources}
    assert set(specs) == {"goal://{id}", "goal://{id}/plan"}
    assert all(spec.subscribable for spec in specs.values())
    assert specs["goal://{id}/plan"].pattern.match(f"goal://{goal}/plan")
    assert (await store.connector.goal(store.ctx, goal))["id"] == goal
    assert (await store.connector.goal_plan(store.ctx, goal))["total_phases"] == 4
    with pytest.raises(NotFound):
        await store.connector.goal(store.ctx, "../secrets")
    listed = await store.connector.list_goal_resources(store.ctx)
    assert [entry.uri for entry in listed] == [f"goal://{goal}", f"goal://{goal}/plan"]
    for typed in ("", "GO", "GOAL-00", "goal-1", "ship"):
        assert await store.connector.complete_id(store.ctx, typed, {}) == [goal]
    assert await store.connector.complete_id(store.ctx, "nothing like it", {}) == []


async def test_the_prompt_takes_a_text_or_a_stored_goal(store: Store):
    goal, _ = await store.example()
    (message,) = await store.connector.plan_goal(store.ctx, "Learn to sail")
    assert "Learn to sail" in message.content.text
    assert "create_goal" in message.content.text
    (message,) = await store.connector.plan_goal(store.ctx, goal)
    assert "Ship the release" in message.content.text
    assert "5 tasks" in message.content.text


async def test_a_goal_exports_as_a_check_list_a_chart_and_json(store: Store):
    goal, tasks = await store.example()
    await store.call("update_task_status", task_id=tasks["research"], status="completed")
    await store.call("update_task", task_id=tasks["design"], title='Draw "it" <b>')
    link = {"system": "jira", "external_id": "[A](b)", "url": "https://jira.test/browse/A-1?x=(1)"}
    await store.call("link_task", task_id=tasks["design"], **link)
    markdown = (await store.call("export_goal", goal_id=goal))["text"]
    assert "- [x] TASK-0001 Research" in markdown
    assert "## Phase 3 (in parallel)" in markdown
    assert r"[\[A\](b)](https://jira.test/browse/A-1?x=%281%29)" in markdown
    mermaid = (await store.call("export_goal", goal_id=goal, format="mermaid"))["text"]
    assert "T1 --> T2" in mermaid
    assert 'T2["TASK-0002<br/>Draw #quot;it#quot; #lt;b#gt;"]:::ready' in mermaid
    data = json.loads((await store.call("export_goal", goal_id=goal, format="json"))["text"])
    assert data["plan"]["total_phases"] == 4
    assert len(data["tasks"]) == 5
