"""Connections of a tenant to systems."""

from typing import Any

from asgiref.sync import async_to_sync
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors import services
from connectors.models import Connection
from portico.api.idempotency import idempotent
from portico.api.views import View, one, queried, said
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Role


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
        return services.credential_warnings(row)


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


class CheckSerializer(serializers.Serializer[Any]):
    """What a connection's test found."""

    ok = serializers.BooleanField()
    message = serializers.CharField()
    details = serializers.DictField()


class ConnectionView(View):
    """Shared by the views of one connection."""

    def rows(self, tenant: Tenant) -> Any:
        """A tenant's connections with what is shown of them."""
        return Connection.objects.for_tenant(tenant).select_related("health").prefetch_related("credentials")

    def connection(self, slug: str, name: str, at_least: Role = Role.ADMIN) -> Connection:
        """The connection of the path."""
        found: Connection = one(self.rows(self.tenant(slug, at_least)), slug=name)
        return found

    def shown(self, row: Connection, status: int = 200) -> Response:
        """A connection as it was just stored."""
        fresh = one(self.rows(row.tenant), pk=row.pk)
        return Response(StoredConnectionSerializer(fresh).data, status=status)

    def create(self, tenant: Tenant, slug: str, values: dict[str, Any]) -> Connection:
        """Make a connection from the API's words."""
        connector = values.pop("connector", "") or ""
        if not connector:
            raise InvalidValue(
                "Write which connector to use; GET /api/v1/connector-types lists them.", "connector"
            )
        return services.connection_create(
            tenant=tenant, connector=connector, slug=slug, actor=self.access().actor, **values
        )


class Connections(ConnectionView):
    """The connections of a tenant."""

    @extend_schema(operation_id="connections_list", responses=ConnectionSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List connections."""
        rows = self.rows(self.tenant(slug, Role.ADMIN)).order_by("slug")
        if connector := queried(request, "connector"):
            rows = rows.filter(connector=connector)
        return self.page(rows, ConnectionSerializer)

    @extend_schema(
        operation_id="connections_create",
        request=ConnectionWrite,
        responses={201: StoredConnectionSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Connect a system."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(ConnectionWrite, request)
        name = values.pop("slug", None) or values.get("connector", "")
        return self.shown(self.create(tenant, name, values), 201)


class ConnectionDetail(ConnectionView):
    """One connection."""

    @extend_schema(operation_id="connections_get", responses=ConnectionSerializer)
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Show a connection."""
        return Response(ConnectionSerializer(self.connection(slug, name)).data)

    @extend_schema(
        operation_id="connections_put",
        request=ConnectionWrite,
        responses={200: StoredConnectionSerializer, 201: StoredConnectionSerializer},
    )
    def put(self, request: Request, slug: str, name: str) -> Response:
        """Create or update a connection by its slug; doing it again changes nothing."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(ConnectionWrite, request)
        if values.pop("slug", name) != name:
            raise InvalidValue("The slug in the body differs from the one in the path.", "slug")
        row = self.rows(tenant).filter(slug=name).first()
        if row is None:
            return self.shown(self.create(tenant, name, values), 201)
        return self._update(row, values)

    @extend_schema(
        operation_id="connections_patch",
        request=ConnectionWrite,
        responses=StoredConnectionSerializer,
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:
        """Change a connection."""
        return self._update(self.connection(slug, name), said(ConnectionWrite, request))

    @extend_schema(operation_id="connections_delete", responses={204: None})
    def delete(self, request: Request, slug: str, name: str) -> Response:
        """Remove a connection with its credentials and data."""
        services.connection_delete(self.connection(slug, name), actor=self.access().actor)
        return Response(status=204)

    def _update(self, row: Connection, values: dict[str, Any]) -> Response:
        if values.pop("connector", row.connector) != row.connector:
            raise InvalidValue(
                "A connection's connector cannot change; make another connection.", "connector"
            )
        if values.pop("slug", row.slug) != row.slug:
            raise InvalidValue("A connection's slug cannot change.", "slug")
        credential = values.pop("credential", None)
        with transaction.atomic():  # a credential that is refused leaves the rest as it was, too
            row = services.connection_update(row, actor=self.access().actor, **values)
            if credential:
                services.credential_set(row, credential, actor=self.access().actor)
        return self.shown(row)


class ConnectionCheck(ConnectionView):
    """Testing a connection."""

    @extend_schema(operation_id="connections_check", request=None, responses=CheckSerializer)
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Test the connection now."""
        row = self.connection(slug, name)
        result = async_to_sync(services.connection_check)(row, caller=self.access().caller)
        return Response({"ok": result.ok, "message": result.message, "details": dict(result.details)})
