"""A tenant's last minutes or hours in a few figures."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from audit.events import ASKED, now_us
from audit.models import AuditEvent
from audit.moments import since_us
from audit.selectors import CALL_KINDS


@dataclass(frozen=True, slots=True)
class Recent:
    """What was called in the last ``seconds``; durations in milliseconds, None where nothing was."""

    seconds: int
    calls: int
    errors: int
    limited: int  # those of the errors that a limit refused
    cached: int  # answered from what is kept, old answers included
    p50_ms: float | None
    p95_ms: float | None


def recent(tenant: Any, seconds: int) -> Recent:
    """The figures of a tenant's last ``seconds``."""
    rows = AuditEvent.objects.for_tenant(tenant).filter(since_us(tenant, now_us() - seconds * 1_000_000))
    calls = rows.filter(kind__in=CALL_KINDS, phase="done").exclude(outcome=ASKED).order_by()
    counts = calls.aggregate(
        calls=Count("id"),
        errors=Count("id", filter=Q(outcome="error")),
        limited=Count("id", filter=Q(error_type="rate_limit")),
        cached=Count("id", filter=Q(cache__in=("hit", "stale"))),
    )
    durations = calls.order_by("duration_us").values_list("duration_us", flat=True)
    return Recent(
        seconds, **counts,
        p50_ms=_rank(durations, counts["calls"], 0.50), p95_ms=_rank(durations, counts["calls"], 0.95),
    )  # fmt: skip


def _rank(durations: Any, total: int, share: float) -> float | None:
    """The nearest-rank percentile; a call that was written meanwhile does no harm."""
    if not total:
        return None
    at = min(total - 1, int(share * total))
    return next(iter(durations[at : at + 1]), 0) / 1000
