"""Tenants, their principals and the keys that principals present."""

import secrets
import uuid
import zoneinfo
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from common.models import TenantModel, TenantQuerySet
from tenants.principals import PrincipalKind, Role, TenantRef

TENANT_SLUG = r"^[a-z][a-z0-9-]{1,38}[a-z0-9]\Z"


def validate_time_zone(value: str) -> None:
    """Refuse a name that the time zone database does not know."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(f"{value!r} is no time zone; write a name such as Europe/Berlin or UTC.")


class Tenant(models.Model):
    """A team or customer: the wall around connections, members, keys, data and audit."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.CharField(
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(TENANT_SLUG, "Write 3 to 40 small letters, digits and hyphens, a letter first.")
        ],
        help_text="Part of the tenant's MCP URL, /t/<slug>/mcp; it cannot be changed later.",
    )
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    read_only = models.BooleanField(
        default=False, help_text="No tool that writes can be listed or called, whatever the role."
    )
    deferred_tools = models.BooleanField(
        default=False,
        help_text="List two tools, one to search all others and one to call them; for tenants with many tools.",
    )
    sse_enabled = models.BooleanField(
        "HTTP+SSE transport",
        default=True,
        help_text="Serve the deprecated transport at /t/<slug>/sse, for clients that know nothing newer.",
    )
    # Bumped with every change of the tenant's configuration, in the same transaction.
    version = models.PositiveBigIntegerField(default=1, editable=False)
    # Database time of the last bump: what workers poll to learn which tenants changed.
    changed_at = models.DateTimeField(db_default=Now(), editable=False, db_index=True)
    # The tenant's data key, wrapped by the key ring; destroying it shreds the tenant's secrets.
    wrapped_data_key = models.BinaryField(default=bytes, editable=False)
    audit_retention_days = models.PositiveIntegerField(
        default=365, help_text="Audit events older than this are removed; 0 keeps them for ever."
    )
    audit_legal_hold = models.BooleanField(default=False, help_text="While set, no audit event is removed.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    def ref(self) -> TenantRef:
        """The tenant as a plain value."""
        return TenantRef(
            self.id,
            self.slug,
            self.name,
            self.time_zone,
            self.read_only,
            self.deferred_tools,
            self.sse_enabled,
        )


class Principal(TenantModel):
    """Somebody or something that acts in a tenant: a person's membership or a service account.

    One table, so that keys, credentials and leases point at one thing; the proxies
    :class:`Membership` and :class:`ServiceAccount` are its two faces.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="principals", editable=False)
    kind = models.CharField(
        max_length=16, choices=[(k.value, k.value) for k in PrincipalKind], editable=False
    )
    role = models.CharField(max_length=10, choices=[(r.value, r.value.title()) for r in Role])
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="memberships"
    )
    name = models.CharField(
        max_length=80, blank=True, help_text="Of a service account; a member has its user's."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="one_membership_per_user"),
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=Q(kind="service_account"),
                name="one_service_account_per_name",
            ),
            models.CheckConstraint(
                condition=Q(kind="membership", user__isnull=False)
                | Q(kind="service_account", user__isnull=True),
                name="principal_is_a_person_or_a_program",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The person's user name, or the service account's name."""
        return self.user.get_username() if self.user is not None else self.name


class _UnscopedKind(models.Manager[Any]):
    def __init__(self, kind: PrincipalKind | None = None) -> None:
        super().__init__()
        self.kind = kind

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(kind=self.kind)


class _ScopedKind(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    def __init__(self, kind: PrincipalKind | None = None) -> None:
        super().__init__()
        self.kind = kind

    def get_queryset(self) -> TenantQuerySet[Any]:
        return super().get_queryset().filter(kind=self.kind)


class Membership(Principal):
    """A person in a tenant with a role."""

    unscoped: ClassVar[Any] = _UnscopedKind(PrincipalKind.MEMBERSHIP)
    objects: ClassVar[Any] = _ScopedKind(PrincipalKind.MEMBERSHIP)

    class Meta(TenantModel.Meta):
        proxy = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store with the kind that makes it a membership."""
        self.kind = PrincipalKind.MEMBERSHIP
        super().save(*args, **kwargs)


class ServiceAccount(Principal):
    """A program in a tenant with a role."""

    unscoped: ClassVar[Any] = _UnscopedKind(PrincipalKind.SERVICE_ACCOUNT)
    objects: ClassVar[Any] = _ScopedKind(PrincipalKind.SERVICE_ACCOUNT)

    class Meta(TenantModel.Meta):
        proxy = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store with the kind that makes it a service account."""
        self.kind = PrincipalKind.SERVICE_ACCOUNT
        super().save(*args, **kwargs)


class Invitation(TenantModel):
    """An offer of membership, accepted with a link that is shown once."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="invitations", editable=False)
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=[(r.value, r.value.title()) for r in Role])
    digest = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


def _new_key_id() -> str:
    return secrets.token_hex(6)


class AccessKey(models.Model):
    """What a client presents: ``ptc_<id>_<random>``, of which only a digest is stored."""

    id = models.CharField(primary_key=True, max_length=12, default=_new_key_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="access_keys", editable=False)
    principal = models.ForeignKey(Principal, on_delete=models.CASCADE, related_name="access_keys")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, editable=False)
    allow = models.JSONField(default=list, blank=True)
    deny = models.JSONField(default=list, blank=True)
    read_only = models.BooleanField(default=False)
    networks = models.JSONField(
        default=list, blank=True, help_text="CIDR blocks; empty allows every address."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(TenantQuerySet)()

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (ptc_{self.id}_…)"

    @property
    def is_live(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class ApiToken(models.Model):
    """What a script presents to the REST API in a user's name: ``pta_<id>_<random>``.

    It can do what its user can, narrowed to some tenants and to reading where it says so.
    Only a digest is stored, as with access keys.
    """

    id = models.CharField(primary_key=True, max_length=12, default=_new_key_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, editable=False)
    tenants = models.ManyToManyField(
        Tenant, blank=True, related_name="+", help_text="Only these; none means all that the user may see."
    )
    read_only = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (pta_{self.id}_…)"


class IdempotentReply(models.Model):
    """The answer to a POST that carried an ``Idempotency-Key``, for giving it again for a day.

    ``owner`` is the principal or user that asked; ``digest`` is of the request, so that the
    same key with another request is an error. The body is encrypted: it may show a new secret.
    """

    id = models.BigAutoField(primary_key=True)
    owner = models.CharField(max_length=80)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_reply_per_key")]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"
