"""Who may speak to this host, and from which web page: Host, Origin and CORS.

The MCP paths do not pass Django's handler, so its host check is made here with Django's own
function. A page in a browser sends an Origin: unless it is ours or named in
``PORTICO_ALLOWED_ORIGINS`` the answer is 403 (the transport's defence against DNS
rebinding, both eras).
"""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from mcp_endpoint.wire import Header

ALLOWED_HEADERS = (
    b"Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Protocol-Version, Mcp-Method, Mcp-Name, "
    b"Mcp-Session-Id, X-Request-Id, Traceparent"
)
EXPOSED_HEADERS = b"Mcp-Session-Id, WWW-Authenticate, X-Request-Id, Retry-After"
# Headers whose names are a tool's or a connection's own, which no list can have.
_OWN_NAMES = re.compile(rb"mcp-param-[a-z0-9!#$%&'*+.^_`|~-]{1,90}|x-mcp-toolsets|x-[a-z0-9_-]{1,80}-token")
_LOOPBACK = ("localhost", ".localhost", "127.0.0.1", "[::1]")


def host_allowed(host: bytes) -> bool:
    """Whether a Host header names us (``ALLOWED_HOSTS``; with DEBUG and none set, this machine)."""
    allowed = tuple(settings.ALLOWED_HOSTS) or (_LOOPBACK if settings.DEBUG else ())
    return len(host) < 300 and _host_allowed(host, allowed)


@lru_cache(maxsize=256)
def _host_allowed(host: bytes, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, list(allowed))


def origin_allowed(origin: bytes, host: bytes) -> bool:
    """Whether a page of this origin may speak to us: our own pages, and the configured ones."""
    text = origin.decode("latin-1").rstrip("/").lower()
    if text in (entry.rstrip("/").lower() for entry in settings.PORTICO_ALLOWED_ORIGINS):
        return True
    try:
        parts = urlsplit(text)
    except ValueError:  # an unfinished IPv6 address, say
        return False
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return False
    public = urlsplit(settings.PORTICO_PUBLIC_URL)
    # The Host was checked before: a page on the host that was asked for is ours.
    return parts.netloc in (public.netloc.lower(), host.decode("latin-1").lower())


def cors_headers(origin: bytes) -> tuple[Header, ...]:
    """What lets an allowed page read the answer."""
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", EXPOSED_HEADERS),
        (b"vary", b"Origin"),
    )


def preflight_headers(requested: bytes) -> tuple[Header, ...]:
    """What a browser asks before it sends the real request.

    ``Mcp-Param-*``, ``X-MCP-Toolsets`` and ``X-*-Token`` are granted as asked.
    """
    names = [name for text in requested.lower().split(b",") if _OWN_NAMES.fullmatch(name := text.strip())]
    return (
        (b"access-control-allow-methods", b"POST, OPTIONS"),
        (b"access-control-allow-headers", b", ".join([ALLOWED_HEADERS, *names[:20]])),
        (b"access-control-max-age", b"7200"),
    )
