"""What writes answer: the records as they were just stored, and what followed from the change."""

from collections.abc import Iterable
from typing import Any

from connectors.providers.goals.board import Board
from connectors.providers.goals.models import Task
from connectors.providers.goals.records import cache_status, task_id, task_line, task_record
from connectors.providers.goals.states import State


def saved_task(board: Board, task: Task) -> dict[str, Any]:
    """The record of a task that was just stored."""
    return {
        **task_record(task, board.goal.number),
        "unblocked": unblocked(board),
        "goal_status": str(board.goal.status),
        "_cache_status": cache_status("task", task.public_id, board.now),
    }


def saved_tasks(board: Board, tasks: Iterable[Task], **more: Any) -> dict[str, Any]:
    """The records of tasks that were just stored, and what else is to be said."""
    lines = [task_line(task) for task in tasks]
    return {
        "goal_id": board.goal.public_id,
        "goal_status": str(board.goal.status),
        "tasks": lines,
        "count": len(lines),
        **more,
        "_cache_status": cache_status("goal", board.goal.public_id, board.now),
    }


def unblocked(board: Board) -> list[str]:
    """The tasks that this write made ready."""
    return [
        task_id(number)
        for number in dict.fromkeys(board.unblocked)
        if number in board.tasks and board.tasks[number].status == State.READY
    ]
