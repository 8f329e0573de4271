"""Counting use: every call once, in the tenant's own days, whoever counts and whenever."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit.events import Event, now_us
from audit.models import AuditEvent, AuditHead, to_us
from audit.retention import apply_retention
from audit.services import record_in_transaction
from connectors import usage
from connectors.models import UsageCursor, UsageDay
from connectors.usage import Period, roll_up, tenants_to_count, usage_of, usage_purge
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Actor
from tenants.services import tenant_update
from tests.factories import make_tenant, unique

ACTOR = Actor.system("tests")
WHO = "11111111-1111-1111-1111-111111111111"


def happened(tenant, *, at=None, times=1, **fields):
    """Write calls into the tenant's chain."""
    given = {
        "kind": "call", "name": "goal_list", "connection": "goals", "principal_id": WHO,
        "principal_name": "Ann", "duration_us": 1000, "at_us": to_us(at) if at else now_us(), **fields,
    }  # fmt: skip
    with transaction.atomic():
        for _ in range(times):
            record_in_transaction(Event(tenant.pk, **given))


def rows(tenant):
    found = UsageDay.objects.for_tenant(tenant).order_by("day", "connection", "tool", "principal_id")
    return [(row.day, row.tool, row.calls, row.errors, row.denied, row.cached) for row in found]


def calls(tenant):
    return sum(row.calls for row in UsageDay.objects.for_tenant(tenant))


def test_calls_are_counted_by_day_tool_and_principal_with_how_they_ended():
    tenant = make_tenant()
    day = datetime(2026, 3, 4, 12, tzinfo=UTC)
    happened(tenant, at=day, times=2)
    happened(tenant, at=day, cache="hit")
    happened(tenant, at=day, cache="stale")
    happened(tenant, at=day, cache="miss")
    happened(tenant, at=day, outcome="error")
    happened(tenant, at=day, outcome="denied")
    happened(tenant, at=day, principal_id="other", principal_name="Bob", name="goal_get")
    happened(tenant, at=day + timedelta(days=1))
    assert roll_up(tenant.pk) == AuditHead.unscoped.get(chain=tenant.pk.hex).seq
    assert rows(tenant) == [
        (date(2026, 3, 4), "goal_get", 1, 0, 0, 0),
        (date(2026, 3, 4), "goal_list", 7, 1, 1, 2),
        (date(2026, 3, 5), "goal_list", 1, 0, 0, 0),
    ]


def test_attempts_questions_and_other_events_are_no_use():
    tenant = make_tenant()
    happened(tenant, phase="attempt", outcome="started")
    happened(tenant, outcome="asked")
    for kind in ("read", "prompt", "denial", "config"):
        happened(tenant, kind=kind)
    assert roll_up(tenant.pk) > 0
    assert rows(tenant) == []


def test_a_day_is_the_tenants_own():
    tenant = make_tenant()
    tenant = tenant_update(tenant=tenant, time_zone="America/New_York", actor=ACTOR)
    happened(tenant, at=datetime(2026, 7, 2, 3, 59, tzinfo=UTC))  # still July 1 there
    happened(tenant, at=datetime(2026, 7, 2, 4, 0, tzinfo=UTC))
    roll_up(tenant.pk)
    assert [row[0] for row in rows(tenant)] == [date(2026, 7, 1), date(2026, 7, 2)]


def test_what_was_counted_is_not_counted_again_and_what_is_new_is_added():
    tenant = make_tenant()
    happened(tenant, times=3)
    assert roll_up(tenant.pk) and not roll_up(tenant.pk)
    happened(tenant, times=2, principal_name="Ann B.")
    assert roll_up(tenant.pk) == 2
    assert calls(tenant) == 5
    assert UsageDay.objects.for_tenant(tenant).get().principal_name == "Ann B."


def test_batches_count_as_one_run_does():
    tenant = make_tenant()
    happened(tenant, times=23)
    roll_up(tenant.pk, batch=4)
    assert calls(tenant) == 23


def test_several_who_count_at_once_count_each_call_once():
    tenant = make_tenant()
    happened(tenant, times=60)
    failures = []

    def count():
        try:
            roll_up(tenant.pk, batch=7)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    happened(tenant, times=5)
    for thread in threads:
        thread.join(60)
    assert failures == []
    roll_up(tenant.pk)
    assert calls(tenant) == 65


