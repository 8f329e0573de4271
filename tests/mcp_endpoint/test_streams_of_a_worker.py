"""Streams as a worker holds them: their limits, their pings, slow clients, and the worker's end."""

import asyncio
import contextlib
import json
import socket
import time

import pytest

from common.bus import bus
from common.db import in_db
from common.redis import async_client, tenant_key
from connectors.snapshot import connection_ref
from connectors.updates import resource_updated
from mcp_endpoint import session_uris, stream_registry, streams
from mcp_endpoint.dialogue import Dialogue
from tenants import access, services
from tests.factories import SYSTEM
from tests.mcp_endpoint.listening import (
    EVERYTHING,
    TOOLS,
    UPDATED,
    another,
    hearing,
    listening,
    session_of,
    switch,
)
from tests.mcp_endpoint.speak import by_door, by_runserver, by_view, eventually, make_place, modern

PLAN = "goal://GOAL-0001/plan"


@pytest.fixture
async def cafe(database):
    """A tenant of the test's own: goals, and the probe's tools."""
    return await in_db(make_place, connectors=("goals", "probe"))


async def test_a_stream_is_forgotten_when_its_client_leaves(cafe):
    stream = await listening(cafe)
    assert streams.open_count(cafe.tenant.pk) == 1
    await stream.leave()
    assert streams.open_count(cafe.tenant.pk) == 0


async def test_it_needs_a_client_that_takes_a_stream_and_a_server_that_holds_one(cafe):
    post = modern(cafe, "subscriptions/listen", {"notifications": EVERYTHING}, accept="application/json")
    for send in (by_door, by_view, by_runserver):
        answer = await send(post)
        assert (answer.status, answer.json["id"]) == (406, 1)
    held = await by_runserver(modern(cafe, "subscriptions/listen", {"notifications": EVERYTHING}))
    assert held.status == 501
    wrong = await by_door(
        modern(cafe, "subscriptions/listen", {"notifications": {"resourceSubscriptions": [5]}})
    )
    assert (wrong.status, wrong.error["code"]) == (400, -32602)
    assert "notifications.resourceSubscriptions" in wrong.error["message"]
    assert (await by_door(modern(cafe, "subscriptions/listen", {}))).error["code"] == -32602
    assert streams.open_count(cafe.tenant.pk) == 0


async def test_a_tenant_has_a_limited_number_of_streams(cafe, monkeypatch):
    monkeypatch.setattr(stream_registry, "MAX_OF_TENANT", 2)
    one, two = await listening(cafe), await listening(await another(cafe))
    refused = await by_door(modern(cafe, "subscriptions/listen", {"notifications": EVERYTHING}))
    assert (refused.status, refused.headers["retry-after"]) == (429, "2")
    assert "open streams" in refused.error["message"]
    elsewhere = await listening(await in_db(make_place, connectors=("probe",)))
    await one.leave()
    again = await listening(cafe)
    for stream in (two, elsewhere, again):
        await stream.leave()


async def test_pings_keep_a_quiet_stream_alive(cafe, monkeypatch):
    monkeypatch.setattr(stream_registry, "PING_S", 0.1)
    monkeypatch.setattr(stream_registry, "TICK_S", 0.05)
    stream = await listening(cafe)
    pinged = await stream.running.sent.get()
    assert pinged["body"].startswith(b": ")
    await stream.leave()


async def test_ending_all_streams_says_goodbye_and_takes_no_new_ones(cafe):
    stream, other = await listening(cafe), await listening(await another(cafe))
    await streams.end_all(3)
    assert streams.open_count(cafe.tenant.pk) == 0
    for ended in (stream, other):
        (last,) = await ended.end()
        assert last["result"]["resultType"] == "complete"
    refused = await by_door(modern(cafe, "subscriptions/listen", {"notifications": EVERYTHING}))
    assert refused.status == 503


async def test_after_the_bus_was_away_what_may_have_been_missed_is_told(cafe, monkeypatch):
    monkeypatch.setattr(stream_registry, "TICK_S", 0.05)
    session = await session_of(cafe)
    stream = await hearing(cafe, session)
    assert bus.connected.wait(5)
    (open_one,) = streams.of_loop().of_tenant[cafe.tenant.pk]
    bus.connected.clear()
    await eventually(lambda: streams.of_loop()._deaf)
    await async_client().sadd(tenant_key(cafe.tenant.pk, session_uris.ROOM, open_one.session), PLAN)
    bus.connected.set()
    assert await stream.next() == {"jsonrpc": "2.0", "method": UPDATED, "params": {"uri": PLAN}}
    await stream.leave()


async def test_a_conversation_without_http_listens_too(cafe):
    caller = await access.authenticate(cafe.tenant.slug, cafe.key, address="127.0.0.1")
    frames: asyncio.Queue[bytes] = asyncio.Queue()
    dialogue = Dialogue(caller, frames.put, lambda: None)
    await dialogue.start()
    post = modern(cafe, "subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id="l")
    await dialogue.take(json.loads(post.body))
    said = json.loads(await frames.get())
    assert (said["method"], said["params"]["notifications"]) == (
        "notifications/subscriptions/acknowledged", {"toolsListChanged": True},
    )  # fmt: skip
    await switch(cafe, "probe_write", False)
    assert json.loads(await frames.get())["method"] == TOOLS
    await in_db(services.access_key_revoke, key=cafe.access_key, actor=SYSTEM)
    assert json.loads(await frames.get())["result"]["resultType"] == "complete"
    await dialogue.close()
    assert streams.open_count(cafe.tenant.pk) == 0


async def test_a_client_that_does_not_read_is_cut_off(cafe):
    stream = await hearing(cafe, await session_of(cafe))
    (open_one,) = streams.of_loop().of_tenant[cafe.tenant.pk]
    blocked = Blocked()
    open_one._send, open_one._abort = blocked.send, blocked.abort
    for number in range(200):
        open_one.notify(UPDATED, {"uri": f"goal://{number}/{'x' * 1000}"})
    assert blocked.aborted
    assert open_one.ended
    await eventually(lambda: streams.open_count(cafe.tenant.pk) == 0)
    await stream.end()


class Blocked:
    """A connection that takes nothing."""

    aborted = False

    async def send(self, frame: bytes) -> None:
        await asyncio.get_running_loop().create_future()

    def abort(self) -> None:
        self.aborted = True


def test_a_socket_that_nobody_reads_is_cut_off_and_its_memory_given_back(base_url):
    place = make_place(connectors=("goals",))
    goals = connection_ref(place.tenant.connections.get(slug="goals"), "UTC")
    uris = [f"goal://{number}-{'x' * 1900}" for number in range(100)]
    post = modern(place, "subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}})
    lines = [f"{name}: {value}" for name, value in post.headers]
    head = [f"POST {post.path} HTTP/1.1", "host: localhost", f"content-length: {len(post.body)}", *lines]
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", int(base_url.rpartition(":")[2])))
        client.sendall("\r\n".join([*head, "", ""]).encode() + post.body)
        assert client.recv(1024).startswith(b"HTTP/1.1 200")
        deadline = time.monotonic() + 30
        while streams.open_count(place.tenant.pk):
            assert time.monotonic() < deadline, "it was never cut off"
            resource_updated(goals, *uris)
            time.sleep(0.02)  # between two bursts, not for a result
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(1 << 20):
                assert b'"result"' not in part
