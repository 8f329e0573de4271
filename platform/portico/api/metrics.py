"""Figures for people: how much is called, how fast, what fails, what is kept, what rests."""

from collections import Counter
from typing import Any

from django.db.models import Prefetch
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.recent import Recent, recent
from common.metrics.figures import Figures, figures
from connectors.models import Connection
from connectors.upstream.breaker import opened_among
from connectors.upstream.cache.forgetting import stats_of
from portico.api.views import View, queried
from portico.metrics import streams_of
from tenants.models import Tenant

HOUR_S, DAY_S = 3_600, 86_400
MAX_TENANTS = 50


class SpanSerializer(serializers.Serializer[Any]):
    """What was called in the last hour or day; ``limited`` and ``cached`` are among the calls."""

    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # DRF takes fields off the class
    limited = serializers.IntegerField(help_text="Refused by a limit or a quota.")
    cached = serializers.IntegerField(help_text="Answered from what is kept.")
    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)


class CacheSerializer(serializers.Serializer[Any]):
    """How the cache does; ``rate`` is the share of calls that it answered, null before the first."""

    hits = serializers.IntegerField()
    misses = serializers.IntegerField()
    stale = serializers.IntegerField()
    entries = serializers.IntegerField()
    bytes = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True)


class BreakerSerializer(serializers.Serializer[Any]):
    """A circuit breaker that is open, and for how many seconds yet."""

    connection = serializers.CharField()
    reason = serializers.CharField()
    seconds = serializers.FloatField()


class TenantMetricsSerializer(serializers.Serializer[Any]):
    """One tenant's figures."""

    slug = serializers.CharField()
    hour = SpanSerializer()
    day = SpanSerializer()
    cache = CacheSerializer()
    breakers = BreakerSerializer(many=True)
    open_streams = serializers.IntegerField()


class PlatformMetricsSerializer(serializers.Serializer[Any]):
    """All processes of the machine that answers, counts since their folder was new."""

    processes = serializers.DictField(child=serializers.IntegerField())
    memory_bytes = serializers.IntegerField()
    requests = serializers.IntegerField()
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # DRF takes fields off the class
    errors_by_type = serializers.DictField(child=serializers.IntegerField())
    limits_refused = serializers.DictField(child=serializers.IntegerField())
    upstream_requests = serializers.DictField(child=serializers.IntegerField())
    breakers_open = serializers.DictField(child=serializers.IntegerField())
    redis_away = serializers.ListField(child=serializers.CharField())
    open_streams = serializers.IntegerField()
    audit_queue = serializers.IntegerField()


class MetricsSerializer(serializers.Serializer[Any]):
    """The answer; ``platform`` is null for callers who may not see all of it."""

    platform = PlatformMetricsSerializer(allow_null=True)
    tenants = TenantMetricsSerializer(many=True)


class Metrics(View):
    """Figures of the tenants that the caller may see."""

    @extend_schema(
        operation_id="metrics",
        parameters=[
            OpenApiParameter(
                "tenant", OpenApiTypes.STR, description=f"One tenant alone; else the first {MAX_TENANTS}."
            )
        ],
        responses=MetricsSerializer,
    )
    def get(self, request: Request) -> Response:
        """Sum up the last hour and day of each tenant; superusers see the platform as well."""
        access = self.access()
        named = queried(request, "tenant")
        rows = access.tenants().filter(pk=self.tenant(named).pk) if named else access.tenants()
        found = figures()
        open_streams = streams_of(found)
        shown = Prefetch("connections", Connection.unscoped.order_by("slug"), to_attr="shown")
        tenants = rows.order_by("slug").prefetch_related(shown)[:MAX_TENANTS]
        return Response(
            {
                "platform": platform_figures(found) if access.is_platform else None,
                "tenants": [tenant_figures(tenant, open_streams) for tenant in tenants],
            }
        )


def tenant_figures(tenant: Tenant, open_streams: dict[str, int]) -> dict[str, Any]:
    """One tenant's figures; its connections are prefetched as ``shown``."""
    names = {row.pk: row.slug for row in tenant.shown}  # type: ignore[attr-defined]
    return {
        "slug": tenant.slug,
        "hour": _span(recent(tenant, HOUR_S)),
        "day": _span(recent(tenant, DAY_S)),
        "cache": stats_of(tenant.pk),
        # Whose credential a breaker is of stays untold: it would tell members of each other.
        "breakers": [
            {"connection": names[pk], "reason": one.reason, "seconds": round(one.seconds, 1)}
            for pk, opened in opened_among(tenant.pk, names).items()
            for one in opened
        ],
        "open_streams": open_streams.get(tenant.pk.hex, 0),
    }


def _span(found: Recent) -> dict[str, Any]:
    return {
        "calls": found.calls, "errors": found.errors, "limited": found.limited, "cached": found.cached,
        "p50_ms": found.p50_ms, "p95_ms": found.p95_ms,
    }  # fmt: skip


def platform_figures(found: Figures) -> dict[str, Any]:
    """What the processes of this machine have counted together."""
    return {
        "processes": found.processes,
        "memory_bytes": int(found.sampled("process_memory")),
        "requests": int(found.total("requests")),
        "calls": int(found.total("calls")),
        "errors": int(found.total("calls", only={2: "error"})),
        "errors_by_type": _sums(found, "calls", 3),
        "limits_refused": _sums(found, "limited", 0),
        "upstream_requests": _sums(found, "sent", 1),
        "breakers_open": {
            connector: int(number) for (connector,), number in found.samples["breakers_open"].items()
        },
        "redis_away": sorted(use for (use,), number in found.samples["redis_away"].items() if number),
        "open_streams": int(found.sampled("streams")),
        "audit_queue": int(found.sampled("audit_queue")),
    }


def _sums(found: Figures, table: str, at: int) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for (label,), row in found.total(table, by=(at,)).items():
        if label:
            sums[label] += int(sum(row[:-1]) if len(row) > 1 else row[0])
    return dict(sums)
