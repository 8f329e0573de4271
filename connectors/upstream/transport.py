"""HTTP clients as Portico makes them: guarded, without cookies, environment or credential."""

import ssl
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpcore2
import httpx2
from django.conf import settings

from connectors.connection_settings import NetworkSettings
from connectors.errors import ConnectionFailed
from connectors.upstream.network import GuardedBackend

IDLE_CONNECTION_S: Final = 30
USER_AGENT: Final = f"Portico/{settings.PORTICO_VERSION}"


def http_client(options: NetworkSettings) -> httpx2.AsyncClient:
    """A new client with a pool of its own. Raises ConnectionFailed where ``options.ca`` is no PEM."""
    context = _tls(options.ca, options.verify)
    limits = httpx2.Limits(
        max_connections=options.connections,
        max_keepalive_connections=options.kept_alive,
        keepalive_expiry=IDLE_CONNECTION_S,
    )
    transport = httpx2.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)
    # The library takes no network backend of ours; a test pins that this attribute is what it uses.
    transport._pool = httpcore2.AsyncConnectionPool(
        ssl_context=context,
        max_connections=options.connections,
        max_keepalive_connections=options.kept_alive,
        keepalive_expiry=IDLE_CONNECTION_S,
        network_backend=GuardedBackend(),
    )
    return httpx2.AsyncClient(
        transport=transport,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one that takes none
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(
            connect=options.connect_s, read=options.read_s, write=options.write_s, pool=options.pool_s
        ),
        headers={"user-agent": USER_AGENT, "accept-encoding": "gzip", "accept": "application/json"},
    )


@lru_cache(maxsize=64)
def _tls(ca: str, verify: bool) -> ssl.SSLContext:
    """A shared TLS context: making one costs 16 ms and most of a megabyte.

    A connection's own authority stands in for the public ones; it does not join them.
    """
    try:
        context = ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise ConnectionFailed(
            "The connection's certificate authority is no certificate in PEM form.",
            code="bad_ca",
            hint="An admin pastes it again, from BEGIN CERTIFICATE to END CERTIFICATE.",
        ) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
