"""The guard at the way out: which addresses a connector may reach.

A name is resolved once, all its addresses are judged, and the connection goes to one that was
judged, so a name cannot point elsewhere between the check and the connection (DNS rebinding).
TLS still sees the name. The same judgement serves everything that an admin may point at a
host: SQL servers, webhooks, mail.
"""

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpcore2
from django.conf import settings

from connectors.upstream.names import look_up
from connectors.upstream.streams import connect

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

OWN_S: Final = 60.0
OWN_PATIENCE_S: Final = 2.0
FIRST_S: Final = 1.5  # for an address of several, until the next one is tried
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
# What clouds tell their machines: never for a tenant, even where private networks are open.
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
        ),
    )
)


class ForbiddenAddressError(httpcore2.ConnectError):
    """The host has an address that connections may not reach; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What lies open beyond the public internet.

    ``networks`` are private networks that the operator opened; ``sandbox`` opens this
    machine's loopback, for doubles of vendors and never in production; ``own`` are the
    addresses with ports of Portico's database and Redis, which nothing opens.
    """

    networks: tuple[Network, ...] = ()
    sandbox: bool = False
    own: frozenset[tuple[str, int]] = frozenset()

    def problem(self, address: Address, port: int) -> str:
        """Why this address must not be reached, as a sentence; empty where it may."""
        real = embedded(address)
        if real in _METADATA or real.is_link_local:
            return "it is an address of the machine's own network (link-local, cloud metadata)"
        if (str(real), port) in self.own:
            return "it is Portico's own database or Redis"
        if real.is_loopback:
            return "" if self.sandbox else "it is this machine itself (loopback)"
        if real.is_unspecified or real.is_multicast or _is_site_local(real):
            return "it is no address of a host"
        if real.is_global and not real.is_reserved:
            return ""
        if any(real in network for network in self.networks):
            return ""
        return "it is in a private network; the operator opens one in PORTICO_ALLOW_PRIVATE_NETWORKS"


def _is_site_local(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address.is_site_local  # called global before 3.13


def embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only wraps it (mapped, 6to4, NAT64), else the same."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and int(address) >> 32 == 0 and int(address) > 1:  # ::a.b.c.d, deprecated
            inner = ipaddress.IPv4Address(int(address))
        return inner or address
    return address


# Portico's own services by host and port, with their addresses as last looked up: a container that
# is started again has another one.
_own: dict[tuple[str, int], frozenset[tuple[str, int]]] = {}
_own_until = 0.0  # of time.monotonic(); then they are looked up again
_looking: "set[asyncio.Task[None]]" = set()


def _own_hosts() -> list[tuple[str, int]]:
    """Where Portico's own services are, as far as they are on the network."""
    database = settings.DATABASES["default"]
    hosts: list[tuple[str, int]] = []
    if database.get("HOST") and not str(database["HOST"]).startswith("/"):
        hosts.append((str(database["HOST"]), int(database.get("PORT") or 5432)))
    for url in (settings.REDIS_URL, settings.CELERY_BROKER_URL):
        parts = urlsplit(url)
        if parts.scheme in ("redis", "rediss") and parts.hostname:
            hosts.append((parts.hostname, parts.port or 6379))
    return hosts


def _places(rows: Iterable[Any], port: int) -> frozenset[tuple[str, int]]:
    return frozenset((str(embedded(ipaddress.ip_address(row[4][0].partition("%")[0]))), port) for row in rows)


def _own_places(*, ask: bool = True) -> frozenset[tuple[str, int]]:
    for host, port in _own_hosts():
        if ask and (host, port) not in _own:
            try:
                rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except OSError:
                continue  # and asked again the next time
            _own[host, port] = _places(rows, port)
    return frozenset().union(*_own.values())


async def _look_for_own() -> None:
    for host, port in _own_hosts():
        try:
            _own[host, port] = _places(await look_up(host, port), port)
        except (OSError, UnicodeError):
            continue  # the former addresses hold


async def _know_own() -> None:
    """Look Portico's own services up again now and then; who does not know them yet waits a moment for it."""
    global _own_until
    now = time.monotonic()
    if now < _own_until:
        return
    if any(place not in _own for place in _own_hosts()):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OWN_PATIENCE_S):
                await _look_for_own()
        _own_until = time.monotonic() + 1.0
        return
    _own_until = now + OWN_S
    work = asyncio.create_task(_look_for_own())
    _looking.add(work)
    work.add_done_callback(_looking.discard)


def current_policy(*, ask: bool = True) -> Policy:
    """The installation's policy, by its settings; without ``ask`` no name is looked up for it."""
    networks = tuple(ipaddress.ip_network(text) for text in settings.PORTICO_ALLOW_PRIVATE_NETWORKS)
    return Policy(networks, settings.PORTICO_SANDBOX, _own_places(ask=ask))


async def resolve(host: str, port: int, policy: Policy) -> Sequence[str]:
    """The addresses of a host, all of them judged.

    Raises :class:`ForbiddenAddressError` where any of them is forbidden (a name that points
    to a good and a bad one is an attack), and ``httpcore2.ConnectError`` where there is none.
    """
    try:
        rows = await look_up(host, port)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(f"The name {host[:100]} cannot be resolved.") from error
    addresses = list(dict.fromkeys(str(row[4][0]).partition("%")[0] for row in rows))
    if not addresses:
        raise httpcore2.ConnectError(f"The name {host[:100]} has no address.")
    for address in addresses:
        if problem := policy.problem(ipaddress.ip_address(address), port):
            raise ForbiddenAddressError(f"{host[:100]} must not be reached: {problem}.")
    return addresses


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to judged addresses alone, and never to a Unix socket."""

    def __init__(self, policy: Policy | None = None) -> None:
        self._policy = policy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, judge, and connect to the first address that answers, within ``timeout`` seconds.

        One that is silent, as those of IPv6 are where a network loses them, leaves the others time.
        """
        patience = FIRST_S if timeout is None else min(FIRST_S, timeout / 3)
        try:
            async with asyncio.timeout(timeout):
                if self._policy is None:
                    await _know_own()
                addresses = await resolve(host, port, self._policy or current_policy(ask=False))
                for address in addresses[:-1]:
                    try:
                        return await connect(address, port, patience, local_address, socket_options)
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                        continue
                return await connect(addresses[-1], port, timeout, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"{host[:100]} did not answer in time.") from error

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Refused: a socket file is always this machine's own."""
        raise ForbiddenAddressError("Unix sockets must not be reached.")

    async def sleep(self, seconds: float) -> None:
        """As asyncio's."""
        await asyncio.sleep(seconds)
