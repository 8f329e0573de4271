"""Writes of goals and tasks: each function is one transaction, all or nothing, and returns what clients see."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from django.db import transaction

from common.text import clean_text
from common.writer import writer
from connectors.errors import Conflict, ConnectorError, InvalidInput, NotFound
from connectors.providers.goals import create
from connectors.providers.goals.board import Board, no_task
from connectors.providers.goals.models import Goal, Task
from connectors.providers.goals.records import (
    PRIORITY_NUMBERS,
    Scope,
    cache_status,
    checked_json,
    described,
    goal_id,
    goal_record,
    hours,
    json_text,
    moment,
    number_of,
    progress_of,
    task_record,
    title_of,
)
from connectors.providers.goals.saved import saved_task, unblocked
from connectors.providers.goals.states import DONE, State, check_goal_move
from connectors.providers.goals.types import TaskChange


async def goal_create(
    scope: Scope,
    *,
    description: str,
    priority: str = "medium",
    title: str | None = None,
    repos: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Make a goal through the group writer; returns its record once it is durable."""
    description = described(description)
    title = title_of(title, description)
    names = list(repos)
    author = clean_text(scope.principal_name, 150)
    number, now = await writer.submit_async(
        create.KIND,
        create.NewGoal(
            scope.tenant_id,
            scope.connection_id,
            title,
            description,
            PRIORITY_NUMBERS[priority],
            json_text(names, "repos") if names else "[]",
            json_text(metadata, "metadata") if metadata else "{}",
            author,
            uuid4(),
        ),
    )
    public, at = goal_id(number), moment(now)
    return {
        "id": public,
        "title": title,
        "description": description,
        "status": State.PENDING.value,
        "priority": priority,
        "repos": names,
        "metadata": metadata or {},
        "progress": {"tasks": 0, "completed": 0, "percent": 0},
        "created_by": author,
        "version": 1,
        "created_at": at,
        "updated_at": at,
        "url": scope.uri_prefix + public,
        "_cache_status": cache_status("goal", public, now),
    }


@transaction.atomic
def goal_update(
    scope: Scope, goal: str, changes: dict[str, Any], if_version: int | None = None
) -> dict[str, Any]:
    """Change a goal's fields (those in ``changes``) and, by the rules, its status."""
    board = Board.of_goal(scope, number_of(goal))
    row = board.goal
    _demand_version(row, if_version)
    if not changes:
        raise InvalidInput("Nothing to change was given.", hint="Give at least one field besides goal_id.")
    for name, value in changes.items():
        if name == "status":
            waiting = [task.public_id for task in board.tasks.values() if task.status not in DONE]
            value = check_goal_move(row.public_id, row.status, value, waiting).value
        elif name in ("repos", "metadata"):
            value = checked_json(value, name)
        else:
            value = _text_or_priority(name, value)
        if getattr(row, name) != value:
            setattr(row, name, value)
            board.touch_goal()
    board.settle()
    record = goal_record(row, scope, progress_of(task.status for task in board.tasks.values()))
    return {**record, "_cache_status": cache_status("goal", row.public_id, board.now)}


@transaction.atomic
def goal_delete(scope: Scope, goal: str) -> dict[str, Any]:
    """Remove a goal with its tasks and notes, unless somebody else has claimed one of them."""
    board = Board.of_goal(scope, number_of(goal))
    for task in board.tasks.values():
        board.demand_lease(task)
    board.tell()
    board.goal.delete()
    return {"id": board.goal.public_id, "deleted": True, "tasks_deleted": len(board.tasks)}


def task_update_status(scope: Scope, task: str, status: str, result: Any = None) -> dict[str, Any]:
    """Move one task to another state."""
    changes = {"status": status} if result is None else {"status": status, "result": result}
    return task_update(scope, task, changes)


@transaction.atomic
def task_update(
    scope: Scope, task: str, changes: dict[str, Any], if_version: int | None = None
) -> dict[str, Any]:
    """Change a task's fields (those in ``changes``) and, by the rules, its status."""
    board, row = Board.of_task(scope, number_of(task))
    _demand_version(row, if_version)
    apply_changes(board, row, changes)
    board.settle()
    return saved_task(board, row)


