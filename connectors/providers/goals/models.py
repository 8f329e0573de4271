"""Goals, their tasks, and the counters that number them: rows of one connection each.

A task's dependencies are a list of task numbers in its own row: a plan is only ever read
and changed as a whole, under its goal's lock, so one query loads it.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from common.models import TenantModel
from connectors.models import Connection
from connectors.providers.goals.states import State


class Priority(models.IntegerChoices):
    """How much a goal or task matters; stored as a number so that it sorts."""

    LOW = 1, "low"
    MEDIUM = 2, "medium"
    HIGH = 3, "high"
    CRITICAL = 4, "critical"


STATES = [(state.value, state.value) for state in State]


class ConnectionModel(TenantModel):
    """A row that belongs to one connection of one tenant.

    Neither key has an index of its own: every query names the connection, and the unique pair
    of connection and number serves it. Two indexes less make each insert cheaper.
    """

    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, related_name="+", editable=False, db_index=False
    )
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="+", editable=False, db_index=False
    )

    class Meta(TenantModel.Meta):
        abstract = True


class Counter(ConnectionModel):
    """The last number given out, per connection and kind.

    It moves in the transaction that writes the numbered row, so a number is given out
    exactly when its row is: no gaps, no doubles, whatever the number of workers.
    """

    kind = models.CharField(max_length=8)
    value = models.PositiveBigIntegerField(default=0)

    class Meta(ConnectionModel.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind"], name="one_goal_counter_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.value}"


class Goal(ConnectionModel):
    """Something to be reached. ``GOAL-0007`` is number 7 of its connection."""

    PREFIX: ClassVar[str] = "GOAL"

    number = models.PositiveBigIntegerField()
    title = models.CharField(max_length=200)
    description = models.TextField()
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.MEDIUM)
    status = models.CharField(max_length=12, choices=STATES, default=State.PENDING)
    repos = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)
    created_by = models.CharField(max_length=150, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta(ConnectionModel.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["connection", "number"], name="one_goal_per_number")]

    def __str__(self) -> str:
        return f"{self.public_id} {self.title}"

    @property
    def public_id(self) -> str:
        """The id that clients know."""
        return public_id(self.PREFIX, self.number)


class Task(ConnectionModel):
    """A step towards a goal. ``estimate`` is in hours; ``dependencies`` are task numbers of the same goal.

    A lease (``lease_*``) keeps a task for one agent of one principal until it expires.
    """

    PREFIX: ClassVar[str] = "TASK"

    goal = models.ForeignKey(Goal, on_delete=models.CASCADE, related_name="tasks", editable=False)
    number = models.PositiveBigIntegerField()
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    description = models.TextField()
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.MEDIUM)
    status = models.CharField(max_length=12, choices=STATES, default=State.PENDING)
    estimate = models.FloatField(null=True)
    dependencies = models.JSONField(default=list)
    result = models.JSONField(null=True)
    links = models.JSONField(default=list)
    lease_principal = models.UUIDField(null=True)
    lease_agent = models.CharField(max_length=80, blank=True, default="")
    lease_expires_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(ConnectionModel.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["connection", "number"], name="one_task_per_number")]
        indexes = [
            # What get_next_tasks asks for: the open tasks of a connection.
            models.Index(
                fields=["connection", "status"],
                name="open_tasks_of_a_connection",
                condition=Q(status__in=["ready", "in_progress"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.title}"

    @property
    def public_id(self) -> str:
        """The id that clients know."""
        return public_id(self.PREFIX, self.number)


class TaskNote(ConnectionModel):
    """A remark on a task; notes are added, never changed."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="notes", editable=False)
    text = models.TextField()
    author = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()

    class Meta(ConnectionModel.Meta):
        abstract = False
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["connection"], name="notes_of_a_connection")]

    def __str__(self) -> str:
        return self.text[:60]


def public_id(prefix: str, number: int) -> str:
    """``GOAL-0001``: four digits and more."""
    return f"{prefix}-{number:04d}"
