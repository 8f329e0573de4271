"""Tokens of systems: got once for all calls, stored before they are used, renewed in time."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from audit.models import AuditEvent
from common.db import in_db
from common.redis import async_client
from connectors.models import Connection
from connectors.pipeline import call_tool
from connectors.services import connection_update, credential_delete, credential_set
from connectors.services import tokens as rows
from connectors.services.tokens import Lease
from connectors.upstream import breaker
from connectors.upstream.token_values import Token
from connectors.upstream.tokens import end_renewals, memory
from tenants.models import Tenant
from tenants.selectors import caller_of
from tests.factories import SYSTEM, make_caller, make_member, make_tenant
from tests.upstream.token_server import FIRST, SECRET, token_server
from tests.upstream.tokened import Seat, brought


@pytest.fixture
async def server():
    async with token_server() as running:
        yield running


@pytest.fixture
async def seat(server):
    return await in_db(Seat, server)


async def together(seat, calls):
    return await asyncio.gather(*(seat.get() for _ in range(calls)))


async def test_one_token_serves_all_calls_until_its_end(server, seat):
    assert await seat.get() == {"client": "c1", "instance": "eu1"}
    await together(seat, 20)
    assert server.count == 1 and server.refused == 0


async def test_fifty_calls_at_once_with_an_expired_token_fetch_one_and_none_fails(server, seat):
    await seat.get()
    await in_db(lambda: seat.age(left_s=-10))
    server.valid.clear()
    await together(seat, 50)
    assert server.count == 2 and server.refused == 0


async def test_a_token_is_renewed_before_its_end_and_one_without_an_end_is_not(server, seat):
    await seat.get()
    await in_db(lambda: seat.age(left_s=290))
    await seat.get()
    assert server.count == 2 and len(set(server.used)) == 2
    server.lives = None
    await in_db(lambda: seat.age(left_s=1))
    await together(seat, 3)
    memory.forget(seat.connection.pk)
    await seat.get()
    assert server.count == 3 and (await in_db(seat.row)).expires_at is None


def test_a_token_is_due_five_minutes_before_its_end_or_after_nine_tenths_of_a_short_life():
    now = datetime.now(UTC)

    def is_due(life, left):
        end = now + timedelta(seconds=left)
        token = Token.of("x")
        return Token(token.value, end, made_at=end - timedelta(seconds=life)).is_due(now)

    assert [is_due(3600, left) for left in (301, 299, -1)] == [False, True, True]
    assert [is_due(100, left) for left in (11, 9)] == [False, True]
    assert not Token.of("x").is_due(now) and Token.of("x", lives_s=0).is_due(datetime.now(UTC))


async def test_calls_whose_token_is_refused_renew_it_once_and_none_fails(server, seat):
    await seat.get()
    server.revoke()
    await together(seat, 20)
    assert server.count == 2


async def test_a_token_that_another_process_renewed_is_used_without_asking_for_one(server, seat):
    await seat.get()
    old = memory.get(await in_db(seat.place))
    server.revoke()
    await seat.get()
    memory.put(await in_db(seat.place), old.token)  # what a process knows that was not asked meanwhile
    await seat.get()
    assert server.count == 2 and server.refused == 2


async def test_a_token_that_is_refused_again_is_an_error_and_not_asked_for_for_ever(server, seat):
    server.on_use, server.script = (
        None,
        [(200, {"access_token": f"wrong-{n}", "instance": "eu1"}) for n in range(9)],
    )
    error = await seat.fail()
    assert error["type"] == "authentication" and server.count == 2


async def test_a_new_token_is_committed_before_it_is_used(server, seat):
    stored = []

    async def look(token):
        found = await in_db(lambda: rows.token_read(seat.place()))
        stored.append(found.token.value.get_secret_value() == token)

    server.on_use = look
    await seat.get()
    await in_db(lambda: seat.age(left_s=-1))
    await seat.get()
    assert stored == [True, True]


async def test_nothing_is_locked_in_the_database_while_the_system_is_asked(server, seat):
    server.gate.clear()
    call = asyncio.create_task(seat.get())
    await server.asked.wait()
    await in_db(lambda: connection_update(seat.connection, name="Renamed meanwhile", actor=SYSTEM))
    server.gate.set()
    await call
    assert server.count == 1
    await seat.get()  # the settings are others now, so another token is got: with the stored refresh token
    assert server.count == 2


async def test_a_renewal_makes_neither_the_connection_nor_the_tenant_newer(server, seat):
    def versions():
        rows = Connection.objects.for_tenant(seat.tenant).values_list("version", flat=True)
        return [*rows, Tenant.objects.get(pk=seat.tenant.pk).version]

    before = await in_db(versions)
    await seat.get()
    await in_db(lambda: seat.age(left_s=-1))
    await seat.get()
    assert await in_db(versions) == before and server.count == 2


async def test_a_renewal_goes_on_when_the_call_that_began_it_is_given_up(server, seat):
    server.gate.clear()
    call = asyncio.create_task(seat.call())
    await server.asked.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    server.gate.set()
    assert (await seat.get())["client"] == "c1"
    assert server.count == 1


async def test_a_process_that_ends_waits_for_a_token_that_is_being_exchanged(server, seat):
    server.gate.clear()
    call = asyncio.create_task(seat.call())
    await server.asked.wait()
    call.cancel()
    ending = asyncio.create_task(end_renewals())
    await asyncio.sleep(0)
    assert not ending.done() and (await in_db(seat.row)).ciphertext == b""
    server.gate.set()
    await ending
    assert (await in_db(seat.row)).expires_at is not None


async def test_a_credential_that_changes_during_a_renewal_gets_no_token_of_the_former_one(server, seat):
    server.gate.clear()
    call = asyncio.create_task(seat.fail())
    await server.asked.wait()
    await in_db(lambda: credential_set(seat.connection, {"client": "c2"}, actor=SYSTEM))
    server.gate.set()
    error = await call
    assert (error["code"], error["retryable"]) == ("connection_changed", True)
    assert await in_db(seat.rows) == 0
    assert (await seat.get())["client"] == "c2"


async def test_a_new_or_removed_credential_takes_its_tokens_along(server, seat):
    await seat.get()
    await in_db(lambda: credential_set(seat.connection, {"client": "c2"}, actor=SYSTEM))
    assert await in_db(seat.rows) == 0
    assert (await seat.get())["client"] == "c2"
    assert server.used[0] != server.used[1]
    await in_db(lambda: credential_delete(seat.connection, actor=SYSTEM))
    assert await in_db(seat.rows) == 0
    assert (await seat.fail())["type"] == "authentication"


async def test_a_refused_credential_is_not_tried_again_at_once_but_a_new_one_is(server, seat):
    server.refresh["c1"] = "somebody else has exchanged it"
    errors = [await seat.fail() for _ in range(3)]
    for error in errors:
        assert (error["type"], error["code"]) == ("authentication", "token_refused")
        assert "invalid_grant" in error["error"] and "stores it again" in error["hint"]
        assert FIRST not in str(error)
    assert server.count == 1
    server.refresh["c1"] = "planted-new-refresh"
    await in_db(lambda: credential_set(seat.connection, {"refresh": "planted-new-refresh"}, actor=SYSTEM))
    await seat.get()


async def test_a_system_that_stumbles_is_asked_again_by_the_next_call(server, seat):
    server.script = [(400, {"error": "temporarily_unavailable"})]
    assert (await seat.fail())["type"] == "validation"
    await seat.get()
    assert server.count == 2


async def test_after_an_outage_in_which_the_token_ended_calls_go_on(server, seat, monkeypatch):
    monkeypatch.setattr(breaker, "REST_S", 0.3)
    await seat.get()
    server.down = True
    types = [(await seat.fail())["type"] for _ in range(8)]
    assert types[-1] == "circuit_open"
    await in_db(lambda: seat.age(left_s=-1))
    types += [(await seat.fail())["type"] for _ in range(8)]
    server.down = False
    async with asyncio.timeout(20):
        while (await seat.call()).is_error:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert set(types) <= {"http_error", "circuit_open"} and server.count == 2


async def test_a_valid_token_is_used_on_where_its_renewal_fails(server, seat):
    await seat.get()
    await in_db(lambda: seat.age(left_s=200))
    server.script = [(400, {"error": "invalid_grant"})]
    await together(seat, 10)
    assert server.count == 2 and len(set(server.used)) == 1


async def test_a_lease_whose_holder_died_is_taken_over_and_a_living_one_is_waited_for(server, seat):
    place = await in_db(seat.place)
    lease = await in_db(rows.token_lease, place, lambda _: False, 0.3)
    assert isinstance(lease, Lease)
    assert await in_db(rows.token_lease, place, lambda _: False, 0.3) is None
    await seat.get()
    assert server.count == 1
    late = Token.of("late")
    assert not await in_db(rows.token_store, place, lease, late), "its lease was over"


async def test_a_database_that_is_away_for_a_moment_loses_no_token(server, seat, monkeypatch):
    store, failures = rows.token_store, [OperationalError("away"), OperationalError("away")]

    def stumbling(*arguments):
        if failures:
            raise failures.pop()
        return store(*arguments)

    monkeypatch.setattr(rows, "token_store", stumbling)
    await seat.get()
    assert not failures and server.count == 1 and await in_db(seat.rows) == 1


async def test_tenants_with_equal_settings_share_no_token(server):
    seats = [await in_db(lambda: Seat(server, rotates=False)) for _ in range(2)]
    for one in seats * 2:
        await one.get()
    assert server.count == 2 and len(set(server.used)) == 2
    first, second = [await in_db(one.row) for one in seats]
    await in_db(lambda: type(second).objects.for_tenant(second.tenant_id).update(ciphertext=first.ciphertext))
    memory.forget()
    await seats[1].get()  # what lies in the wrong row cannot be read, so another is got
    assert server.count == 3


async def test_members_have_tokens_of_their_own_that_nobody_uses_for_them(server):
    seat = await in_db(lambda: Seat(server, credential_mode="principal", credential=None))
    callers = []
    for number in range(2):
        member = await in_db(make_member, seat.tenant)
        values = {"client": f"m{number}", "refresh": FIRST}
        await in_db(lambda m=member, v=values: credential_set(seat.connection, v, actor=SYSTEM, principal=m))
        callers.append(await in_db(caller_of, member))
    for _ in range(2):
        assert [(await seat.get(caller))["client"] for caller in callers] == ["m0", "m1"]
    assert server.count == 2 and await in_db(seat.rows) == 2
    run_as = replace(callers[0], actor=callers[1])
    assert (await seat.fail(run_as))["code"] == "run_as_credential"


async def test_the_tokens_of_a_caller_who_brought_the_credential_are_never_stored(server):
    seat = await in_db(lambda: Seat(server, caller_token=True))
    for _ in range(2):
        await seat.get(info=brought(SECRET))
    assert server.fetches == {"brought": 1} and await in_db(seat.rows) == 0
    await seat.get()
    assert server.fetches["c1"] == 1


async def test_no_secret_is_told_or_stored_in_the_clear(server, seat, caplog):
    with caplog.at_level(logging.DEBUG):
        await seat.get()
        await in_db(lambda: seat.age(left_s=-1))
        await seat.get()
        server.refresh["c1"] = "gone"
        await in_db(lambda: seat.age(left_s=-1))
        error = await seat.fail()
    found = await in_db(lambda: rows.token_read(seat.place()))
    events = await in_db(lambda: [str(row.__dict__) for row in AuditEvent.objects.for_tenant(seat.tenant)])
    row = await in_db(seat.row)
    redis = async_client()
    kept = [key async for key in redis.scan_iter(f"portico:{seat.tenant.pk.hex}:*")]
    values = [await redis.dump(key) for key in kept]
    everything = f"{caplog.text}{error}{found!r}{memory!r}{events}{row!r}{row.__dict__}{kept}{values}"
    assert "planted" not in everything
    assert b"planted" not in bytes(row.ciphertext)
    assert not [key for key in kept if b":token:" in key], "the lock is given back"


async def test_another_tenants_connection_is_no_place_for_a_token(seat):
    stranger = await in_db(make_tenant)
    place = await in_db(seat.place)
    with pytest.raises(rows.ConnectionChanged):
        await in_db(rows.token_lease, replace(place, tenant_id=stranger.pk), lambda _: False, 1)
    other = await in_db(make_caller, stranger)
    with pytest.raises(Exception, match="rotating_get"):
        await call_tool(other, "rotating_get", {})
