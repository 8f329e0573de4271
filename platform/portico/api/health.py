"""How Portico is, for people with a right to see it."""

from typing import Any

from asgiref.sync import async_to_sync
from django.db.models import Prefetch
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.selectors import stats
from connectors.models import Connection
from connectors.registry import UnknownConnectorError, connector_class
from mcp_endpoint.streams import open_count
from portico.api.views import View
from portico.health import readiness
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
        return Response(
            {
                "status": "ok" if ready else "degraded",
                "checks": checks if self.access().is_platform else {},
                "tenants": [tenant_health(tenant) for tenant in tenants.prefetch_related(connections)],
                # Results are not cached in this version.
                "cache": {"hits": 0, "misses": 0, "rate": None},
                # Of the process that answers.
                "open_streams": sum(open_count(tenant.pk) for tenant in tenants),
            }
        )


def tenant_health(tenant: Tenant) -> dict[str, Any]:
    """One tenant with its connections and its last day."""
    found = stats(tenant)
    shown: list[Connection] = tenant.shown  # type: ignore[attr-defined]
    return {
        "slug": tenant.slug,
        "status": tenant.status,
        "calls_24h": found.calls,
        "errors_24h": found.errors,
        "denials_24h": found.denials,
        "open_streams": open_count(tenant.pk),
        "connections": [
            {
                "slug": row.slug,
                "connector": row.connector,
                "enabled": row.enabled,
                "state": state_of(row),
                "message": row.health.message if hasattr(row, "health") else "",
                "checked_at": row.health.checked_at if hasattr(row, "health") else None,
                "tools": tools_of(row),
            }
            for row in shown
        ],
    }


def state_of(row: Connection) -> str:
    """disabled, unknown (never tested), ok or failing."""
    if not row.enabled:
        return "disabled"
    if not hasattr(row, "health"):
        return "unknown"
    return "ok" if row.health.ok else "failing"


def tools_of(row: Connection) -> int:
    """How many tools the connector has."""
    try:
        return len(connector_class(row.connector).tools)
    except UnknownConnectorError:
        return 0
