"""Many callers at once: no number twice or left out, and no update lost."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from django.db import connection, transaction

from common.db import in_db
from common.writer import writer
from connectors.providers.goals import selectors, services
from connectors.providers.goals.breakdown import goal_break_down
from connectors.providers.goals.create import KIND, NewGoal, take_numbers, write_goals
from connectors.providers.goals.models import Counter, Goal
from connectors.providers.goals.records import Scope
from connectors.providers.goals.types import Subtask, TaskChange
from tests.factories import make_tenant
from tests.providers.goals.conftest import Store, another_store


def numbers(store: Store) -> list[int]:
    rows = Goal.objects.filter(tenant=store.ctx.row.tenant_id, connection=store.ctx.row)
    return sorted(rows.values_list("number", flat=True))


def scope_of(store: Store) -> Scope:
    return store.connector.scope(store.ctx)


async def test_50_goals_at_once_have_the_numbers_1_to_50(store: Store):
    made = await asyncio.gather(*(store.goal(title=f"Goal {n}") for n in range(50)))
    assert sorted(made) == [f"GOAL-{n:04d}" for n in range(1, 51)]
    titles = {
        goal["id"]: goal["title"]
        for goal in (await store.call("list_goals", limit=100, fields=["title"]))["items"]
    }
    assert [titles[goal] for goal in made] == [f"Goal {n}" for n in range(50)], (
        "each caller got its own goal's id"
    )


async def test_connections_that_write_at_once_count_for_themselves():
    tenant = await in_db(make_tenant)
    stores = [
        await another_store(tenant, "goals"),
        await another_store(tenant, "other"),
        await another_store(),
    ]
    await asyncio.gather(*(store.goal() for store in stores * 15))
    for store in stores:
        assert await in_db(numbers, store) == list(range(1, 16))


def test_workers_that_write_at_once_leave_no_gap(store: Store):
    """Threads with connections of their own stand for processes: each commits its own batches."""
    scope = scope_of(store)

    def payload() -> NewGoal:
        return NewGoal(scope.tenant_id, scope.connection_id, "t", "d", 2, "[]", "{}", "tester", uuid4())

    def work(worker: int) -> list[int]:
        taken = []
        try:
            for batch in range(8):
                if batch % 4 == 3:
                    try:
                        with transaction.atomic():
                            write_goals([payload()])
                            raise ZeroDivisionError  # a batch that fails after it took its numbers
                    except ZeroDivisionError:
                        continue
                with transaction.atomic():
                    taken += [number for number, _ in write_goals([payload() for _ in range(worker + 1)])]
        finally:
            connection.close()
        return taken

    with ThreadPoolExecutor(4) as pool:
        given = [number for numbers in pool.map(work, range(4)) for number in numbers]
    assert sorted(given) == list(range(1, len(given) + 1))
    assert numbers(store) == sorted(given)


async def test_a_poisoned_goal_fails_alone_and_takes_no_number(store: Store):
    scope = scope_of(store)

    def payload(title: str, connection_id=scope.connection_id) -> NewGoal:
        return NewGoal(scope.tenant_id, connection_id, title, "d", 2, "[]", "{}", "tester", uuid4())

    jobs = [payload("fine"), payload("gone", uuid4()), payload("fine"), payload("fine")]
    done = await asyncio.gather(*(writer.submit_async(KIND, job) for job in jobs), return_exceptions=True)
    assert isinstance(done[1], Exception)
    assert sorted(done[i][0] for i in (0, 2, 3)) == [1, 2, 3]
    assert await in_db(numbers, store) == [1, 2, 3]


def test_a_counter_that_is_rolled_back_gives_its_numbers_again(store: Store):
    scope = scope_of(store)
    with transaction.atomic():
        assert take_numbers(scope.tenant_id, scope.connection_id, "goal", 3) == 1
        transaction.set_rollback(True)
    with transaction.atomic():
        assert take_numbers(scope.tenant_id, scope.connection_id, "goal", 3) == 1
        assert take_numbers(scope.tenant_id, scope.connection_id, "goal", 1) == 4
    assert Counter.objects.get(tenant=scope.tenant_id, connection=scope.connection_id, kind="goal").value == 4


async def test_updates_of_different_tasks_at_once_lose_nothing(store: Store):
    goal = await store.goal()
    subtasks = [{"description": f"step {n}"} for n in range(16)] + [
        {"description": "last", "dependencies": list(range(16))}
    ]
    made = await store.call("break_down_goal", goal_id=goal, subtasks=subtasks)
    *steps, last = (task["id"] for task in made["tasks"])
    done = await asyncio.gather(
        *(store.call("update_task_status", task_id=t, status="completed", result=f"by {t}") for t in steps),
        *(store.call("add_task_note", task_id=last, note=f"note {n}") for n in range(8)),
        *(
            store.call("update_goal", goal_id=goal, **change)
            for change in ({"title": "T"}, {"priority": "low"})
        ),
    )
    assert [name for one in done[:16] for name in one["unblocked"]] == [last], "exactly one was the last"
    got = await store.call("batch_get_tasks", task_ids=steps)
    assert [task["result"] for task in got["items"]] == [f"by {task}" for task in steps]
    task = await store.call("get_task", task_id=last)
    assert task["status"] == "ready"
    assert len(task["notes"]) == 8
    changed = await store.call("get_goal", goal_id=goal)
    assert (changed["title"], changed["priority"], changed["progress"]["completed"]) == ("T", "low", 16)


async def test_only_one_of_many_agents_gets_the_claim(store: Store):
    _, ids = await store.example()
    agents = [store.as_somebody_else() for _ in range(10)]
    done = await asyncio.gather(
        *(agent.call("claim_task", task_id=ids["research"], agent="me") for agent in agents),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, Exception) for result in done) == 1
    assert {getattr(result, "code", "won") for result in done} == {"won", "claimed"}


def test_batches_over_the_same_goals_in_opposite_order_do_not_block_each_other(store: Store):
    scope = scope_of(store)
    with transaction.atomic():
        write_goals(
            [
                NewGoal(scope.tenant_id, scope.connection_id, "t", "d", 2, "[]", "{}", "x", uuid4())
                for _ in range(2)
            ]
        )
    tasks = [
        goal_break_down(scope, f"GOAL-000{n}", [Subtask(description="a")])["tasks"][0]["id"] for n in (1, 2)
    ]

    def work(worker: int) -> None:
        order = tasks if worker % 2 else tasks[::-1]
        try:
            for n in range(5):
                services.tasks_update(
                    scope, [TaskChange(task_id=task, description=f"{worker}.{n}") for task in order]
                )
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    found = {selectors.task_get(scope, task)["version"] for task in tasks}
    assert found == {21}, "20 batches changed each task once"
