"""What each role of a tenant may use."""

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.models import ToolPermission
from connectors.services import permission_set
from portico.api.views import View, said
from tenants.errors import InvalidValue
from tenants.principals import Role


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


class Permissions(View):
    """What each role may use."""

    @extend_schema(operation_id="permissions_list", responses=PermissionSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List the rules of all roles."""
        rows = ToolPermission.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        return self.page(rows.order_by("role"), PermissionSerializer)


class PermissionDetail(View):
    """One role's rule."""

    @extend_schema(
        operation_id="permissions_put",
        request=PermissionSerializer,
        responses=PermissionSerializer,
    )
    def put(self, request: Request, slug: str, role: str) -> Response:
        """Set a role's patterns ``connection:tool``; empty lists take its rules away."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(PermissionSerializer, request)
        if role not in list(Role):
            raise Http404
        if dict(request.data).get("role", role) != role:
            raise InvalidValue("The role in the body differs from the one in the path.", "role")
        row = permission_set(
            tenant=tenant,
            role=role,
            allow=values.get("allow", []),
            deny=values.get("deny", []),
            confirm=values.get("confirm"),
            actor=self.access().actor,
        )
        return Response(PermissionSerializer(row).data)
