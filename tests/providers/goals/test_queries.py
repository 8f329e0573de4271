"""The work of a call does not grow in queries with the size of a goal."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from connectors.providers.goals import planning, selectors, services
from connectors.providers.goals.breakdown import goal_break_down
from connectors.providers.goals.create import NewGoal, write_goals
from connectors.providers.goals.types import Subtask, TaskChange
from tests.providers.goals.conftest import Store


def queries(call: Callable[[], Any]) -> int:
    """How many statements a call needs, those that begin and end its transaction left out."""
    with CaptureQueriesContext(connection) as seen:
        call()
    return sum(query["sql"].split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE") for query in seen)


def a_goal_with(store: Store, size: int) -> tuple[str, list[str]]:
    """A first task that all others wait for."""
    scope = store.connector.scope(store.ctx)
    with transaction.atomic():
        new = NewGoal(scope.tenant_id, scope.connection_id, "t", "d", 2, "[]", "{}", "x", uuid4())
        ((number, _),) = write_goals([new])
    goal = f"GOAL-{number:04d}"
    subtasks = [Subtask(description=f"step {n}", dependencies=[0] if n else []) for n in range(size)]
    return goal, [task["id"] for task in goal_break_down(scope, goal, subtasks)["tasks"]]


def test_a_goal_of_a_hundred_tasks_needs_no_more_queries_than_one_of_three(store: Store):
    scope = store.connector.scope(store.ctx)
    counts = []
    for size in (3, 100):
        goal, tasks = a_goal_with(store, size)
        counts.append(
            [
                queries(lambda goal=goal: planning.plan_get(scope, goal)),
                queries(lambda goal=goal: selectors.goal_get(scope, goal)),
                queries(lambda: selectors.goal_list(scope)),
                queries(lambda: selectors.tasks_next(scope, limit=100)),
                queries(lambda tasks=tasks: selectors.tasks_get(scope, tasks)),
                queries(lambda tasks=tasks: services.task_delete(scope, tasks[1])),
            ]
        )
    assert counts[0] == counts[1] == [2, 2, 2, 1, 1, *counts[0][5:]]


def test_completing_a_task_loads_none_of_its_dependents_one_by_one(store: Store):
    scope = store.connector.scope(store.ctx)
    _, tasks = a_goal_with(store, 60)
    count = queries(lambda: services.task_update_status(scope, tasks[0], "completed"))
    # Which goal, lock it, its plan, the task itself; then the goal. Tasks go in one batch, which is not counted here.
    assert count == 5
    with CaptureQueriesContext(connection) as seen:
        changes = [TaskChange(task_id=task, status="in_progress") for task in tasks[1:41]]
        services.tasks_update(scope, changes)
    assert sum(query["sql"].startswith("SELECT") for query in seen) == 4
