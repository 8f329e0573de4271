import asyncio
import ipaddress
import threading

import httpcore2
import pytest

from connectors.errors import ConnectionFailed
from connectors.upstream import names, network
from connectors.upstream.client import Client, Request, client_of, close_all
from connectors.upstream.network import ForbiddenAddressError, GuardedBackend, Policy, embedded, resolve
from connectors.upstream.retry import Kind
from tests.factories import make_tenant
from tests.upstream.conftest import some_connection, until
from tests.upstream.faulty import answer, faulty

CLOSED = Policy()
READ = Request("GET", "x", Kind.READ)
FORBIDDEN = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "::127.0.0.1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_of_the_public_internet_is_forbidden(address):
    assert CLOSED.problem(ipaddress.ip_address(address), 443)


@pytest.mark.parametrize("address", ["1.1.1.1", "140.82.121.4", "2606:4700::1111", "64:ff9b::101:101"])
def test_a_public_address_is_allowed(address):
    assert not CLOSED.problem(ipaddress.ip_address(address), 443)


def test_an_opened_network_opens_neither_metadata_nor_loopback_nor_our_own_services():
    everything = tuple(ipaddress.ip_network(text) for text in ("0.0.0.0/0", "::/0"))
    policy = Policy(everything, own=frozenset({("10.0.0.9", 5432)}))
    assert not policy.problem(ipaddress.ip_address("10.0.0.9"), 443)
    for address, port in [
        ("10.0.0.9", 5432), ("::ffff:10.0.0.9", 5432), ("169.254.169.254", 80), ("fd00:ec2::254", 80),
        ("100.100.100.200", 80), ("127.0.0.1", 80), ("::1", 80), ("0.0.0.0", 80),
    ]:  # fmt: skip
        assert policy.problem(ipaddress.ip_address(address), port), address


def test_the_address_inside_a_wrapping_one_is_judged():
    assert str(embedded(ipaddress.ip_address("64:ff9b::a00:1"))) == "10.0.0.1"
    assert str(embedded(ipaddress.ip_address("::ffff:10.0.0.1"))) == "10.0.0.1"
    assert str(embedded(ipaddress.ip_address("2606:4700::1111"))) == "2606:4700::1111"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "127.1", "localhost", "localhost."])
async def test_no_spelling_of_a_forbidden_address_gets_through(host):
    with pytest.raises(httpcore2.ConnectError):
        await resolve(host, 80, CLOSED)


