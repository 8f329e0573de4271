"""What happens in the middle of a call: its connection goes, its credential changes, Redis forgets everything."""

import asyncio
import json
import time
from uuid import uuid4

import pytest

from common.db import in_db
from common.redis import async_client, sync_client
from connectors.alerts.services import alert_target_create
from connectors.base import CheckResult
from connectors.health.recording import Found, record_check
from connectors.health.states import Outcome
from connectors.limiting import script
from connectors.limiting.rules import Due, Rule
from connectors.models import AlertDelivery, StateChange, UsageDay, UsageLimit, WarmUp
from connectors.services import connection_delete, credential_set, limit_create, limit_delete
from connectors.upstream import breaker as breakers
from connectors.upstream.breaker import opened_of, reset
from connectors.upstream.cache.copies import copies
from tenants import services as tenants
from tests.admin.conftest import sign_in, url
from tests.factories import SYSTEM, make_connection, make_member, make_tenant
from tests.mcp_endpoint.speak import by_door, legacy, make_place, modern
from tests.upstream.conftest import (
    sandbox,  # noqa: F401  a fixture
    until,
)
from tests.upstream.faulty import answer, faulty
from tests.upstream.kept import Place, numbered

SCRIPT = "<script>alert('Zq7')</script>"


class Held:
    """A step of the double that answers when it is told to."""

    def __init__(self, body: bytes) -> None:
        self.body, self.go = body, asyncio.Event()

    async def __call__(self, writer) -> None:
        await self.go.wait()
        writer.write(self.body)
        await writer.drain()


@pytest.fixture
async def system():
    async with faulty() as here:
        yield here


def keys_of(tenant):
    return sorted(sync_client().scan_iter(f"portico:{tenant.pk.hex}:*", count=1000))


def lose_all(tenant) -> None:
    """As FLUSHALL, of one tenant: other tests use the same Redis."""
    for key in keys_of(tenant):
        sync_client().delete(key)


async def begun(place, system, body=None, tool="kept_item", **arguments):
    """A call that waits for the system, and the step that it waits for."""
    held = Held(body or numbered(1))
    system.script.append(held)
    before = len(system.came)
    call = asyncio.create_task(place.call(tool, **arguments))
    await until(lambda: len(system.came) > before)
    return call, held


async def test_a_connection_that_is_deleted_in_the_middle_leaves_nothing_behind(system):
    place = await in_db(Place, system.url)
    call, held = await begun(place, system, number=1)
    await in_db(lambda: connection_delete(place.row, actor=SYSTEM))
    held.go.set()
    await asyncio.gather(call, return_exceptions=True)
    kept = [
        key
        for key in await in_db(keys_of, place.tenant)
        if b":v:" in key and place.row.pk.hex.encode() in key
    ]
    assert not kept


async def test_what_was_read_with_a_former_credential_answers_nobody(system):
    place = await in_db(Place, system.url)
    call, held = await begun(place, system, number=1)
    await in_db(lambda: credential_set(place.row, {"token": "another"}, actor=SYSTEM))
    held.go.set()
    await call
    from connectors.snapshot import forget

    forget(place.tenant.pk)
    system.otherwise = numbered(2)
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 2}}
    assert system.came[-1].headers["authorization"] == "Bearer another"


async def test_a_redis_that_forgets_everything_in_the_middle_harms_no_call(system):
    place = await in_db(Place, system.url)
    await in_db(lambda: limit_create(tenant=place.tenant, calls=100, period="month", actor=SYSTEM))
    call, held = await begun(place, system, number=1)
    await in_db(lose_all, place.tenant)
    held.go.set()
    assert (await call).structured == {"item": {"n": 1}}
    write, held = await begun(place, system, answer(200), "kept_change", number=1)
    await in_db(lose_all, place.tenant)
    held.go.set()
    assert not (await write).is_error
    copies.clear()
    system.otherwise = numbered(5)
    assert (await place.call("kept_item", number=1)).structured == {"item": {"n": 5}}


async def test_a_breaker_that_is_closed_while_its_probe_runs_stays_closed_when_the_probe_fails(system):
    place = await in_db(lambda: Place(system.url, network={"retries": 0}))
    system.otherwise = answer(500)
    for _ in range(6):
        await place.call("kept_newest")
    (opened,) = await in_db(opened_of, place.tenant.pk, place.row.pk)
    breaker = breakers.breaker_of(place.tenant.pk, place.row.pk, opened.credential)
    breaker.open_until = time.monotonic() - 1  # its rest is over
    lost = breakers.key_of(place.tenant.pk, place.row.pk)
    await in_db(lambda: sync_client().hset(lost, f"{opened.credential}:until", 1))
    probe, held = await begun(place, system, answer(500), "kept_newest")
    await in_db(reset, place.tenant.pk, place.row.pk)
    held.go.set()
    assert (await probe).error_type == "http_error"
    assert not breaker.open_until and not await in_db(opened_of, place.tenant.pk, place.row.pk)
    system.otherwise = answer(200)
    assert not (await place.call("kept_newest")).is_error


