"""How a connection is and was: its state, uptime and changes, for monitors and for people."""

from datetime import datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.health.history import health_of, hours_of
from connectors.models import Connection
from connectors.upstream.breaker import opened_of
from portico.api.views import View, one, queried
from tenants.errors import InvalidValue
from tenants.models import Tenant

MAX_HOURS = 35 * 24


class ChangeSerializer(serializers.Serializer[Any]):
    """A change of state."""

    former = serializers.CharField()
    state = serializers.CharField()
    at = serializers.DateTimeField()
    message = serializers.CharField()


class StatusSerializer(serializers.Serializer[Any]):
    """A connection's state, uptime (in percent, null where nothing was tested), breakers and last changes."""

    tenant = serializers.CharField()
    connection = serializers.CharField()
    connector = serializers.CharField()
    state = serializers.ChoiceField(choices=["ok", "failing", "unknown", "disabled"])
    since = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField(help_text="The words of the last test; empty before the first.")
    latency_ms = serializers.IntegerField(allow_null=True)
    checked_at = serializers.DateTimeField(allow_null=True)
    uptime_24h = serializers.FloatField(allow_null=True)
    uptime_7d = serializers.FloatField(allow_null=True)
    uptime_30d = serializers.FloatField(allow_null=True)
    probes_24h = serializers.IntegerField()
    probing = serializers.ChoiceField(choices=["yes", "off", "not_needed", "not_installed"])
    next_probe_at = serializers.DateTimeField(allow_null=True)
    breaker = serializers.ListField(
        child=serializers.DictField(), help_text="The open ones: why, and for how many seconds yet."
    )
    changes = ChangeSerializer(many=True)


class HourSerializer(serializers.Serializer[Any]):
    """The tests of one hour, which begins at ``hour`` (UTC); ``latency_ms`` is their mean."""

    hour = serializers.DateTimeField()
    probes = serializers.IntegerField()
    failures = serializers.IntegerField()
    latency_ms = serializers.IntegerField()


class HistorySerializer(StatusSerializer):
    """A connection's status with its hours, oldest first."""

    hours = HourSerializer(many=True)


class StatusView(View):
    """Shared by both views."""

    def connection(self, tenant: Tenant, slug: str) -> Connection:
        """A tenant's connection with its last test."""
        rows = Connection.objects.for_tenant(tenant).select_related("health", "tenant")
        found: Connection = one(rows, slug=slug)
        return found


class ConnectionStatus(StatusView):
    """The state of one connection."""

    @extend_schema(
        operation_id="status",
        parameters=[
            OpenApiParameter(
                "tenant", OpenApiTypes.STR, description="Needed by callers of several tenants alone."
            )
        ],
        responses=StatusSerializer,
    )
    def get(self, request: Request, connection: str) -> Response:
        """Tell how a connection is now, and how much of the time it worked."""
        named = queried(request, "tenant")
        if named:
            tenant = self.tenant(named)
        else:
            own = list(self.access().tenants()[:2])
            if len(own) > 1:
                raise InvalidValue("Name the tenant (?tenant=…): this caller may see several.", "tenant")
            tenant = self.tenant(own[0].slug if own else "")
        return Response(status_of(self.connection(tenant, connection)))


class ConnectionHistory(StatusView):
    """The hours of one connection."""

    @extend_schema(
        operation_id="connection_health",
        parameters=[
            OpenApiParameter(
                "hours", OpenApiTypes.INT, description=f"How many, 48 at first, {MAX_HOURS} at most."
            )
        ],
        responses=HistorySerializer,
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Tell how a connection is and was, hour by hour."""
        row = self.connection(self.tenant(slug), name)
        asked = request.query_params.get("hours", "48")
        if not (asked.isascii() and asked.isdigit() and len(asked) < 6 and 1 <= int(asked) <= MAX_HOURS):
            raise InvalidValue(f"Write a number from 1 to {MAX_HOURS}.", "hours")
        hours = [
            {
                "hour": hour.at,
                "probes": hour.uptime.probes,
                "failures": hour.uptime.failures,
                "latency_ms": hour.uptime.latency_ms,
            }
            for hour in hours_of(row, int(asked))
        ]
        return Response({**status_of(row), "hours": hours})


def status_of(row: Connection, now: datetime | None = None) -> dict[str, Any]:
    """A connection's health as the API says it."""
    health = health_of(row, now)
    tested = health.check if health.check is not None and health.check.tested else None
    return {
        "tenant": row.tenant.slug,
        "connection": row.slug,
        "connector": row.connector,
        "state": health.state,
        "since": health.since,
        "message": health.message,
        "latency_ms": tested.latency_ms if tested else None,
        "checked_at": tested.checked_at if tested else None,
        "uptime_24h": health.day.percent,
        "uptime_7d": health.week.percent,
        "uptime_30d": health.month.percent,
        "probes_24h": health.day.probes,
        "probing": health.probing,
        "next_probe_at": health.next_probe_at,
        # Whose credential a breaker is of stays untold: it would tell members of each other.
        "breaker": [
            {"reason": opened.reason, "seconds": round(opened.seconds, 1)}
            for opened in opened_of(row.tenant_id, row.pk)
        ],
        "changes": [
            {"former": change.former, "state": change.state, "at": change.at, "message": change.message}
            for change in health.changes
        ],
    }
