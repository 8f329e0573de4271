"""Stored tokens are renewed before their end, also where nobody calls."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from common.db import in_db
from connectors.models import Credential
from connectors.refreshing import refresh_due_tokens, refresh_token
from connectors.services import connection_delete, connection_update, credential_set
from tenants.selectors import caller_of
from tests.factories import SYSTEM, make_member
from tests.upstream.token_server import FIRST, token_server
from tests.upstream.tokened import Seat


@pytest.fixture
async def server():
    async with token_server() as running:
        yield running


@pytest.fixture
async def seat(server):
    made = await in_db(Seat, server)
    await made.get()
    return made


async def due(seat):
    """What of this tenant is due."""
    return [found for found in await in_db(refresh_due_tokens) if found[0] == seat.tenant.pk]


async def renew(seat):
    """What a background task does, in a thread of its own."""
    row = await in_db(seat.row)
    return await asyncio.to_thread(refresh_token, seat.tenant.pk, row.pk)


async def test_a_token_near_its_end_is_found_and_renewed_once(server, seat):
    assert await due(seat) == []
    await in_db(lambda: seat.age(left_s=240))
    row = await in_db(seat.row)
    assert await due(seat) == [(seat.tenant.pk, seat.connection.pk, row.pk)]
    assert [await renew(seat) for _ in range(2)] == ["good", "good"]
    assert server.count == 2 and await due(seat) == []


async def test_renewals_and_calls_at_once_ask_for_one_token(server, seat):
    await in_db(lambda: seat.age(left_s=-1))
    renewals = [renew(seat) for _ in range(3)]
    await asyncio.gather(*renewals, *(seat.get() for _ in range(5)))
    assert server.count == 2


async def test_a_renewal_that_fails_is_tried_again_after_a_while(server, seat, caplog):
    await in_db(lambda: seat.age(left_s=-1))
    server.refresh["c1"] = "gone"
    assert await renew(seat) == "failed"
    assert "could not be renewed" in caplog.text and "planted" not in caplog.text
    assert await due(seat) == []
    rows = Credential.objects.for_tenant(seat.tenant).filter(kind="token")
    await in_db(lambda: rows.update(updated_at=timezone.now() - timedelta(minutes=6)))
    assert len(await due(seat)) == 1
    await in_db(lambda: rows.update(expires_at=timezone.now() - timedelta(days=2)))
    assert await due(seat) == [], "what ended long ago waits for a call"


async def test_a_members_own_token_is_renewed_with_their_credential(server):
    seat = await in_db(lambda: Seat(server, credential_mode="principal", credential=None))
    member = await in_db(make_member, seat.tenant)
    values = {"client": "m1", "refresh": FIRST}
    await in_db(lambda: credential_set(seat.connection, values, actor=SYSTEM, principal=member))
    await seat.get(await in_db(caller_of, member))
    rows = Credential.objects.for_tenant(seat.tenant).filter(kind="token")
    await in_db(
        lambda: rows.update(expires_at=timezone.now(), updated_at=timezone.now() - timedelta(hours=1))
    )
    assert len(await due(seat)) == 1
    assert await renew(seat) == "good"


async def test_what_is_switched_off_or_gone_is_not_renewed(server, seat):
    await in_db(lambda: seat.age(left_s=-1))
    row = await in_db(seat.row)
    await in_db(lambda: connection_update(seat.connection, enabled=False, actor=SYSTEM))
    assert await due(seat) == []
    await in_db(lambda: connection_update(seat.connection, credential_mode="none", actor=SYSTEM))
    assert await renew(seat) == "gone"
    await in_db(lambda: connection_delete(seat.connection, actor=SYSTEM))
    assert await asyncio.to_thread(refresh_token, seat.tenant.pk, row.pk) == "gone"
    assert server.count == 1
