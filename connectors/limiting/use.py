"""How much of a tenant's limits is used now, for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from common.redis import sync_client
from connectors.limiting import script
from connectors.limiting.calendar import month_of
from connectors.limiting.rules import Due, Limits, due_of, rule_of
from connectors.limiting.seeds import used_so_far
from connectors.models import Connection, UsageLimit
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Use:
    """One limit's use; None for all where the counters cannot be asked.

    ``resets_at``: when a month is over, or the first counted call leaves its window (None
    where nothing is counted).
    """

    used: int | None = None
    left: int | None = None
    resets_at: datetime | None = None


NOT_KNOWN = Use()


def usage_of_limits(tenant: Tenant, rows: Iterable[UsageLimit] | None = None) -> dict[Any, Use]:
    """The use of each limit by its id; of all limits of the tenant unless ``rows`` are given.

    Blocks on Redis: for threads. Where Redis is away each is :data:`NOT_KNOWN`: processes
    count for themselves then, and no one of them knows.
    """
    found = list(UsageLimit.objects.for_tenant(tenant) if rows is None else rows)
    if not found:
        return {}
    slugs = dict(Connection.objects.for_tenant(tenant).values_list("pk", "slug"))
    limits = Limits(tenant.pk, tenant.time_zone, (), {}, 1, 0, "", "")
    dues = [due_of(rule_of(row, slugs), limits, tenant.pk, None) for row in found]
    try:
        said = sync_client().eval(
            script.LOOK, len(dues), *[due.key for due in dues], *[due.rule.period_ms for due in dues]
        )
    except (redis.RedisError, OSError):
        return {row.pk: NOT_KNOWN for row in found}
    numbers: list[int] = said  # type: ignore[assignment]
    return {
        row.pk: _use(tenant, due, numbers[2 * index], numbers[2 * index + 1])
        for index, (row, due) in enumerate(zip(found, dues, strict=True))
    }


def _use(tenant: Tenant, due: Due, used: int, free_in_ms: int) -> Use:
    resets_at = None
    if due.month is not None:
        if used < 0:  # no call since the counter was lost, or since the limit was made
            used = used_so_far(tenant.pk, due)
        resets_at = datetime.fromtimestamp(month_of(tenant.time_zone).ends, tz=UTC)
    elif used:
        resets_at = datetime.now(tz=UTC) + timedelta(milliseconds=free_in_ms)
    return Use(used, max(0, due.rule.calls - used), resets_at)
