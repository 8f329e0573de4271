"""Reads: goals, tasks, plans and the overview, as clients see them. Few queries, no locks."""

from collections import Counter as Tally
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet

from common.signing import BadToken, seal, unseal
from connectors.errors import InvalidInput
from connectors.providers.goals.board import no_goal, no_task
from connectors.providers.goals.models import Goal, Task, TaskNote
from connectors.providers.goals.records import (
    PRIORITY_NUMBERS,
    PlanTask,
    Scope,
    check_fields,
    compact,
    fitting,
    goal_record,
    moment,
    number_of,
    pick,
    progress_of,
    shortened,
    task_id,
    task_line,
    task_record,
    with_notes,
)
from connectors.providers.goals.states import CLOSED, State
from connectors.providers.goals.types import MAX_BATCH, MAX_TASKS, GoalRecord, TaskRecord

_SEARCHED_GOALS = (State.PENDING, State.READY, State.IN_PROGRESS)


def load_goal(scope: Scope, goal: str) -> Goal:
    """A goal's row; raises NotFound."""
    row = Goal.objects.filter(number=number_of(goal), **scope.keys).first()
    if row is None:
        raise no_goal(number_of(goal))
    return row


def load_plan_tasks(scope: Scope, goal: Goal) -> list[PlanTask]:
    """What a plan needs of a goal's tasks, in their order; model instances would take three times as long."""
    rows = Task.objects.filter(goal=goal, **scope.keys).order_by("position", "number")
    return [PlanTask._make(row) for row in rows.values_list(*PlanTask._fields)]


def load_tasks(scope: Scope, goal: Goal) -> list[Task]:
    """A goal's tasks in their order, whole."""
    return list(Task.objects.filter(goal=goal, **scope.keys).order_by("position", "number"))


def goal_get(
    scope: Scope,
    goal: str,
    *,
    tasks: bool = True,
    fields: Sequence[str] | None = None,
    bounded: bool = False,
) -> dict[str, Any]:
    """One goal with its tasks in short; ``bounded``: shorter where an answer has no room for them."""
    check_fields(fields, GoalRecord)
    row = load_goal(scope, goal)
    rows = load_plan_tasks(scope, row)
    record = goal_record(row, scope, progress_of(task.status for task in rows))
    if tasks:
        record["tasks"] = [task_line(task) for task in rows]
    picked = pick(record, fields)
    return shortened(picked, picked.get("tasks", ())) if bounded else picked


def goal_list(
    scope: Scope,
    *,
    status: str | None = None,
    priority: str | None = None,
    limit: int = 20,
    cursor: str | None = None,
    fields: Sequence[str] | None = None,
) -> dict[str, Any]:
    """A page of goals, the newest first."""
    check_fields(fields, GoalRecord)
    rows = Goal.objects.filter(**scope.keys)
    if status:
        rows = rows.filter(status=status)
    if priority:
        rows = rows.filter(priority=PRIORITY_NUMBERS[priority])
    page, after = _page(scope, "list_goals", rows, (status, priority), limit, cursor)
    states: dict[Any, list[str]] = {goal.pk: [] for goal in page}
    counted = Task.objects.filter(goal_id__in=list(states), **scope.keys).values("goal_id", "status")
    for found in counted.annotate(n=Count("id")).order_by():
        states[found["goal_id"]] += [found["status"]] * found["n"]
    items = [pick(goal_record(goal, scope, progress_of(states[goal.pk])), fields) for goal in page]
    return _paged(items, after)


def task_get(
    scope: Scope, task: str, fields: Sequence[str] | None = None, skip_notes: int = 0
) -> dict[str, Any]:
    """One task with its notes (but for the newest ``skip_notes``) and the tasks that wait for it."""
    check_fields(fields, TaskRecord)
    row = Task.objects.filter(number=number_of(task), **scope.keys).select_related("goal").first()
    if row is None:
        raise no_task(number_of(task))
    notes = list(TaskNote.objects.filter(task=row, **scope.keys))
    others = Task.objects.filter(goal_id=row.goal_id, **scope.keys).order_by("position")
    dependents = [
        task_id(number)
        for number, needed in others.values_list("number", "dependencies")
        if row.number in needed
    ]
    record = task_record(row, row.goal.number)
    record = pick({**record, "dependents": dependents} if dependents else record, fields)
    if fields and "notes" not in fields:
        return record
    return with_notes(record, notes[: max(0, len(notes) - skip_notes)])


def tasks_get(scope: Scope, tasks: Sequence[str]) -> dict[str, Any]:
    """Many tasks in the asked order; ids without a task come under ``missing``."""
    numbers = list(dict.fromkeys(number_of(task) for task in tasks))
    rows = Task.objects.filter(number__in=numbers, **scope.keys).select_related("goal")
    found = {row.number: task_record(row, row.goal.number) for row in rows}
    items = [found[number] for number in numbers if number in found]
    missing = [task_id(number) for number in numbers if number not in found]
    shown = fitting(items)
    omitted = [item["id"] for item in items[shown:]]
    return {**_answer(items[:shown]), **compact({"missing": missing, "omitted": omitted})}


