"""The home page: a tenant's health at a glance, or all tenants for a superuser without one."""

import time
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, Sum
from django.http import HttpRequest
from django.urls import reverse

from audit.events import ASKED
from audit.models import AuditEvent
from audit.moments import since_us, since_us_anywhere
from connectors.models import Connection, HealthCheck, HealthState
from portico.admin.bars import stacked
from portico.admin.client_counts import client_panel
from portico.admin.clients import client_configurations, mcp_url
from portico.admin.current import Seat, seat_of
from portico.admin.own_account import own_accounts
from tenants.models import AccessKey, Membership, Tenant
from tenants.principals import Role

HOUR_US = 3_600_000_000
HOURS = 24
LATEST = 8
MOST_TENANTS = 200  # on the platform's home; the list of tenants has all, in pages
CALL_KINDS = ("call", "read", "prompt")
REFUSAL_KINDS = ("denial", "auth")


def home_context(request: HttpRequest) -> dict[str, Any]:
    """What the home page of this seat shows."""
    seat = seat_of(request)
    if seat.tenant is None:
        return {"overview": platform_overview() if seat.is_superuser else None}
    return tenant_context(seat, seat.tenant)


def tenant_context(seat: Seat, tenant: Tenant) -> dict[str, Any]:
    """Health, activity, latest events and next steps of one tenant."""
    connections = connection_rows(tenant)
    url = mcp_url(tenant.slug)
    may_audit = seat.may(Role.ADMIN)
    keys = AccessKey.objects.for_tenant(tenant).filter(revoked_at=None)
    activity = Activity(tenant.pk)
    context = {
        "tenant": tenant,
        "connections": connections,
        "activity": activity,
        "mcp_url": url,
        "clients": client_configurations(tenant.slug, url),
        "latest": latest_events(tenant) if may_audit else [],
        "may_audit": may_audit,
        "members": Membership.objects.for_tenant(tenant).count(),
        "keys": keys.count(),
        "own_accounts": own_accounts(seat),
        "client_counts": client_panel(tenant.pk) if may_audit else None,
        "troubled": sum(1 for row in connections if row["state"] == "bad"),
    }
    if seat.may(Role.ADMIN):
        context["steps"] = next_steps(context)
    return context


def connection_rows(tenant: Tenant) -> list[dict[str, Any]]:
    """Each connection with the state of its last check: ``ok``, ``bad``, ``off`` or ``unknown``."""
    checks = {check.connection_id: check for check in HealthCheck.objects.for_tenant(tenant)}
    rows = []
    for connection in Connection.objects.for_tenant(tenant).order_by("slug"):
        check = checks.get(connection.pk)
        if check is not None and not check.tested:
            check = None  # its first probe is only planned
        rows.append({"connection": connection, "check": check, "state": _state(connection, check)})
    return rows


def _state(connection: Connection, check: HealthCheck | None) -> str:
    if not connection.enabled:
        return "off"
    if check is None:
        return "unknown"
    if check.state == HealthState.UNKNOWN:  # one failure alone, or nothing that probes can ask
        return "ok" if check.ok else "bad"
    return "ok" if check.state == HealthState.OK else "bad"


def latest_events(tenant: Tenant) -> list[Any]:
    """The newest events, attempts left out (their completion tells the same)."""
    return list(AuditEvent.objects.for_tenant(tenant).exclude(phase="attempt").order_by("-seq")[:LATEST])


def next_steps(context: dict[str, Any]) -> list[dict[str, Any]]:
    """What an empty tenant still needs; nothing once all is done."""
    steps = [
        {
            "text": "Connect a system",
            "done": bool(context["connections"]),
            "url": reverse("admin:connectors_connection_add"),
        },
        {
            "text": "Make an access key for a client",
            "done": context["keys"] > 0,
            "url": reverse("admin:tenants_accesskey_add"),
        },
        {
            "text": "Paste the MCP URL and the key into a client and call a tool",
            "done": context["activity"].calls > 0,
            "url": "#connect",
        },
        {
            "text": "Invite a colleague",
            "done": context["members"] > 1,
            "url": reverse("admin:tenants_invitation_add"),
        },
    ]
    return [] if all(step["done"] for step in steps) else steps


