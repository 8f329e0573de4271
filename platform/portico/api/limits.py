"""Limits and quotas of a tenant, with what is used of them now."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors import services
from connectors.limiting.use import NOT_KNOWN, Use, usage_of_limits
from connectors.models import UsageLimit
from portico.api.idempotency import idempotent
from portico.api.views import Pages, View, one, said
from tenants.models import Tenant
from tenants.principals import Role


class LimitSerializer(serializers.ModelSerializer[UsageLimit]):
    """A limit and its use; the use is null while the counters cannot be asked."""

    key = serializers.CharField(source="key_id", allow_null=True, help_text="The access key's public id.")
    connection = serializers.CharField(source="connection.slug", allow_null=True, default=None)
    used = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = UsageLimit
        fields = [
            "id", "key", "connection", "tool", "calls", "period", "enabled", "created_at", "used", "left",
            "resets_at",
        ]  # fmt: skip


class LimitWrite(serializers.Serializer[Any]):
    """A new limit; what is left out does not narrow it."""

    key = serializers.CharField(max_length=12, required=False, allow_blank=True)
    connection = serializers.CharField(max_length=14, required=False, allow_blank=True)
    tool = serializers.CharField(max_length=48, required=False, allow_blank=True)
    calls = serializers.IntegerField(min_value=1)
    period = serializers.ChoiceField(choices=UsageLimit.Period.choices)
    enabled = serializers.BooleanField(required=False)


class LimitChange(serializers.Serializer[Any]):
    """What can change of a limit: its number, and whether it holds."""

    calls = serializers.IntegerField(min_value=1, required=False)
    enabled = serializers.BooleanField(required=False)


class LimitView(View):
    """Shared by the views of limits."""

    def rows(self, tenant: Tenant) -> Any:
        """A tenant's limits."""
        return UsageLimit.objects.for_tenant(tenant).select_related("tenant", "connection")

    def shown(self, tenant: Tenant, rows: Sequence[UsageLimit]) -> list[dict[str, Any]]:
        """Limits with their use."""
        use = usage_of_limits(tenant, rows)
        return [shown(row, use.get(row.pk, NOT_KNOWN)) for row in rows]


def shown(row: UsageLimit, use: Use) -> dict[str, Any]:
    """A limit as the API shows it."""
    for name in ("used", "left", "resets_at"):
        setattr(row, name, getattr(use, name))
    return dict(LimitSerializer(row).data)


class Limits(LimitView):
    """The limits of a tenant."""

    @extend_schema(operation_id="limits_list", responses=LimitSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List limits with what is used of each."""
        tenant = self.tenant(slug, Role.ADMIN)
        pages = Pages()
        found: Any = pages.paginate_queryset(
            self.rows(tenant).order_by("created_at", "pk"), request, view=self
        )
        return pages.get_paginated_response(self.shown(tenant, found or []))

    @extend_schema(operation_id="limits_create", request=LimitWrite, responses={201: LimitSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make a limit: of the tenant, or of the key, connection or tool that is named."""
        tenant = self.tenant(slug, Role.ADMIN)
        row = services.limit_create(tenant=tenant, actor=self.access().actor, **said(LimitWrite, request))
        return Response(self.shown(tenant, [row])[0], status=201)


class LimitDetail(LimitView):
    """One limit."""

    def limit(self, slug: str, pk: Any) -> tuple[Tenant, UsageLimit]:
        """The tenant and the limit of the path."""
        tenant = self.tenant(slug, Role.ADMIN)
        return tenant, one(self.rows(tenant), pk=pk)

    @extend_schema(operation_id="limits_get", responses=LimitSerializer)
    def get(self, request: Request, slug: str, pk: Any) -> Response:
        """Show a limit with its use."""
        tenant, row = self.limit(slug, pk)
        return Response(self.shown(tenant, [row])[0])

    @extend_schema(operation_id="limits_patch", request=LimitChange, responses=LimitSerializer)
    def patch(self, request: Request, slug: str, pk: Any) -> Response:
        """Change how many calls a limit allows, or whether it holds."""
        tenant, row = self.limit(slug, pk)
        row = services.limit_update(row, actor=self.access().actor, **said(LimitChange, request))
        return Response(self.shown(tenant, [row])[0])

    @extend_schema(operation_id="limits_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: Any) -> Response:
        """Take a limit away."""
        services.limit_delete(self.limit(slug, pk)[1], actor=self.access().actor)
        return Response(status=204)
