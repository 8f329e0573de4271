"""From which address a request really came."""

import ipaddress
from functools import lru_cache

from django.conf import settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_HOPS = 32


def client_address(peer: str, forwarded_for: str | None) -> str:
    """The rightmost hop that is not in ``PORTICO_TRUSTED_PROXIES`` (default: none, so the peer).

    ``peer`` is the connection's address, ``forwarded_for`` the value of ``X-Forwarded-For``
    (several headers joined with commas). What stands left of an untrusted hop is hearsay and
    is not read; a hop that is no address ends the walk at the last one that was.
    """
    trusted = _networks(tuple(settings.PORTICO_TRUSTED_PROXIES))
    nearest = parse_address(peer)
    if nearest is None:
        return ""
    if forwarded_for and trusted:
        for hop in reversed(forwarded_for[-2048:].split(",")[-MAX_HOPS:]):
            if not within(nearest, trusted):
                break
            further = parse_address(hop)
            if further is None:
                break
            nearest = further
    return str(nearest)


def parse_address(text: str) -> Address | None:
    """The address in ``1.2.3.4``, ``1.2.3.4:567``, ``::1`` or ``[::1]:567``; None for anything else.

    An IPv4 address written as IPv6 (``::ffff:1.2.3.4``) becomes the IPv4 address.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def within(address: Address, networks: tuple[Network, ...]) -> bool:
    """Whether an address lies in one of the networks."""
    return any(address in network for network in networks)


@lru_cache(maxsize=2048)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def parse_networks(texts: list[str]) -> tuple[Network, ...]:
    """Stored networks as objects; equal lists share one result."""
    return _networks(tuple(texts))
