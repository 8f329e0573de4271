"""The home page's panel of the clients that speak to a tenant."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import redis

from mcp_endpoint.client_counts import OTHER, clients_of

DAYS = 30
SHOWN = 12


def client_panel(tenant_id: UUID) -> dict[str, Any] | None:
    """``rows``, the latest seen first, and how many ``more`` there are; None while Redis is away."""
    try:
        found = clients_of(tenant_id, days=DAYS)
    except redis.RedisError:
        return None
    rows = [
        {
            "name": row.name,
            "is_other": row.name == OTHER and not row.transport,
            "version": row.version,
            "revision": row.revision,
            "transport": row.transport,
            "calls": row.calls,
            "errors": row.errors,
            "seen": datetime.fromtimestamp(row.last_seen, UTC),
        }
        for row in found[:SHOWN]
    ]
    return {"rows": rows, "more": max(0, len(found) - SHOWN)}
