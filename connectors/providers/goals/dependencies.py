"""Writes of what a task waits for."""

from typing import Any

from django.db import transaction

from connectors.errors import Conflict, InvalidInput, NotFound
from connectors.providers.goals.board import Board
from connectors.providers.goals.records import Scope, number_of
from connectors.providers.goals.saved import saved_task
from connectors.providers.goals.states import DONE, State
from connectors.providers.goals.types import MAX_DEPENDENCIES


@transaction.atomic
def dependency_add(scope: Scope, task: str, depends_on: str) -> dict[str, Any]:
    """Let a task wait for another of the same goal; adding it again changes nothing."""
    board, row = Board.of_task(scope, number_of(task))
    other = board.tasks.get(number_of(depends_on))
    if other is None:
        raise NotFound(
            f"{depends_on} is not a task of {board.goal.public_id}, where {task} is.",
            hint=f'get_goal("{board.goal.public_id}") lists the tasks it can depend on.',
        )
    if other.number not in row.dependencies:
        board.demand_open()
        board.demand_lease(row)
        if row.status in (State.IN_PROGRESS, State.COMPLETED, State.CANCELLED) and other.status not in DONE:
            raise Conflict(
                f"{row.public_id} is {row.status}; it cannot wait for {other.public_id} any more.",
                code="already_started",
                hint='update_task_status(status="ready") puts a task in progress back first.',
            )
        if len(row.dependencies) >= MAX_DEPENDENCIES:
            raise InvalidInput(f"A task has at most {MAX_DEPENDENCIES} dependencies.")
        row.dependencies = [*row.dependencies, other.number]
        board.touch(row)
        board.demand_no_cycle()
        board.settle()
    return saved_task(board, row)


@transaction.atomic
def dependency_remove(scope: Scope, task: str, depends_on: str) -> dict[str, Any]:
    """Let a task no longer wait for another; removing what is not there changes nothing."""
    board, row = Board.of_task(scope, number_of(task))
    number = number_of(depends_on)
    if number in row.dependencies:
        board.demand_lease(row)
        row.dependencies = [other for other in row.dependencies if other != number]
        board.touch(row)
        board.settle()
    return saved_task(board, row)