class StoppedError(RuntimeError):
    pass


def test_a_count_that_breaks_off_leaves_nothing_half_done(monkeypatch):
    tenant = make_tenant()
    happened(tenant, times=5)
    add = usage._add

    def add_and_stop(*arguments):
        add(*arguments)
        raise StoppedError

    monkeypatch.setattr(usage, "_add", add_and_stop)
    with pytest.raises(StoppedError):
        roll_up(tenant.pk)
    monkeypatch.undo()
    assert rows(tenant) == [] and not UsageCursor.objects.for_tenant(tenant).filter(seq__gt=0).exists()
    roll_up(tenant.pk)
    assert calls(tenant) == 5


def test_events_are_counted_before_retention_removes_them():
    tenant = Tenant.objects.create(slug=unique("t"), name="old", audit_retention_days=30)
    happened(tenant, at=datetime.now(UTC) - timedelta(days=40), times=4)
    happened(tenant)
    assert apply_retention(tenant.pk) == 4
    assert AuditEvent.objects.for_tenant(tenant).filter(kind="call").count() == 1
    roll_up(tenant.pk)
    assert calls(tenant) == 5


def test_a_tenant_is_counted_only_while_it_has_something_new():
    tenant, quiet = make_tenant(), make_tenant()
    roll_up(quiet.pk)
    happened(tenant)
    due = tenants_to_count()
    assert tenant.pk in due and quiet.pk not in due
    roll_up(tenant.pk)
    assert tenant.pk not in tenants_to_count()
    assert roll_up(Tenant().pk) == 0, "a tenant that is gone has nothing to count"


def test_use_is_summed_up_by_day_tool_connection_or_principal():
    tenant, other = make_tenant(), make_tenant()
    first = datetime(2026, 3, 4, 12, tzinfo=UTC)
    happened(tenant, at=first, times=2, duration_us=3000)
    happened(tenant, at=first, name="goal_get", principal_id="other", principal_name="Bob", outcome="error")
    happened(tenant, at=first + timedelta(days=2), connection="memory", name="memory_get", cache="hit")
    happened(other, at=first, times=50)
    roll_up(tenant.pk), roll_up(other.pk)
    period = Period(date(2026, 3, 4), date(2026, 3, 6))

    def summed(by, period=period):
        return [
            (row.key, row.label, row.calls, row.errors, row.cached) for row in usage_of(tenant, period, by)
        ]

    assert summed("day") == [
        ("2026-03-04", "2026-03-04", 3, 1, 0), ("2026-03-05", "2026-03-05", 0, 0, 0),
        ("2026-03-06", "2026-03-06", 1, 0, 1),
    ]  # fmt: skip
    assert summed("tool") == [
        ("goals:goal_list", "goals:goal_list", 2, 0, 0), ("goals:goal_get", "goals:goal_get", 1, 1, 0),
        ("memory:memory_get", "memory:memory_get", 1, 0, 1),
    ]  # fmt: skip
    assert summed("connection") == [("goals", "goals", 3, 1, 0), ("memory", "memory", 1, 0, 1)]
    assert summed("principal") == [(WHO, "Ann", 3, 0, 1), ("other", "Bob", 1, 1, 0)]
    assert summed("tool", Period(date(2026, 3, 5), date(2026, 3, 5))) == []
    assert usage_of(tenant, period, "tool")[0].mean_ms == 3.0


def test_a_period_that_makes_no_sense_is_refused():
    tenant = make_tenant()
    for first, last, field in (
        ("2026-03-05", "2026-03-04", "from"),
        ("yesterday", None, "from"),
        (None, "2026-02-30", "to"),
        ("2020-01-01", "2026-01-01", "from"),
    ):
        with pytest.raises(InvalidValue) as refused:
            Period.read(tenant, first, last)
        assert refused.value.field == field
    period = Period.read(tenant, None, None)
    assert (period.last - period.first).days == 29 and period.last == timezone.now().date()


def test_counts_are_kept_for_two_years():
    tenant = make_tenant()
    today = timezone.now().date()
    for age in (0, 730, 740):
        UsageDay.objects.create(tenant_id=tenant.pk, day=today - timedelta(days=age), tool="t", calls=1)
    usage_purge()
    assert [(today - row[0]).days for row in rows(tenant)] == [730, 0]
