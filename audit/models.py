"""What happened, in rows that are only ever added, each chained to the one before it."""

from typing import Any, ClassVar

from django.db import models

from common.models import TenantQuerySet


class AuditEvent(models.Model):
    """One thing that happened in a tenant (or on the platform, where ``tenant`` is null).

    A call of a tool that writes has two rows with one ``call_id``: the attempt and the
    completion. ``seq`` numbers a tenant's rows without a gap; ``hash`` is an HMAC over the
    row's canonical bytes and the hash before it. Times are integers of microseconds since
    1970 (UTC), so that they hash the same in every database.
    """

    class Kind(models.TextChoices):
        CALL = "call"  # tools/call
        READ = "read"  # resources/read
        PROMPT = "prompt"  # prompts/get
        DENIAL = "denial"  # an authenticated caller was refused
        AUTH = "auth"  # failed authentication, one row per address, key, reason and minute
        CONFIG = "config"  # a configuration change, with before and after
        SIGN_IN = "sign_in"  # somebody entered or left the admin
        SYSTEM = "system"  # retention, export, key rotation, archive

    class Phase(models.TextChoices):
        ATTEMPT = "attempt"
        DONE = "done"

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    chain = models.CharField(max_length=32)  # the tenant's id in hex, or "platform"
    seq = models.BigIntegerField()
    at_us = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    phase = models.CharField(max_length=8, choices=Phase.choices, default=Phase.DONE)
    call_id = models.CharField(max_length=36)
    principal_id = models.CharField(max_length=36, default="")
    principal_kind = models.CharField(max_length=16, default="")
    principal_name = models.CharField(max_length=150, default="")
    actor_id = models.CharField(max_length=36, default="")  # who really acts, where it is not the principal
    actor_name = models.CharField(max_length=150, default="")
    key_id = models.CharField(max_length=12, default="")
    via = models.CharField(max_length=8, default="")
    client_name = models.CharField(max_length=64, default="")
    client_version = models.CharField(max_length=64, default="")
    connection = models.CharField(max_length=32, default="")
    name = models.CharField(max_length=200, default="")  # tool, resource URI, prompt, or the changed object
    arguments = models.TextField(default="")  # JSON after redaction, cut; enters the hash by its digest
    arguments_digest = models.CharField(max_length=64, default="")
    outcome = models.CharField(max_length=12, default="")  # ok, error, denied, cancelled, started
    error_type = models.CharField(max_length=20, default="")
    message = models.CharField(max_length=500, default="")
    duration_us = models.BigIntegerField(default=0)
    cache = models.CharField(max_length=6, default="")
    upstream_status = models.IntegerField(default=0)
    request_id = models.CharField(max_length=64, default="")
    trace_id = models.CharField(max_length=64, default="")
    address = models.CharField(max_length=45, default="")
    count = models.IntegerField(default=1)
    schema = models.SmallIntegerField(default=1)
    key_ring_id = models.CharField(max_length=16, default="")
    hash = models.CharField(max_length=64, default="")

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        default_manager_name = "unscoped"
        base_manager_name = "unscoped"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "seq"], name="audit_seq_per_chain"),
        ]
        indexes = [
            models.Index(fields=["tenant", "at_us"], name="audit_by_time"),
            models.Index(fields=["call_id"], name="audit_by_call"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.outcome}"
