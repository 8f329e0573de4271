"""Named endpoints: parts of a tenant's tools under URLs of their own."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors import services
from connectors.models import Endpoint
from portico.access import endpoint_url
from portico.api.idempotency import idempotent
from portico.api.views import View, one, said
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Role


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


class EndpointView(View):
    """Shared by the views of endpoints."""

    def rows(self, tenant: Tenant) -> Any:
        """A tenant's endpoints."""
        return Endpoint.objects.for_tenant(tenant).select_related("tenant")

    def endpoint(self, slug: str, endpoint: str) -> Endpoint:
        """The endpoint of the path."""
        found: Endpoint = one(self.rows(self.tenant(slug, Role.ADMIN)), slug=endpoint)
        return found

    def create(self, tenant: Tenant, endpoint: str, values: dict[str, Any]) -> Response:
        """Make an endpoint from the API's words."""
        row = services.endpoint_create(tenant=tenant, slug=endpoint, actor=self.access().actor, **values)
        return Response(EndpointSerializer(row).data, status=201)

    def update(self, row: Endpoint, values: dict[str, Any]) -> Response:
        """Change an endpoint."""
        if values.pop("slug", row.slug) != row.slug:
            raise InvalidValue("An endpoint's slug cannot change: clients hold URLs with it.", "slug")
        row = services.endpoint_update(row, actor=self.access().actor, **values)
        return Response(EndpointSerializer(row).data)


class Endpoints(EndpointView):
    """The named endpoints of a tenant."""

    @extend_schema(operation_id="endpoints_list", responses=EndpointSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List named endpoints."""
        rows = self.rows(self.tenant(slug, Role.ADMIN)).order_by("slug")
        return self.page(rows, EndpointSerializer)

    @extend_schema(
        operation_id="endpoints_create",
        request=EndpointWrite,
        responses={201: EndpointSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make a named endpoint."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(EndpointWrite, request)
        return self.create(tenant, values.pop("slug", ""), values)


class EndpointDetail(EndpointView):
    """One named endpoint."""

    @extend_schema(operation_id="endpoints_get", responses=EndpointSerializer)
    def get(self, request: Request, slug: str, endpoint: str) -> Response:
        """Show an endpoint."""
        return Response(EndpointSerializer(self.endpoint(slug, endpoint)).data)

    @extend_schema(
        operation_id="endpoints_put",
        request=EndpointWrite,
        responses={200: EndpointSerializer, 201: EndpointSerializer},
    )
    def put(self, request: Request, slug: str, endpoint: str) -> Response:
        """Create or update an endpoint by its slug; doing it again changes nothing."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(EndpointWrite, request)
        if values.pop("slug", endpoint) != endpoint:
            raise InvalidValue("The slug in the body differs from the one in the path.", "slug")
        row = self.rows(tenant).filter(slug=endpoint).first()
        return self.create(tenant, endpoint, values) if row is None else self.update(row, values)

    @extend_schema(operation_id="endpoints_patch", request=EndpointWrite, responses=EndpointSerializer)
    def patch(self, request: Request, slug: str, endpoint: str) -> Response:
        """Change an endpoint."""
        return self.update(self.endpoint(slug, endpoint), said(EndpointWrite, request))

    @extend_schema(operation_id="endpoints_delete", responses={204: None})
    def delete(self, request: Request, slug: str, endpoint: str) -> Response:
        """Take an endpoint's URL away; its tools stay."""
        services.endpoint_delete(self.endpoint(slug, endpoint), actor=self.access().actor)
        return Response(status=204)
