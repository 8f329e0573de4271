"""Limits and quotas: what is used of them now, and changing them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from connectors import services
from connectors.limiting.calendar import said_moment
from connectors.limiting.use import NOT_KNOWN, Use, usage_of_limits
from connectors.models import Connection, UsageLimit
from portico.admin.acting import actor_of
from portico.admin.badges import badge
from portico.admin.base import ServiceAdmin
from portico.admin.current import Seat, seat_of
from portico.admin.forms import PorticoForm
from portico.admin.site import site
from tenants.models import AccessKey
from tenants.principals import Role

NEARLY = 0.9  # of a limit: from here on the list warns


class LimitForm(PorticoForm):
    """A limit; whose it is and its period only when it is made."""

    key = forms.ChoiceField(required=False, label="Access key", help_text="Of this key alone.")
    connection = forms.ChoiceField(required=False, help_text="Of this connection's calls alone.")
    tool = forms.CharField(
        max_length=48,
        required=False,
        help_text="Of this tool of the connection alone; its own name, without the connection before it.",
    )
    calls = forms.IntegerField(min_value=1, max_value=services.limits.MAX_CALLS, help_text="At most so many.")
    period = forms.ChoiceField(
        choices=UsageLimit.Period.choices,
        initial="hour",
        help_text="A second, minute, hour or day is counted back from each call. A month is a quota: the "
        "calendar month in the tenant's time zone, counted by what tools weigh.",
    )
    enabled = forms.BooleanField(required=False, initial=True, help_text="Switched off, it stops nobody.")

    groups = (
        ("Whose calls", "Nothing chosen: all calls of this tenant together.", ("key", "connection", "tool")),
        ("How many", "", ("calls", "period", "enabled")),
    )

    def __init__(self, *args: Any, seat: Seat, limit: UsageLimit | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if limit is not None:
            for name in ("key", "connection", "tool", "period"):
                del self.fields[name]
            for name in self.fields:
                self.fields[name].initial = getattr(limit, name)
            return
        keys = AccessKey.objects.for_tenant(seat.here).filter(revoked_at=None).order_by("name")
        key: Any = self.fields["key"]
        key.choices = [("", "any"), *((row.pk, str(row)) for row in keys)]
        rows = Connection.objects.for_tenant(seat.here).order_by("slug")
        connection: Any = self.fields["connection"]
        connection.choices = [("", "any"), *((row.slug, f"{row.name} ({row.slug})") for row in rows)]


@admin.register(UsageLimit, site=site)
class LimitAdmin(ServiceAdmin):
    """The tenant's limits and quotas."""

    view_role = add_role = change_role = delete_role = Role.ADMIN
    form_template = "portico/limit.html"
    list_display = ("whose", "allowed", "used", "again", "state")
    list_select_related = ("key", "connection")
    ordering = ("created_at",)
    empty_text = (
        "Tools may be called as often as their connectors allow. A limit protects a system or a budget."
    )
    delete_notice = "Nobody is held back by it any more, and what it has counted is forgotten."

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list, each limit with its use: one question for all of them."""
        found = super().get_changelist_instance(request)
        found.result_list = rows = list(found.result_list)
        tenant = seat_of(request).tenant
        use = usage_of_limits(tenant, rows) if tenant and rows else {}
        for row in rows:
            row.use, row.zone = use.get(row.pk, NOT_KNOWN), tenant.time_zone if tenant else "UTC"
        return found

    @display(description="Whose calls")
    def whose(self, obj: UsageLimit) -> str:
        """In words."""
        return whose(obj)

    @display(description="Allowed")
    def allowed(self, obj: UsageLimit) -> str:
        """Calls and period."""
        return f"{obj.calls:,} {obj.get_period_display()}"

    @display(description="Used now")
    def used(self, obj: Any) -> SafeString | str:
        """Of it, with a colour where little is left."""
        return shown_use(obj, obj.use)

    @display(description="Until")
    def again(self, obj: Any) -> str:
        """When a month is over, or the window moves on."""
        use: Use = obj.use
        return said_moment(obj.zone, use.resets_at.timestamp()) if use.resets_at else "-"

    @display(description="State")
    def state(self, obj: UsageLimit) -> SafeString:
        """Whether it holds."""
        return badge("on", "ok") if obj.enabled else badge("switched off", "warn")

    def make_form(self, request: HttpRequest, obj: Any | None) -> LimitForm:
        """Bound on POST."""
        return LimitForm(request.POST if request.method == "POST" else None, seat=seat_of(request), limit=obj)

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """Whose it is, and what is used."""
        if obj is None:
            return {"title": "Add a limit", "save_label": "Add"}
        tenant = seat_of(request).here
        use = usage_of_limits(tenant, [obj]).get(obj.pk, NOT_KNOWN)
        return {
            "title": f"{whose(obj)}: {obj}",
            "limit": obj,
            "whose": whose(obj),
            "use": use,
            "shown_use": shown_use(obj, use),
            "again": said_moment(tenant.time_zone, use.resets_at.timestamp()) if use.resets_at else "",
        }

    def create(self, request: HttpRequest, form: LimitForm) -> Any:
        """Make the limit."""
        return services.limit_create(
            tenant=seat_of(request).here, actor=actor_of(request), **form.cleaned_data
        )

    def update(self, request: HttpRequest, form: LimitForm, obj: Any) -> Any:
        """Change what the form has."""
        return services.limit_update(obj, actor=actor_of(request), **form.cleaned_data)

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Take it away."""
        services.limit_delete(obj, actor=actor_of(request))


def whose(row: UsageLimit) -> str:
    """Whose calls a limit counts, in words."""
    parts = [f"key {row.key.name}"] if row.key else []
    if row.connection:
        parts.append(f"{row.connection.slug}:{row.tool}" if row.tool else f"connection {row.connection.slug}")
    return ", ".join(parts) or "the whole tenant"


def shown_use(row: UsageLimit, use: Use) -> SafeString | str:
    """Used of allowed, or that nobody knows."""
    if use.used is None:
        return "not known: Redis does not answer"
    colour = "bad" if not use.left else "warn" if use.used >= NEARLY * row.calls else "ok"
    return format_html("{} {}", badge(f"{use.used:,}", colour), f"of {row.calls:,}")
