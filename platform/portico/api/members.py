"""The people and programs of a tenant."""

from typing import Any

from django.contrib.auth import get_user_model
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portico.api.errors import Problem
from portico.api.idempotency import idempotent
from portico.api.views import View, one_by_id, said
from tenants import services
from tenants.errors import InvalidValue
from tenants.models import Membership, Principal, ServiceAccount
from tenants.principals import Role

ROLES = [(role.value, role.value.title()) for role in Role]


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


class Memberships(View):
    """The people of a tenant."""

    @extend_schema(operation_id="memberships_list", responses=PrincipalSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List members."""
        rows = Membership.objects.for_tenant(self.tenant(slug, Role.ADMIN)).select_related("user")
        return self.page(rows.order_by("created_at", "pk"), PrincipalSerializer)

    @extend_schema(
        operation_id="memberships_create",
        request=MembershipWrite,
        responses={201: PrincipalSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make an existing user a member (superusers; others invite)."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(MembershipWrite, request)
        if not self.access().is_platform:
            raise Problem(403, "Not allowed", "Admins of a tenant add people by invitation.")
        user = get_user_model()._default_manager.filter(username=values["username"]).first()
        if user is None:
            raise InvalidValue("There is no user of this name.", "username")
        member = services.membership_create(
            tenant=tenant, user=user, role=values["role"], actor=self.access().actor
        )
        return Response(PrincipalSerializer(member).data, status=201)


class MembershipDetail(View):
    """One member."""

    @extend_schema(operation_id="memberships_patch", request=RoleWrite, responses=PrincipalSerializer)
    def patch(self, request: Request, slug: str, pk: str) -> Response:
        """Change a member's role."""
        row = one_by_id(Membership, self.tenant(slug, Role.ADMIN), pk)
        values = said(RoleWrite, request)
        row = services.membership_update(membership=row, role=values["role"], actor=self.access().actor)
        return Response(PrincipalSerializer(row).data)

    @extend_schema(operation_id="memberships_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: str) -> Response:
        """End a membership with its keys."""
        row = one_by_id(Membership, self.tenant(slug), pk)
        services.membership_remove(membership=row, actor=self.access().actor)
        return Response(status=204)


class ServiceAccounts(View):
    """The programs of a tenant."""

    @extend_schema(operation_id="service_accounts_list", responses=PrincipalSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List service accounts."""
        rows = ServiceAccount.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        return self.page(rows.order_by("created_at", "pk"), PrincipalSerializer)

    @extend_schema(
        operation_id="service_accounts_create",
        request=ServiceAccountWrite,
        responses={201: PrincipalSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make a service account."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(ServiceAccountWrite, request)
        row = services.service_account_create(tenant=tenant, actor=self.access().actor, **values)
        return Response(PrincipalSerializer(row).data, status=201)


class ServiceAccountDetail(View):
    """One program."""

    @extend_schema(
        operation_id="service_accounts_patch",
        request=RoleWrite,
        responses=PrincipalSerializer,
    )
    def patch(self, request: Request, slug: str, pk: str) -> Response:
        """Change a service account's role."""
        row = one_by_id(ServiceAccount, self.tenant(slug, Role.ADMIN), pk)
        values = said(RoleWrite, request)
        row = services.service_account_update(account=row, role=values["role"], actor=self.access().actor)
        return Response(PrincipalSerializer(row).data)

    @extend_schema(operation_id="service_accounts_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: str) -> Response:
        """End a service account with its keys."""
        row = one_by_id(ServiceAccount, self.tenant(slug, Role.ADMIN), pk)
        services.service_account_remove(account=row, actor=self.access().actor)
        return Response(status=204)