def tasks_next(scope: Scope, goal: str | None = None, limit: int = 10) -> dict[str, Any]:
    """What can be worked on now: ready and unclaimed, and what a lapsed claim left in progress.

    The most important first: by the goal's priority, then the task's, then their order.
    """
    rows = Task.objects.filter(**scope.keys)
    rows = rows.filter(goal=load_goal(scope, goal)) if goal else rows
    lapsed = Q(lease_expires_at__lte=datetime.now(UTC))
    rows = rows.filter(
        Q(status=State.READY) & (Q(lease_expires_at=None) | lapsed) | Q(status=State.IN_PROGRESS) & lapsed,
        goal__status__in=_SEARCHED_GOALS,
    )
    rows = rows.select_related("goal").order_by(
        "-goal__priority", "-priority", "goal__number", "position", "number"
    )
    items = [_offer(row) for row in rows[:limit]]
    return _answer(items[: fitting(items)])


def _offer(row: Task) -> dict[str, Any]:
    record = task_record(row, row.goal.number)
    return {**record, "abandoned": True} if row.status == State.IN_PROGRESS else record


def tasks_search(
    scope: Scope,
    query: str,
    *,
    goal: str | None = None,
    status: str | None = None,
    limit: int = 20,
    cursor: str | None = None,
    fields: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Tasks whose title or description has every word of the query, the newest first."""
    check_fields(fields, TaskRecord)
    words = list(dict.fromkeys(query.replace("\x00", " ").split()))
    if not words:
        raise InvalidInput("The query is empty.", hint="Give at least one word; list_goals shows everything.")
    rows = Task.objects.filter(**scope.keys).select_related("goal")
    for word in words:
        rows = rows.filter(Q(title__icontains=word) | Q(description__icontains=word))
    if goal:
        rows = rows.filter(goal=load_goal(scope, goal))
    if status:
        rows = rows.filter(status=status)
    page, after = _page(scope, "search_tasks", rows, (words, goal, status), limit, cursor)
    return _paged([pick(task_record(row, row.goal.number), fields) for row in page], after)


def agent_status(scope: Scope) -> dict[str, Any]:
    """The store at a glance: how much there is in which state, and who works on what."""
    goals = Goal.objects.filter(**scope.keys).values_list("status").annotate(n=Count("id")).order_by()
    tasks = Task.objects.filter(**scope.keys).values_list("status").annotate(n=Count("id")).order_by()
    leases = (
        Task.objects.filter(lease_expires_at__gt=datetime.now(UTC), **scope.keys)
        .exclude(status__in=CLOSED)
        .order_by("lease_expires_at")[:MAX_BATCH]
    )
    task_states = Tally(dict(tasks))
    return {
        "status": "ok",
        "goals": dict(goals),
        "tasks": dict(task_states),
        "ready": task_states[State.READY.value],
        "leases": [
            {"task_id": task.public_id, "agent": task.lease_agent, "expires": moment(task.lease_expires_at)}
            for task in leases
        ],
        "limits": {"tasks_per_goal": MAX_TASKS, "batch": MAX_BATCH},
    }


def newest_goals(scope: Scope, limit: int, words: str = "") -> list[Goal]:
    """The newest goals, those that match by id or title when words are given."""
    rows = Goal.objects.filter(**scope.keys)
    text = words.replace("\x00", "").strip()
    digits = text.upper().removeprefix("GOAL-").lstrip("0")
    if digits and not "GOAL-".startswith(text.upper()):
        number = Q(number=int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 16 else Q()
        rows = rows.filter(Q(title__icontains=text) | number)
    return list(rows.order_by("-number")[:limit])


def _page(
    scope: Scope, tool: str, rows: QuerySet[Any], filters: Any, limit: int, cursor: str | None
) -> tuple[list[Any], "_After"]:
    """One page by number, newest first, and what makes the sealed cursor of the next one."""
    bind = f"{scope.tenant_id}:{scope.connection_id}:{tool}:{filters}"
    if cursor:
        try:
            rows = rows.filter(number__lt=unseal("goals.cursor", cursor, bind=bind))
        except BadToken:
            raise InvalidInput(
                "This cursor is not of this list.",
                code="invalid_cursor",
                hint="Use next_cursor with the same arguments, or start without a cursor.",
            ) from None
    page = list(rows.order_by("-number")[: limit + 1])
    return page[:limit], _After([row.number for row in page[:limit]], len(page) > limit, bind)


class _After(NamedTuple):
    """The numbers of a page's rows, whether more follow, and what its cursor is bound to."""

    numbers: list[int]
    more: bool
    bind: str


def _paged(items: list[dict[str, Any]], after: _After) -> dict[str, Any]:
    """A page with as many rows as fit; its cursor goes on after the last of them."""
    shown = fitting(items)
    answer = _answer(items[:shown])
    if shown == len(items) and not after.more:
        return answer
    return {**answer, "next_cursor": seal("goals.cursor", after.numbers[shown - 1], bind=after.bind)}


def _answer(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "count": len(items)}
