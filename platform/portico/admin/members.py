"""People and programs of a tenant, and invitations for people who are to come."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from portico.admin.acting import actor_of
from portico.admin.badges import badge
from portico.admin.base import ServiceAdmin
from portico.admin.current import Seat, seat_of
from portico.admin.forms import PorticoForm
from portico.admin.links import absolute, link_page
from portico.admin.site import site
from portico.mail import mail_link
from tenants import services
from tenants.models import Invitation, Membership, ServiceAccount
from tenants.principals import Role

ROLE_HELP = (
    "viewer: tools that only read · operator: and those that write · admin: and connections, members, keys · "
    "owner: and owners, suspension, export."
)


def role_choices(seat: Seat) -> list[tuple[str, str]]:
    """The roles that this person may give."""
    return [(r.value, r.value.title()) for r in Role if r is not Role.OWNER or seat.may(Role.OWNER)]


class RoleForm(PorticoForm):
    """A role, after whatever a subclass asks first."""

    role = forms.ChoiceField(initial=Role.OPERATOR.value, help_text=ROLE_HELP)

    def __init__(self, *args: Any, seat: Seat, current: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["role"]
        field.choices = role_choices(seat)
        if current is not None:
            field.initial = current
            if current not in dict(field.choices):  # an owner's role, shown to an admin
                field.choices = [*field.choices, (current, current.title())]
        self.order_fields([name for name in self.fields if name != "role"] + ["role"])


class MembershipForm(RoleForm):
    """Adding a known user (superusers only; others invite)."""

    username = forms.CharField(max_length=150, help_text="Of a user who exists already.")

    def clean_username(self) -> Any:
        """The user behind the name."""
        found = (
            get_user_model()._default_manager.filter(username=self.cleaned_data["username"].strip()).first()
        )
        if found is None:
            raise ValidationError(
                "There is no user of this name. Make one under Users, or send an invitation."
            )
        return found


class ServiceAccountForm(RoleForm):
    """A program's name and role."""

    name = forms.CharField(max_length=80, help_text="What this program is, for example: nightly report.")


class InvitationForm(RoleForm):
    """Whom to invite."""

    email = forms.EmailField(
        help_text="Gets the invitation's link; without a mail server it is shown once on the next page."
    )


def _data(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


@admin.register(Membership, site=site)
class MembershipAdmin(ServiceAdmin):
    """The tenant's people."""

    view_role = Role.ADMIN
    add_role = None
    change_role = Role.ADMIN
    delete_role = Role.ADMIN
    list_display = ("display_name", "email", "shown_role", "active", "created_at")
    list_filter = ("role",)
    search_fields = ("user__username", "user__email")
    ordering = ("created_at",)
    list_select_related = ("user",)
    delete_notice = (
        "The person leaves the tenant. Their keys, sessions and personal credentials here end at once."
    )

    @display(description="E-mail")
    def email(self, obj: Membership) -> str:
        """Of the user."""
        return obj.user.email if obj.user else ""

    @display(description="Role", ordering="role")
    def shown_role(self, obj: Membership) -> SafeString:
        """As a label."""
        return badge(obj.role, "info" if obj.role == Role.OWNER else "")

    @display(description="Active", boolean=True)
    def active(self, obj: Membership) -> bool:
        """Whether the user may sign in."""
        return bool(obj.user and obj.user.is_active)

    def make_form(self, request: HttpRequest, obj: Any | None) -> PorticoForm:
        """Bound on POST."""
        seat = seat_of(request)
        if obj is None:
            return MembershipForm(_data(request), seat=seat)
        return RoleForm(_data(request), seat=seat, current=obj.role)

    def create(self, request: HttpRequest, form: Any) -> Any:
        """Add a user who exists."""
        values = form.cleaned_data
        return services.membership_create(
            tenant=seat_of(request).here,
            user=values["username"],
            role=values["role"],
            actor=actor_of(request),
        )

    def update(self, request: HttpRequest, form: Any, obj: Any) -> Any:
        """Change the role."""
        return services.membership_update(
            membership=obj, role=form.cleaned_data["role"], actor=actor_of(request)
        )

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """End the membership."""
        services.membership_remove(membership=obj, actor=actor_of(request))


@admin.register(ServiceAccount, site=site)
class ServiceAccountAdmin(ServiceAdmin):
    """The tenant's programs."""

    view_role = add_role = change_role = delete_role = Role.ADMIN
    list_display = ("name", "shown_role", "created_at")
    list_filter = ("role",)
    search_fields = ("name",)
    ordering = ("name",)
    delete_notice = "The program loses its access: all its keys end at once."

    @display(description="Role", ordering="role")
    def shown_role(self, obj: ServiceAccount) -> SafeString:
        """As a label."""
        return badge(obj.role)

    def make_form(self, request: HttpRequest, obj: Any | None) -> PorticoForm:
        """Bound on POST."""
        initial = {"name": obj.name} if obj is not None else {}
        return ServiceAccountForm(
            _data(request),
            seat=seat_of(request),
            current=obj.role if obj is not None else None,
            initial=initial,
        )

    def create(self, request: HttpRequest, form: Any) -> Any:
        """Make the account."""
        return services.service_account_create(
            tenant=seat_of(request).here, actor=actor_of(request), **form.cleaned_data
        )

    def update(self, request: HttpRequest, form: Any, obj: Any) -> Any:
        """Change name or role."""
        return services.service_account_update(account=obj, actor=actor_of(request), **form.cleaned_data)

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """End the account."""
        services.service_account_remove(account=obj, actor=actor_of(request))


@admin.register(Invitation, site=site)
class InvitationAdmin(ServiceAdmin):
    """Offers of membership. The link is shown once, when the offer is made."""

    view_role = add_role = delete_role = Role.ADMIN
    list_display = ("email", "role", "state", "expires_at", "created_at")
    search_fields = ("email",)
    ordering = ("-created_at",)
    delete_notice = "The invitation's link stops working."

    @display(description="State")
    def state(self, obj: Invitation) -> SafeString:
        """Open, accepted or expired."""
        if obj.accepted_at is not None:
            return badge("accepted", "ok")
        return badge("expired", "warn") if obj.expires_at <= timezone.now() else badge("open", "info")

    def make_form(self, request: HttpRequest, obj: Any | None) -> PorticoForm:
        """Bound on POST."""
        initial = {"email": obj.email} if obj is not None else {}
        form = InvitationForm(
            _data(request),
            seat=seat_of(request),
            current=obj.role if obj is not None else None,
            initial=initial,
        )
        if obj is not None:
            form.fields["email"].help_text = f"Until {obj.expires_at:%d %B %Y, %H:%M} UTC."
        return form

    def create(self, request: HttpRequest, form: Any) -> HttpResponse:
        """Make the offer and show its link, once."""
        invitation, token = services.invitation_create(
            tenant=seat_of(request).here, actor=actor_of(request), **form.cleaned_data
        )
        link, until = (
            absolute(reverse("admin:accept_invitation", args=[token])),
            f"It works once, until {invitation.expires_at:%d %B %Y, %H:%M} UTC",
        )
        mailed = mail_link(
            invitation.email,
            subject=f"Invitation to {invitation.tenant.name}",
            sentence=f"You are invited to {invitation.tenant.name}. This link works once:",
            link=link,
        )
        sent = f"The link was mailed to {invitation.email}. {until}."
        shown = f"Send this link to {invitation.email}. {until}, and is not shown again."
        return link_page(self, request, "Invitation made", sent if mailed else shown, "" if mailed else link)

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Withdraw the offer."""
        services.invitation_revoke(invitation=obj, actor=actor_of(request))
