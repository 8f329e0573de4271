"""What happened, in rows that are only ever added, each chained to the one before it."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models

from audit.events import chain_of
from common.models import TenantQuerySet

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AuditEventQuerySet(TenantQuerySet["AuditEvent"]):
    """Events of one tenant, found by the chain that they stand in."""

    def for_tenant(self, tenant: Any) -> Self:
        """Narrow to one tenant (an instance, its id, or None for the platform) and to its chain.

        The chain's numbers are the only index by tenant, so that a row moves few pages.
        """
        return super().for_tenant(tenant).filter(chain=chain_of(tenant))

    def for_calls(self, tenant: Any, call_ids: Collection[str]) -> Self:
        """A tenant's events of some calls, by the index of calls.

        Not by chain as well: SQLite would then walk the whole chain for one call.
        """
        return super().for_tenant(tenant).filter(call_id__in=call_ids)


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
    # Without a constraint in the database: the head carries it, once per chain instead of once per row.
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.DO_NOTHING,  # the head protects, without a look at every row
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        editable=False,
    )
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
    arguments = models.TextField(default="")  # JSON after redaction, cut; enters the hash by its keyed digest
    arguments_digest = models.CharField(max_length=64, default="")
    outcome = models.CharField(max_length=12, default="")  # see audit.events; an attempt: started
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
    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(AuditEventQuerySet)()

    class Meta:
        default_manager_name = "unscoped"
        base_manager_name = "unscoped"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "seq"], name="audit_seq_per_chain"),
        ]
        indexes = [
            models.Index(fields=["call_id"], name="audit_by_call"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.outcome}"

    @property
    def at(self) -> datetime:
        """When it happened, UTC."""
        return from_us(self.at_us)

    @property
    def duration_ms(self) -> float:
        """How long it took, in milliseconds."""
        return self.duration_us / 1000

    @property
    def arguments_erased(self) -> bool:
        """Whether there were arguments that have been erased since."""
        return not self.arguments and bool(self.arguments_digest)


class AuditHead(models.Model):
    """The end of a chain: the number and hash of its last row, under a seal of its own.

    Writers lock it, so that the rows of one chain are numbered by one process at a time.
    """

    chain = models.CharField(primary_key=True, max_length=32)
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")
    key_ring_id = models.CharField(max_length=16, default="")
    mac = models.CharField(max_length=64, default="")

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        default_manager_name = "unscoped"
        base_manager_name = "unscoped"

    def __str__(self) -> str:
        return f"{self.chain} at {self.seq}"


class AuditCheckpoint(models.Model):
    """A signed copy of a head, made every hour and written to the log as well."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    chain = models.CharField(max_length=32)
    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    at_us = models.BigIntegerField()
    key_ring_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=64)

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        default_manager_name = "unscoped"
        base_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="audit_checkpoint_per_seq")]

    def __str__(self) -> str:
        return f"{self.chain} at {self.seq}"


class AuditAnchor(models.Model):
    """Where a chain begins after retention took a prefix: the signed end of what was removed."""

    chain = models.CharField(primary_key=True, max_length=32)
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    at_us = models.BigIntegerField()
    removed = models.BigIntegerField(default=0)
    key_ring_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=64)

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        default_manager_name = "unscoped"
        base_manager_name = "unscoped"

    def __str__(self) -> str:
        return f"{self.chain} from {self.seq}"


class AuditArchive(models.Model):
    """The chain of a tenant that was deleted, as a file under ``audit-archive/`` and its signed summary."""

    id = models.BigAutoField(primary_key=True)
    chain = models.CharField(max_length=32)
    tenant_slug = models.CharField(max_length=40)
    tenant_name = models.CharField(max_length=120)
    file = models.CharField(max_length=200)  # relative to settings.VAR
    rows = models.BigIntegerField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    last_hash = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)  # SHA-256 of the file
    at_us = models.BigIntegerField()
    key_ring_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.tenant_slug}: {self.rows} events"


def from_us(at_us: int) -> datetime:
    """A moment from integer microseconds since 1970, exactly."""
    return _EPOCH + timedelta(microseconds=at_us)


def to_us(moment: datetime) -> int:
    """Integer microseconds since 1970 of an aware moment, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
