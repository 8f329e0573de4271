from datetime import UTC, datetime, timedelta

import pytest

from common.db import in_db
from connectors.errors import Conflict, InvalidInput, NotFound
from connectors.providers.goals.models import Task
from connectors.providers.goals.states import TASK_MOVES, State
from tests.providers.goals.conftest import EXAMPLE, Store


async def test_the_example_has_four_phases_with_backend_and_frontend_in_parallel(store: Store):
    goal, ids = await store.example()
    plan = await store.call("generate_execution_plan", goal_id=goal)
    assert [[task["title"] for task in phase["tasks"]] for phase in plan["phases"]] == [
        ["Research"], ["Design"], ["Backend", "Frontend"], ["Tests"],
    ]  # fmt: skip
    assert plan["total_phases"] == 4
    assert plan["parallel_groups"] == [[ids["backend"], ids["frontend"]]]
    assert plan["critical_path"] == {
        "tasks": [ids["research"], ids["design"], ids["backend"], ids["tests"]],
        "hours": 4 + 8 + 24 + 1.5,
    }
    assert plan["total_hours"] == 47.5
    assert plan["next"] == [ids["research"]]


async def test_dependencies_are_ids_titles_indexes_and_stored_tasks(store: Store):
    goal, ids = await store.example()
    made = await store.call(
        "break_down_goal",
        goal_id=goal,
        subtasks=[
            {"description": "Announce", "dependencies": [ids["tests"], "design", "party"]},
            {"id": "party", "description": "Celebrate", "dependencies": ["2"]},
            {"description": "Buy cake"},
        ],
    )
    first, party, cake = made["tasks"]
    assert first["dependencies"] == [ids["tests"], ids["design"], party["id"]]
    assert party["dependencies"] == [cake["id"]]
    assert made["ids"] == {"party": party["id"]}
    assert cake["status"] == "ready"
    assert cake["priority"] == "medium", "a task without a priority has its goal's"


@pytest.mark.parametrize(
    ("subtasks", "word"),
    [
        ([{"description": "a", "dependencies": ["nowhere"]}], "'nowhere'"),
        ([{"description": "a", "dependencies": [7]}], "index 7"),
        ([{"description": "a", "dependencies": [0]}], "itself"),
        ([{"description": "a", "dependencies": ["TASK-0999"]}], "TASK-0999"),
        ([{"description": "a", "id": "x"}, {"description": "b", "id": "x"}], "twice"),
        ([{"description": "a"}, {"description": "a"}, {"description": "b", "dependencies": ["a"]}], "unique"),
        ([{"description": "a", "estimate": "soon"}], "soon"),
    ],
)
async def test_a_break_down_with_one_wrong_subtask_stores_nothing(store: Store, subtasks, word):
    goal = await store.goal()
    error = await store.refused("break_down_goal", goal_id=goal, subtasks=subtasks)
    assert isinstance(error, InvalidInput)
    assert word in error.message
    assert await store.statuses(goal) == {}
    made = await store.call("add_task", goal_id=goal, description="first")
    assert made["id"] == "TASK-0001", "a refused call takes no number"


async def test_a_cycle_is_refused_and_named(store: Store):
    goal = await store.goal()
    error = await store.refused(
        "break_down_goal",
        goal_id=goal,
        subtasks=[
            {"id": "a", "description": "A", "dependencies": ["c"]},
            {"id": "b", "description": "B", "dependencies": ["a"]},
            {"id": "c", "description": "C", "dependencies": ["b"]},
        ],
    )
    assert error.code == "cycle"
    assert "a -> c -> b -> a" in error.message
    assert await store.statuses(goal) == {}
    other, ids = await store.example()
    error = await store.refused("add_task_dependency", task_id=ids["research"], depends_on=ids["tests"])
    assert isinstance(error, Conflict)
    assert error.as_dict()["cycle"][0] == error.as_dict()["cycle"][-1]
    assert ids["research"] in error.message
    proposed = [{"task_id": ids["design"], "depends_on": ids["tests"]}]
    checked = await store.call("validate_dependencies", goal_id=other, proposed=proposed)
    assert checked["valid"] is False
    assert set(checked["cycle"]) >= {ids["design"], ids["tests"]}
    assert (await store.call("validate_dependencies", goal_id=other))["valid"] is True