async def test_a_name_with_one_forbidden_address_is_forbidden(monkeypatch):
    rows = [(2, 1, 6, "", ("1.1.1.1", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(names, "_ask", lambda host, port: rows)
    with pytest.raises(ForbiddenAddressError, match="private network"):
        await resolve("two.example", 443, CLOSED)


async def test_a_client_reaches_no_forbidden_address_and_says_why(settings, ctx):
    settings.PORTICO_SANDBOX = False
    async with faulty() as double:
        for url in (double.url, double.url.replace("127.0.0.1", "localhost")):
            client = Client(some_connection(), url)
            with pytest.raises(ConnectionFailed, match="loopback") as caught:
                await client.send(ctx(), READ)
            assert (caught.value.code, caught.value.retryable) == ("forbidden_address", False)
            await client.aclose()
        assert double.connections == 0


async def test_a_redirect_to_metadata_is_refused(client, double, ctx):
    for target in ("http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://10.0.0.1/"):
        double.script = [answer(302, location=target)]
        with pytest.raises(ConnectionFailed) as caught:
            await client.send(ctx(), READ)
        assert caught.value.code == "forbidden_address"


async def test_the_name_is_resolved_once_and_that_address_is_connected_to(monkeypatch, ctx):
    """A name that points elsewhere at the second look (DNS rebinding) gains nothing."""
    looks = []
    async with faulty() as double:
        real = network.resolve

        async def changing(host, port, policy):
            looks.append(host)
            return await real("127.0.0.1" if len(looks) == 1 else "169.254.169.254", port, policy)

        monkeypatch.setattr(network, "resolve", changing)
        client = Client(some_connection(), double.url.replace("127.0.0.1", "rebind.example"))
        assert (await client.send(ctx(), READ)).status == 200
        assert double.came[0].headers["host"].startswith("rebind.example")
        assert looks == ["rebind.example"]
        await client.aclose()


async def test_a_name_that_nobody_answers_for_holds_up_no_other(double, ctx, monkeypatch):
    """Many calls wait for it in one thread, and none of the threads that the process shares."""
    real, asked, released = names._ask, [], threading.Event()

    def ask(host, port):
        asked.append(host)
        if host == "silent.example":
            released.wait(60)
            raise OSError("no answer")
        return real(host, port)

    monkeypatch.setattr(names, "_ask", ask)
    client = Client(some_connection(connections=100, connect_s=60.0, retries=0), "http://silent.example")
    waiting = [asyncio.create_task(client.send(ctx(60), READ)) for _ in range(60)]
    await until(lambda: asked)
    other = Client(some_connection(), double.url.replace("127.0.0.1", "localhost"))
    assert (await other.send(ctx(), READ)).ok
    assert await asyncio.to_thread(lambda: 7) == 7
    assert asked.count("silent.example") == 1
    waiting[0].cancel()
    released.set()
    said = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in said[1:]] == [ConnectionFailed] * 59
    await client.aclose()
    await other.aclose()


async def test_an_address_that_is_silent_leaves_the_others_time(double, ctx, monkeypatch):
    port, tried, real = int(double.url.rpartition(":")[2]), [], network.connect

    async def connect(address, at, timeout, *more):
        tried.append(address)
        if address == "127.0.0.9":
            await asyncio.sleep(timeout)
            raise httpcore2.ConnectTimeout("silent")
        return await real(address, at, timeout, *more)

    monkeypatch.setattr(network, "connect", connect)
    rows = [(2, 1, 6, "", ("127.0.0.9", port)), (2, 1, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(names, "_ask", lambda host, at: rows)
    client = Client(some_connection(connect_s=0.5), f"http://two.example:{port}")
    assert (await client.send(ctx(), READ)).ok
    assert tried == ["127.0.0.9", "127.0.0.1"]
    await client.aclose()


async def test_nobody_is_let_through_while_portico_looks_for_its_own_services(settings, monkeypatch):
    released, asked = threading.Event(), []

    def ask(host, port):
        asked.append(host)
        if host == "redis.internal":
            released.wait(10)
        return [(2, 1, 6, "", ("10.1.1.9", port))]

    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://redis.internal:6379"
    settings.PORTICO_ALLOW_PRIVATE_NETWORKS = ["10.0.0.0/8"]
    monkeypatch.setattr(names, "_ask", ask)
    monkeypatch.setattr(network, "_own", {})
    monkeypatch.setattr(network, "_own_until", 0.0)
    attacks = [asyncio.create_task(GuardedBackend().connect_tcp("evil.example", 6379, 5)) for _ in range(3)]
    await until(lambda: "redis.internal" in asked)
    await asyncio.sleep(0)
    released.set()
    said = await asyncio.gather(*attacks, return_exceptions=True)
    assert [type(each) for each in said] == [ForbiddenAddressError] * 3


async def test_the_http_library_uses_our_backend_and_no_unix_socket(client):
    assert isinstance(client._http._pool._network, GuardedBackend)
    with pytest.raises(ForbiddenAddressError):
        await GuardedBackend().connect_unix_socket("/run/redis.sock")


async def test_a_connection_has_one_client_until_its_settings_change(settings):
    from dataclasses import replace

    from common.db import in_db
    from connectors.base import ConnectionRef

    tenant = await in_db(make_tenant)
    ref = ConnectionRef(tenant.pk, tenant.pk, "a", "A", True, 1)
    first = client_of(ref, "https://a.example")
    assert client_of(ref, "https://a.example") is first
    assert client_of(replace(ref, version=2), "https://a.example") is not first
    assert client_of(replace(ref, id=tenant.pk.__class__(int=5)), "https://a.example") is not first
    await close_all()
