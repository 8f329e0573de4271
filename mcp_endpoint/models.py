"""The endpoint's one table: calls that became durable tasks."""

from typing import Any

from django.db import models

from common.models import TenantModel
from tenants.models import Principal, Tenant


class Task(TenantModel):
    """A tool's call that is worked off in the background; its id is the task's id on the wire.

    It is bound to tenant and principal. Arguments, questions, answers and the result are
    encrypted under the tenant's data key. ``run`` names the worker's run that owns a started
    task, ``beat_at`` when it last said that it lives; a task without ``run`` waits for a
    worker (or, ``input_required``, for its client).
    """

    class Status(models.TextChoices):
        """The protocol's words."""

        WORKING = "working"
        INPUT_REQUIRED = "input_required"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    principal = models.ForeignKey(Principal, on_delete=models.CASCADE, related_name="+")
    key_id = models.CharField(max_length=12)
    address = models.CharField(max_length=64, blank=True)
    client_name = models.CharField(max_length=64, blank=True)
    client_version = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    trace_id = models.CharField(max_length=32, blank=True)

    connection = models.CharField(max_length=14)
    tool = models.CharField(max_length=128)
    called_as = models.CharField(max_length=128)  # the exposed name or alias
    writes = models.BooleanField()
    # What the client that made the call declared; nothing else is asked of it.
    abilities: Any = models.JSONField(default=dict)
    payload = models.BinaryField()  # arguments and answers so far
    questions = models.BinaryField(default=bytes)  # those that wait for their answers
    outcome = models.BinaryField(default=bytes)  # the result, or the JSON-RPC error

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WORKING)
    message = models.CharField(max_length=500, blank=True)
    cancelling = models.BooleanField(default=False)
    run = models.UUIDField(null=True)
    runs = models.PositiveSmallIntegerField(default=0)
    beat_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="tasks_by_status"),
            models.Index(fields=["status", "updated_at"], name="tasks_to_tend"),
            models.Index(fields=["expires_at"], name="tasks_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.tool} ({self.status})"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED


ENDED = (Task.Status.COMPLETED, Task.Status.FAILED, Task.Status.CANCELLED)
OPEN = (Task.Status.WORKING, Task.Status.INPUT_REQUIRED)
