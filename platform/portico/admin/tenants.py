"""Tenants: the platform's list, and the one page where a tenant's people, keys and rules meet."""

import zoneinfo
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from connectors.models import Connection, Endpoint, ToolPermission
from connectors.snapshot import load
from portico.admin.acting import actor_of
from portico.admin.base import SERVICE_ERRORS, ServiceAdmin
from portico.admin.clients import mcp_url
from portico.admin.current import PLATFORM, choose_tenant, seat_of
from portico.admin.forms import PorticoForm
from portico.admin.site import site
from portico.admin.token_cost import cost_of
from tenants import services
from tenants.models import AccessKey, Invitation, Membership, ServiceAccount, Tenant
from tenants.principals import Role

SHOWN = 8  # rows of each kind on the tenant's page; the rest is a click away


def time_zones() -> list[tuple[str, str]]:
    """Every zone of the time zone database."""
    return [(name, name) for name in sorted(zoneinfo.available_timezones())]


class TenantForm(PorticoForm):
    """A tenant's settings; ``slug`` and ``owner`` only when it is made."""

    slug = forms.CharField(
        max_length=40,
        help_text="3 to 40 small letters, digits and hyphens. Part of the MCP URL /t/<slug>/mcp; fixed for ever.",
    )
    name = forms.CharField(max_length=120, help_text="What people see.")
    time_zone = forms.ChoiceField(
        choices=time_zones, initial="UTC", help_text="For business dates, quotas and schedules."
    )
    make_me_owner = forms.BooleanField(
        required=False,
        initial=True,
        label="Make me an owner",
        help_text="A superuser who is no member configures everything but calls no tool.",
    )
    read_only = forms.BooleanField(
        required=False,
        label="Read-only",
        help_text="No tool that writes is listed or called, whatever the role.",
    )
    sse_enabled = forms.BooleanField(
        required=False,
        label="HTTP+SSE transport",
        help_text="Serve the deprecated transport at /t/<slug>/sse, for clients that know nothing newer.",
    )
    deferred_tools = forms.BooleanField(
        required=False,
        label="Search instead of a list",
        help_text="Clients list two tools, one that searches the others and one that calls them.",
    )
    audit_retention_days = forms.IntegerField(
        min_value=0,
        max_value=36500,
        label="Keep audit events for (days)",
        help_text="Older events are removed; 0 keeps them for ever.",
    )
    audit_legal_hold = forms.BooleanField(
        required=False, label="Legal hold", help_text="While set, no audit event is removed."
    )

    groups = (("Audit", "An owner's choice.", ("audit_retention_days", "audit_legal_hold")),)

    def __init__(self, *args: Any, tenant: Tenant | None, owner: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if tenant is None:
            for name in (
                "read_only", "sse_enabled", "deferred_tools", "audit_retention_days", "audit_legal_hold",
            ):  # fmt: skip
                del self.fields[name]
            return
        del self.fields["slug"], self.fields["make_me_owner"]
        if not owner:
            del self.fields["audit_retention_days"], self.fields["audit_legal_hold"]
        for name in self.fields:
            self.fields[name].initial = getattr(tenant, name)


@admin.register(Tenant, site=site)
class TenantAdmin(ServiceAdmin):
    """Superusers see all tenants; an admin of a tenant sees the own one."""

    view_role = Role.ADMIN
    add_role = None
    change_role = Role.ADMIN
    delete_role = None
    form_template = "portico/tenant.html"
    list_display = ("name", "slug", "status", "read_only", "time_zone", "created_at")
    list_filter = ("status",)
    search_fields = ("slug", "name")

    def get_queryset(self, request: HttpRequest) -> Any:
        """All for a superuser, else the current one."""
        seat = seat_of(request)
        if seat.is_superuser:
            return Tenant.objects.order_by("slug")
        return Tenant.objects.filter(pk=seat.tenant.pk) if seat.tenant else Tenant.objects.none()

    def on_platform(self, request: HttpRequest) -> bool:
        """The list of tenants is the platform's page."""
        return seat_of(request).is_superuser

    def _is_ours(self, request: HttpRequest, obj: Any) -> bool:
        seat = seat_of(request)
        return obj is None or seat.is_superuser or (seat.tenant is not None and obj.pk == seat.tenant.pk)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A list for superusers; others have one tenant and go straight there."""
        seat = seat_of(request)
        if not seat.is_superuser and seat.tenant is not None and self.has_view_permission(request):
            return HttpResponseRedirect(self.url("change", seat.tenant.pk))
        return super().changelist_view(request, extra_context)

    def get_urls(self) -> list[URLPattern]:
        """Suspending and resuming beside Django's pages."""
        return [
            path(
                "<path:object_id>/status/",
                self.admin_site.admin_view(self.status_view),
                name="tenants_tenant_status",
            ),
            *super().get_urls(),
        ]

    def make_form(self, request: HttpRequest, obj: Any | None) -> TenantForm:
        """Bound on POST."""
        data = request.POST if request.method == "POST" else None
        seat = seat_of(request)
        return TenantForm(data, tenant=obj, owner=seat.may(Role.OWNER))

    def create(self, request: HttpRequest, form: TenantForm) -> HttpResponse:
        """Make the tenant and move into it."""
        values = dict(form.cleaned_data)
        owner = request.user if values.pop("make_me_owner") else None
        tenant = services.tenant_create(**values, owner=owner, actor=actor_of(request))
        choose_tenant(request, str(tenant.pk))
        messages.success(request, f"Created: {tenant}. Here is what it needs next.")
        return HttpResponseRedirect(reverse("admin:index"))

    def update(self, request: HttpRequest, form: TenantForm, obj: Any) -> Any:
        """Change what the form has."""
        return services.tenant_update(tenant=obj, actor=actor_of(request), **form.cleaned_data)

    def after_save(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Stay on the page."""
        return HttpResponseRedirect(self.url("change", obj.pk))

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """The overview: people, keys, connections and rules."""
        seat = seat_of(request)
        if obj is None:
            return {"save_label": "Create the tenant"}
        return {
            "tenant": obj,
            "is_current": seat.tenant is not None and seat.tenant.pk == obj.pk,
            "may_own": seat.may(Role.OWNER),
            "mcp_url": mcp_url(obj.slug),
            "panels": overview(obj),
            "cost": cost_of(load(obj.pk)),
            "status_url": self.url("status", obj.pk),
            "list_url": self.url("changelist") if seat.is_superuser else "",
            "delete_label": "Delete this tenant",
        }

    def status_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Suspend or resume (POST ``action``)."""
        obj = self.object_or_404(request, object_id)
        if request.method != "POST" or not seat_of(request).may(Role.OWNER):
            raise PermissionDenied
        work = services.tenant_resume if request.POST.get("action") == "resume" else services.tenant_suspend
        try:
            work(tenant=obj, actor=actor_of(request))
        except SERVICE_ERRORS as error:
            messages.error(request, str(error))
        else:
            done = "works again" if work is services.tenant_resume else "is suspended"
            messages.success(request, f"{obj} {done}.")
        return HttpResponseRedirect(self.url("change", obj.pk))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Ask for the slug before everything is gone."""
        obj = self.object_or_404(request, object_id)
        extra = {"confirm": True, "confirm_label": f"Write {obj.slug} to confirm"}
        return super().delete_view(request, object_id, {**extra, **(extra_context or {})})

    def check_deletion(self, request: HttpRequest, obj: Any) -> None:
        """The slug must be typed."""
        if request.POST.get("confirm", "").strip() != obj.slug:
            raise ValidationError(f"Write the tenant's slug, {obj.slug}, to confirm.")

    def deletion_notice(self, request: HttpRequest, obj: Any) -> str:
        """Say what goes."""
        return (
            "Its connections, credentials, members, keys and data are deleted for ever; its audit chain is "
            "archived first. A tenant has to be suspended before it can be deleted."
        )

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service and go back to the platform."""
        services.tenant_delete(tenant=obj, actor=actor_of(request))
        seat = seat_of(request)
        if seat.tenant is not None and seat.tenant.pk == obj.pk:
            choose_tenant(request, PLATFORM)


def overview(tenant: Tenant) -> list[dict[str, Any]]:
    """The panels of a tenant's page: ``title``, ``rows`` (text, note, url), ``total``, ``all_url``, ``add_url``."""
    return [
        _panel(
            "Connections",
            "connectors_connection",
            Connection.objects.for_tenant(tenant).order_by("slug"),
            lambda row: (row.name, f"{row.connector} · {row.slug}"),
        ),
        _panel(
            "Endpoints",
            "connectors_endpoint",
            Endpoint.objects.for_tenant(tenant).order_by("slug"),
            lambda row: (row.name, row.slug if row.enabled else f"{row.slug} · off"),
        ),
        _panel(
            "Members",
            "tenants_membership",
            Membership.objects.for_tenant(tenant).select_related("user").order_by("created_at"),
            lambda row: (row.display_name, row.role),
            add="tenants_invitation",
        ),
        _panel(
            "Invitations",
            "tenants_invitation",
            Invitation.objects.for_tenant(tenant).filter(accepted_at=None),
            lambda row: (row.email, row.role),
        ),
        _panel(
            "Service accounts",
            "tenants_serviceaccount",
            ServiceAccount.objects.for_tenant(tenant).order_by("name"),
            lambda row: (row.name, row.role),
        ),
        _panel(
            "Access keys",
            "tenants_accesskey",
            AccessKey.objects.for_tenant(tenant).filter(revoked_at=None).select_related("principal__user"),
            lambda row: (row.name, row.principal.display_name),
        ),
        {
            "title": "Permissions",
            "rows": [
                {
                    "text": Role(row.role).value,
                    "note": _rule_note(row),
                    "url": reverse("admin:connectors_toolpermission_changelist"),
                }
                for row in ToolPermission.objects.for_tenant(tenant)
                if row.allow or row.deny
            ],
            "total": None,
            "all_url": reverse("admin:connectors_toolpermission_changelist"),
            "add_url": "",
            "empty": "Every role may use what its rank permits.",
        },
    ]


def _rule_note(row: ToolPermission) -> str:
    parts = [f"allow {', '.join(row.allow)}"] if row.allow else []
    parts += [f"deny {', '.join(row.deny)}"] if row.deny else []
    return "; ".join(parts)[:120]


def _panel(title: str, base: str, rows: Any, describe: Any, add: str | None = None) -> dict[str, Any]:
    found = []
    for row in rows[:SHOWN]:
        text, note = describe(row)
        found.append({"text": text, "note": note, "url": reverse(f"admin:{base}_change", args=[row.pk])})
    return {
        "title": title,
        "rows": found,
        "total": rows.count(),
        "all_url": reverse(f"admin:{base}_changelist"),
        "add_url": reverse(f"admin:{add or base}_add"),
        "empty": "None yet.",
    }
