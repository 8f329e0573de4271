"""Narrowing events by time without an index on it: rows are numbered in the order of time.

An index by tenant and time would make each row move another page of each tenant's own, on
the path of every call. The chain's numbers have an index already, and time rises along them
up to :data:`SLACK_US` (a row is written after it happened, and clocks of hosts differ), so a
search in the numbers finds where a moment is, with some twenty looks into that index. A clock
that was wrong by more than that may hide its rows from a filter by time, not from other lists.
"""

from typing import Any

from django.db.models import Q

from audit.models import AuditEvent

SLACK_US = 3_600_000_000  # an hour: how much later a row may be written than it happened


def since_us(tenant: Any, at_us: int) -> Q:
    """The condition for a tenant's events (None: the platform's) from a moment on, inclusive."""
    rows = AuditEvent.objects.for_tenant(tenant)
    return Q(at_us__gte=at_us, seq__gte=_number_at(rows, "seq", at_us - SLACK_US))


def until_us(tenant: Any, at_us: int) -> Q:
    """The condition for a tenant's events (None: the platform's) before a moment, exclusive."""
    rows = AuditEvent.objects.for_tenant(tenant)
    return Q(at_us__lt=at_us, seq__lte=_number_at(rows, "seq", at_us + SLACK_US))


def since_us_anywhere(at_us: int) -> Q:
    """The condition for the events of all chains from a moment on, inclusive."""
    return Q(at_us__gte=at_us, id__gte=_number_at(AuditEvent.unscoped.all(), "id", at_us - SLACK_US))


def _number_at(rows: Any, column: str, at_us: int) -> int:
    """The number of the first row at or after a moment; one past the last where there is none."""
    numbers = rows.order_by(column).values_list(column, "at_us")
    first, last = numbers.first(), numbers.last()
    if first is None or last is None or first[1] >= at_us:
        return first[0] if first else 0
    low, high = first[0], last[0] + 1  # low is before the moment, high is not
    while high - low > 1:
        middle = (low + high) // 2
        found = numbers.filter(**{f"{column}__gte": middle}).first()  # numbers may have gaps
        if found is None or found[1] >= at_us:
            high = middle
        else:
            low = found[0]
    return int(high)
