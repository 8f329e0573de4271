"""What a tenant configured: connections, their credentials, switches and rules, and files tools made."""

from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from common.models import TenantModel
from tenants.models import Principal, Tenant
from tenants.principals import Role

CONNECTION_SLUG = r"^[a-z][a-z0-9]{1,13}$"


class Connection(TenantModel):
    """A tenant's configured connector.

    ``is_primary`` is set for the first connection of a connector in its tenant and never
    moves: the primary exposes bare tool names, later ones ``<slug>__<tool>``, so that adding
    a second renames nothing.
    """

    class CredentialMode(models.TextChoices):
        NONE = "none", "None: the connector needs none, or the caller brings it"
        SHARED = "shared", "Shared: one credential for all members"
        PRINCIPAL = "principal", "Personal: each member connects their own account"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="connections", editable=False)
    connector = models.CharField(max_length=40, help_text="The connector's slug.")
    slug = models.CharField(
        max_length=14,
        validators=[RegexValidator(CONNECTION_SLUG, "2 to 14 small letters and digits, a letter first.")],
        help_text="Names the connection in patterns and, from the second of a connector on, in tool names.",
    )
    name = models.CharField(max_length=80)
    settings = models.JSONField(default=dict, blank=True)
    credential_mode = models.CharField(
        max_length=10, choices=CredentialMode.choices, default=CredentialMode.NONE
    )
    enabled = models.BooleanField(default=True)
    read_only = models.BooleanField(
        default=False, help_text="Tools that write are neither listed nor called."
    )
    caller_token = models.BooleanField(
        default=False,
        help_text="Callers may bring the system's own token in a header; it serves that request alone.",
    )
    # connectors.connection_settings.NetworkSettings and CacheSettings; what is left out has its default.
    network = models.JSONField(default=dict, blank=True)
    cache = models.JSONField(default=dict, blank=True)
    probe_minutes = models.PositiveSmallIntegerField(
        default=5, help_text="Minutes between two health probes; 0 probes never."
    )
    is_primary = models.BooleanField(default=False, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    # The tools that the connector had when it was connected: later ones that write start off.
    seen_tools = models.JSONField(default=list, editable=False)
    # Tools that the stored credential may not use, with the right each lacks, as the last good test found.
    hidden_tools = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="one_connection_per_slug"),
            models.UniqueConstraint(
                fields=["tenant", "connector"], condition=Q(is_primary=True), name="one_primary_per_connector"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Credential(TenantModel):
    """The secrets of a connection: shared (no principal) or of one principal.

    ``ciphertext`` is JSON, encrypted with the tenant's data key and bound to this row. Kind
    "settings" is what people enter, "token" what was got from the system with it; a token is
    renewed by whoever holds the row's lease, which is its version until ``leased_until``.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="credentials")
    principal = models.ForeignKey(
        Principal, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    kind = models.CharField(max_length=20, default="settings")
    version = models.PositiveIntegerField(default=1, editable=False)
    ciphertext = models.BinaryField(editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind"],
                condition=Q(principal__isnull=True),
                name="one_shared_credential",
            ),
            models.UniqueConstraint(
                fields=["connection", "principal", "kind"],
                condition=Q(principal__isnull=False),
                name="one_credential_per_principal",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(kind="token"), name="tokens_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"credential of {self.connection_id}"

    def __repr__(self) -> str:
        return f"<Credential {self.pk}>"


class ToolSwitch(TenantModel):
    """One toolset or one tool of a connection, switched on or off against its default."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="switches")
    toolset = models.CharField(max_length=40, blank=True, default="")
    tool = models.CharField(max_length=48, blank=True, default="")
    enabled = models.BooleanField()

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["connection", "toolset", "tool"], name="one_switch_per_target"),
            models.CheckConstraint(
                condition=(Q(toolset="") & ~Q(tool="")) | (~Q(toolset="") & Q(tool="")),
                name="switch_is_of_a_toolset_or_a_tool",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.toolset or self.tool}: {'on' if self.enabled else 'off'}"


class ToolPermission(TenantModel):
    """What a role may use in a tenant, as patterns ``connection:tool`` (``*`` in either half).

    No row, or an empty ``allow``, means all that the role's rank permits; ``deny`` wins.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="tool_permissions", editable=False
    )
    role = models.CharField(max_length=10, choices=[(r.value, r.value.title()) for r in Role])
    allow: Any = models.JSONField(default=list, blank=True)
    deny: Any = models.JSONField(default=list, blank=True)
    # Tools that run only after the person behind the client has agreed.
    confirm: Any = models.JSONField(default=list, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "role"], name="one_rule_per_role")]

    def __str__(self) -> str:
        return f"{self.role}"


class Endpoint(TenantModel):
    """A named selection of a tenant's tools with a URL of its own: ``/t/<tenant>/e/<slug>/mcp``.

    ``include`` are patterns ``connection:tool`` (``*`` in either half), ``toolsets`` names of
    connections or ``connection:toolset``; both empty means everything. It only narrows what a
    caller may use anyway.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="endpoints", editable=False)
    slug = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    toolsets: Any = models.JSONField(default=list, blank=True)
    include: Any = models.JSONField(default=list, blank=True)
    read_only = models.BooleanField(default=False, help_text="Only tools that read.")
    deferred = models.BooleanField(
        default=False, help_text="List two tools, one to search the others and one to call them."
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="one_endpoint_per_slug")]

    def __str__(self) -> str:
        return self.name


class Artifact(TenantModel):
    """A file that a tool made, kept for a day and readable by its tenant alone."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    principal = models.ForeignKey(Principal, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=200)
    mime_type = models.CharField(max_length=100)
    digest = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    data = models.BinaryField()
    expires_at = models.DateTimeField(db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.name
