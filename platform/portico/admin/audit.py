"""The audit for people: a list to filter and search, one page per call, and exports. Nothing writes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from unfold.decorators import display

from audit.events import Event
from audit.export import FORMATS, streamed
from audit.models import AuditEvent, to_us
from audit.moments import since_us
from audit.selectors import call_of, latest_rows, search_condition
from audit.services import record_in_transaction
from connectors.models import Connection
from portico.admin.acting import actor_of
from portico.admin.badges import badge
from portico.admin.base import TenantScopedAdmin
from portico.admin.current import seat_of
from portico.admin.site import site
from tenants.principals import Role

OUTCOMES = {
    "ok": "ok", "error": "bad", "denied": "warn", "cancelled": "warn", "asked": "", "unknown": "bad",
}  # fmt: skip
SPANS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
SPAN_TITLES = {
    "hour": "The last hour", "day": "The last 24 hours", "week": "The last 7 days", "month": "The last 30 days",
}  # fmt: skip


class CappedPaginator(Paginator):
    """Counts at most ``most`` rows: a tenant may have a hundred million, and nobody pages that far."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        """How many rows there are, or ``most``."""
        rows: Any = self.object_list
        return int(rows[: self.most].count())


class WhenFilter(admin.SimpleListFilter):
    """How long ago."""

    title = "time"
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Spans that end now."""
        return list(SPAN_TITLES.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows within the span."""
        since = since_of(self.value())
        return queryset if since is None else queryset.filter(since_us(seat_of(request).tenant, to_us(since)))


class ConnectionFilter(admin.SimpleListFilter):
    """Which connection, of the current tenant's."""

    title = "connection"
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The tenant's connections; those that were deleted are found by search."""
        tenant = seat_of(request).tenant
        if tenant is None:
            return []
        rows = Connection.objects.for_tenant(tenant).order_by("slug").values_list("slug", "name")
        return [(slug, f"{name} ({slug})") for slug, name in rows]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows of the connection."""
        return queryset.filter(connection=self.value()) if self.value() else queryset


class OutcomeFilter(admin.SimpleListFilter):
    """How it ended."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All outcomes; ``unknown`` is an attempt without a completion too."""
        return [(outcome, outcome) for outcome in OUTCOMES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows with the outcome."""
        if not self.value():
            return queryset
        if self.value() == "unknown":
            return queryset.filter(Q(phase="attempt") | Q(outcome="unknown"))
        return queryset.filter(phase="done", outcome=self.value())


def since_of(span: str | None) -> datetime | None:
    """When a span of :data:`SPANS` began."""
    return datetime.now(UTC) - SPANS[span] if span in SPANS else None


@admin.register(AuditEvent, site=site)
class AuditEventAdmin(TenantScopedAdmin):
    """What happened in the tenant (or on the platform), one row per call, newest first."""

    view_role = Role.ADMIN
    export_role = Role.OWNER
    list_display = ("when", "what", "who", "result", "took", "address")
    list_filter = (WhenFilter, "kind", OutcomeFilter, ConnectionFilter)
    search_fields = ("name",)
    search_help_text = "Tool, object, person, address, call id, key id or trace id"
    ordering = ("-seq",)
    paginator = CappedPaginator
    show_full_result_count = False
    list_before_template = "portico/audit_exports.html"
    list_filter_submit = False

    def on_platform(self, request: HttpRequest) -> bool:
        """Superusers see the platform's own chain."""
        return seat_of(request).is_superuser

    def get_queryset(self, request: HttpRequest) -> Any:
        """One row per call: an attempt is shown only while it has no completion."""
        return latest_rows(super().get_queryset(request))

    def get_platform_queryset(self, request: HttpRequest) -> Any:
        """The platform's own events."""
        return AuditEvent.objects.for_tenant(None)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By text in names, or by a whole id or address."""
        found = queryset.filter(search_condition(search_term)) if search_term.strip() else queryset
        return found, False

    # -- the list ------------------------------------------------------------------------

    @display(description="Time (UTC)", ordering="seq")
    def when(self, obj: AuditEvent) -> str:
        """To the millisecond."""
        return f"{obj.at:%Y-%m-%d %H:%M:%S}.{obj.at.microsecond // 1000:03d}"

    @display(description="What")
    def what(self, obj: AuditEvent) -> str:
        """The kind, the connection and the tool or object."""
        target = f"{obj.connection}:{obj.name}" if obj.connection else obj.name
        times = f" ({obj.count} times)" if obj.count > 1 else ""
        return f"{obj.get_kind_display()} {target}{times}"

    @display(description="Who")
    def who(self, obj: AuditEvent) -> str:
        """The principal, and who acted for it."""
        name = obj.principal_name or (f"ptc_{obj.key_id}_…" if obj.key_id else "—")
        return f"{name} (by {obj.actor_name})" if obj.actor_name else name

    @display(description="Outcome")
    def result(self, obj: AuditEvent) -> SafeString:
        """How it ended; an attempt alone is unknown."""
        outcome = "unknown" if obj.phase == "attempt" else obj.outcome
        text = f"{outcome}: {obj.error_type}" if obj.error_type else outcome
        if obj.cache in {"hit", "stale"}:  # the system was not asked
            text = f"{text}, {obj.cache}"
        return badge(text, OUTCOMES.get(outcome, ""))

    @display(description="Duration", ordering="duration_us")
    def took(self, obj: AuditEvent) -> str:
        """In milliseconds."""
        return f"{obj.duration_ms:.1f} ms" if obj.duration_us else ""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list, with export links that keep its filters."""
        links = []
        if self._may(request, self.export_role):
            kept = {
                key: value
                for key, value in request.GET.items()
                if key in {"when", "kind__exact", "connection"}
            }
            links = [
                {"format": format, "url": f"{self.url('export', format)}?{urlencode(kept)}"}
                for format in FORMATS
            ]
        return super().changelist_view(request, {**(extra_context or {}), "exports": links, "title": "Audit"})

    # -- one call ------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Exports beside Django's pages."""
        export = path(
            "export/<str:format>/",
            self.admin_site.admin_view(self.export_view),
            name="audit_auditevent_export",
        )
        return [export, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Attempt and completion as one call that a person can read."""
        if request.method != "GET" or not self.has_view_permission(request):
            raise PermissionDenied
        tenant = seat_of(request).tenant
        found = (
            AuditEvent.objects.for_tenant(tenant).filter(pk=int(object_id)) if object_id.isdecimal() else None
        )
        event = found.first() if found is not None else None
        if event is None:
            raise Http404
        call = call_of(tenant, event.call_id)
        rows = [row for row in (call.attempt, call.done, *call.others) if row] if call else [event]
        outcome = call.outcome if call else event.outcome
        return self.page(
            request,
            "portico/audit_event.html",
            title=self.what(event),
            event=call.event if call else event,
            call=call,
            rows=sorted(rows, key=lambda row: row.seq),
            result=badge(outcome, OUTCOMES.get(outcome, "")),
            outcome=outcome,
            arguments=pretty(call.arguments if call else event.arguments),
            back_url=self.url("changelist"),
            who=self.who(event),
        )

    # -- exports -------------------------------------------------------------------------

    def export_view(self, request: HttpRequest, format: str) -> StreamingHttpResponse:
        """Stream the events as a file; the export is an event itself."""
        tenant = seat_of(request).tenant
        if format not in FORMATS:
            raise Http404
        if not self._may(request, self.export_role):
            raise PermissionDenied
        actor = actor_of(request)
        chosen = {
            "kind": request.GET.get("kind__exact", ""),
            "connection": request.GET.get("connection", ""),
            "since": since_of(request.GET.get("when")),
        }
        with transaction.atomic():
            record_in_transaction(
                Event(
                    tenant.pk if tenant else None, "system", name="audit.export", principal_id=actor.id,
                    principal_name=actor.name, via=actor.via, address=actor.address,
                    arguments={"format": format, **{key: str(value) for key, value in chosen.items() if value}},
                )
            )  # fmt: skip
        return streamed(request, tenant, tenant.slug if tenant else "platform", format, **chosen)


def pretty(text: str) -> str:
    """Stored arguments with line breaks; as they are when they were cut."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False).encode("utf-8", "replace").decode()
    except ValueError:
        return text
