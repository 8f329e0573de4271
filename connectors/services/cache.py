"""Forgetting results that were kept, on an admin's word; and how a tenant's cache does."""

from uuid import UUID

from django.db import transaction

from audit.services import record_change
from connectors.models import Connection
from connectors.upstream.cache.forgetting import forget_now, stats_of
from tenants.models import Tenant
from tenants.principals import Actor, Role
from tenants.rules import demand


def cache_clear(tenant: Tenant, connection: Connection | None = None, *, actor: Actor) -> int:
    """Forget the kept results of a connection, or of all the tenant's, in every process; how many there were.

    While Redis is away they are forgotten in this process at once and everywhere when it is
    back; the answer is then 0. Raises NotAllowed.
    """
    what = connection.slug if connection is not None else "*"
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "forget kept results")
        record_change(
            tenant=tenant,
            actor=actor,
            name=f"cache.clear {what}",
            before={},
            after={},
            message="Kept results are forgotten.",
        )
    return forget_now(tenant.pk, connection.pk if connection is not None else None)


def cache_stats(tenant_id: UUID) -> dict[str, int | float | None]:
    """A tenant's hits, misses, stale answers, entries, bytes and rate; see :func:`stats_of`."""
    return stats_of(tenant_id)
