"""Warm-ups: what may be warmed up, when it runs, and that a planned run is made once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from common.db import in_db
from common.redis import sync_client, tenant_key
from connectors import services
from connectors.models import WarmUp
from connectors.pipeline import call_tool
from connectors.warming import ROOM, claim_due, run_now, warm, warm_now
from tenants.errors import InvalidValue, NotAllowed, WrongState
from tenants.principals import Actor
from tenants.services import tenant_update
from tests.connectors.warm_tools import have_it, noted
from tests.factories import actor_of, make_caller, make_connection, make_member, make_tenant

ACTOR = Actor.system("tests")
have_it()


def place(**fields):
    """A tenant with a connection that can be warmed up."""
    tenant = make_tenant(**fields)
    row = make_connection(
        tenant, "warmed", credential_mode="shared", credential={"token": "pl4nted-warm-token"}
    )
    return tenant, row


def made(tenant, connection, folder, *, tool="warmed_read", **fields):
    arguments = {"folder": str(folder), **fields.pop("arguments", {})}
    return services.warm_up_create(
        tenant=tenant, connection=connection, tool=tool, arguments=arguments, actor=ACTOR, **fields
    )


def now_due(row, *, at=None):
    """Have the warm-up be due, and give the moment that it was planned for."""
    planned = at or timezone.now() - timedelta(minutes=1)
    WarmUp.objects.for_tenant(row.tenant_id).filter(pk=row.pk).update(next_at=planned)
    return planned


def claimed(tenant):
    """What is due in one tenant, claimed; other tests' rows are claimed along, as any worker would."""
    queued = []
    claim_due(timezone.now(), queued.append, limit=10_000)
    return [due for due in queued if due.tenant_id == tenant.pk]


def test_a_due_warm_up_is_claimed_once_and_runs_missed_meanwhile_are_made_up_for_once(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path)
    planned = now_due(row, at=timezone.now() - timedelta(hours=3))
    (due,) = claimed(tenant)
    assert (due.warm_up_id, due.at) == (row.pk, planned)
    assert claimed(tenant) == []
    row.refresh_from_db()
    assert row.next_at > timezone.now() and row.next_at.minute % 5 == 0


def test_a_claim_whose_message_cannot_be_queued_is_given_back(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path)
    planned = now_due(row)

    def fail(due):
        if due.tenant_id == tenant.pk:
            raise ConnectionError("Redis is away")

    with pytest.raises(ConnectionError):
        claim_due(timezone.now(), fail, limit=10_000)
    row.refresh_from_db()
    assert row.next_at == planned


def test_what_is_switched_off_or_of_a_connection_that_is_off_is_not_due(tmp_path):
    tenant, connection = place()
    off, on = made(tenant, connection, tmp_path, enabled=False), made(tenant, connection, tmp_path)
    assert off.next_at is None
    now_due(on)
    services.connection_update(connection, actor=ACTOR, enabled=False)
    assert claimed(tenant) == []
    assert not warm(tenant.pk, on.pk, timezone.now(), "m-1")
    assert noted(tmp_path) == []


def test_a_planned_run_is_made_once_however_many_messages_come(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path)
    planned = now_due(row)
    assert warm(tenant.pk, row.pk, planned, "m-1")
    assert not warm(tenant.pk, row.pk, planned, "m-2")
    assert not warm(tenant.pk, row.pk, planned, "m-1")
    assert len(noted(tmp_path)) == 1
    row.refresh_from_db()
    assert row.last_ok and row.last_at >= planned and row.last_message == ""
    assert warm(tenant.pk, row.pk, timezone.now(), "m-3"), "the next run is another one"


def test_while_one_message_makes_a_run_a_second_one_does_nothing_but_the_same_one_goes_on(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path)
    planned = now_due(row)
    key = tenant_key(tenant.pk, ROOM, row.pk.hex)
    sync_client().set(key, "m-1", ex=60)
    assert not warm(tenant.pk, row.pk, planned, "m-2")
    assert noted(tmp_path) == []
    assert warm(tenant.pk, row.pk, planned, "m-1"), "its worker died, and it was given out again"
    assert len(noted(tmp_path)) == 1 and not sync_client().exists(key)


def test_a_run_that_a_person_asks_for_is_not_made_beside_another(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path)
    key = tenant_key(tenant.pk, ROOM, row.pk.hex)
    sync_client().set(key, "m-1", ex=60)
    with pytest.raises(WrongState, match="under way"):
        run_now(row)
    assert noted(tmp_path) == [] and sync_client().get(key) == b"m-1"
    sync_client().delete(key)
    assert run_now(row).ok
    assert len(noted(tmp_path)) == 1 and not sync_client().exists(key)


async def test_a_warmed_value_answers_the_members_and_each_run_renews_it(tmp_path):
    tenant, connection = await in_db(place)
    row = await in_db(made, tenant, connection, tmp_path)
    assert (await warm_now(row)).ok
    caller = await in_db(make_caller, tenant)
    answer = await call_tool(caller, "warmed_read", {"folder": str(tmp_path)})
    assert answer.structured["run"] == 1 and len(noted(tmp_path)) == 1, "answered by what was kept"
    assert (await warm_now(row)).ok
    answer = await call_tool(caller, "warmed_read", {"folder": str(tmp_path), "word": "x"})
    assert answer.structured["run"] == 2 and len(noted(tmp_path)) == 2, "a hit would not have renewed it"


