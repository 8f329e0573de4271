"""Closing the breakers of a connection and ending its pauses, on an admin's word."""

from django.db import transaction

from audit.services import record_change
from common import metrics
from connectors.models import Connection
from connectors.upstream.breaker import opened_of, reset
from connectors.upstream.pauses import lift, paused_of
from tenants.principals import Actor, Role
from tenants.rules import demand


def breakers_reset(connection: Connection, *, actor: Actor) -> int:
    """Let the next call of a connection through, in every process; how many breakers were open.

    A vendor's pauses end too. While Redis is away they are closed in this process alone, and the others try by
    themselves when their rest is over. Raises NotAllowed.
    """
    tenant = connection.tenant
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "close a breaker")
        count, paused = (len(each(tenant.pk, connection.pk)) for each in (opened_of, paused_of))
        record_change(
            tenant=tenant,
            actor=actor,
            name=f"breaker.reset {connection.slug}",
            connection=connection.slug,
            before={"open": count, "paused": paused},
            after={"open": 0, "paused": 0},
        )
    reset(tenant.pk, connection.pk)
    lift(tenant.pk, connection.pk)
    metrics.breaker(connection.connector, "reset")
    return count
