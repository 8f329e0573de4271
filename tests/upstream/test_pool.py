"""Which connections stay open between requests, and which are never used again."""

import asyncio

import pytest

from connectors.errors import ConnectionFailed, TimedOut, UpstreamError
from connectors.upstream import pool
from connectors.upstream.client import Client, Request
from connectors.upstream.retry import Kind
from tests.upstream.conftest import some_connection, until
from tests.upstream.faulty import answer, faulty

READ = Request("GET", "things", Kind.READ)


async def test_requests_one_after_another_share_a_connection(client, double, ctx):
    for _ in range(5):
        await client.send(ctx(), READ)
    assert double.connections == 1


async def test_calls_of_a_burst_that_come_again_find_their_connections_open(double, ctx):
    client = Client(some_connection(connections=8, kept_alive=1), double.url)
    for _ in range(5):
        await asyncio.gather(*(client.send(ctx(), READ) for _ in range(8)))
    assert double.connections == 8
    await client.aclose()
    await until(lambda: double.open == 0)


@pytest.mark.parametrize("kept", [0, 1, 3])
async def test_as_many_stay_open_as_the_setting_says(double, ctx, monkeypatch, kept):
    monkeypatch.setattr(pool, "SURPLUS_S", 0.02)
    client = Client(some_connection(connections=5, kept_alive=kept), double.url)
    for _ in range(3):
        await asyncio.gather(*(client.send(ctx(), READ) for _ in range(20)))
        await until(lambda: double.open == kept)
    assert double.most <= 5
    await client.aclose()
    await until(lambda: double.open == 0)


async def test_one_that_the_system_closed_is_not_used(client, double, ctx):
    """A creation over it would be in doubt, though nothing was wrong."""

    async def answer_and_leave(writer):
        writer.write(answer(200))
        await writer.drain()

    double.script = [answer_and_leave]
    assert (await client.send(ctx(), READ)).ok
    await until(lambda: double.open == 0)
    await asyncio.sleep(0.05)
    got = await client.send(ctx(), Request("POST", "things", Kind.ONCE, json={"a": 1}))
    assert (got.attempts, double.connections) == (1, 2)


async def test_one_with_bytes_that_nobody_asked_for_is_not_used(client, double, ctx):
    double.script = [answer(200) + answer(200, b'{"of":"somebody else"}')]
    await client.send(ctx(), READ)
    await asyncio.sleep(0.05)
    assert (await client.send(ctx(), READ)).json() == {"ok": True}
    assert double.connections == 2


async def test_one_whose_answer_was_not_read_to_its_end_is_closed(client, double, ctx):
    with pytest.raises(UpstreamError, match="larger"):
        await client.send(ctx(), Request("GET", "things", Kind.READ, max_bytes=5))
    await until(lambda: double.open == 0)
    assert (await client.send(ctx(), READ)).ok
    assert double.connections == 2


async def test_one_whose_call_ended_before_its_answer_is_closed(client, double, ctx):
    """The answer that comes late must not be the next request's."""

    async def late(writer):
        await asyncio.sleep(0.3)
        writer.write(answer(200, b'{"late":true}'))
        await writer.drain()

    double.script = [late, late]
    with pytest.raises(TimedOut):
        await client.send(ctx(0.15), READ)
    running = asyncio.create_task(client.send(ctx(), READ))
    await until(lambda: len(double.came) == 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for _ in range(3):
        assert (await client.send(ctx(), READ)).json() == {"ok": True}
    await until(lambda: double.open == 1)


async def test_one_that_was_idle_for_long_is_closed_at_the_next_request(client, double, ctx, monkeypatch):
    monkeypatch.setattr(pool, "IDLE_CONNECTION_S", 0.05)
    await asyncio.gather(*(client.send(ctx(), READ) for _ in range(4)))
    assert double.open == 4
    await asyncio.sleep(0.1)
    await client.send(ctx(), READ)
    await until(lambda: double.open == 1)


async def test_one_that_is_under_way_when_the_client_is_closed_is_closed_at_its_end(double, ctx):
    came = asyncio.Event()

    async def slowly(writer):
        came.set()
        await asyncio.sleep(0.05)
        writer.write(answer(200))
        await asyncio.sleep(5)

    client = Client(some_connection(), double.url)
    double.script = [slowly]
    running = asyncio.create_task(client.send(ctx(), READ))
    await came.wait()
    await client.aclose()
    assert (await running).ok
    assert client._http._pool._idle == []


async def test_one_is_used_for_its_own_origin_alone(client, double, ctx):
    async with faulty() as other:
        double.script = [answer(302, location=f"{other.url}/there")]
        assert (await client.send(ctx(), READ)).json() == {"ok": True}
        for _ in range(2):
            await client.send(ctx(), READ)
        assert [(it.connections, len(it.came)) for it in (double, other)] == [(1, 3), (1, 1)]


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/x", "ws://127.0.0.1/x", "file:///etc/passwd", "gopher:x"])
async def test_what_is_not_http_is_not_asked(client, double, ctx, to):
    double.script = [answer(302, location=to)]
    with pytest.raises(ConnectionFailed) as caught:
        await client.send(ctx(), READ)
    assert caught.value.code == "bad_url"
    assert len(double.came) == 1
