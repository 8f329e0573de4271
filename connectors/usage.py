"""How much a tenant's people and programs use: calls per day, counted from the audit.

A tenant's cursor says how far its chain has been counted. Rows are read, the counts changed
and the cursor moved in one transaction under the cursor's lock: an event is counted once,
whoever is killed and however many count at the same time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Max, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.events import ASKED
from audit.models import AuditEvent, AuditHead
from connectors.models import UsageCursor, UsageDay
from tenants.errors import InvalidValue
from tenants.models import Tenant

ROLL_UP_S: Final = 300  # how often
BATCH: Final = 5_000
KEPT_DAYS: Final = 731
_COLUMNS = (
    "seq", "kind", "phase", "outcome", "at_us", "connection", "name", "principal_id", "principal_name", "cache",
    "duration_us",
)  # fmt: skip
_FROM_CACHE = frozenset({"hit", "stale"})
_COUNTS = ("calls", "errors", "denied", "cached", "duration_us")
Key = tuple[date, str, str, str]


@dataclass(slots=True)
class Count:
    """The calls of one day, connection, tool and principal."""

    principal_name: str = ""
    calls: int = 0
    errors: int = 0
    denied: int = 0
    cached: int = 0
    duration_us: int = 0


def tenants_to_count() -> list[UUID]:
    """The tenants whose chain is longer than what has been counted of it."""
    cursor = UsageCursor.unscoped.filter(tenant_id=OuterRef("tenant_id")).values("seq")
    heads = AuditHead.unscoped.filter(tenant__isnull=False).annotate(counted=Coalesce(Subquery(cursor), 0))
    return list(heads.filter(seq__gt=F("counted")).order_by("tenant_id").values_list("tenant_id", flat=True))


def roll_up(tenant_id: UUID, *, batch: int = BATCH) -> int:
    """Count what a tenant's chain has gained; returns how many events were read."""
    read = 0
    while count := _count_batch(tenant_id, batch):
        read += count
        if count < batch:
            break
    return read


def _count_batch(tenant_id: UUID, batch: int) -> int:
    with transaction.atomic():
        tenant = Tenant.objects.filter(pk=tenant_id).first()
        if tenant is None:
            return 0
        cursors = UsageCursor.objects.for_tenant(tenant_id)
        cursors.get_or_create(tenant_id=tenant_id)
        cursor = cursors.select_for_update(no_key=True).get()
        # The chain is numbered without a gap under its head's lock, so no smaller number comes later.
        events = AuditEvent.objects.for_tenant(tenant_id).filter(seq__gt=cursor.seq).order_by("seq")
        rows = list(events.values_list(*_COLUMNS)[:batch])
        if not rows:
            return 0
        _add(tenant_id, _counted_by_key(rows, ZoneInfo(tenant.time_zone)))
        cursors.update(seq=rows[-1][0])
    return len(rows)


def _counted_by_key(rows: Iterable[tuple[Any, ...]], zone: ZoneInfo) -> dict[Key, Count]:
    found: dict[Key, Count] = {}
    for _number, kind, phase, outcome, at_us, connection, tool, principal, name, cache, duration in rows:
        if kind != AuditEvent.Kind.CALL or phase != AuditEvent.Phase.DONE or outcome == ASKED:
            continue
        day = datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(zone).date()
        count = found.setdefault((day, connection[:14], tool[:48], principal), Count())
        count.principal_name = name
        count.calls += 1
        count.errors += outcome == "error"
        count.denied += outcome == "denied"
        count.cached += cache in _FROM_CACHE
        count.duration_us += max(0, duration)
    return found