async def test_a_stored_cycle_is_named_by_the_plan(store: Store):
    goal, ids = await store.example()
    rows = Task.objects.filter(tenant=store.ctx.row.tenant_id, connection=store.ctx.row, number=1)
    await in_db(rows.update, dependencies=[5])
    error = await store.refused("generate_execution_plan", goal_id=goal)
    assert error.code == "cycle"
    assert ids["tests"] in error.message


async def test_validation_finds_redundant_and_stuck_tasks(store: Store):
    goal, ids = await store.example()
    await store.call("add_task_dependency", task_id=ids["tests"], depends_on=ids["research"])
    await store.call("update_task_status", task_id=ids["research"], status="failed", result="no access")
    found = await store.call("validate_dependencies", goal_id=goal)
    assert found["redundant"] == [{"task_id": ids["tests"], "depends_on": ids["research"]}]
    assert found["stuck"] == [ids["design"], ids["tests"]]


async def test_replacing_removes_what_nobody_completed_and_never_work_in_progress(store: Store):
    goal, ids = await store.example()
    await store.call("update_task_status", task_id=ids["research"], status="completed", result="Use Go")
    await store.call("update_task_status", task_id=ids["design"], status="in_progress")
    subtasks = [{"description": "Simply buy it", "dependencies": [ids["research"]]}]
    error = await store.refused("break_down_goal", goal_id=goal, subtasks=subtasks, mode="replace")
    assert error.code == "in_progress"
    await store.call("update_task_status", task_id=ids["design"], status="ready")
    made = await store.call("break_down_goal", goal_id=goal, subtasks=subtasks, mode="replace")
    assert len(made["removed"]) == 4
    assert await store.statuses(goal) == {"Research": "completed", "Simply buy it": "ready"}
    assert made["tasks"][0]["id"] == "TASK-0006"


async def test_completing_a_task_makes_its_dependents_ready(store: Store):
    goal, ids = await store.example()
    assert await store.statuses(goal) == {
        "Research": "ready", "Design": "pending", "Backend": "pending", "Frontend": "pending", "Tests": "pending",
    }  # fmt: skip
    done = await store.call(
        "update_task_status", task_id=ids["research"], status="completed", result={"ok": True}
    )
    assert done["unblocked"] == [ids["design"]]
    assert done["_cache_status"]["key"] == f"task:{ids['research']}"
    done = await store.call("update_task_status", task_id=ids["design"], status="completed")
    assert done["unblocked"] == [ids["backend"], ids["frontend"]]
    done = await store.call("update_task_status", task_id=ids["backend"], status="cancelled")
    assert done["unblocked"] == []
    done = await store.call("update_task_status", task_id=ids["frontend"], status="completed")
    assert done["unblocked"] == [ids["tests"]]
    assert (await store.call("get_task", task_id=ids["research"]))["result"] == {"ok": True}


async def test_a_task_that_waits_cannot_be_started_or_completed(store: Store):
    _, ids = await store.example()
    for status in ("in_progress", "completed", "ready", "failed"):
        error = await store.refused("update_task_status", task_id=ids["design"], status=status)
        assert isinstance(error, Conflict)
        assert error.code == "dependencies_open"
        assert ids["research"] in error.message
        assert error.as_dict()["legal"] == ["blocked", "cancelled"]


LEGAL = [
    (start, target)
    for start, targets in TASK_MOVES.items()
    for target in targets
    if start is not State.PENDING
]
ILLEGAL = [
    (start, target)
    for start in TASK_MOVES
    for target in State
    if start not in (target, State.PENDING)
    and target not in TASK_MOVES[start]
    and not (target is State.PENDING and start in (State.IN_PROGRESS, State.BLOCKED, State.FAILED))
]


async def at(store: Store, state: str) -> str:
    """A task without dependencies in this state."""
    goal = await store.goal()
    made = await store.call(
        "break_down_goal", goal_id=goal, subtasks=[{"description": "a"}, {"description": "b"}]
    )
    task = made["tasks"][0]["id"]
    if state != "ready":
        await store.call("update_task_status", task_id=task, status=state)
    return str(task)