class Activity:
    """Calls, errors and refusals of the last 24 hours, and a bar for each hour.

    ``tenant_id`` None sums up the whole platform.
    """

    def __init__(self, tenant_id: UUID | None) -> None:
        this_hour = time.time_ns() // 1000 // HOUR_US
        first = this_hour - HOURS + 1
        events = (
            AuditEvent.unscoped.filter(since_us_anywhere(first * HOUR_US), tenant__isnull=False)
            if tenant_id is None
            else AuditEvent.objects.for_tenant(tenant_id).filter(since_us(tenant_id, first * HOUR_US))
        )
        rows = (
            events.filter(phase="done", kind__in=CALL_KINDS + REFUSAL_KINDS)
            .order_by()
            .annotate(hour=F("at_us") / HOUR_US)
            .values("hour")
            .annotate(
                calls=Count("id", filter=Q(kind__in=CALL_KINDS) & ~Q(outcome=ASKED)),
                errors=Count("id", filter=Q(kind__in=CALL_KINDS, outcome="error")),
                denied=Sum("count", filter=Q(kind__in=REFUSAL_KINDS)),
            )
        )
        found: dict[int, Any] = {int(row["hour"]): row for row in rows}
        empty: dict[str, Any] = {"calls": 0, "errors": 0, "denied": 0}
        hours: list[dict[str, Any]] = [found.get(hour, empty) for hour in range(first, this_hour + 1)]
        self.calls = sum(hour["calls"] for hour in hours)
        self.errors = sum(hour["errors"] for hour in hours)
        self.denied = sum(hour["denied"] or 0 for hour in hours)
        self.bars = _bars(hours)

    @property
    def error_rate(self) -> float:
        """Errors in percent of calls."""
        return 100 * self.errors / self.calls if self.calls else 0.0

    @property
    def quiet(self) -> bool:
        """Whether nothing happened."""
        return not (self.calls or self.denied)


def _bars(hours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A column for each hour: successes below, errors above, refusals on top."""
    columns = []
    for index, hour in enumerate(hours):
        denied = hour["denied"] or 0
        parts = {"calls": hour["calls"] - hour["errors"], "errors": hour["errors"], "denied": denied}
        ago = len(hours) - 1 - index
        when = "this hour" if ago == 0 else f"{ago} h ago"
        columns.append((f"{when}: {hour['calls']} calls, {hour['errors']} errors, {denied} refusals", parts))
    return stacked(columns)


def platform_overview() -> dict[str, Any]:
    """Every tenant with its connections' health and its last 24 hours."""
    since = time.time_ns() // 1000 - HOURS * HOUR_US
    recent = {
        row["tenant"]: row
        for row in AuditEvent.unscoped.filter(since_us_anywhere(since), tenant__isnull=False, phase="done")
        .order_by()
        .values("tenant")
        .annotate(
            calls=Count("id", filter=Q(kind__in=CALL_KINDS) & ~Q(outcome=ASKED)),
            errors=Count("id", filter=Q(kind__in=CALL_KINDS, outcome="error")),
            denied=Sum("count", filter=Q(kind__in=REFUSAL_KINDS)),
        )
    }
    numbers = _numbers(Connection.unscoped)
    troubled = _numbers(HealthCheck.unscoped.filter(state=HealthState.FAILING, connection__enabled=True))
    members = _numbers(Membership.unscoped)
    rows = []
    for tenant in Tenant.objects.order_by("slug")[:MOST_TENANTS]:
        activity = recent.get(tenant.pk, {})
        rows.append(
            {
                "tenant": tenant,
                "suspended": tenant.status == Tenant.Status.SUSPENDED,
                "connections": numbers.get(tenant.pk, 0),
                "troubled": troubled.get(tenant.pk, 0),
                "members": members.get(tenant.pk, 0),
                "calls": activity.get("calls", 0),
                "errors": activity.get("errors", 0),
                "denied": activity.get("denied") or 0,
            }
        )
    return {"rows": rows, "total": Tenant.objects.count(), "activity": Activity(None)}


def _numbers(rows: Any) -> dict[UUID, int]:
    counted = rows.order_by().values("tenant").annotate(number=Count("id"))
    return {row["tenant"]: row["number"] for row in counted}