def _add(tenant_id: UUID, counts: dict[Key, Count]) -> None:
    """Add to the stored rows; the cursor's lock keeps everybody else from them."""
    days = {key[0] for key in counts}
    stored = {
        (row.day, row.connection, row.tool, row.principal_id): row
        for row in UsageDay.objects.for_tenant(tenant_id).filter(day__in=days)
    }
    new, changed = [], []
    for (day, connection, tool, principal), count in counts.items():
        row = stored.get((day, connection, tool, principal))
        if row is None:
            row = UsageDay(
                tenant_id=tenant_id, day=day, connection=connection, tool=tool, principal_id=principal
            )
            new.append(row)
        else:
            changed.append(row)
        row.principal_name = count.principal_name
        for field in _COUNTS:
            setattr(row, field, getattr(row, field) + getattr(count, field))
    UsageDay.objects.bulk_create(new, batch_size=500)
    UsageDay.objects.for_tenant(tenant_id).bulk_update(changed, ["principal_name", *_COUNTS], batch_size=200)


def usage_purge() -> int:
    """Remove counts older than two years, of all tenants; returns how many rows went."""
    oldest = timezone.now().date() - timedelta(days=KEPT_DAYS)
    return int(UsageDay.unscoped.filter(day__lt=oldest).delete()[0])


@dataclass(frozen=True, slots=True)
class Period:
    """Days of a tenant's calendar, the first and the last included."""

    first: date
    last: date

    @classmethod
    def read(cls, tenant: Tenant, first: str | None, last: str | None) -> "Period":
        """What somebody wrote as ``2026-01-31``; the last 30 days where nothing is said.

        Raises InvalidValue naming ``from`` or ``to``.
        """
        today = timezone.now().astimezone(ZoneInfo(tenant.time_zone)).date()
        end = _day("to", last) or today
        begin = _day("from", first) or end - timedelta(days=29)
        if begin > end:
            raise InvalidValue(_("The first day is after the last one."), "from")
        if (end - begin).days > KEPT_DAYS:
            raise InvalidValue(_("Choose at most two years."), "from")
        return cls(begin, end)

    def days(self) -> list[date]:
        """Every day of it."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


def _day(name: str, text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValue(_("Write a day such as 2026-01-31."), name) from None


@dataclass(slots=True)
class Use:
    """The use of one day, tool, connection or principal: calls, how they ended, and how long they took."""

    key: str
    label: str
    calls: int = 0
    errors: int = 0
    denied: int = 0
    cached: int = 0
    duration_us: int = 0

    @property
    def mean_ms(self) -> float:
        """Milliseconds of a call, on average."""
        return round(self.duration_us / self.calls / 1000, 1) if self.calls else 0.0


WAYS: Final = {
    "day": ("day",),
    "tool": ("connection", "tool"),
    "connection": ("connection",),
    "principal": ("principal_id",),
}


def usage_of(tenant: Tenant, period: Period, by: str) -> list[Use]:
    """A tenant's use in a period: by ``day`` (every day, in order), else the most used first.

    Raises InvalidValue for another ``by``.
    """
    if by not in WAYS:
        raise InvalidValue(_("Write by=%(ways)s.") % {"ways": ", ".join(WAYS)}, "by")
    rows = (
        UsageDay.objects.for_tenant(tenant)
        .filter(day__gte=period.first, day__lte=period.last)
        .order_by()
        .values(*WAYS[by])
        .annotate(name=Max("principal_name"), **{f"sum_{field}": Sum(field) for field in _COUNTS})
    )
    found = []
    for row in rows:
        key = ":".join(str(row[field]) for field in WAYS[by])
        label = row["name"] or key if by == "principal" else key
        found.append(Use(key, label, *(row[f"sum_{field}"] for field in _COUNTS)))
    if by != "day":
        return sorted(found, key=lambda use: (-use.calls, use.label))
    by_day = {use.key: use for use in found}
    days = [day.isoformat() for day in period.days()]
    return [by_day.get(day) or Use(day, day) for day in days]


def total_of(uses: Iterable[Use]) -> Use:
    """All of them together."""
    total = Use("", "")
    for use in uses:
        for field in _COUNTS:
            setattr(total, field, getattr(total, field) + getattr(use, field))
    return total