async def test_a_limit_that_is_deleted_while_calls_wait_for_their_turn_refuses_none(system):
    place = await in_db(lambda: Place(system.url, network={"min_interval_ms": 30}))
    limit = await in_db(lambda: limit_create(tenant=place.tenant, calls=50, period="hour", actor=SYSTEM))
    calls = [asyncio.create_task(place.call("kept_newest")) for _ in range(5)]
    await asyncio.sleep(0)
    await in_db(lambda: limit_delete(limit, actor=SYSTEM))
    assert not any(result.is_error for result in await asyncio.gather(*calls))
    assert not await in_db(UsageLimit.objects.for_tenant(place.tenant).exists)


async def test_a_tenant_that_is_deleted_in_the_middle_breaks_nothing_else(system):
    gone, other = [await in_db(Place, system.url) for _ in range(2)]
    call, held = await begun(gone, system, number=1)
    await in_db(lambda: tenants.tenant_suspend(tenant=gone.tenant, actor=SYSTEM))
    await in_db(lambda: tenants.tenant_delete(tenant=gone.tenant, actor=SYSTEM))
    held.go.set()
    await asyncio.gather(call, return_exceptions=True)
    assert not (await other.call("kept_item", number=1)).is_error
    found = Found(CheckResult(True, "x"), Outcome.OK, 1)
    assert await in_db(record_check, gone.tenant.pk, gone.row.pk, found) is None


@pytest.mark.parametrize("speak", [modern, legacy])
async def test_a_refusal_of_a_limit_says_its_kind_and_when_to_come_back_in_both_eras(database, speak):
    place = await in_db(make_place, "operator", ("goals",))
    await in_db(lambda: limit_create(tenant=place.tenant, calls=1, period="hour", actor=SYSTEM))
    found = []
    for _ in range(2):
        result = (await by_door(speak(place, "tools/call", {"name": "list_goals", "arguments": {}}))).result
        found.append((result.get("isError", False), result["content"][0]["text"]))
    assert found[0][0] is False and found[1][0] is True
    error = json.loads(found[1][1])
    assert (error["type"], error["status_code"], error["retryable"]) == ("rate_limit", 429, True)
    assert 0 < error["retry_after"] <= 3600 and error["hint"]


def test_words_of_systems_are_text_on_the_admins_pages():
    tenant = make_tenant()
    admin = make_member(tenant, "admin")
    row = make_connection(tenant, "goals", name="Goals")
    record_check(tenant.pk, row.pk, Found(CheckResult(False, SCRIPT, {SCRIPT: SCRIPT}), Outcome.FAILED, 1))
    change = StateChange.objects.create(
        tenant=tenant, connection=row, former="ok", state="failing", message=SCRIPT
    )
    target, _ = alert_target_create(
        tenant=tenant, kind="email", name=SCRIPT, address="a@example.com", actor=SYSTEM
    )
    AlertDelivery.objects.create(tenant=tenant, target=target, change=change, last_error=SCRIPT)
    warm_up = WarmUp.objects.create(
        tenant=tenant, connection=row, tool=SCRIPT[:48], enabled=True, last_ok=False, last_message=SCRIPT
    )
    from django.utils import timezone

    WarmUp.objects.for_tenant(tenant).update(last_at=timezone.now())
    UsageDay.objects.create(
        tenant=tenant, day=timezone.now().date(), connection="goals", tool=SCRIPT[:48], calls=1,
        principal_id="p", principal_name=SCRIPT,
    )  # fmt: skip
    browser = sign_in(admin.user, tenant)
    pages = [
        url("index"), url("connectors_connection_changelist"), url("connectors_connection_change", row.pk),
        url("connectors_alerttarget_changelist"), url("connectors_alerttarget_change", target.pk),
        url("connectors_warmup_changelist"), url("connectors_warmup_change", warm_up.pk),
        url("connectors_usageday_changelist") + "?by=principal", url("connectors_usageday_changelist"),
    ]  # fmt: skip
    shown = 0
    for page in pages:
        answered = browser.get(page)
        assert answered.status_code == 200, page
        text = answered.content.decode()
        assert "<script>alert(" not in text, page
        shown += "alert(&#x27;Zq7" in text or "&lt;script&gt;" in text
    assert shown >= 6


async def test_debits_that_are_given_back_after_redis_forgot_them_leave_the_counter_sound(database):
    redis = async_client()
    rule = Rule(f"portico:{uuid4().hex}:limit:x:day", "tenant", 5_000, "day", 86_400_000)
    due = Due(rule, rule.key, 1)
    taken = [await script.take(redis, [due], "", 0, 0) for _ in range(4)]
    await redis.delete(rule.key)  # as FLUSHALL
    await script.take(redis, [due], "", 0, 0)
    for each in taken:
        await script.give_back(redis, [due], "", 0, 0, each.now_ms)
    assert not (await script.take(redis, [due], "", 0, 0)).refusals
    await redis.delete(rule.key)


async def test_tokens_that_a_caller_makes_up_do_not_fill_redis_with_breakers(database):
    redis, tenant_id, connection_id = async_client(), uuid4(), uuid4()
    key = breakers.key_of(tenant_id, connection_id)
    await redis.hset(key, mapping={f"token-{number:032x}:n": 1 for number in range(4_500)})
    for _ in range(6):
        await breakers.breaker_of(tenant_id, connection_id, "token-new").failed("timeout")
    assert await redis.hlen(key) < 100
    assert [each.credential for each in await in_db(opened_of, tenant_id, connection_id)] == ["token-new"]
    await redis.delete(key)
