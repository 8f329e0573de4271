"""Invitations of people into a tenant."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portico.admin.links import absolute
from portico.api.idempotency import idempotent
from portico.api.members import ROLES
from portico.api.views import View, one_by_id, said
from portico.mail import mail_link
from tenants import services
from tenants.models import Invitation
from tenants.principals import Role


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    """An open or accepted invitation; its link is shown only when it is made."""

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "expires_at", "accepted_at", "created_at"]


class InvitationWrite(serializers.Serializer[Any]):
    """Whom to invite, as what."""

    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=ROLES)


class Invitations(View):
    """Offers of membership."""

    @extend_schema(operation_id="invitations_list", responses=InvitationSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """List invitations."""
        rows = Invitation.objects.for_tenant(self.tenant(slug, Role.ADMIN))
        return self.page(rows.order_by("-created_at"), InvitationSerializer)

    @extend_schema(
        operation_id="invitations_create",
        request=InvitationWrite,
        responses={201: InvitationSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Invite somebody: by mail, or where that is not set up with a link shown only here."""
        tenant = self.tenant(slug, Role.ADMIN)
        values = said(InvitationWrite, request)
        row, token = services.invitation_create(tenant=tenant, actor=self.access().actor, **values)
        link = absolute(reverse("admin:accept_invitation", args=[token]))
        mailed = mail_link(
            row.email,
            subject=_("Invitation to %(tenant)s") % {"tenant": tenant.name},
            sentence=_("You are invited to %(tenant)s. This link works once:") % {"tenant": tenant.name},
            link=link,
        )
        shown = {} if mailed else {"link": link}
        return Response({**InvitationSerializer(row).data, "mailed": mailed, **shown}, status=201)


class InvitationDetail(View):
    """One invitation."""

    @extend_schema(operation_id="invitations_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: str) -> Response:
        """Take an invitation back."""
        row = one_by_id(Invitation, self.tenant(slug, Role.ADMIN), pk)
        services.invitation_revoke(invitation=row, actor=self.access().actor)
        return Response(status=204)