async def test_a_run_is_audited_as_the_platforms_reading_call(tmp_path):
    tenant, connection = await in_db(place)
    row = await in_db(made, tenant, connection, tmp_path)
    await warm_now(row)
    event = await in_db(lambda: AuditEvent.objects.for_tenant(tenant).filter(kind="call").get())
    assert (event.via, event.principal_name, event.name, event.outcome) == (
        "task", "platform", "warmed_read", "ok",
    )  # fmt: skip
    assert event.request_id.startswith("warm-")


def test_a_failing_run_says_why_and_the_next_one_is_planned_all_the_same():
    tenant, connection = place()
    row = services.warm_up_create(tenant=tenant, connection=connection, tool="warmed_fail", actor=ACTOR)
    planned = now_due(row)
    assert warm(tenant.pk, row.pk, planned, "m-1")
    row.refresh_from_db()
    assert (row.last_ok, row.last_message) == (False, "It is broken.")


def test_what_was_forbidden_since_is_said_on_the_warm_up(tmp_path):
    tenant, connection = place()
    row = made(tenant, connection, tmp_path)
    services.permission_set(tenant=tenant, role="viewer", allow=[], deny=["warmed:*"], actor=ACTOR)
    warm(tenant.pk, row.pk, now_due(row), "m-1")
    row.refresh_from_db()
    assert row.last_ok is False and "viewer" in row.last_message
    assert noted(tmp_path) == []


@pytest.mark.parametrize(
    ("tool", "field", "word"),
    [
        ("warmed_nothing", "tool", "no tool"),
        ("warmed_write", "tool", "writes"),
        ("warmed_fresh", "tool", "not kept"),
        ("warmed_secret", "tool", "not kept"),
        ("warmed_must", "tool", "task"),
        ("warmed_sure", "tool", "confirm"),
        ("warmed_read", "arguments", "folder"),
    ],
    ids=["unknown", "writes", "uncached", "secret", "task", "confirm", "arguments"],
)
def test_a_tool_that_cannot_be_warmed_up_is_refused_with_the_field_at_fault(tool, field, word):
    tenant, connection = place()
    with pytest.raises(InvalidValue) as refused:
        services.warm_up_create(tenant=tenant, connection=connection, tool=tool, actor=ACTOR)
    assert refused.value.field == field and word in refused.value.message


def test_connections_whose_callers_bring_their_own_credential_cannot_be_warmed_up(tmp_path):
    tenant = make_tenant()
    personal = make_connection(tenant, "warmed", "mine", credential_mode="principal")
    brought = make_connection(tenant, "warmed", "brought", credential_mode="none", caller_token=True)
    for connection in (personal, brought):
        with pytest.raises(InvalidValue) as refused:
            made(tenant, connection, tmp_path)
        assert refused.value.field == "connection"


def test_nothing_of_another_tenant_and_nothing_without_a_cache_can_be_warmed_up(tmp_path):
    (tenant, connection), (other, _theirs) = place(), place()
    with pytest.raises(InvalidValue):
        made(other, connection, tmp_path)
    for cache in ({"enabled": False}, {"ttl_s": 0}, {"tools": {"warmed_read": 0}}):
        connection = services.connection_update(connection, actor=ACTOR, cache=cache)
        with pytest.raises(InvalidValue, match="not kept"):
            made(tenant, connection, tmp_path)


def test_only_admins_change_warm_ups_and_the_audit_has_each_change(tmp_path):
    tenant, connection = place()
    operator = actor_of(make_member(tenant, "operator").user)
    with pytest.raises(NotAllowed):
        services.warm_up_create(
            tenant=tenant,
            connection=connection,
            tool="warmed_read",
            arguments={"folder": "x"},
            actor=operator,
        )
    row = made(tenant, connection, tmp_path)
    for change in (
        lambda: services.warm_up_update(row, actor=operator, enabled=False),
        lambda: services.warm_up_delete(row, actor=operator),
    ):
        with pytest.raises(NotAllowed):
            change()
    services.warm_up_update(row, actor=ACTOR, enabled=False)
    services.warm_up_delete(row, actor=ACTOR)
    names = AuditEvent.objects.for_tenant(tenant).filter(kind="config", name__startswith="warm_up.")
    assert list(names.order_by("seq").values_list("name", flat=True)) == [
        "warm_up.create warmed_read", "warm_up.update warmed_read", "warm_up.delete warmed_read",
    ]  # fmt: skip


def test_a_schedule_is_that_of_the_tenants_clock_and_changes_with_it(tmp_path):
    tenant, connection = place()
    tenant = tenant_update(tenant=tenant, time_zone="Asia/Kolkata", actor=ACTOR)
    row = made(tenant, connection, tmp_path, schedule=" 30 6 * * * ")
    assert row.schedule == "30 6 * * *"
    assert (row.next_at.astimezone(UTC).hour, row.next_at.astimezone(UTC).minute) == (1, 0)
    row = services.warm_up_update(row, actor=ACTOR, schedule="0 7 * * *")
    assert row.next_at.astimezone(UTC).minute == 30
    with pytest.raises(InvalidValue):
        services.warm_up_update(row, actor=ACTOR, schedule="whenever")
    services.warm_up_update(row, actor=ACTOR, enabled=False)
    row.refresh_from_db()
    assert row.next_at is None


def test_two_who_claim_at_once_share_what_is_due(tmp_path):
    tenant, connection = place()
    rows = [made(tenant, connection, tmp_path, arguments={"word": str(number)}) for number in range(6)]
    for row in rows:
        now_due(row, at=datetime(2020, 1, 1, tzinfo=UTC))

    async def both():
        return await asyncio.gather(in_db(claimed, tenant), in_db(claimed, tenant))

    first, second = asyncio.run(both())
    assert sorted(due.warm_up_id for due in (*first, *second)) == sorted(row.pk for row in rows)
