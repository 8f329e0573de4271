"""Reading the audit of one tenant: events, calls as people see them, and figures."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from audit.events import ASKED, now_us
from audit.models import AuditEvent, from_us, to_us
from audit.moments import since_us, until_us

HOUR_US = 3_600_000_000
CALL_KINDS = ("call", "read", "prompt")


def events_of(
    tenant: Any,
    *,
    kind: str | Collection[str] = "",
    outcome: str | Collection[str] = "",
    connection: str = "",
    name: str = "",
    principal: str = "",
    key_id: str = "",
    call_id: str = "",
    error_type: str = "",
    via: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    search: str = "",
) -> QuerySet[AuditEvent]:
    """A tenant's events, the last written first; ``tenant`` None is the platform.

    ``since`` is inclusive, ``until`` exclusive (aware datetimes); ``principal`` is an id;
    ``search`` looks in names, principals and addresses, and for a call id. Empty filters
    do nothing.
    """
    events = AuditEvent.objects
    return (events.for_calls(tenant, [call_id]) if call_id else events.for_tenant(tenant)).filter(
        _condition(
            kind=kind, outcome=outcome, connection=connection, name=name, principal_id=principal, key_id=key_id,
            error_type=error_type, via=via,
        ),
        *([since_us(tenant, to_us(since))] if since else []),
        *([until_us(tenant, to_us(until))] if until else []),
        *([search_condition(search)] if search else []),
    ).order_by("-seq")  # fmt: skip


def _condition(**filters: str | Collection[str]) -> Q:
    condition = Q()
    for column, value in filters.items():
        if isinstance(value, str):
            condition &= Q(**{column: value}) if value else Q()
        elif value:
            condition &= Q(**{f"{column}__in": list(value)})
    return condition


def search_condition(text: str) -> Q:
    """What a search box finds."""
    text = text.strip().replace("\x00", "")
    return (
        Q(name__icontains=text) | Q(principal_name__icontains=text) | Q(actor_name__icontains=text)
        | Q(call_id=text) | Q(principal_id=text) | Q(key_id=text) | Q(address=text) | Q(trace_id=text)
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CallView:
    """An attempt and its completion as one call. ``event`` has the fields to show.

    ``outcome`` is ``unknown`` when an attempt has no completion, or was cancelled after it was
    sent: the system may have been changed, and nobody can tell from here.
    """

    event: AuditEvent
    attempt: AuditEvent | None = None
    done: AuditEvent | None = None
    others: tuple[AuditEvent, ...] = field(default=())

    @property
    def call_id(self) -> str:
        """The id that both rows share."""
        return self.event.call_id

    @property
    def started(self) -> datetime:
        """When it began."""
        first = self.attempt or self.done or self.event
        return from_us(first.at_us)

    @property
    def outcome(self) -> str:
        """ok, error, denied, cancelled, asked, or unknown."""
        return self.done.outcome if self.done is not None else "unknown"

    @property
    def arguments(self) -> str:
        """The stored arguments, from whichever row has them."""
        return next((row.arguments for row in (self.done, self.attempt) if row and row.arguments), "")

    @property
    def arguments_erased(self) -> bool:
        """Whether the arguments have been erased."""
        rows = [row for row in (self.done, self.attempt) if row]
        return not self.arguments and any(row.arguments_erased for row in rows)


def latest_rows(events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    """One row per call: attempts that have a completion are left out."""
    completed = AuditEvent.unscoped.filter(chain=OuterRef("chain"), call_id=OuterRef("call_id"), phase="done")
    return events.exclude(Q(phase="attempt") & Exists(completed))


def calls_of(tenant: Any, **filters: Any) -> QuerySet[AuditEvent]:
    """A tenant's calls, newest first, one row each; see :func:`events_of` for the filters.

    A row whose phase is ``attempt`` has no completion: show its outcome as unknown, or take
    :func:`views_of`.
    """
    filters.setdefault("kind", CALL_KINDS)
    return latest_rows(events_of(tenant, **filters))


def views_of(tenant: Any, rows: Collection[AuditEvent]) -> list[CallView]:
    """The calls of a page of rows, with their attempts, in two queries at most."""
    ids = {row.call_id for row in rows}
    found: dict[str, list[AuditEvent]] = {}
    for row in AuditEvent.objects.for_calls(tenant, ids).order_by("seq"):
        found.setdefault(row.call_id, []).append(row)
    return [_view(row, found.get(row.call_id, [row])) for row in rows]


def call_of(tenant: Any, call_id: str) -> CallView | None:
    """One call by its id, or None."""
    rows = list(AuditEvent.objects.for_calls(tenant, [call_id]).order_by("seq"))
    return _view(rows[-1], rows) if rows else None


def _view(event: AuditEvent, rows: Collection[AuditEvent]) -> CallView:
    attempt = next((row for row in rows if row.phase == "attempt"), None)
    done = next((row for row in rows if row.phase == "done"), None)
    others = tuple(row for row in rows if row not in (attempt, done))
    return CallView(done or attempt or event, attempt, done, others)


@dataclass(frozen=True, slots=True)
class Stats:
    """A tenant's last hours. Durations are in milliseconds, None where nothing was called."""

    hours: int
    calls: int
    errors: int
    denials: int
    failed_authentications: int
    per_hour: list[tuple[datetime, int, int]]  # start of the hour (UTC), calls, errors
    top_tools: list[tuple[str, str, int]]  # connection, name, calls
    p50_ms: float | None
    p95_ms: float | None


def stats(tenant: Any, hours: int = 24) -> Stats:
    """The figures of a home page, over whole hours up to and with the running one."""
    first = now_us() // HOUR_US - hours + 1
    rows = AuditEvent.objects.for_tenant(tenant).filter(since_us(tenant, first * HOUR_US)).order_by()
    calls = rows.filter(kind__in=CALL_KINDS, phase="done").exclude(outcome=ASKED)
    series = {
        row["hour"]: (row["calls"], row["errors"])
        for row in calls.annotate(hour=F("at_us") / HOUR_US)
        .values("hour")
        .annotate(calls=Count("id"), errors=Count("id", filter=Q(outcome="error")))
    }
    per_hour = [(from_us(hour * HOUR_US), *series.get(hour, (0, 0))) for hour in range(first, first + hours)]
    total = sum(entry[1] for entry in per_hour)
    refused = {
        row["kind"]: row["times"]
        for row in rows.filter(kind__in=("denial", "auth")).values("kind").annotate(times=Sum("count"))
    }
    top = calls.values("connection", "name").annotate(times=Count("id")).order_by("-times", "name")[:10]
    return Stats(
        hours=hours,
        calls=total,
        errors=sum(entry[2] for entry in per_hour),
        denials=refused.get("denial", 0),
        failed_authentications=refused.get("auth", 0),
        per_hour=per_hour,
        top_tools=[(row["connection"], row["name"], row["times"]) for row in top],
        p50_ms=_percentile(calls, total, 0.50),
        p95_ms=_percentile(calls, total, 0.95),
    )


def _percentile(calls: QuerySet[AuditEvent], total: int, share: float) -> float | None:
    """The nearest-rank percentile; a call that was written meanwhile does no harm."""
    if not total:
        return None
    at = min(total - 1, int(share * total))
    found = calls.order_by("duration_us").values_list("duration_us", flat=True)[at : at + 1]
    return next(iter(found), 0) / 1000
