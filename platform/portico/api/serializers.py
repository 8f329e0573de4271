"""The shapes of the API's requests and answers."""

from typing import Any

from rest_framework import serializers

from audit.models import AuditEvent, from_us
from connectors.models import Connection, Endpoint, ToolPermission
from connectors.services import credential_warnings
from portico.access import endpoint_url, mcp_url
from tenants.models import AccessKey, Invitation, Principal, Tenant
from tenants.principals import Role

ROLES = [(role.value, role.value.title()) for role in Role]


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    """A tenant as it is shown."""

    mcp_url = serializers.SerializerMethodField()

    class Meta:
        model = Tenant
        fields = [
            "id", "slug", "name", "time_zone", "status", "read_only", "sse_enabled", "deferred_tools",
            "audit_retention_days", "audit_legal_hold", "version", "created_at", "mcp_url",
        ]  # fmt: skip

    def get_mcp_url(self, row: Tenant) -> str:
        """Where MCP clients connect."""
        return mcp_url(row.slug)


class TenantWrite(serializers.Serializer[Any]):
    """What may be said of a tenant; the slug comes from the path with PUT."""

    slug = serializers.CharField(max_length=40, required=False)
    name = serializers.CharField(max_length=120, required=False)
    time_zone = serializers.CharField(max_length=64, required=False)
    read_only = serializers.BooleanField(required=False)  # type: ignore[assignment]
    sse_enabled = serializers.BooleanField(required=False)
    deferred_tools = serializers.BooleanField(
        required=False, help_text="List two tools, one to search the others and one to call them."
    )
    audit_retention_days = serializers.IntegerField(min_value=0, max_value=36500, required=False)
    audit_legal_hold = serializers.BooleanField(required=False)


class PrincipalSerializer(serializers.ModelSerializer[Principal]):
    """A member or a service account."""

    name = serializers.CharField(source="display_name", read_only=True)

    class Meta:
        model = Principal
        fields = ["id", "kind", "name", "role", "created_at"]


class MembershipWrite(serializers.Serializer[Any]):
    """A user, by user name, with a role."""

    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=ROLES)


class RoleWrite(serializers.Serializer[Any]):
    """A change of role."""

    role = serializers.ChoiceField(choices=ROLES)


class ServiceAccountWrite(serializers.Serializer[Any]):
    """A program's name and role."""

    name = serializers.CharField(max_length=80)
    role = serializers.ChoiceField(choices=ROLES, default=Role.OPERATOR.value)


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    """An open or accepted invitation; its link is shown only when it is made."""

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "expires_at", "accepted_at", "created_at"]


class InvitationWrite(serializers.Serializer[Any]):
    """Whom to invite, as what."""

    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=ROLES)


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    """A connection; its secrets are never part of it."""

    credential_set = serializers.SerializerMethodField()
    health = serializers.SerializerMethodField()
    hidden_tools = serializers.DictField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Tools that the credential may not use, with the right that each lacks, by the last good test.",
    )

    class Meta:
        model = Connection
        fields = [
            "id", "connector", "slug", "name", "settings", "credential_mode", "credential_set", "enabled",
            "read_only", "caller_token", "network", "cache", "probe_minutes", "is_primary", "version",
            "created_at", "health", "hidden_tools",
        ]  # fmt: skip

    def get_credential_set(self, row: Connection) -> bool:
        """Whether a credential for everybody is stored."""
        return any(c.principal_id is None for c in row.credentials.all())

    def get_health(self, row: Connection) -> dict[str, Any] | None:
        """The last test's answer."""
        check = getattr(row, "health", None)
        if check is None or not check.tested:
            return None
        return {
            "state": check.state,
            "ok": check.ok,
            "message": check.message,
            "latency_ms": check.latency_ms,
            "checked_at": check.checked_at,
        }


class StoredConnectionSerializer(ConnectionSerializer):
    """A connection that was just stored, with what is odd about its credential."""

    credential_warnings = serializers.SerializerMethodField()

    class Meta(ConnectionSerializer.Meta):
        fields = [*ConnectionSerializer.Meta.fields, "credential_warnings"]

    def get_credential_warnings(self, row: Connection) -> list[str]:
        """What the connector finds odd about the stored credential; it is used all the same."""
        return credential_warnings(row)


class ConnectionWrite(serializers.Serializer[Any]):
    """What may be said of a connection. ``credential`` is write-only."""

    connector = serializers.CharField(max_length=40, required=False)
    slug = serializers.CharField(max_length=14, required=False)
    name = serializers.CharField(max_length=80, required=False, allow_blank=True)
    settings = serializers.DictField(required=False)
    credential_mode = serializers.ChoiceField(choices=Connection.CredentialMode.choices, required=False)
    credential = serializers.DictField(required=False, write_only=True)
    enabled = serializers.BooleanField(required=False)
    read_only = serializers.BooleanField(required=False)  # type: ignore[assignment]
    caller_token = serializers.BooleanField(
        required=False, help_text="Callers may bring the system's own token in a header X-<slug>-Token."
    )
    network = serializers.DictField(
        required=False,
        help_text="Timeouts, repetitions, pool, certificate authority; the rest has its default.",
    )
    cache = serializers.DictField(
        required=False, help_text="enabled, ttl_s and tools (seconds per tool) of the kept results."
    )
    probe_minutes = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=1440,
        help_text="Minutes between two health probes; 0 probes never.",
    )


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    """A named endpoint with its URL."""

    toolsets = serializers.ListField(child=serializers.CharField())
    include = serializers.ListField(child=serializers.CharField())
    mcp_url = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = [
            "id", "slug", "name", "toolsets", "include", "read_only", "deferred", "enabled", "created_at",
            "mcp_url",
        ]  # fmt: skip

    def get_mcp_url(self, row: Endpoint) -> str:
        """Where MCP clients connect."""
        return endpoint_url(row.tenant.slug, row.slug)


