"""Quotas of a month, and counters that are lost, with a real Redis server."""

import asyncio
import time
from datetime import timedelta

import pytest

from audit.models import AuditEvent
from common.db import in_db
from common.redis import sync_client
from connectors.errors import RateLimited
from connectors.limiting.calendar import month_of
from connectors.limits import charge
from connectors.models import UsageCursor, UsageDay
from connectors.reading import get_prompt, read_resource
from connectors.snapshot import load
from connectors.usage import roll_up
from tests.connectors.limiting import called, granted, limited, registered, step, tenant, use_of
from tests.factories import make_caller

__all__ = ["registered", "step", "tenant"]  # fixtures


async def test_a_quota_is_counted_by_weight_and_says_when_the_month_is_over(tenant):
    row = await limited(tenant, 12, "month")
    caller = await in_db(make_caller, tenant)
    assert await granted(caller, 3, "limited_heavy") == 2
    said = await called(caller, "limited_heavy")
    assert said["error"] == ("This tenant's quota of this month is used up: 10 of 12; this call costs 5.")
    assert (said["code"], said["type"], said["retryable"]) == ("quota", "rate_limit", False)
    assert "00:00 (Europe/Berlin)" in said["hint"]
    month = month_of("Europe/Berlin")
    assert abs(time.time() + said["retry_after"] - month.ends) < 60
    assert await granted(caller, 3) == 2
    use = await use_of(tenant, row)
    assert (use.used, use.left, use.resets_at.timestamp()) == (12, 0, month.ends)
    key = f"portico:{tenant.pk.hex}:limit:{row.pk.hex}:month:{month.label}"
    assert month.ends - time.time() < sync_client().ttl(key) < month.ends - time.time() + 90_000


async def test_the_next_month_begins_anew_in_the_tenants_time_zone(tenant, step):
    await limited(tenant, 1, "month")
    caller = await in_db(make_caller, tenant)
    limits = (await in_db(load, tenant.pk)).tools["limited_light"].limits
    ends = month_of("Europe/Berlin").ends
    deadline = time.monotonic() + 30
    await step.spend(limits, caller, deadline, ends - 1)
    with pytest.raises(RateLimited) as refused:
        await step.spend(limits, caller, deadline, ends - 1)
    assert refused.value.retry_after == 1.0
    await step.spend(limits, caller, deadline, ends)
    with pytest.raises(RateLimited):
        await step.spend(limits, caller, deadline, ends)


def days_of(tenant, *, calls, tool="limited_light", cached=0, day=None, connection="limited"):
    UsageDay(
        tenant=tenant, day=day or month_of("Europe/Berlin").first_day, connection=connection, tool=tool,
        principal_id=str(tenant.pk), calls=calls, cached=cached,
    ).save()  # fmt: skip


async def test_a_counter_that_is_lost_begins_with_what_the_database_knows(tenant):
    row = await limited(tenant, 50, "month")
    tool = await limited(tenant, 50, "month", connection="limited", tool="limited_heavy")
    caller = await in_db(make_caller, tenant)
    first = month_of("Europe/Berlin").first_day
    await in_db(days_of, tenant, calls=10, cached=3)
    await in_db(days_of, tenant, calls=2, tool="limited_heavy")
    await in_db(days_of, tenant, calls=9, connection="gone", tool="gone")
    await in_db(days_of, tenant, calls=1_000, day=first - timedelta(days=1))
    last = await in_db(
        lambda: AuditEvent.objects.for_tenant(tenant).order_by("-seq").values_list("seq", flat=True)[0]
    )
    await in_db(UsageCursor(tenant=tenant, seq=last).save)
    assert (await use_of(tenant, row)).used == 7 + 10 + 9  # known before the first call
    assert await granted(caller, 1) == 1  # the audit has it, the days do not
    sync_client().delete(*sync_client().keys(f"portico:{tenant.pk.hex}:limit:*"))
    assert await granted(caller, 40) == 50 - 27
    assert (await use_of(tenant, row)).used == 50
    assert (await use_of(tenant, tool)).used == 10


async def test_a_lost_counter_knows_of_resources_and_prompts_that_were_read(tenant):
    row = await limited(tenant, 50, "month")
    of_tool = await limited(tenant, 50, "month", connection="limited", tool="limited_light")
    caller = await in_db(make_caller, tenant)
    await read_resource(caller, "limited://thing")
    await get_prompt(caller, "limited-greet", {})
    assert await granted(caller, 1) == 1
    await in_db(roll_up, tenant.pk)
    sync_client().delete(*sync_client().keys(f"portico:{tenant.pk.hex}:limit:*"))
    assert (await use_of(tenant, row)).used == 3
    assert (await use_of(tenant, of_tool)).used == 1


async def test_a_keys_lost_counter_begins_with_that_keys_calls_in_the_audit(tenant):
    one, other = await in_db(make_caller, tenant), await in_db(make_caller, tenant)
    row = await limited(tenant, 10, "month", key=one.key_id)
    assert await granted(one, 2, "limited_heavy") == 2
    await granted(one, 3, "limited_heavy")
    await granted(other, 3)
    sync_client().delete(*sync_client().keys(f"portico:{tenant.pk.hex}:limit:*"))
    assert (await use_of(tenant, row)).used == 10
    assert await granted(one, 1) == 0


async def test_a_burst_on_a_lost_counter_asks_the_database_once(tenant, step, monkeypatch):
    from connectors.limiting import step as module

    await limited(tenant, 5, "month")
    caller = await in_db(make_caller, tenant)
    await in_db(days_of, tenant, calls=2)
    await in_db(UsageCursor(tenant=tenant, seq=0).save)
    asked, real = [], module.used_so_far
    monkeypatch.setattr(module, "used_so_far", lambda *args: asked.append(1) or real(*args))
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    found = await asyncio.gather(
        *[charge(caller, entry, time.monotonic() + 30) for _ in range(30)], return_exceptions=True
    )
    assert sum(not isinstance(one, Exception) for one in found) == 3
    assert len(asked) <= 2, "a call that Redis answered before it had the counter may ask once more"