async def test_every_legal_move_works_and_the_same_again_changes_nothing(store: Store):
    for start, target in LEGAL:
        task = await at(store, start)
        moved = await store.call("update_task_status", task_id=task, status=target)
        assert moved["status"] == target, (start, target)
        again = await store.call("update_task_status", task_id=task, status=target)
        assert again["version"] == moved["version"]


async def test_every_illegal_move_is_a_conflict_that_says_what_is_legal(store: Store):
    assert ILLEGAL
    for start, target in ILLEGAL:
        task = await at(store, start)
        error = await store.refused("update_task_status", task_id=task, status=target)
        assert error.type == "conflict", (start, target)
        assert error.code == "illegal_move"
        for legal in TASK_MOVES[start]:
            assert legal in error.hint
        assert (await store.call("get_task", task_id=task))["status"] == start


async def test_pending_means_back_into_the_queue(store: Store):
    task = await at(store, "in_progress")
    assert (await store.call("update_task_status", task_id=task, status="pending"))["status"] == "ready"


async def test_a_batch_changes_all_tasks_in_order_and_later_rows_see_earlier_ones(store: Store):
    _, ids = await store.example()
    done = await store.call(
        "batch_update_tasks",
        updates=[
            {"task_id": ids["research"], "status": "completed", "result": "fine"},
            {"task_id": ids["design"], "status": "in_progress", "title": "Sketch", "estimate": "2h"},
            {"task_id": ids["tests"], "priority": "critical"},
        ],
    )
    assert done["count"] == 3
    assert [task["status"] for task in done["tasks"]] == ["completed", "in_progress", "pending"]
    assert done["tasks"][1]["title"] == "Sketch"
    assert done["tasks"][2]["priority"] == "critical"


async def test_a_batch_with_one_wrong_row_changes_nothing_and_lists_every_error(store: Store):
    goal, ids = await store.example()
    error = await store.refused(
        "batch_update_tasks",
        updates=[
            {"task_id": ids["research"], "status": "in_progress"},
            {"task_id": ids["tests"], "status": "completed"},
            {"task_id": "TASK-0777", "status": "completed"},
            {"task_id": ids["design"]},
        ],
    )
    listed = error.as_dict()["errors"]
    assert [(row["index"], row["type"]) for row in listed] == [
        (1, "conflict"),
        (2, "not_found"),
        (3, "validation"),
    ]
    assert all(row["error"] for row in listed)
    assert (await store.statuses(goal))["Research"] == "ready"
    only = await store.refused(
        "batch_update_tasks", updates=[{"task_id": ids["tests"], "status": "completed"}]
    )
    assert isinstance(only, Conflict)


async def test_a_batch_may_span_goals(store: Store):
    (_, one), (_, two) = await store.example(), await store.example()
    done = await store.call(
        "batch_update_tasks",
        updates=[{"task_id": ids["research"], "status": "completed"} for ids in (two, one)],
    )
    assert [task["id"] for task in done["tasks"]] == [two["research"], one["research"]]
    assert sorted(done["unblocked"]) == sorted([one["design"], two["design"]])


async def test_a_claim_keeps_others_away_until_it_runs_out(store: Store):
    _, ids = await store.example()
    task, other = ids["research"], store.as_somebody_else()
    claimed = await store.call("claim_task", task_id=task, agent="ada", lease_seconds=60)
    assert claimed["lease"]["agent"] == "ada"
    assert (await other.call("get_next_tasks"))["items"] == []
    for tool, arguments in (
        ("claim_task", {"agent": "ada"}),
        ("update_task_status", {"status": "in_progress"}),
        ("update_task", {"title": "Mine"}),
        ("delete_task", {"reassign_dependents": True}),
    ):
        error = await other.refused(tool, task_id=task, **arguments)
        assert error.code == "claimed"
        assert 0 < error.retry_after <= 60
    assert (await store.refused("claim_task", task_id=task, agent="bob")).code == "claimed"
    longer = await store.call("claim_task", task_id=task, agent="ada", lease_seconds=3600)
    assert longer["lease"]["expires"] > claimed["lease"]["expires"]
    assert (await store.call("update_task_status", task_id=task, status="in_progress"))["lease"][
        "agent"
    ] == "ada"

    rows = Task.objects.filter(tenant=store.ctx.row.tenant_id, connection=store.ctx.row, number=1)
    await in_db(rows.update, lease_expires_at=datetime.now(UTC) - timedelta(seconds=1))
    (offered,) = (await other.call("get_next_tasks"))["items"]
    assert (offered["id"], offered["status"], offered["abandoned"]) == (task, "in_progress", True)
    taken = await other.call("claim_task", task_id=task, agent="eve")
    assert taken["lease"]["agent"] == "eve"
    assert "lease" not in await other.call("update_task_status", task_id=task, status="completed")


