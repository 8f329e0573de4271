"""Reads of plans: in which order a goal's tasks can be done, and what is wrong with their dependencies."""

from collections.abc import Sequence
from typing import Any

from connectors.errors import InvalidInput
from connectors.providers.goals.board import cycle_conflict, steps_of
from connectors.providers.goals.models import Goal, Task
from connectors.providers.goals.plan import CycleError, critical_path, find_cycle, phases, redundant_edges
from connectors.providers.goals.records import (
    PlanTask,
    Scope,
    number_of,
    progress_of,
    shortened,
    task_id,
    task_line,
)
from connectors.providers.goals.selectors import load_goal, load_plan_tasks
from connectors.providers.goals.states import State
from connectors.providers.goals.types import ProposedDependency


def plan_get(scope: Scope, goal: str, *, bounded: bool = False) -> dict[str, Any]:
    """In which order a goal's tasks can be done; raises Conflict that names a cycle.

    ``bounded``: the tasks come without details where an answer has no room for them.
    """
    row = load_goal(scope, goal)
    record = plan_record(row, load_plan_tasks(scope, row))
    return shortened(record, [line for p in record["phases"] for line in p["tasks"]]) if bounded else record


def plan_record(goal: Goal, rows: Sequence[PlanTask | Task]) -> dict[str, Any]:
    """A goal's plan: phases by topological levels, parallel groups, critical path."""
    tasks = {task.number: task for task in rows if task.status != State.CANCELLED}
    steps = steps_of(tasks.values())
    try:
        levels = phases(steps)
    except CycleError as error:
        raise cycle_conflict([task_id(number) for number in error.path]) from None
    path, weight = critical_path(steps, levels)
    weights = {step.key: step.weight for step in steps}
    return {
        "goal_id": goal.public_id,
        "title": goal.title,
        "status": str(goal.status),
        "total_phases": len(levels),
        "total_tasks": len(steps),
        "phases": [
            {
                "phase": number,
                "parallel": len(level) > 1,
                "hours": max(weights[key] for key in level),
                "tasks": [task_line(tasks[key]) for key in level],
            }
            for number, level in enumerate(levels, 1)
        ],
        "parallel_groups": [[task_id(key) for key in level] for level in levels if len(level) > 1],
        "critical_path": {"tasks": [task_id(key) for key in path], "hours": round(weight, 4)},
        "total_hours": round(sum(weights.values()), 4),
        "progress": progress_of(task.status for task in rows),
        "next": [task.public_id for task in tasks.values() if task.status == State.READY],
    }


def dependencies_validate(
    scope: Scope, goal: str, proposed: Sequence[ProposedDependency] = ()
) -> dict[str, Any]:
    """Check a goal's dependencies, together with proposed ones that are not written."""
    row = load_goal(scope, goal)
    tasks = {task.number: task for task in load_plan_tasks(scope, row)}
    edges = {number: list(task.dependencies) for number, task in tasks.items()}
    for extra in proposed:
        ends = [number_of(extra.task_id), number_of(extra.depends_on)]
        for number in ends:
            if number not in tasks:
                raise InvalidInput(
                    f"{task_id(number)} is not a task of {row.public_id}.",
                    hint=f'get_goal("{row.public_id}") lists its tasks.',
                )
        if ends[1] not in edges[ends[0]]:
            edges[ends[0]].append(ends[1])
    cycle = find_cycle(edges)
    steps = steps_of(task._replace(dependencies=edges[task.number]) for task in tasks.values())
    redundant = [] if cycle else redundant_edges(steps, phases(steps))
    stuck = [
        task.public_id
        for task in tasks.values()
        if task.status == State.PENDING
        and any(tasks[n].status == State.FAILED for n in task.dependencies if n in tasks)
    ]
    return {
        "goal_id": row.public_id,
        "valid": cycle is None,
        "cycle": [task_id(number) for number in cycle or ()],
        "stuck": stuck,
        "redundant": [{"task_id": task_id(a), "depends_on": task_id(b)} for a, b in redundant],
        "tasks": len(tasks),
        "dependencies": sum(map(len, edges.values())),
    }
