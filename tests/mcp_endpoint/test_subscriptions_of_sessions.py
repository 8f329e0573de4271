"""The handshake era: GET opens a session's stream, ``resources/subscribe`` fills it."""

import time

import pytest
from django.test import AsyncClient
from redis import ConnectionError as RedisAway

from common.bus import bus
from common.db import in_db
from common.redis import async_client, tenant_key
from common.signing import seal
from connectors import services as connectors
from connectors.snapshot import connection_ref
from connectors.updates import resource_updated_async
from mcp_endpoint import session_uris, sessions, speakers, streams
from tenants import services
from tests.factories import SYSTEM, make_caller, make_key
from tests.mcp_endpoint.listening import (
    PROMPTS,
    RESOURCES,
    TOOLS,
    UPDATED,
    get,
    hearing,
    session_of,
    subscribe,
    switch,
)
from tests.mcp_endpoint.speak import (
    Place,
    Post,
    by_door,
    by_runserver,
    by_view,
    eventually,
    headers_of,
    initialize,
    legacy,
    make_place,
)

PLAN, GOAL = "goal://GOAL-0001/plan", "goal://GOAL-0001"


@pytest.fixture
async def home(database):
    """A tenant of the test's own."""
    return await in_db(make_place, connectors=("goals", "probe"))


async def goals_of(place: Place):
    return connection_ref(await in_db(place.tenant.connections.get, slug="goals"), "UTC")


async def test_initialize_promises_what_the_stream_tells(home):
    said = (await by_door(initialize(home))).result["capabilities"]
    assert said["tools"] == said["prompts"] == {"listChanged": True}
    assert said["resources"] == {"listChanged": True, "subscribe": True}


async def test_a_get_without_a_session_is_405_and_with_an_unknown_one_404(home):
    for send in (by_door, by_view, by_runserver):
        answer = await send(get(home, home.path, None))
        assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")
        assert (await send(get(home, home.path, "unknown"))).status == 404
    caller = await in_db(make_caller, home.tenant)
    old = seal(
        "mcp-session", {"v": "2025-11-25", "n": "", "w": "", "f": 0, "e": int(time.time()) - 1, "i": "x"},
        bind=sessions.bound_to(caller), max_age=60,
    )  # fmt: skip
    assert (await by_door(get(home, home.path, old))).status == 404


async def test_a_foreign_session_opens_nothing(home):
    session = await session_of(home)
    elsewhere = await in_db(make_place, connectors=("goals", "probe"))
    key, secret = await in_db(make_key, home.tenant)
    for stranger in (elsewhere, Place(home.tenant, secret, key)):
        assert (await by_door(get(stranger, stranger.path, session))).status == 404
    nobody = await by_door(get(None, home.path, session))
    assert nobody.status == 401
    assert nobody.body == (await by_door(Post(home.path, b"{}", [("accept", "*/*")]))).body
    assert (await by_door(get(home, home.path, session, accept="application/json"))).status == 406
    assert (await by_runserver(get(home, home.path, session))).status == 501
    assert streams.open_count(home.tenant.pk) == 0


async def test_deleting_a_session_is_refused(home):
    session = await session_of(home)
    headers = list(headers_of(home, mcp_session_id=session).items())
    answer = await by_door(Post(home.path, b"", headers, "DELETE"))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")


async def test_the_stream_tells_of_lists_and_of_subscribed_resources(home):
    session = await session_of(home)
    stream = await hearing(home, session)
    assert stream.headers["content-type"] == "text/event-stream"
    await switch(home, "probe_write", False)
    assert await stream.next() == {"jsonrpc": "2.0", "method": TOOLS, "params": {}}
    assert (await subscribe(home, session, PLAN)).result == {}
    goals = await goals_of(home)
    await listens_to(home, PLAN)
    await resource_updated_async(goals, GOAL)
    await resource_updated_async(goals, PLAN)
    assert await stream.next() == {"jsonrpc": "2.0", "method": UPDATED, "params": {"uri": PLAN}}
    assert (await subscribe(home, session, GOAL)).result == {}
    assert (await subscribe(home, session, PLAN, "resources/unsubscribe")).result == {}
    assert (await subscribe(home, session, PLAN, "resources/unsubscribe")).result == {}
    await listens_to(home, GOAL)
    await resource_updated_async(goals, PLAN, GOAL)
    assert (await stream.next())["params"] == {"uri": GOAL}
    await stream.leave()


async def listens_to(place: Place, *uris: str) -> None:
    """Wait until the tenant's only stream has exactly these subscriptions."""

    def there() -> bool:
        (stream,) = streams.of_loop().of_tenant[place.tenant.pk]
        return stream.uris == tuple(sorted(uris))

    await eventually(there)


async def test_what_was_subscribed_before_the_stream_came_counts_and_for_its_session_alone(home):
    mine, other = await session_of(home), await session_of(home)
    await subscribe(home, mine, PLAN)
    stream, deaf = await hearing(home, mine), await hearing(home, other)
    await resource_updated_async(await goals_of(home), PLAN)
    assert await stream.method() == UPDATED
    await in_db(connectors.connection_update, await in_db(home.tenant.connections.get, slug="goals"), enabled=False, actor=SYSTEM)  # fmt: skip
    heard = {await deaf.method(), await deaf.method(), await deaf.method()}
    assert heard == {TOOLS, PROMPTS, RESOURCES}
    for each in (stream, deaf):
        await each.leave()