@transaction.atomic
def tasks_update(scope: Scope, changes: Sequence[TaskChange]) -> dict[str, Any]:
    """Change many tasks, in the given order, all or none.

    Raises one :class:`InvalidInput` (or the single error's own type) that lists every
    refused row under ``errors``.
    """
    boards = Board.of_tasks(scope, (number_of(change.task_id) for change in changes))
    errors: list[dict[str, Any]] = []
    for index, change in enumerate(changes):
        number = number_of(change.task_id)
        try:
            if number not in boards:
                raise no_task(number)
            wanted = change.model_dump(exclude={"task_id"}, exclude_none=True)
            apply_changes(boards[number], boards[number].tasks[number], wanted)
        except ConnectorError as error:
            errors.append(
                {
                    "index": index,
                    "task_id": change.task_id,
                    "error": error.message,
                    "type": error.type,
                    "hint": error.hint,
                }
            )
    if errors:
        raise _batch_error(errors, len(changes))
    touched = list({id(board): board for board in boards.values()}.values())
    for board in touched:
        board.settle()
    done = dict.fromkeys(number_of(change.task_id) for change in changes)
    first = touched[0]
    return {
        "tasks": [task_record(boards[n].tasks[n], boards[n].goal.number) for n in done],
        "count": len(done),
        "unblocked": [name for board in touched for name in unblocked(board)],
        "_cache_status": cache_status("goal", first.goal.public_id, first.now),
    }


def _batch_error(errors: list[dict[str, Any]], total: int) -> ConnectorError:
    kinds: dict[str, type[ConnectorError]] = {kind.type: kind for kind in (InvalidInput, Conflict, NotFound)}
    types = {error["type"] for error in errors}
    kind = kinds.get(types.pop(), InvalidInput) if len(types) == 1 else InvalidInput
    first = errors[0]
    return kind(
        f"Nothing was changed: {len(errors)} of {total} updates cannot be made. First: {first['error']}",
        code="batch_refused",
        hint=first["hint"] or "Correct the rows under errors and send the whole batch again.",
        details={"errors": errors},
    )


def apply_changes(board: Board, task: Task, changes: dict[str, Any]) -> None:
    """Change a task on its board; the status last, so that a result comes with it."""
    if not changes:
        raise InvalidInput("Nothing to change was given.", hint="Give at least one field besides task_id.")
    board.demand_lease(task)
    for name, value in changes.items():
        if name == "status":
            continue
        if name == "estimate":
            value = hours(value)
        elif name == "result":
            value = clean_text(value, 10_000) if isinstance(value, str) else checked_json(value, name)
        else:
            value = _text_or_priority(name, value)
        if getattr(task, name) != value:
            board.touch(task)
            setattr(task, name, value)
    if "status" in changes:
        board.move(task, changes["status"])


@transaction.atomic
def task_delete(scope: Scope, task: str, reassign_dependents: bool = False) -> dict[str, Any]:
    """Remove a task. Its dependents inherit its dependencies when ``reassign_dependents``."""
    board, row = Board.of_task(scope, number_of(task))
    board.demand_lease(row)
    dependents = [other for other in board.tasks.values() if row.number in other.dependencies]
    if dependents and not reassign_dependents:
        names = ", ".join(other.public_id for other in dependents[:5])
        raise Conflict(
            f"{row.public_id} cannot be removed: {len(dependents)} tasks depend on it ({names}).",
            code="has_dependents",
            hint="reassign_dependents=true hands its own dependencies to them.",
            details={"dependents": [other.public_id for other in dependents]},
        )
    for other in dependents:
        board.touch(other)
        inherited = [n for d in other.dependencies for n in (row.dependencies if d == row.number else [d])]
        other.dependencies = list(dict.fromkeys(inherited))
    board.remove([row])
    board.settle()
    return {
        "id": row.public_id,
        "deleted": True,
        "tasks_deleted": 1,
        "reassigned": [other.public_id for other in dependents],
    }


def _text_or_priority(name: str, value: Any) -> Any:
    if name == "priority":
        return PRIORITY_NUMBERS[value]
    if name == "title":
        if not value.strip():
            raise InvalidInput("The title is empty.")
        return title_of(value, "")
    return described(value)


def _demand_version(row: Goal | Task, version: int | None) -> None:
    if version is not None and row.version != version:
        raise Conflict(
            f"{row.public_id} has version {row.version} by now, not {version}.",
            code="version_changed",
            hint="Read it again, and repeat the change if it is still right.",
        )
