"""Connections, their credentials and tool switches, and the connectors there are."""

from typing import Any

from asgiref.sync import async_to_sync
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from connectors import services
from connectors.base import Connector
from connectors.models import Connection
from connectors.registry import UnknownConnectorError, connector_class, connector_slugs
from connectors.snapshot import load
from portico.api import serializers as shapes
from portico.api.errors import Problem
from portico.api.idempotency import idempotent
from portico.api.views import View, one, said
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Role


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
        return Response(shapes.StoredConnectionSerializer(fresh).data, status=status)

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

    @extend_schema(operation_id="connections_list", responses=shapes.ConnectionSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List connections."""
        rows = self.rows(self.tenant(slug, Role.ADMIN)).order_by("slug")
        if connector := request.query_params.get("connector"):
            rows = rows.filter(connector=connector)
        return self.page(rows, shapes.ConnectionSerializer)

    @extend_schema(
        operation_id="connections_create",
        request=shapes.ConnectionWrite,
        responses={201: shapes.StoredConnectionSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Connect a system."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(shapes.ConnectionWrite, request)
        name = values.pop("slug", None) or values.get("connector", "")
        return self.shown(self.create(tenant, name, values), 201)


class ConnectionDetail(ConnectionView):
    """One connection."""

    @extend_schema(operation_id="connections_get", responses=shapes.ConnectionSerializer)
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Show a connection."""
        return Response(shapes.ConnectionSerializer(self.connection(slug, name)).data)

    @extend_schema(
        operation_id="connections_put",
        request=shapes.ConnectionWrite,
        responses=shapes.StoredConnectionSerializer,
    )
    def put(self, request: Request, slug: str, name: str) -> Response:
        """Create or update a connection by its slug; doing it again changes nothing."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(shapes.ConnectionWrite, request)
        if values.pop("slug", name) != name:
            raise InvalidValue("The slug in the body differs from the one in the path.", "slug")
        row = self.rows(tenant).filter(slug=name).first()
        if row is None:
            return self.shown(self.create(tenant, name, values), 201)
        return self._update(row, values)

    @extend_schema(
        operation_id="connections_patch",
        request=shapes.ConnectionWrite,
        responses=shapes.StoredConnectionSerializer,
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:
        """Change a connection."""
        return self._update(self.connection(slug, name), said(shapes.ConnectionWrite, request))

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
        row = services.connection_update(row, actor=self.access().actor, **values)
        if credential:
            services.credential_set(row, credential, actor=self.access().actor)
        return self.shown(row)


class ConnectionCheck(ConnectionView):
    """Testing a connection."""

    @extend_schema(operation_id="connections_check", request=None, responses=shapes.CheckSerializer)
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Test the connection now."""
        row = self.connection(slug, name)
        result = async_to_sync(services.connection_check)(row, caller=self.access().caller)
        return Response({"ok": result.ok, "message": result.message, "details": dict(result.details)})


class Credential(ConnectionView):
    """A connection's shared secrets: written, never read."""

    @extend_schema(operation_id="credentials_get", responses=shapes.CredentialState)
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Tell which fields are stored, and what is odd about them."""
        return self._told(self.connection(slug, name))

    @extend_schema(
        operation_id="credentials_put", request=shapes.CredentialWrite, responses=shapes.CredentialState
    )
    def put(self, request: Request, slug: str, name: str) -> Response:
        """Store secrets; fields that are empty or missing keep theirs. Says what is odd about them."""
        row = self.connection(slug, name)
        services.credential_set(
            row, said(shapes.CredentialWrite, request)["values"], actor=self.access().actor
        )
        return self._told(row)

    @extend_schema(operation_id="credentials_delete", responses={204: None})
    def delete(self, request: Request, slug: str, name: str) -> Response:
        """Forget the secrets."""
        services.credential_delete(self.connection(slug, name), actor=self.access().actor)
        return Response(status=204)

    def _told(self, row: Connection) -> Response:
        told = {"fields_set": services.credential_fields(row), "warnings": services.credential_warnings(row)}
        return Response(told)


class ConnectionTools(ConnectionView):
    """The tools of a connection with their switches."""

    @extend_schema(operation_id="connection_tools_list", responses=shapes.ToolSerializer(many=True))
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the connection's tools."""
        row = self.connection(slug, name)
        view = load(row.tenant_id).connection(row.slug)
        if view is None:
            raise Problem(409, "Not installed", f"The connector {row.connector} is not installed here.")
        from connectors.permissions import Subject, switch_step

        return Response(
            [
                {
                    "name": spec.name,
                    "exposed_name": view.exposed(spec.name),
                    "title": spec.title,
                    "description": spec.description,
                    "toolset": spec.toolset,
                    "hint": spec.hint,
                    "enabled": switch_step(
                        view.rules, Subject(spec.name, spec.writes, spec.toolset, spec.default_on)
                    ).allowed,
                    "input_schema": spec.input_schema,
                }
                for spec in view.connector.tools.values()
            ]
        )


class ToolSwitchDetail(ConnectionView):
    """One switch, of a tool or of a toolset."""

    @extend_schema(operation_id="switches_put", request=shapes.SwitchWrite, responses={204: None})
    def put(self, request: Request, slug: str, name: str, kind: str, target: str) -> Response:
        """Switch on or off, or back to the default with null."""
        row = self.connection(slug, name)
        values = said(shapes.SwitchWrite, request)
        chosen = {"tool": target} if kind == "tools" else {"toolset": target}
        services.switch_set(row, actor=self.access().actor, enabled=values["enabled"], **chosen)
        return Response(status=204)


class ConnectorTypes(View):
    """The connectors there are."""

    @extend_schema(operation_id="connector_types_list", responses=shapes.ConnectorTypeSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List connectors with the JSON Schemas of their settings and credentials."""
        return Response([type_of(slug) for slug in connector_slugs()])


class ConnectorType(View):
    """One connector."""

    @extend_schema(operation_id="connector_types_get", responses=shapes.ConnectorTypeSerializer)
    def get(self, request: Request, connector: str) -> Response:
        """Show a connector."""
        try:
            return Response(type_of(connector))
        except UnknownConnectorError as error:
            raise Http404 from error


def type_of(slug: str) -> dict[str, Any]:
    """A connector class as the API shows it."""
    cls: type[Connector] = connector_class(slug)
    return {
        "slug": slug,
        "title": cls.title,
        "description": cls.description,
        "version": cls.version,
        "built_in": cls.built_in,
        "settings_schema": cls.Settings.model_json_schema(),
        "credential_schema": cls.Credentials.model_json_schema() if cls.Credentials else None,
        "tools": [
            {"name": spec.name, "title": spec.title, "toolset": spec.toolset, "hint": spec.hint}
            for spec in cls.tools.values()
        ],
    }
