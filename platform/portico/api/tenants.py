"""Tenants: listing, creating and changing, suspending and deleting."""

from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portico.access import mcp_url
from portico.api.errors import Problem
from portico.api.idempotency import idempotent
from portico.api.views import View, queried, said
from tenants import services
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Role

STATUS = OpenApiParameter("status", str, enum=Tenant.Status.values)
SEARCH = OpenApiParameter("search", str, description="Part of the slug or name.")


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


class Tenants(View):
    """The tenants that the caller may see; superusers create them."""

    @extend_schema(
        operation_id="tenants_list", responses=TenantSerializer(many=True), parameters=[SEARCH, STATUS]
    )
    def get(self, request: Request) -> Response:
        """List tenants."""
        rows = self.access().tenants().order_by("slug")
        if text := queried(request, "search"):
            rows = rows.filter(name__icontains=text) | rows.filter(slug__icontains=text)
        if status := queried(request, "status"):
            rows = rows.filter(status=status)
        return self.page(rows.distinct(), TenantSerializer)

    @extend_schema(operation_id="tenants_create", request=TenantWrite, responses={201: TenantSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a tenant (superusers)."""
        values = said(TenantWrite, request)
        if "slug" not in values:
            raise InvalidValue("Write the tenant's slug.", "slug")
        tenant, _new = put_tenant(self, values.pop("slug"), values, create_only=True)
        return Response(TenantSerializer(tenant).data, status=201)


def put_tenant(
    view: View, slug: str, values: dict[str, Any], *, create_only: bool = False
) -> tuple[Tenant, bool]:
    """Create the tenant, or bring an existing one to these values; tells whether it is new."""
    access = view.access()
    existing = None if create_only else access.tenants().filter(slug=slug).first()
    if existing is not None:
        access.tenant(slug, Role.ADMIN)
        return services.tenant_update(tenant=existing, actor=access.actor, **values), False
    if not access.is_platform:
        raise Problem(403, "Not allowed", "Only a superuser of the platform can create tenants.")
    with transaction.atomic():
        made = services.tenant_create(
            slug=slug,
            name=values.pop("name", None) or slug,
            time_zone=values.pop("time_zone", "UTC"),
            actor=access.actor,
        )
        if values:
            made = services.tenant_update(tenant=made, actor=access.actor, **values)
    return made, True


class TenantDetail(View):
    """One tenant."""

    @extend_schema(operation_id="tenants_get", responses=TenantSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Show a tenant."""
        return Response(TenantSerializer(self.tenant(slug)).data)

    @extend_schema(
        operation_id="tenants_put",
        request=TenantWrite,
        responses={200: TenantSerializer, 201: TenantSerializer},
    )
    def put(self, request: Request, slug: str) -> Response:
        """Create or update a tenant by its slug; doing it again changes nothing."""
        values = said(TenantWrite, request)
        if values.pop("slug", slug) != slug:
            raise InvalidValue("The slug in the body differs from the one in the path.", "slug")
        tenant, new = put_tenant(self, slug, values)
        return Response(TenantSerializer(tenant).data, status=201 if new else 200)

    @extend_schema(operation_id="tenants_patch", request=TenantWrite, responses=TenantSerializer)
    def patch(self, request: Request, slug: str) -> Response:
        """Change a tenant."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(TenantWrite, request)
        return Response(
            TenantSerializer(services.tenant_update(tenant=tenant, actor=self.access().actor, **values)).data
        )

    @extend_schema(operation_id="tenants_delete", responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Delete a suspended tenant with all it has; its audit chain is archived first."""
        services.tenant_delete(tenant=self.tenant(slug, Role.OWNER), actor=self.access().actor)
        return Response(status=204)


class TenantState(View):
    """Suspending and resuming."""

    @extend_schema(operation_id="tenants_state", request=None, responses=TenantSerializer)
    def post(self, request: Request, slug: str, action: str) -> Response:
        """``suspend`` stops every key and call within a second; ``resume`` undoes it."""
        change = services.tenant_suspend if action == "suspend" else services.tenant_resume
        tenant = change(tenant=self.tenant(slug, Role.OWNER), actor=self.access().actor)
        return Response(TenantSerializer(tenant).data)
