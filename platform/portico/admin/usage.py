"""How much a tenant uses: a chart of its days, tables of what and who, and the same as a file."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from connectors.models import UsageCursor, UsageDay
from connectors.usage import WAYS, Period, Use, total_of, usage_of
from portico.admin.bars import stacked
from portico.admin.base import TenantScopedAdmin
from portico.admin.current import seat_of
from portico.admin.site import site
from portico.usage_file import csv_of
from tenants.errors import InvalidValue
from tenants.principals import Role

TITLES = {"tool": "Tools", "connection": "Connections", "principal": "People and programs", "day": "Days"}
SHOWN = 200  # rows of the page; the file has all


@admin.register(UsageDay, site=site)
class UsageAdmin(TenantScopedAdmin):
    """One page instead of a list; the counts are made from the audit."""

    view_role = Role.ADMIN

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A period's use; with ``format=csv`` as a file."""
        seat = seat_of(request)
        if seat.tenant is None or not self.has_view_permission(request):
            raise PermissionDenied
        asked, error = request.GET, ""
        try:
            period = Period.read(seat.here, asked.get("from"), asked.get("to"))
        except InvalidValue as refused:
            period, error = Period.read(seat.here, None, None), str(refused)
        by = asked.get("by", "tool")
        by = by if by in WAYS else "tool"
        uses = usage_of(seat.here, period, by)
        if asked.get("format") == "csv" and not error:
            return csv_of(seat.here, period, by, uses)
        days = uses if by == "day" else usage_of(seat.here, period, "day")
        kept = {"from": period.first.isoformat(), "to": period.last.isoformat()}
        return self.page(
            request,
            "portico/usage.html",
            status=422 if error else 200,
            title="Usage",
            error=error,
            period=period,
            by=by,
            tabs=[(name, title, "?" + urlencode({**kept, "by": name})) for name, title in TITLES.items()],
            rows=(uses[::-1] if by == "day" else uses)[:SHOWN],
            more=max(0, len(uses) - SHOWN),
            total=total_of(days),
            bars=bars_of(days),
            csv_url="?" + urlencode({**kept, "by": by, "format": "csv"}),
            counted=UsageCursor.objects.for_tenant(seat.here).exists(),
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A count has no page of its own."""
        raise Http404


def bars_of(days: list[Use]) -> list[dict[str, Any]]:
    """A column for each day: successes below, errors above, refusals on top."""
    return stacked(
        [
            (
                f"{day.label}: {day.calls} calls, {day.errors} errors, {day.denied} refusals",
                {"calls": day.calls - day.errors - day.denied, "errors": day.errors, "denied": day.denied},
            )
            for day in days
        ]
    )
