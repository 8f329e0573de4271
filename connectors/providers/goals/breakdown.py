"""Breaking a goal down into tasks: resolving how the caller names dependencies, then one write."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from connectors.errors import Conflict, InvalidInput
from connectors.providers.goals.board import Board, cycle_conflict
from connectors.providers.goals.create import take_numbers
from connectors.providers.goals.models import Task
from connectors.providers.goals.plan import find_cycle
from connectors.providers.goals.records import (
    PRIORITY_NUMBERS,
    Scope,
    described,
    hours,
    number_of,
    task_id,
    title_of,
)
from connectors.providers.goals.saved import saved_task, saved_tasks
from connectors.providers.goals.states import State
from connectors.providers.goals.types import MAX_DEPENDENCIES, MAX_TASKS, Subtask


@transaction.atomic
def goal_break_down(
    scope: Scope, goal: str, subtasks: Sequence[Subtask], mode: str = "append"
) -> dict[str, Any]:
    """Add tasks to a goal, all or none.

    ``replace`` first removes the tasks that nobody completed; it is refused while one of
    them is in progress.
    """
    board = Board.of_goal(scope, number_of(goal))
    removed = _clear(board) if mode == "replace" else []
    tasks = _add(board, subtasks)
    board.settle()
    own_names = {sub.id: task.public_id for sub, task in zip(subtasks, tasks, strict=True) if sub.id}
    return saved_tasks(board, tasks, ids=own_names, removed=removed)


@transaction.atomic
def task_add(scope: Scope, goal: str, subtask: Subtask) -> dict[str, Any]:
    """Add one task to a goal."""
    board = Board.of_goal(scope, number_of(goal))
    (task,) = _add(board, [subtask])
    board.settle()
    return saved_task(board, task)


def _clear(board: Board) -> list[str]:
    board.demand_open()
    busy = [task.public_id for task in board.tasks.values() if task.status == State.IN_PROGRESS]
    if busy:
        raise Conflict(
            f"The tasks cannot be replaced while {', '.join(busy[:5])} is in progress.",
            code="in_progress",
            hint='Finish or cancel it first, or add tasks with mode="append".',
        )
    old = [task for task in board.tasks.values() if task.status != State.COMPLETED]
    for task in old:
        board.demand_lease(task)
    board.remove(old)
    return [task.public_id for task in old]


def _add(board: Board, subtasks: Sequence[Subtask]) -> list[Task]:
    board.demand_open()
    if len(board.tasks) + len(subtasks) > MAX_TASKS:
        raise InvalidInput(
            f"A goal has at most {MAX_TASKS} tasks; {board.goal.public_id} has {len(board.tasks)}.",
            hint="Make a second goal for the rest.",
        )
    titles = [title_of(sub.title, sub.description) for sub in subtasks]
    # Checked by index before any number is taken: the caller knows its indexes and names.
    dependencies = _Names(board, subtasks, titles).resolve()
    scope = board.scope
    first = take_numbers(scope.tenant_id, scope.connection_id, "task", len(subtasks))
    position = max((task.position for task in board.tasks.values()), default=0)
    tasks = [
        Task(
            goal=board.goal,
            number=first + index,
            position=position + 1 + index,
            title=titles[index],
            description=described(sub.description),
            priority=PRIORITY_NUMBERS[sub.priority] if sub.priority else board.goal.priority,
            estimate=hours(sub.estimate),
            dependencies=[first + ~key if key < 0 else key for key in dependencies[index]],
            created_at=board.now,
            updated_at=board.now,
            **scope.keys,
        )
        for index, sub in enumerate(subtasks)
    ]
    board.add(tasks)
    return tasks


class _Names:
    """What the subtasks of one call may be called.

    Within here subtask ``i`` has the key ``~i`` (negative), an existing task its number.
    """

    def __init__(self, board: Board, subtasks: Sequence[Subtask], titles: Sequence[str]) -> None:
        self.board = board
        self.subtasks = subtasks
        self.titles = titles
        self.given: dict[str, int] = {}
        self.by_title: dict[str, list[int]] = {}
        for task in board.tasks.values():
            self.by_title.setdefault(task.title.casefold(), []).append(task.number)
        here: dict[str, list[int]] = {}
        for index, sub in enumerate(subtasks):
            if sub.id is not None and self.given.setdefault(sub.id, ~index) != ~index:
                raise _invalid(
                    index, f"the id {sub.id!r} is used twice", "Give each subtask an id of its own."
                )
            for name in {titles[index].casefold(), sub.description.strip().casefold()}:
                here.setdefault(name, []).append(~index)
        self.by_title.update(here)  # a title of this call wins over one that exists

    def resolve(self) -> list[list[int]]:
        """The keys each subtask depends on; raises for an unknown name and for a cycle."""
        resolved = []
        for index, sub in enumerate(self.subtasks):
            keys = list(dict.fromkeys(self._key(index, reference) for reference in sub.dependencies))
            if len(keys) > MAX_DEPENDENCIES:
                raise _invalid(index, f"it has more than {MAX_DEPENDENCIES} dependencies")
            resolved.append(keys)
        path = find_cycle({~index: keys for index, keys in enumerate(resolved)})
        if path:
            raise cycle_conflict([self._name(key) for key in path])
        return resolved

    def _key(self, index: int, reference: int | str) -> int:
        key = self._look_up(index, reference)
        if key == ~index:
            raise _invalid(index, "it depends on itself", "Leave that dependency out.")
        return key

    def _look_up(self, index: int, reference: int | str) -> int:
        if isinstance(reference, str):
            name = reference.strip()
            if name in self.given:
                return self.given[name]
            if name[:5].upper() == "TASK-" and name[5:].isascii() and name[5:].isdigit() and len(name) < 20:
                if number_of(name) in self.board.tasks:
                    return number_of(name)
                raise _invalid(index, f"{name} is not a task of {self.board.goal.public_id}")
            found = self.by_title.get(name.casefold(), [])
            if len(found) == 1:
                return found[0]
            if found:
                raise _invalid(
                    index, f"the title {name!r} is not unique", "Give the subtasks ids and use those."
                )
            if not (name.isascii() and name.isdigit() and len(name) < 6):
                raise _invalid(index, f"there is no subtask or task {name!r}")
            reference = int(name)
        if reference >= len(self.subtasks):
            raise _invalid(
                index,
                f"there is no subtask with index {reference}: they go from 0 to {len(self.subtasks) - 1}",
            )
        return ~reference

    def _name(self, key: int) -> str:
        return task_id(key) if key >= 0 else self.subtasks[~key].id or self.titles[~key]


def _invalid(index: int, problem: str, hint: str = "") -> InvalidInput:
    return InvalidInput(
        f"Subtask {index}: {problem}. Nothing was added.",
        code="bad_dependency",
        hint=hint
        or "Dependencies are ids, titles or indexes (from 0) of subtasks in this call, or TASK- ids.",
        details={"index": index},
    )
