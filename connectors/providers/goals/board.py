"""A goal and all its tasks, held under the goal's lock while a write changes them.

Every write of tasks goes through a :class:`Board`: it locks the goal's row, loads the plan
in one query, lets the write change it in memory, derives what follows (which tasks are
ready, whether the goal is done) and stores what changed in one statement. Two writers of
one goal therefore never see each other's half, and none is lost. On SQLite the lock is the
transaction itself, which is IMMEDIATE.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from connectors.errors import Conflict, NotFound
from connectors.providers.goals.models import Goal, Task
from connectors.providers.goals.plan import Step, find_cycle
from connectors.providers.goals.records import PlanTask, Scope, goal_id, task_id
from connectors.providers.goals.states import CLOSED, DONE, QUEUED, State, check_task_move
from connectors.updates import updated_on_commit

_GOAL_FIELDS = ["title", "description", "priority", "status", "repos", "metadata", "version", "updated_at"]
_TASK_FIELDS = [
    "title", "description", "priority", "status", "estimate", "dependencies", "result", "links",
    "lease_principal", "lease_agent", "lease_expires_at", "version", "updated_at", "started_at", "finished_at",
]  # fmt: skip

_LIGHT_FIELDS = (
    "goal_id", "number", "position", "title", "priority", "status", "estimate", "dependencies",
    "lease_principal", "lease_agent", "lease_expires_at", "version",
)  # fmt: skip


class Board:
    """A locked goal with its tasks by number, in their order. Use within ``transaction.atomic()``."""

    def __init__(self, scope: Scope, goal: Goal, tasks: Iterable[Task]) -> None:
        self.scope = scope
        self.goal = goal
        self.tasks = {task.number: task for task in tasks}
        self.now = datetime.now(UTC)
        self.unblocked: list[int] = []
        self._changed: dict[int, Task] = {}
        self._new: list[Task] = []
        self._goal_changed = False
        self._removed = False
        self._moved = False

    @classmethod
    def of_goal(cls, scope: Scope, number: int) -> Self:
        """Lock one goal; raises :class:`NotFound`."""
        goal = Goal.objects.select_for_update().filter(number=number, **scope.keys).first()
        if goal is None:
            raise no_goal(number)
        return cls(scope, goal, _light_tasks(scope, [goal.pk]))

    @classmethod
    def of_task(cls, scope: Scope, number: int) -> "tuple[Board, Task]":
        """Lock the goal of a task; raises :class:`NotFound`."""
        boards = cls.of_tasks(scope, [number])
        if number not in boards:
            raise no_task(number)
        return boards[number], boards[number].tasks[number]

    @classmethod
    def of_tasks(cls, scope: Scope, numbers: Iterable[int]) -> "dict[int, Board]":
        """The locked boards of many tasks by task number; numbers without a task are left out.

        Goals are locked in ascending order, so that two batches never wait for each other.
        """
        wanted = set(numbers)
        full = Task.objects.filter(number__in=wanted, **scope.keys)
        # Two steps, not a subquery: a planner without statistics turns that into a scan.
        goal_ids = set(full.values_list("goal_id", flat=True))
        if not goal_ids:
            return {}
        locked = Goal.objects.select_for_update().filter(pk__in=goal_ids, **scope.keys).order_by("number")
        by_goal: dict[UUID, tuple[Goal, dict[int, Task]]] = {goal.pk: (goal, {}) for goal in locked}
        for task in _light_tasks(scope, list(by_goal)):
            by_goal[task.goal_id][1][task.number] = task
        for task in full.all():
            by_goal[task.goal_id][1][task.number] = task
        boards = [cls(scope, goal, tasks.values()) for goal, tasks in by_goal.values()]
        return {number: board for board in boards for number in board.tasks if number in wanted}

    def touch(self, task: Task) -> None:
        """Remember that a task changed."""
        if task.number not in self._changed:
            self._changed[task.number] = task
            task.version += 1
            task.updated_at = self.now

    def add(self, tasks: Iterable[Task]) -> None:
        """Put new tasks on the board; they are inserted with the rest."""
        for task in tasks:
            self._new.append(task)
            self.tasks[task.number] = task

    def remove(self, tasks: Iterable[Task]) -> None:
        """Take tasks off the board and out of the database; others forget their dependency on them."""
        gone = {task.number for task in tasks}
        self._removed = self._removed or bool(gone)
        Task.objects.filter(number__in=gone, goal=self.goal, **self.scope.keys).delete()
        for number in gone:
            del self.tasks[number]
            self._changed.pop(number, None)
        for task in self.tasks.values():
            if gone.intersection(task.dependencies):
                task.dependencies = [number for number in task.dependencies if number not in gone]
                self.touch(task)

    def touch_goal(self) -> None:
        """Remember that the goal itself changed."""
        if not self._goal_changed:
            self._goal_changed = True
            self.goal.version += 1
            self.goal.updated_at = self.now

    def demand_open(self) -> None:
        """Raise :class:`Conflict` when the goal is closed and takes no work."""
        if self.goal.status in CLOSED:
            raise Conflict(
                f"{self.goal.public_id} is {self.goal.status}; its tasks stay as they are.",
                code="goal_closed",
                hint=f'update_goal("{self.goal.public_id}", status="in_progress") opens it again.',
            )

    def demand_lease(self, task: Task, agent: str | None = None) -> None:
        """Raise :class:`Conflict` when somebody else holds the task."""
        if task.lease_expires_at is None or task.lease_expires_at <= self.now:
            return
        if task.lease_principal == self.scope.principal_id and agent in (None, task.lease_agent):
            return
        left = max(1, int((task.lease_expires_at - self.now).total_seconds()))
        raise Conflict(
            f"{task.public_id} is claimed by {task.lease_agent} for another {left} s.",
            code="claimed",
            retryable=True,
            retry_after=float(left),
            hint="Take another task from get_next_tasks, or come back when the claim has run out.",
        )

    def open_dependencies(self, task: Task) -> list[str]:
        """The ids of what the task still waits for."""
        return [
            task_id(number)
            for number in task.dependencies
            if number in self.tasks and self.tasks[number].status not in DONE
        ]

    def move(self, task: Task, target: str) -> None:
        """Put a task into a state, by the rules; raises :class:`Conflict`."""
        self.demand_open()
        self.demand_lease(task)
        self._derive(task)  # earlier moves of the same write may have made it ready
        state = check_task_move(task.public_id, task.status, target, self.open_dependencies(task))
        if state == task.status:
            return
        self.touch(task)
        self._moved = True
        task.status = state
        if state is State.IN_PROGRESS:
            task.started_at = task.started_at or self.now
        else:
            self.release(task)
        task.finished_at = self.now if state in CLOSED else None
        self._derive(task)

    def release(self, task: Task) -> None:
        """End a lease."""
        task.lease_principal, task.lease_agent, task.lease_expires_at = None, "", None

    def demand_no_cycle(self) -> None:
        """Raise :class:`Conflict` that names the circle, if the dependencies have one."""
        path = find_cycle({number: task.dependencies for number, task in self.tasks.items()})
        if path:
            raise cycle_conflict([task_id(number) for number in path])

    def steps(self) -> list[Step]:
        """The plan's nodes; cancelled tasks are out, since nothing waits for them."""
        return steps_of(self.tasks.values())

    def settle(self) -> None:
        """Derive what follows from the changes and store everything that changed."""
        for task in self.tasks.values():
            self._derive(task)
        goal, states = self.goal, [task.status for task in self.tasks.values()]
        status = State(goal.status)
        if status in QUEUED:
            status = State.READY if states else State.PENDING
            if any(state in (State.IN_PROGRESS, State.COMPLETED) for state in states):
                status = State.IN_PROGRESS
        if (
            self._moved
            and status is State.IN_PROGRESS
            and State.COMPLETED in states
            and DONE.issuperset(states)
        ):
            status = State.COMPLETED
        if status != goal.status:
            goal.status = status
            self.touch_goal()
        self._store()

    def _derive(self, task: Task) -> None:
        if task.status not in QUEUED:
            return
        state = State.PENDING if self.open_dependencies(task) else State.READY
        if state != task.status:
            if task.status == State.PENDING and state is State.READY and not task._state.adding:
                self.unblocked.append(task.number)
            task.status = state
            if not task._state.adding:
                self.touch(task)

    def _store(self) -> None:
        if self._new:
            Task.objects.bulk_create(self._new)
        if self._changed:
            update_rows(self.scope, self._changed.values(), _TASK_FIELDS)
        if self._goal_changed:
            self.goal.save(update_fields=_GOAL_FIELDS)
        if self._new or self._changed or self._goal_changed or self._removed:
            self.tell()

    def tell(self) -> None:
        """Once this is committed, tell who is subscribed that the goal and its plan are others."""
        uri = f"goal://{self.goal.public_id}"
        updated_on_commit(self.scope.tenant_id, self.scope.connection_id, uri, f"{uri}/plan")


