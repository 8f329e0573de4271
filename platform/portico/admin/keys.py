"""Access keys: made, shown once, narrowed, revoked."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.decorators import display

from portico.admin.acting import actor_of
from portico.admin.badges import badge
from portico.admin.base import SERVICE_ERRORS, ServiceAdmin
from portico.admin.clients import client_configurations, mcp_url
from portico.admin.current import Seat, seat_of
from portico.admin.forms import LinesField, LocalDateTimeField, PorticoForm
from portico.admin.members import ROLE_HELP, role_choices
from portico.admin.site import site
from tenants import services
from tenants.models import AccessKey, Principal
from tenants.principals import Role

NEW_ACCOUNT = "new"
PATTERN_HELP = "One pattern a line: connection:tool, with * in either half, such as goals:* or *:get_*. "


class KeyForm(PorticoForm):
    """What a key may do; ``principal`` only when it is made."""

    name = forms.CharField(max_length=80, help_text="What will use this key, for example: my laptop.")
    principal = forms.ChoiceField(
        label="Belongs to", help_text="A key may do what its owner's role may do, and never more."
    )
    account_name = forms.CharField(max_length=80, required=False, label="New service account: name")
    account_role = forms.ChoiceField(required=False, label="New service account: role", help_text=ROLE_HELP)
    allow = LinesField(label="Only these tools", help_text=PATTERN_HELP + "Empty: all that the role may use.")
    deny = LinesField(label="Never these tools", help_text=PATTERN_HELP + "Wins over everything else.")
    read_only = forms.BooleanField(
        required=False, label="Read-only", help_text="Tools that write are neither listed nor called."
    )
    networks = LinesField(
        rows=2,
        label="Only from these networks",
        help_text="One a line, such as 203.0.113.0/24. Empty: from everywhere.",
    )
    expires_at = LocalDateTimeField(required=False, label="Expires (UTC)", help_text="Empty: never.")

    groups = (
        (
            "Narrow it down",
            "A key only ever takes away.",
            ("allow", "deny", "read_only", "networks", "expires_at"),
        ),
    )

    def __init__(self, *args: Any, seat: Seat, key: AccessKey | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seat = seat
        if key is not None:
            for name in ("principal", "account_name", "account_role"):
                del self.fields[name]
            for name in self.fields:
                self.fields[name].initial = getattr(key, name)
            return
        principal: Any = self.fields["principal"]
        principal.choices = [(NEW_ACCOUNT, "a new service account (named below)"), *_principals(seat)]
        role: Any = self.fields["account_role"]
        role.choices = role_choices(seat)
        role.initial = Role.OPERATOR.value

    def clean(self) -> dict[str, Any]:
        """A new service account needs a name."""
        values = super().clean() or {}
        if values.get("principal") == NEW_ACCOUNT and not values.get("account_name"):
            self.add_error("account_name", ValidationError("Write a name for the new service account."))
        return values


def _principals(seat: Seat) -> list[tuple[str, str]]:
    rows = Principal.objects.for_tenant(seat.here).select_related("user").order_by("created_at")
    return [
        (str(row.pk), f"{row.display_name} ({row.role})")
        for row in rows
        if row.role != Role.OWNER or seat.may(Role.OWNER)
    ]


@admin.register(AccessKey, site=site)
class AccessKeyAdmin(ServiceAdmin):
    """The tenant's keys; a revoked key stays in the list for the record."""

    view_role = add_role = change_role = delete_role = Role.ADMIN
    list_display = ("name", "shown_id", "principal", "state", "last_used_at", "expires_at")
    search_fields = ("name", "id")
    ordering = ("-created_at",)
    list_select_related = ("principal__user",)
    empty_text = "A client sends an access key with each request; without one it is nobody here."
    delete_notice = "The key stops working in every worker within a second. It stays in the list as revoked."

    @display(description="Key")
    def shown_id(self, obj: AccessKey) -> str:
        """The public part."""
        return f"ptc_{obj.pk}_…"

    @display(description="State")
    def state(self, obj: AccessKey) -> SafeString:
        """Live, expired or revoked."""
        if obj.revoked_at is not None:
            return badge("revoked", "bad")
        return badge("live", "ok") if obj.is_live else badge("expired", "warn")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A revoked key is history."""
        return super().has_change_permission(request, obj) and (obj is None or obj.revoked_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A revoked key is history."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.revoked_at is None)

    def get_urls(self) -> list[URLPattern]:
        """Revoking beside Django's pages."""
        return [
            path(
                "<path:object_id>/revoke/",
                self.admin_site.admin_view(self.revoke_view),
                name="tenants_accesskey_revoke",
            ),
            *super().get_urls(),
        ]

    def make_form(self, request: HttpRequest, obj: Any | None) -> KeyForm:
        """Bound on POST."""
        data = request.POST if request.method == "POST" else None
        return KeyForm(data, seat=seat_of(request), key=obj)

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """A key's dates, and how removing is called here."""
        if obj is None:
            return {"save_label": "Create the key", "title": "Create an access key"}
        used = f"last used {obj.last_used_at:%d %B %Y, %H:%M} UTC" if obj.last_used_at else "never used"
        ended = f", revoked {obj.revoked_at:%d %B %Y, %H:%M} UTC" if obj.revoked_at else ""
        return {
            "delete_label": "Revoke",
            "intro": f"ptc_{obj.pk}_… belongs to {obj.principal.display_name} ({obj.principal.role}); "
            f"made {obj.created_at:%d %B %Y}, {used}{ended}.",
        }

    def create(self, request: HttpRequest, form: KeyForm) -> HttpResponse:
        """Make the key (and its service account) and show the secret, once."""
        seat, actor = seat_of(request), actor_of(request)
        values = dict(form.cleaned_data)
        choice, name, role = (values.pop(field) for field in ("principal", "account_name", "account_role"))
        with transaction.atomic():
            if choice == NEW_ACCOUNT:
                owner = _named_account(seat, actor, name, role)
            else:
                owner = Principal.objects.for_tenant(seat.here).get(pk=choice)
            key, secret = services.access_key_create(tenant=seat.here, principal=owner, actor=actor, **values)
        url = mcp_url(seat.here.slug)
        response = self.page(
            request,
            "portico/key_made.html",
            title="Access key created",
            key=key,
            secret=secret,
            mcp_url=url,
            clients=client_configurations(seat.here.slug, url, secret),
            back_url=self.url("changelist"),
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    def update(self, request: HttpRequest, form: KeyForm, obj: Any) -> Any:
        """Change name and limits; secret and owner stay."""
        return services.access_key_update(key=obj, actor=actor_of(request), **form.cleaned_data)

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Revoke."""
        services.access_key_revoke(key=obj, actor=actor_of(request))

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Revoke without asking again (POST)."""
        obj = self.object_or_404(request, object_id)
        if request.method != "POST" or not self._may(request, self.delete_role):
            raise PermissionDenied
        try:
            services.access_key_revoke(key=obj, actor=actor_of(request))
        except SERVICE_ERRORS as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Revoked: {obj}")
        return HttpResponseRedirect(self.url("changelist"))


def _named_account(seat: Seat, actor: Any, name: str, role: str) -> Any:
    """A new service account; a name in use is the form's error at its own field."""
    try:
        return services.service_account_create(tenant=seat.here, name=name, role=role, actor=actor)
    except SERVICE_ERRORS as error:
        raise ValidationError({"account_name": str(error)}) from error