async def test_only_a_task_that_can_be_worked_on_can_be_claimed(store: Store):
    _, ids = await store.example()
    error = await store.refused("claim_task", task_id=ids["design"], agent="ada")
    assert error.code == "not_claimable"
    assert ids["research"] in error.hint


async def test_the_next_tasks_come_by_priority(store: Store):
    low, high = await store.goal(priority="low"), await store.goal(priority="critical")
    await store.call(
        "break_down_goal",
        goal_id=low,
        subtasks=[{"description": "low"}, {"description": "mid", "priority": "high"}],
    )
    await store.call("add_task", goal_id=high, description="first of all", priority="low")
    items = (await store.call("get_next_tasks"))["items"]
    assert [task["title"] for task in items] == ["first of all", "mid", "low"]
    assert (await store.call("get_next_tasks", goal_id=low, limit=1))["items"][0]["title"] == "mid"


async def test_a_task_with_dependents_goes_only_when_they_inherit_what_it_waits_for(store: Store):
    goal, ids = await store.example()
    error = await store.refused("delete_task", task_id=ids["design"])
    assert error.code == "has_dependents"
    assert ids["backend"] in error.message
    gone = await store.call("delete_task", task_id=ids["design"], reassign_dependents=True)
    assert gone["reassigned"] == [ids["backend"], ids["frontend"]]
    got = await store.call("get_task", task_id=ids["backend"])
    assert got["dependencies"] == [ids["research"]]
    assert (await store.call("generate_execution_plan", goal_id=goal))["total_phases"] == 3


async def test_dependencies_come_and_go_and_decide_what_is_ready(store: Store):
    _, ids = await store.example()
    free = await store.call("remove_task_dependency", task_id=ids["design"], depends_on=ids["research"])
    assert free["status"] == "ready"
    assert free["unblocked"] == [ids["design"]]
    same = await store.call("remove_task_dependency", task_id=ids["design"], depends_on=ids["research"])
    assert same["version"] == free["version"]
    bound = await store.call("add_task_dependency", task_id=ids["design"], depends_on=ids["research"])
    assert bound["status"] == "pending"
    await store.call("update_task_status", task_id=ids["research"], status="in_progress")
    extra = await store.call(
        "add_task", goal_id=bound["goal_id"], description="Ask", dependencies=[ids["tests"]]
    )
    assert extra["status"] == "pending"
    error = await store.refused("add_task_dependency", task_id=ids["research"], depends_on=extra["id"])
    assert error.code == "already_started"


async def test_a_dependency_on_another_goal_is_refused(store: Store):
    (_, one), (_, two) = await store.example(), await store.example()
    error = await store.refused("add_task_dependency", task_id=one["tests"], depends_on=two["tests"])
    assert isinstance(error, NotFound)


async def test_notes_and_links_show_up_on_the_task(store: Store):
    _, ids = await store.example()
    task = ids["backend"]
    await store.call("add_task_note", task_id=task, note="Mind the gap")
    await store.call("add_task_note", task_id=task, note="And the door")
    link = {"task_id": task, "system": "Jira", "external_id": "PROJ-101"}
    await store.call("link_task", **link, url="https://jira.example.com/1")
    linked = await store.call("link_task", **link, url="https://jira.example.com/browse/PROJ-101")
    again = await store.call("link_task", **link, url="https://jira.example.com/browse/PROJ-101")
    assert again["version"] == linked["version"]
    got = await store.call("get_task", task_id=task)
    assert [note["text"] for note in got["notes"]] == ["Mind the gap", "And the door"]
    assert got["links"] == [
        {"system": "jira", "external_id": "PROJ-101", "url": "https://jira.example.com/browse/PROJ-101"}
    ]
    assert got["dependents"] == [ids["tests"]]