async def test_nobody_hears_of_another_tenants_resources(home):
    elsewhere = await in_db(make_place, connectors=("goals", "probe"))
    here, there = await session_of(home), await session_of(elsewhere)
    for place, session in ((home, here), (elsewhere, there)):
        await subscribe(place, session, PLAN)
    mine, theirs = await hearing(home, here), await hearing(elsewhere, there)
    await resource_updated_async(await goals_of(elsewhere), PLAN)
    assert await theirs.method() == UPDATED
    await switch(home, "probe_write", False)
    assert await mine.method() == TOOLS
    for each in (mine, theirs):
        await each.leave()


async def test_what_cannot_be_subscribed_to_is_said(home):
    session = await session_of(home)
    missing = await subscribe(home, session, "goals://nothing")
    assert (missing.status, missing.error["code"]) == (200, -32002)
    silent = await subscribe(home, session, "probe://motto")
    assert silent.error["code"] == -32602
    assert "does not tell" in silent.error["message"]
    alone = await by_door(legacy(home, "resources/subscribe", {"uri": PLAN}))
    assert alone.error["code"] == -32600
    key, secret = await in_db(make_key, home.tenant, deny=["goals:*"])
    blind = Place(home.tenant, secret, key)
    refused = await subscribe(blind, await session_of(blind), PLAN)
    assert refused.error == {**missing.error, "data": {"uri": PLAN}}


async def test_a_session_has_a_limited_number_of_subscriptions_and_they_end_with_it(home, monkeypatch):
    monkeypatch.setattr(session_uris, "MAX_URIS", 2)
    token = await session_of(home)
    for uri in (PLAN, GOAL, PLAN):
        assert (await subscribe(home, token, uri)).result == {}
    assert "at most" in (await subscribe(home, token, "goal://GOAL-0002")).error["message"]
    key = tenant_key(home.tenant.pk, session_uris.ROOM, "*")
    (stored,) = [found async for found in async_client().scan_iter(key)]
    assert token.encode() not in stored
    assert 0 < await async_client().ttl(stored) <= sessions.MAX_AGE_S + 1


async def test_while_redis_is_away_subscriptions_say_so(home, monkeypatch):
    session = await session_of(home)

    async def away(*_arguments):
        raise RedisAway

    monkeypatch.setattr(session_uris, "add", away)
    monkeypatch.setattr(session_uris, "load", away)
    assert (await subscribe(home, session, PLAN)).status == 503
    answer = await by_door(get(home, home.path, session))
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert streams.open_count(home.tenant.pk) == 0


async def test_a_revoked_key_ends_the_stream(home):
    stream = await hearing(home, await session_of(home))
    await in_db(services.access_key_revoke, key=home.access_key, actor=SYSTEM)
    assert await stream.end() == []


async def test_of_two_streams_of_a_session_the_newest_speaks_until_it_leaves(home):
    session = await session_of(home)
    older, newer = await hearing(home, session), await hearing(home, session)
    await switch(home, "probe_write", False)
    assert await newer.method() == TOOLS
    await newer.leave()
    await switch(home, "probe_echo", False)
    assert await older.method() == TOOLS
    await in_db(services.access_key_revoke, key=home.access_key, actor=SYSTEM)
    assert await older.end() == []


async def test_a_newer_stream_of_another_worker_silences_this_one_until_it_leaves(home):
    session = await session_of(home)
    stream = await hearing(home, session)
    (open_one,) = streams.of_loop().of_tenant[home.tenant.pk]
    elsewhere = {"session": open_one.session, "at": open_one.opened_at + 1}
    await bus.publish_async(home.tenant.pk, speakers.KIND, {**elsewhere, "closed": False})
    await eventually(lambda: not streams.of_loop().speakers.speaks(open_one))
    await switch(home, "probe_write", False)
    await eventually(lambda: not streams.of_loop()._changed and open_one.looked > 1)
    await bus.publish_async(home.tenant.pk, speakers.KIND, {**elsewhere, "closed": True})
    await eventually(lambda: streams.of_loop().speakers.speaks(open_one))
    await switch(home, "probe_echo", False)
    assert await stream.method() == TOOLS
    await in_db(services.access_key_revoke, key=home.access_key, actor=SYSTEM)
    assert await stream.end() == [], "it spoke while another one did"


async def test_the_view_streams_too(home):
    session = await session_of(home)
    post = get(home, home.path, session)
    response = await AsyncClient().get(post.path, headers=dict(post.headers))
    assert (response.status_code, response["content-type"]) == (200, "text/event-stream")
    chunks = response.streaming_content
    assert (await anext(chunks)).startswith(b": ")
    await switch(home, "probe_write", False)
    assert TOOLS.encode() in await anext(chunks)
    await in_db(services.access_key_revoke, key=home.access_key, actor=SYSTEM)
    assert [chunk async for chunk in chunks] == []
