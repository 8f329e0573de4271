"""How Portico is, for people with a right to see it."""

from typing import Any

from asgiref.sync import async_to_sync
from django.db.models import Prefetch
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.selectors import stats
from common.metrics.figures import figures
from connectors.models import Connection
from connectors.registry import UnknownConnectorError, connector_class
from connectors.upstream.cache.forgetting import stats_of
from portico.api.views import View
from portico.health import readiness
from portico.metrics import streams_of
from tenants.models import Tenant


class Health(View):
    """The platform's and the caller's tenants' health."""

    @extend_schema(operation_id="health", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Status, connections with their state, number of tools, cache figures and open streams."""
        checks = async_to_sync(readiness)()
        ready = all(answer == "ok" for answer in checks.values())
        tenants = self.access().tenants().order_by("slug")[:200]
        connections = Prefetch(
            "connections", Connection.unscoped.select_related("health").order_by("slug"), to_attr="shown"
        )
        open_streams = streams_of(figures())
        shown = [
            tenant_health(tenant, open_streams.get(tenant.pk.hex, 0))
            for tenant in tenants.prefetch_related(connections)
        ]
        return Response(
            {
                "status": "ok" if ready else "degraded",
                "checks": checks if self.access().is_platform else {},
                "tenants": shown,
                "cache": cache_of(shown),
                # Of all processes of this machine.
                "open_streams": sum(tenant["open_streams"] for tenant in shown),
            }
        )


def cache_of(shown: list[dict[str, Any]]) -> dict[str, Any]:
    """The caches of several tenants together."""
    sums = {name: sum(tenant["cache"][name] for tenant in shown) for name in ("hits", "misses", "stale")}
    asked = sum(sums.values())
    return {**sums, "rate": round((sums["hits"] + sums["stale"]) / asked, 4) if asked else None}


def tenant_health(tenant: Tenant, open_streams: int) -> dict[str, Any]:
    """One tenant with its connections, its cache and its last day."""
    found = stats(tenant)
    shown: list[Connection] = tenant.shown  # type: ignore[attr-defined]
    return {
        "slug": tenant.slug,
        "status": tenant.status,
        "calls_24h": found.calls,
        "errors_24h": found.errors,
        "denials_24h": found.denials,
        "open_streams": open_streams,
        "cache": stats_of(tenant.pk),
        "connections": [
            {
                "slug": row.slug,
                "connector": row.connector,
                "enabled": row.enabled,
                "state": state_of(row),
                "message": row.health.message if hasattr(row, "health") else "",
                "checked_at": row.health.checked_at if hasattr(row, "health") and row.health.tested else None,
                "tools": tools_of(row),
            }
            for row in shown
        ],
    }


def state_of(row: Connection) -> str:
    """disabled, unknown (never tested), ok or failing."""
    if not row.enabled:
        return "disabled"
    return str(row.health.state) if hasattr(row, "health") else "unknown"


def tools_of(row: Connection) -> int:
    """How many tools the connector has."""
    try:
        return len(connector_class(row.connector).tools)
    except UnknownConnectorError:
        return 0
