"""What a connection's network settings say is what its client does."""

import asyncio
import time

import pytest

from connectors.errors import ConnectionFailed, TimedOut
from connectors.upstream import network
from connectors.upstream.client import Client, Request
from connectors.upstream.retry import Kind
from tests.upstream.certificates import Authority
from tests.upstream.conftest import some_connection
from tests.upstream.faulty import answer, faulty, silence

READ = Request("GET", "things", Kind.READ)
CREATE = Request("POST", "things", Kind.ONCE, json={})


@pytest.fixture(scope="module")
def authority():
    return Authority()


async def sent(url, ctx, **options):
    client = Client(some_connection(**options), url)
    try:
        return (await client.send(ctx(), READ)).status
    finally:
        await client.aclose()


async def test_a_private_authority_is_trusted_where_the_connection_names_it(tmp_path, authority, ctx):
    async with faulty(authority.server(tmp_path, "localhost")) as double:
        url = double.url.replace("127.0.0.1", "localhost")
        assert await sent(url, ctx, ca=authority.pem) == 200
        for options in ({}, {"ca": Authority().pem}):
            with pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED"):
                await sent(url, ctx, **options)
        assert await sent(url, ctx, verify=False) == 200
        assert len(double.came) == 2


async def test_a_certificate_for_another_host_is_refused(tmp_path, authority, ctx):
    async with faulty(authority.server(tmp_path, "other.example")) as double:
        url = double.url.replace("127.0.0.1", "localhost")
        with pytest.raises(ConnectionFailed, match="localhost"):
            await sent(url, ctx, ca=authority.pem)
        assert not double.came
        assert await sent(url, ctx, ca=authority.pem, verify=False) == 200


async def test_the_name_is_checked_though_the_connection_goes_to_the_judged_address(
    tmp_path, authority, ctx, monkeypatch
):
    real = network.resolve
    monkeypatch.setattr(network, "resolve", lambda host, port, policy: real("127.0.0.1", port, policy))
    async with faulty(authority.server(tmp_path, "system.example")) as double:
        url = double.url.replace("127.0.0.1", "system.example")
        assert await sent(url, ctx, ca=authority.pem) == 200
        with pytest.raises(ConnectionFailed):
            await sent(url.replace("system", "other"), ctx, ca=authority.pem)


async def test_a_redirect_from_tls_to_plain_text_is_not_followed(tmp_path, authority, ctx):
    async with faulty(authority.server(tmp_path, "localhost")) as double, faulty() as plain:
        double.script = [answer(302, location=plain.url)]
        with pytest.raises(ConnectionFailed, match="without TLS"):
            await sent(double.url.replace("127.0.0.1", "localhost"), ctx, ca=authority.pem)
        assert not plain.came


def test_an_authority_that_is_no_certificate_is_a_clear_error():
    for text in ("nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ConnectionFailed) as caught:
            Client(some_connection(ca=text), "https://a.example")
        assert caught.value.code == "bad_ca"


async def test_who_does_not_answer_within_read_s_is_late(double, ctx):
    client = Client(some_connection(read_s=0.1, retries=0), double.url)
    double.script = [silence]
    with pytest.raises(TimedOut):
        await client.send(ctx(30), READ)
    await client.aclose()


async def test_an_address_that_takes_no_connection_within_connect_s_was_not_sent_to(ctx, monkeypatch):
    """And the call's own end, where it comes first, says the same of a creation: nothing was sent."""

    async def never(*_, **__):
        await asyncio.sleep(60)

    monkeypatch.setattr(network, "resolve", never)
    for options, seconds in (({"connect_s": 0.05}, 30), ({"connect_s": 30}, 0.3)):
        client = Client(some_connection(retries=0, **options), "http://system.example")
        with pytest.raises(ConnectionFailed) as caught:
            await client.send(ctx(seconds), CREATE)
        assert caught.value.retryable
        await client.aclose()


async def test_no_more_connections_are_open_than_the_setting_says(double, ctx):
    client = Client(some_connection(connections=3, kept_alive=1), double.url)
    await asyncio.gather(*(client.send(ctx(), READ) for _ in range(30)))
    assert double.most <= 3
    assert len(double.came) == 30
    await client.aclose()


@pytest.mark.parametrize("seconds", [0.5])
async def test_a_slow_drip_ends_with_the_call(double, ctx, seconds):
    """Each part comes in time, the whole does not."""

    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    client = Client(some_connection(read_s=5.0), double.url)
    double.script = [drip]
    started = time.monotonic()
    with pytest.raises(TimedOut):
        await client.send(ctx(seconds), READ)
    assert time.monotonic() - started < 5
    await client.aclose()


async def test_a_huge_header_is_refused_before_it_fills_the_memory(double, ctx):
    written = 0

    async def endless(writer):
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while written < 200_000_000:
            writer.write(b"x-filler: " + b"x" * 60_000 + b"\r\n")
            await writer.drain()
            written += 60_000

    client = Client(some_connection(retries=0), double.url)
    double.script = [endless]
    with pytest.raises(ConnectionFailed):
        await client.send(ctx(), READ)
    assert written < 20_000_000
    await client.aclose()
