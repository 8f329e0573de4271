"""The states of tasks and goals, and the legal moves between them.

``pending`` and ``ready`` are derived, never chosen: a task is ready when everything it
depends on is done (completed or cancelled), a goal when it has tasks. Asking for either
means "back into the queue".
"""

import enum
from collections.abc import Mapping

from connectors.errors import Conflict


class State(enum.StrEnum):
    """Where a task or goal stands."""

    PENDING = "pending"
    READY = "ready"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


S = State
QUEUED = frozenset({S.PENDING, S.READY})
DONE = frozenset({S.COMPLETED, S.CANCELLED})  # a dependency on these is satisfied
CLOSED = frozenset({S.COMPLETED, S.FAILED, S.CANCELLED})  # a goal here takes no new work

TASK_MOVES: Mapping[State, tuple[State, ...]] = {
    S.PENDING: (S.BLOCKED, S.CANCELLED),
    S.READY: (S.IN_PROGRESS, S.BLOCKED, S.COMPLETED, S.FAILED, S.CANCELLED),
    S.IN_PROGRESS: (S.READY, S.BLOCKED, S.COMPLETED, S.FAILED, S.CANCELLED),
    S.BLOCKED: (S.READY, S.IN_PROGRESS, S.FAILED, S.CANCELLED),
    S.FAILED: (S.READY, S.IN_PROGRESS, S.CANCELLED),
    S.COMPLETED: (),
    S.CANCELLED: (),
}
GOAL_MOVES: Mapping[State, tuple[State, ...]] = {
    S.PENDING: (S.IN_PROGRESS, S.BLOCKED, S.COMPLETED, S.FAILED, S.CANCELLED),
    S.READY: (S.IN_PROGRESS, S.BLOCKED, S.COMPLETED, S.FAILED, S.CANCELLED),
    S.IN_PROGRESS: (S.BLOCKED, S.COMPLETED, S.FAILED, S.CANCELLED),
    S.BLOCKED: (S.IN_PROGRESS, S.COMPLETED, S.FAILED, S.CANCELLED),
    S.COMPLETED: (S.IN_PROGRESS,),
    S.FAILED: (S.IN_PROGRESS, S.CANCELLED),
    S.CANCELLED: (S.IN_PROGRESS,),
}
_WORK = frozenset({S.IN_PROGRESS, S.READY})  # moves that need every dependency done


def check_task_move(name: str, current: str, target: str, open_dependencies: list[str]) -> State:
    """The state a task gets when it is asked to move; raises :class:`Conflict` where it may not.

    Staying where it is is always legal. Asking for ``pending`` from anywhere but the queue
    means ``ready``; the caller derives which of both it becomes.
    """
    wanted = State(target)
    if wanted == current:
        return wanted
    if wanted is S.PENDING and current in (S.IN_PROGRESS, S.BLOCKED, S.FAILED):
        return S.PENDING
    needs_them = wanted in _WORK or (current == S.PENDING and wanted not in TASK_MOVES[S.PENDING])
    if open_dependencies and needs_them and current not in DONE:
        raise Conflict(
            f"{name} waits for {_some(open_dependencies)}, so it cannot become {wanted}.",
            code="dependencies_open",
            hint=f"Complete {_some(open_dependencies)} first, or use remove_task_dependency; "
            f"legal from {current}: {_list(State(current), TASK_MOVES)}.",
            details={"current": str(current), "legal": [state.value for state in TASK_MOVES[State(current)]]},
        )
    if wanted not in TASK_MOVES[State(current)]:
        raise illegal_move(name, State(current), wanted, TASK_MOVES)
    return wanted


def check_goal_move(name: str, current: str, target: str, open_tasks: list[str]) -> State:
    """The state a goal gets when it is asked to move; raises :class:`Conflict` where it may not."""
    wanted = State(target)
    if wanted == current:
        return wanted
    if wanted not in GOAL_MOVES[State(current)]:
        raise illegal_move(name, State(current), wanted, GOAL_MOVES)
    if wanted is S.COMPLETED and open_tasks:
        raise Conflict(
            f"{name} cannot be completed while {_some(open_tasks)} {'is' if len(open_tasks) == 1 else 'are'} open.",
            code="tasks_open",
            hint="Complete or cancel them first with batch_update_tasks.",
        )
    return wanted


def illegal_move(
    name: str, current: State, wanted: State, moves: Mapping[State, tuple[State, ...]]
) -> Conflict:
    """The error for a move that the table does not have; the hint has the ones it has."""
    return Conflict(
        f"{name} is {current} and cannot become {wanted}.",
        code="illegal_move",
        hint=f"Legal from {current}: {_list(current, moves)}.",
        details={"current": current.value, "legal": [state.value for state in moves[current]]},
    )


def _list(current: State, moves: Mapping[State, tuple[State, ...]]) -> str:
    return ", ".join(moves[current]) or "nothing, this state is final"


def _some(names: list[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
