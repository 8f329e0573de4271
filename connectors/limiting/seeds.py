"""A month's use so far, from the database: for a counter that Redis does not have (any more).

Days (:mod:`connectors.usage`) are summed up per connection, tool and principal; what they do
not have (events after the cursor, readings of resources and prompts) and what is limited by
access key is counted from the audit itself. Days do not know why a call failed, so that those
which failed before they were executed count as well: after a loss a quota may be a little too
strict, never too generous.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Q, Sum

from audit.events import ASKED
from audit.models import AuditEvent, to_us
from audit.moments import since_us
from connectors.limiting.calendar import Month
from connectors.limiting.rules import Due, Rule
from connectors.models import Connection, UsageCursor, UsageDay
from connectors.registry import UnknownConnectorError, connector_class

# How calls end that were never executed; a system's own refusals have these types too, rarely.
NOT_EXECUTED: Final = ("validation", "rate_limit", "circuit_open")
FROM_CACHE: Final = ("hit", "stale")
TRIES: Final = 3

Counted = list[tuple[str, str, int]]  # connection, tool, calls


def used_so_far(tenant_id: UUID, due: Due) -> int:
    """What a monthly rule's counter would say, had it been kept; blocks on the database."""
    month, rule = due.month, due.rule
    assert month is not None
    counted: Counted = []
    for _ in range(TRIES):  # days and cursor move together: events counted in between would count twice
        cursor = None if rule.key_id else _cursor(tenant_id)
        counted = [] if cursor is None else _in_days(tenant_id, rule, month)
        counted += _in_audit(tenant_id, rule, month, after=cursor or 0)
        if rule.key_id or cursor == _cursor(tenant_id):
            break
    weights = _weights(tenant_id, {slug for slug, _, _ in counted})
    return sum(n * weights.get((slug, name), 1) for slug, name, n in counted)


def _cursor(tenant_id: UUID) -> int | None:
    found: int | None = UsageCursor.objects.for_tenant(tenant_id).values_list("seq", flat=True).first()
    return found


def _in_days(tenant_id: UUID, rule: Rule, month: Month) -> Counted:
    days = UsageDay.objects.for_tenant(tenant_id).filter(day__gte=month.first_day)
    if rule.connection:
        days = days.filter(connection=rule.connection)
    if rule.tool:
        days = days.filter(tool=rule.tool)
    executed = Sum(F("calls") - F("cached") - F("denied"))
    return _rows(days.order_by().values("connection", "tool").annotate(n=executed), "tool")


def _in_audit(tenant_id: UUID, rule: Rule, month: Month, *, after: int) -> Counted:
    begins = datetime.fromtimestamp(month.begins, tz=UTC)
    kinds = Q(kind="call", seq__gt=after)
    if not rule.tool:  # no day counts these; those without a connection are not limited
        kinds |= Q(kind__in=("read", "prompt"), connection__gt="")
    events = AuditEvent.objects.for_tenant(tenant_id).filter(
        since_us(tenant_id, to_us(begins)), kinds, phase="done"
    )
    if rule.key_id:
        events = events.filter(key_id=rule.key_id)
    if rule.connection:
        events = events.filter(connection=rule.connection)
    if rule.tool:
        events = events.filter(name=rule.tool)
    events = events.exclude(outcome__in=("denied", ASKED)).exclude(error_type__in=NOT_EXECUTED)
    events = events.exclude(cache__in=FROM_CACHE)
    return _rows(events.order_by().values("connection", "name").annotate(n=Count("id")), "name")


def _rows(rows: Iterable[Any], name: str) -> Counted:
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