class EndpointWrite(serializers.Serializer[Any]):
    """What may be said of a named endpoint; both lists empty means everything."""

    slug = serializers.CharField(max_length=40, required=False)
    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    toolsets = serializers.ListField(
        child=serializers.CharField(max_length=80),
        required=False,
        help_text="Connections, connectors (their first connection) or connection:toolset.",
    )
    include = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, help_text="Patterns connection:tool."
    )
    read_only = serializers.BooleanField(required=False)  # type: ignore[assignment]
    deferred = serializers.BooleanField(required=False)
    enabled = serializers.BooleanField(required=False)


class CredentialWrite(serializers.Serializer[Any]):
    """The fields of the connector's credential; empty ones keep what is stored."""

    values = serializers.DictField(write_only=True)


class CredentialState(serializers.Serializer[Any]):
    """Which fields are stored, never their values."""

    fields_set = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(
        child=serializers.CharField(),
        help_text="What the connector finds odd: a token of an unknown form, its near end. It is used all the same.",
    )


class SwitchWrite(serializers.Serializer[Any]):
    """On, off, or null for the default."""

    enabled = serializers.BooleanField(allow_null=True)


class ToolSerializer(serializers.Serializer[Any]):
    """A tool of a connection with its switch."""

    name = serializers.CharField()
    exposed_name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    toolset = serializers.CharField()
    hint = serializers.CharField()
    enabled = serializers.BooleanField()
    input_schema = serializers.DictField()


class PermissionSerializer(serializers.ModelSerializer[ToolPermission]):
    """What a role may use."""

    allow = serializers.ListField(child=serializers.CharField(max_length=100), required=False, default=list)
    deny = serializers.ListField(child=serializers.CharField(max_length=100), required=False, default=list)
    confirm = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        help_text="Tools whose calls the person behind the client must agree to; left as it is where absent.",
    )

    class Meta:
        model = ToolPermission
        fields = ["role", "allow", "deny", "confirm"]
        read_only_fields = ["role"]


class AccessKeySerializer(serializers.ModelSerializer[AccessKey]):
    """An access key; its secret is shown only when it is made."""

    principal = PrincipalSerializer(read_only=True)

    class Meta:
        model = AccessKey
        fields = [
            "id", "name", "principal", "allow", "deny", "read_only", "networks", "expires_at", "revoked_at",
            "last_used_at", "created_at",
        ]  # fmt: skip


class AccessKeyWrite(serializers.Serializer[Any]):
    """A key for a principal by id, or for a service account that is made if it does not exist."""

    name = serializers.CharField(max_length=80)
    principal = serializers.UUIDField(required=False)
    service_account = serializers.CharField(max_length=80, required=False)
    role = serializers.ChoiceField(choices=ROLES, required=False)
    allow = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    deny = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    read_only = serializers.BooleanField(required=False)  # type: ignore[assignment]
    networks = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class AccessKeyChange(serializers.Serializer[Any]):
    """What may change of a key."""

    name = serializers.CharField(max_length=80, required=False)
    allow = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    deny = serializers.ListField(child=serializers.CharField(max_length=100), required=False)
    read_only = serializers.BooleanField(required=False)  # type: ignore[assignment]
    networks = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class NewAccessKey(AccessKeySerializer):
    """A key just made, with the secret that is never shown again."""

    secret = serializers.CharField()

    class Meta(AccessKeySerializer.Meta):
        fields = [*AccessKeySerializer.Meta.fields, "secret"]


class AuditSerializer(serializers.ModelSerializer[AuditEvent]):
    """An audit event."""

    at = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = [
            "seq", "at", "kind", "phase", "call_id", "principal_id", "principal_kind", "principal_name",
            "actor_id", "actor_name", "key_id", "via", "client_name", "client_version", "connection", "name",
            "arguments", "outcome", "error_type", "message", "duration_us", "cache", "upstream_status",
            "request_id", "trace_id", "address", "count", "hash",
        ]  # fmt: skip

    def get_at(self, row: AuditEvent) -> str:
        """When, in UTC."""
        return from_us(row.at_us).isoformat()


class CallWrite(serializers.Serializer[Any]):
    """A tool call. ``tenant`` is needed only by callers of several tenants at ``/api/call-tool``."""

    name = serializers.CharField(max_length=200)
    arguments = serializers.DictField(required=False, default=dict)
    tenant = serializers.CharField(max_length=40, required=False)
    confirm = serializers.BooleanField(
        required=False,
        default=False,
        help_text="That the person agreed to this very call; tools that demand it refuse without.",
    )


class CallResult(serializers.Serializer[Any]):
    """A tool's answer as MCP words it."""

    content = serializers.ListField(child=serializers.DictField())
    structured_content = serializers.JSONField(allow_null=True)
    is_error = serializers.BooleanField()
    meta = serializers.DictField()  # what MCP has in _meta: whether a kept result answered, and its age
    request_id = serializers.CharField()


class CheckSerializer(serializers.Serializer[Any]):
    """What a connection's test found."""

    ok = serializers.BooleanField()
    message = serializers.CharField()
    details = serializers.DictField()


class ConnectorTypeSerializer(serializers.Serializer[Any]):
    """A connector that tenants can be connected to, with the JSON Schemas of its forms."""

    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    version = serializers.CharField()
    built_in = serializers.BooleanField()
    settings_schema = serializers.DictField()
    credential_schema = serializers.DictField(allow_null=True)
    tools = serializers.ListField(child=serializers.DictField())