async def test_tasks_are_found_by_words_and_fetched_in_the_asked_order(store: Store):
    goal, ids = await store.example()
    found = await store.call("search_tasks", query="BUILD it", goal_id=goal)
    assert [task["id"] for task in found["items"]] == [ids["backend"]]
    page = await store.call("search_tasks", query="it", limit=2)
    rest = await store.call("search_tasks", query="it", limit=2, cursor=page["next_cursor"])
    assert page["count"] + rest["count"] == 4
    assert (await store.call("search_tasks", query="it", status="ready"))["count"] == 0
    got = await store.call(
        "batch_get_tasks", task_ids=[ids["tests"], "TASK-0888", ids["research"], ids["tests"]]
    )
    assert [task["id"] for task in got["items"]] == [ids["tests"], ids["research"]]
    assert got["missing"] == ["TASK-0888"]
    error = await store.refused("get_task", task_id=ids["tests"], fields=["colour"])
    assert "colour" in error.message


async def test_a_goal_has_at_most_500_tasks(store: Store):
    goal = await store.goal()
    hundred = [{"description": f"step {n}"} for n in range(100)]
    for _ in range(5):
        await store.call("break_down_goal", goal_id=goal, subtasks=hundred)
    error = await store.refused("break_down_goal", goal_id=goal, subtasks=EXAMPLE[:1])
    assert isinstance(error, InvalidInput)
    assert "500" in error.message


@pytest.mark.parametrize(
    ("text", "hours"),
    [("90 min", 1.5), ("2hrs", 2), ("3 days", 24), ("1 week", 40), ("30 minutes", 0.5), ("7", 7)],
    ids=["minutes", "hours", "days", "week", "long", "bare"],
)
async def test_an_estimate_is_read_as_it_is_meant(store: Store, text: str, hours: float):
    task = await store.call("add_task", goal_id=await store.goal(), description="x", estimate=text)
    assert task["estimate"] == hours


@pytest.mark.parametrize("text", ["2 months", "5 moons", "3 dozen", "999999w", "2 years"])
async def test_an_estimate_that_means_something_else_is_refused(store: Store, text: str):
    error = await store.refused("add_task", goal_id=await store.goal(), description="x", estimate=text)
    assert (text in error.message, "30m" in error.hint) == (True, True)


async def test_a_search_minds_all_of_its_words(store: Store):
    goal = await store.goal()
    words = [f"word{n}" for n in range(12)]
    for count in (11, 12):
        await store.call("add_task", goal_id=goal, description=" ".join(words[:count]), title=f"{count}")
    found = await store.call("search_tasks", query=" ".join(words))
    assert [task["title"] for task in found["items"]] == ["12"]


async def test_validation_tells_what_proposed_dependencies_make_needless(store: Store):
    goal, ids = await store.example()
    edge = {"task_id": ids["backend"], "depends_on": ids["research"]}
    found = await store.call("validate_dependencies", goal_id=goal, proposed=[edge])
    assert (found["valid"], found["redundant"]) == (True, [edge])
    assert (await store.call("validate_dependencies", goal_id=goal))["redundant"] == []


async def test_a_text_that_only_looks_like_an_escaped_nul_is_kept(store: Store):
    told = {"pattern": "\\u0000", "twice": "\\\\u0000"}
    goal = await store.goal(metadata=told)
    assert (await store.call("get_goal", goal_id=goal))["metadata"] == told
    for text in ("\x00", "\\\x00"):
        assert "NUL" in (await store.refused("update_goal", goal_id=goal, metadata={"x": text})).message


async def test_a_description_that_says_nothing_is_refused_also_beside_a_title(store: Store):
    goal, blank = await store.goal(), {"description": " \n", "title": "x"}
    for tool, arguments in (
        ("create_goal", blank),
        ("add_task", {"goal_id": goal, **blank}),
        ("break_down_goal", {"goal_id": goal, "subtasks": [blank]}),
        ("update_goal", {"goal_id": goal, "description": " "}),
    ):
        assert (await store.refused(tool, **arguments)).message == "The description is empty."
