"""A month's use so far, from the database: for a counter that Redis does not have (any more).

Days are summed up per connection, tool and principal; what they do not have yet (events after
the cursor) and what is limited by access key is counted from the audit itself. Days know
calls, cached and denied ones, not why a call failed: calls that failed count as executed there.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from audit.models import AuditEvent, to_us
from audit.moments import since_us
from connectors.limiting.rules import Due
from connectors.models import Connection, UsageCursor, UsageDay
from connectors.registry import UnknownConnectorError, connector_class

# How calls end that were never executed; a system's own refusals have these types too, rarely.
NOT_EXECUTED: Final = ("validation", "rate_limit", "circuit_open")


def used_so_far(tenant_id: UUID, due: Due) -> int:
    """What a monthly rule's counter would say, had it been kept; blocks on the database."""
    assert due.month is not None
    rule = due.rule
    begins = datetime.fromtimestamp(due.month.begins, tz=timezone.get_default_timezone())
    where = Q()
    if rule.connection:
        where &= Q(connection=rule.connection)
    events = AuditEvent.objects.for_tenant(tenant_id).filter(since_us(tenant_id, to_us(begins)))
    counted: list[tuple[str, str, int]] = []
    if rule.key_id:
        events = events.filter(key_id=rule.key_id)
    else:
        cursor = UsageCursor.objects.for_tenant(tenant_id).values_list("seq", flat=True).first()
        if cursor is not None:
            events = events.filter(seq__gt=cursor)
            days = UsageDay.objects.for_tenant(tenant_id).filter(where, day__gte=due.month.first_day)
            if rule.tool:
                days = days.filter(tool=rule.tool)
            counted += _rows(
                days.values("connection", "tool").annotate(n=Sum(F("calls") - F("cached") - F("denied"))),
                "tool",
            )
    events = events.filter(where, kind__in=("call", "read", "prompt"), phase="done")
    events = events.exclude(outcome__in=("denied", "asked")).exclude(error_type__in=NOT_EXECUTED)
    if rule.tool:
        events = events.filter(name=rule.tool, kind="call")
    events = events.exclude(cache__in=("hit", "stale"))
    counted += _rows(events.order_by().values("connection", "name").annotate(n=Count("id")), "name")
    weights = _weights(tenant_id, {slug for slug, _, _ in counted})
    return sum(n * weights.get((slug, name), 1) for slug, name, n in counted)


def _rows(rows: Iterable[dict[str, Any]], name: str) -> list[tuple[str, str, int]]:
    return [(row["connection"], row[name], max(0, int(row["n"] or 0))) for row in rows]


def _weights(tenant_id: UUID, slugs: set[str]) -> dict[tuple[str, str], int]:
    """What tools weigh today; what is gone weighs 1."""
    found: dict[tuple[str, str], int] = {}
    rows = Connection.objects.for_tenant(tenant_id).filter(slug__in=slugs)
    for slug, connector in rows.values_list("slug", "connector"):
        try:
            tools = connector_class(connector).tools
        except UnknownConnectorError:
            continue
        found.update({(slug, spec.name): spec.weight for spec in tools.values() if spec.weight != 1})
    return found
