"""Tenants and their people, programs, invitations, permissions and keys."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.models import ToolPermission
from connectors.services import permission_set
from portico.admin.links import absolute
from portico.api import serializers as shapes
from portico.api.errors import Problem
from portico.api.idempotency import idempotent
from portico.api.views import View, one, one_by_id, said
from portico.mail import mail_link
from tenants import services
from tenants.errors import InvalidValue
from tenants.models import AccessKey, Invitation, Membership, Principal, ServiceAccount, Tenant
from tenants.principals import Role

SEARCH = OpenApiParameter("search", str, description="Part of the slug or name.")


class Tenants(View):
    """The tenants that the caller may see; superusers create them."""

    @extend_schema(
        operation_id="tenants_list", responses=shapes.TenantSerializer(many=True), parameters=[SEARCH]
    )
    def get(self, request: Request) -> Response:
        """List tenants."""
        rows = self.access().tenants().order_by("slug")
        if text := request.query_params.get("search", "").replace("\x00", ""):
            rows = rows.filter(name__icontains=text) | rows.filter(slug__icontains=text)
        if status := request.query_params.get("status"):
            rows = rows.filter(status=status)
        return self.page(rows.distinct(), shapes.TenantSerializer)

    @extend_schema(
        operation_id="tenants_create", request=shapes.TenantWrite, responses={201: shapes.TenantSerializer}
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a tenant (superusers)."""
        values = said(shapes.TenantWrite, request)
        if "slug" not in values:
            raise InvalidValue("Write the tenant's slug.", "slug")
        tenant, _new = put_tenant(self, values.pop("slug"), values, create_only=True)
        return Response(shapes.TenantSerializer(tenant).data, status=201)


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

    @extend_schema(operation_id="tenants_get", responses=shapes.TenantSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Show a tenant."""
        return Response(shapes.TenantSerializer(self.tenant(slug)).data)

    @extend_schema(operation_id="tenants_put", request=shapes.TenantWrite, responses=shapes.TenantSerializer)
    def put(self, request: Request, slug: str) -> Response:
        """Create or update a tenant by its slug; doing it again changes nothing."""
        values = said(shapes.TenantWrite, request)
        if values.pop("slug", slug) != slug:
            raise InvalidValue("The slug in the body differs from the one in the path.", "slug")
        tenant, new = put_tenant(self, slug, values)
        return Response(shapes.TenantSerializer(tenant).data, status=201 if new else 200)

    @extend_schema(
        operation_id="tenants_patch", request=shapes.TenantWrite, responses=shapes.TenantSerializer
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change a tenant."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(shapes.TenantWrite, request)
        return Response(
            shapes.TenantSerializer(
                services.tenant_update(tenant=tenant, actor=self.access().actor, **values)
            ).data
        )

    @extend_schema(operation_id="tenants_delete", responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Delete a suspended tenant with all it has; its audit chain is archived first."""
        services.tenant_delete(tenant=self.tenant(slug, Role.OWNER), actor=self.access().actor)
        return Response(status=204)


class TenantState(View):
    """Suspending and resuming."""

    @extend_schema(operation_id="tenants_state", request=None, responses=shapes.TenantSerializer)
    def post(self, request: Request, slug: str, action: str) -> Response:
        """``suspend`` stops every key and call within a second; ``resume`` undoes it."""
        change = services.tenant_suspend if action == "suspend" else services.tenant_resume
        tenant = change(tenant=self.tenant(slug, Role.OWNER), actor=self.access().actor)
        return Response(shapes.TenantSerializer(tenant).data)


class Memberships(View):
    """The people of a tenant."""

    @extend_schema(operation_id="memberships_list", responses=shapes.PrincipalSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List members."""
        rows = Membership.objects.for_tenant(self.tenant(slug, Role.ADMIN)).select_related("user")
        return self.page(rows.order_by("created_at", "pk"), shapes.PrincipalSerializer)

    @extend_schema(
        operation_id="memberships_create",
        request=shapes.MembershipWrite,
        responses={201: shapes.PrincipalSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make an existing user a member (superusers; others invite)."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(shapes.MembershipWrite, request)
        if not self.access().is_platform:
            raise Problem(403, "Not allowed", "Admins of a tenant add people by invitation.")
        user = get_user_model()._default_manager.filter(username=values["username"]).first()
        if user is None:
            raise InvalidValue("There is no user of this name.", "username")
        member = services.membership_create(
            tenant=tenant, user=user, role=values["role"], actor=self.access().actor
        )
        return Response(shapes.PrincipalSerializer(member).data, status=201)


class MembershipDetail(View):
    """One member."""

    @extend_schema(
        operation_id="memberships_patch", request=shapes.RoleWrite, responses=shapes.PrincipalSerializer
    )
    def patch(self, request: Request, slug: str, pk: str) -> Response:
        """Change a member's role."""
        row = one_by_id(Membership, self.tenant(slug, Role.ADMIN), pk)
        values = said(shapes.RoleWrite, request)
        row = services.membership_update(membership=row, role=values["role"], actor=self.access().actor)
        return Response(shapes.PrincipalSerializer(row).data)

    @extend_schema(operation_id="memberships_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: str) -> Response:
        """End a membership with its keys."""
        row = one_by_id(Membership, self.tenant(slug), pk)
        services.membership_remove(membership=row, actor=self.access().actor)
        return Response(status=204)


class ServiceAccounts(View):
    """The programs of a tenant."""

    @extend_schema(operation_id="service_accounts_list", responses=shapes.PrincipalSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List service accounts."""
        rows = ServiceAccount.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        return self.page(rows.order_by("created_at", "pk"), shapes.PrincipalSerializer)

    @extend_schema(
        operation_id="service_accounts_create",
        request=shapes.ServiceAccountWrite,
        responses={201: shapes.PrincipalSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make a service account."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(shapes.ServiceAccountWrite, request)
        row = services.service_account_create(tenant=tenant, actor=self.access().actor, **values)
        return Response(shapes.PrincipalSerializer(row).data, status=201)


class ServiceAccountDetail(View):
    """One program."""

    @extend_schema(
        operation_id="service_accounts_patch",
        request=shapes.RoleWrite,
        responses=shapes.PrincipalSerializer,
    )
    def patch(self, request: Request, slug: str, pk: str) -> Response:
        """Change a service account's role."""
        row = one_by_id(ServiceAccount, self.tenant(slug, Role.ADMIN), pk)
        values = said(shapes.RoleWrite, request)
        row = services.service_account_update(account=row, role=values["role"], actor=self.access().actor)
        return Response(shapes.PrincipalSerializer(row).data)

    @extend_schema(operation_id="service_accounts_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: str) -> Response:
        """End a service account with its keys."""
        row = one_by_id(ServiceAccount, self.tenant(slug, Role.ADMIN), pk)
        services.service_account_remove(account=row, actor=self.access().actor)
        return Response(status=204)


class Invitations(View):
    """Offers of membership."""

    @extend_schema(operation_id="invitations_list", responses=shapes.InvitationSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List invitations."""
        rows = Invitation.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        return self.page(rows.order_by("-created_at"), shapes.InvitationSerializer)

    @extend_schema(
        operation_id="invitations_create",
        request=shapes.InvitationWrite,
        responses={201: shapes.InvitationSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Invite somebody: by mail, or where that is not set up with a link shown only here."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(shapes.InvitationWrite, request)
        row, token = services.invitation_create(tenant=tenant, actor=self.access().actor, **values)
        link = absolute(reverse("admin:accept_invitation", args=[token]))
        mailed = mail_link(
            row.email,
            subject=_("Invitation to %(tenant)s") % {"tenant": tenant.name},
            sentence=_("You are invited to %(tenant)s. This link works once:") % {"tenant": tenant.name},
            link=link,
        )
        shown = {} if mailed else {"link": link}
        return Response({**shapes.InvitationSerializer(row).data, "mailed": mailed, **shown}, status=201)


class InvitationDetail(View):
    """One invitation."""

    @extend_schema(operation_id="invitations_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: str) -> Response:
        """Take an invitation back."""
        row = one_by_id(Invitation, self.tenant(slug, Role.ADMIN), pk)
        services.invitation_revoke(invitation=row, actor=self.access().actor)
        return Response(status=204)


class Permissions(View):
    """What each role may use."""

    @extend_schema(operation_id="permissions_list", responses=shapes.PermissionSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List the rules of all roles."""
        rows = ToolPermission.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        return self.page(rows.order_by("role"), shapes.PermissionSerializer)


class PermissionDetail(View):
    """One role's rule."""

    @extend_schema(
        operation_id="permissions_put",
        request=shapes.PermissionSerializer,
        responses=shapes.PermissionSerializer,
    )
    def put(self, request: Request, slug: str, role: str) -> Response:
        """Set a role's patterns ``connection:tool``; empty lists take its rules away."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(shapes.PermissionSerializer, request)
        if role not in list(Role):
            raise Http404
        row = permission_set(
            tenant=tenant,
            role=role,
            allow=values.get("allow", []),
            deny=values.get("deny", []),
            confirm=values.get("confirm"),
            actor=self.access().actor,
        )
        return Response(shapes.PermissionSerializer(row).data)


class AccessKeys(View):
    """The keys of a tenant."""

    @extend_schema(operation_id="access_keys_list", responses=shapes.AccessKeySerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List keys; never their secrets."""
        rows = AccessKey.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        return self.page(
            rows.select_related("principal", "principal__user").order_by("-created_at", "pk"),
            shapes.AccessKeySerializer,
        )

    @extend_schema(
        operation_id="access_keys_create", request=shapes.AccessKeyWrite, responses={201: shapes.NewAccessKey}
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make a key; its secret is in this answer and nowhere else."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(shapes.AccessKeyWrite, request)
        with transaction.atomic():
            principal = self._principal(tenant, values)
            key, secret = services.access_key_create(
                tenant=tenant, principal=principal, actor=self.access().actor, **values
            )
        return Response({**shapes.AccessKeySerializer(key).data, "secret": secret}, status=201)

    def _principal(self, tenant: Tenant, values: dict[str, Any]) -> Principal:
        chosen, name = values.pop("principal", None), values.pop("service_account", None)
        role = values.pop("role", None)
        if bool(chosen) == bool(name):
            raise InvalidValue(
                "Name either a principal (its id) or a service_account (its name).", "principal"
            )
        if chosen:
            found: Principal = one_by_id(Principal, tenant, chosen)
            return found
        existing = ServiceAccount.objects.for_tenant(tenant).filter(name=name).first()
        if existing is not None:
            if role and role != existing.role:
                raise InvalidValue(f"{name} has the role {existing.role}; change it there first.", "role")
            account: Principal = existing
            return account
        return services.service_account_create(
            tenant=tenant, name=name, role=role or Role.OPERATOR.value, actor=self.access().actor
        )


class AccessKeyDetail(View):
    """One key."""

    def _key(self, slug: str, pk: str) -> AccessKey:
        rows = AccessKey.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        found: AccessKey = one(rows.select_related("principal", "principal__user"), pk=pk)
        return found

    @extend_schema(operation_id="access_keys_get", responses=shapes.AccessKeySerializer)
    def get(self, request: Request, slug: str, pk: str) -> Response:
        """Show a key; never its secret."""
        return Response(shapes.AccessKeySerializer(self._key(slug, pk)).data)

    @extend_schema(
        operation_id="access_keys_patch", request=shapes.AccessKeyChange, responses=shapes.AccessKeySerializer
    )
    def patch(self, request: Request, slug: str, pk: str) -> Response:
        """Change what a key may do or how long."""
        key = self._key(slug, pk)
        values = said(shapes.AccessKeyChange, request)
        row = services.access_key_update(key=key, actor=self.access().actor, **values)
        return Response(shapes.AccessKeySerializer(row).data)

    @extend_schema(operation_id="access_keys_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: str) -> Response:
        """Revoke a key: it stops in every worker within a second."""
        services.access_key_revoke(key=self._key(slug, pk), actor=self.access().actor)
        return Response(status=204)
