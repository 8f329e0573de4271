"""What each role may use: one page of patterns."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from connectors import services
from connectors.models import Connection, ToolPermission
from portico.admin.acting import actor_of
from portico.admin.base import SERVICE_ERRORS, ServiceAdmin
from portico.admin.current import Seat, seat_of
from portico.admin.forms import LinesField, PorticoForm
from portico.admin.site import site
from tenants.principals import Role

RANKS = {
    Role.VIEWER: "By rank: tools that only read.",
    Role.OPERATOR: "By rank: tools that read and tools that write.",
    Role.ADMIN: "By rank: every tool that is switched on.",
    Role.OWNER: "By rank: every tool that is switched on.",
}


# The lists of a role's rule, with what the form calls them.
KINDS = {"allow": "Only these tools", "deny": "Never these tools", "confirm": "Only after the person agrees"}
Lists = dict[str, list[str]]


class PermissionForm(PorticoForm):
    """Patterns of the four roles."""

    groups = tuple(
        (role.value.title(), RANKS[role], tuple(f"{role.value}_{kind}" for kind in KINDS)) for role in Role
    )

    def __init__(self, *args: Any, seat: Seat, **kwargs: Any) -> None:
        rows = {row.role: row for row in ToolPermission.objects.for_tenant(seat.here)}
        self.stored: dict[str, Lists] = {
            role.value: {kind: list(getattr(rows[role], kind)) if role in rows else [] for kind in KINDS}
            for role in Role
        }
        super().__init__(*args, **kwargs)
        for role, lists in self.stored.items():
            for kind, label in KINDS.items():
                self.fields[f"{role}_{kind}"] = LinesField(label=label, initial=lists[kind])
        from portico.admin.forms import dress

        dress(self)

    def changed_roles(self) -> dict[str, Lists]:
        """The roles whose patterns differ from what is stored."""
        given = {role: {kind: self.cleaned_data[f"{role}_{kind}"] for kind in KINDS} for role in self.stored}
        return {role: lists for role, lists in given.items() if lists != self.stored[role]}


@admin.register(ToolPermission, site=site)
class ToolPermissionAdmin(ServiceAdmin):
    """One page instead of a list: a tenant has at most one row per role."""

    view_role = change_role = Role.ADMIN

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show and change all roles' patterns."""
        seat = seat_of(request)
        if seat.tenant is None or not self.has_view_permission(request):
            raise PermissionDenied
        data = None
        if request.method == "POST":
            self.demand_same_tenant(request)
            data = request.POST
        form = PermissionForm(data, seat=seat)
        if request.method == "POST" and form.is_valid() and self._store(request, form, seat):
            return HttpResponseRedirect(self.url("changelist"))
        connections = Connection.objects.for_tenant(seat.here).order_by("slug")
        return self.page(
            request,
            "portico/permissions.html",
            status=422 if form.errors else 200,
            title="Permissions",
            form=form,
            writable=True,
            slugs=[connection.slug for connection in connections],
        )

    def _store(self, request: HttpRequest, form: PermissionForm, seat: Seat) -> bool:
        """All roles or none."""
        role = ""
        try:
            with transaction.atomic():
                for role, lists in form.changed_roles().items():
                    services.permission_set(tenant=seat.here, role=role, **lists, actor=actor_of(request))
        except SERVICE_ERRORS as error:
            field = f"{role}_{getattr(error, 'field', '') or ''}"
            form.add_error(field if field in form.fields else None, str(error))
            return False
        messages.success(request, "Saved: permissions")
        return True

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A row's page is the page of all."""
        if object_id is None:
            raise Http404
        self.object_or_404(request, object_id)
        return HttpResponseRedirect(self.url("changelist"))