def _light_tasks(scope: Scope, goal_ids: list[UUID]) -> QuerySet[Task]:
    """The tasks of goals with what a plan needs: texts and times cost more to load than all else."""
    tasks = Task.objects.filter(goal_id__in=goal_ids, **scope.keys).only(*_LIGHT_FIELDS)
    return tasks.order_by("position", "number")


def update_rows(scope: Scope, rows: Iterable[Task], fields: Sequence[str]) -> None:
    """Store the given fields of rows, those of them that were loaded.

    In place of ``bulk_update``, whose CASE expressions took 30 ms for ten rows; this takes one.
    """
    by_fields: dict[tuple[str, ...], list[Task]] = {}
    for row in rows:
        deferred = row.get_deferred_fields()
        by_fields.setdefault(tuple(name for name in fields if name not in deferred), []).append(row)
    quote = connection.ops.quote_name
    key = Task._meta.pk.get_db_prep_save
    for names, same in by_fields.items():
        columns: list[Any] = [Task._meta.get_field(name) for name in names]
        changes = ", ".join(f"{quote(column.column)} = %s" for column in columns)
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE {quote(Task._meta.db_table)} SET {changes} WHERE id = %s AND tenant_id = %s",  # noqa: S608
                [
                    [
                        *(c.get_db_prep_save(getattr(row, c.attname), connection) for c in columns),
                        key(row.pk, connection),
                        key(scope.tenant_id, connection),
                    ]
                    for row in same
                ],
            )


def steps_of(tasks: Iterable[PlanTask | Task]) -> list[Step]:
    """Tasks as the nodes of a plan, weighed by their estimate (an hour where there is none)."""
    return [
        Step(task.number, tuple(task.dependencies), 1.0 if task.estimate is None else task.estimate)
        for task in tasks
        if task.status != State.CANCELLED
    ]


def cycle_conflict(path: list[str]) -> Conflict:
    """The error for dependencies that go round in a circle."""
    return Conflict(
        f"The dependencies form a cycle: {' -> '.join(path)} (each depends on the next).",
        code="cycle",
        hint="Leave out one of these dependencies; validate_dependencies tries proposals without writing.",
        details={"cycle": path},
    )


def no_goal(number: int) -> NotFound:
    """There is no such goal here."""
    return NotFound(f"There is no goal {goal_id(number)}.", hint="list_goals shows the goals there are.")


def no_task(number: int) -> NotFound:
    """There is no such task here."""
    return NotFound(
        f"There is no task {task_id(number)}.",
        hint="get_goal lists a goal's tasks; search_tasks finds them by words.",
    )


__all__ = ["Board", "cycle_conflict", "no_goal", "no_task", "steps_of"]
