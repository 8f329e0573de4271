"""The ASGI application: tenants' MCP paths go straight to their door, the rest to Django.

Django's handler costs a thread per request and per open stream; a call of a tool needs none.
Django's middleware never sees the MCP paths, so their door checks Host, Origin and the size
of the body itself.
"""

import gc
import ipaddress
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# Hundreds of thousands of objects are made here that live as long as the process: looking for
# garbage among them is a fifth of the start, and would go on with every full collection.
gc.disable()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application

from portico.configuration import refuse

refuse(settings.CONFIGURATION_PROBLEMS)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# /t/<slug>/mcp, its named endpoints and its other transports, with or without a slash at the end.
MCP_PATH = re.compile(r"^/t/[^/]+/(?:e/[^/]+/)?(?:mcp|sse|messages)(?:/.*)?$")


def make_application(django: App, mcp: App, lifespan: App, *, prefix: str, proxies: list[str]) -> App:
    """The router over its three parts.

    ``prefix`` is the path of the public URL ("" or "/portico"): accepted where the proxy
    passes it on and where it strips it. ``proxies`` are the networks whose
    ``X-Forwarded-Proto`` Django may believe.
    """
    networks = [ipaddress.ip_network(proxy) for proxy in proxies]
    raw_prefix = prefix.encode()

    def trusted(scope: Scope) -> bool:
        client = scope.get("client")
        try:
            address = ipaddress.ip_address(client[0]) if client else None
        except ValueError:
            return False
        return address is not None and any(address in network for network in networks)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
            return
        path: str = scope.get("path", "")
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            path = path[len(prefix) :] or "/"
        if scope["type"] == "http" and path.startswith("/t/") and MCP_PATH.match(path):
            if prefix:
                raw = scope.get("raw_path") or b""
                raw = raw.removeprefix(raw_prefix) if raw.startswith(raw_prefix + b"/") else raw
                scope = {**scope, "path": path, "raw_path": raw, "root_path": prefix}
            await mcp(scope, receive, send)
            return
        if prefix:
            scope = {**scope, "path": prefix + path, "root_path": prefix}
        if networks and not trusted(scope):
            headers = [pair for pair in scope["headers"] if pair[0] != b"x-forwarded-proto"]
            scope = {**scope, "headers": headers}
        await django(scope, receive, send)

    return application


_django: Any = get_asgi_application()  # sets Django up; what imports models comes after it

from mcp_endpoint.asgi import application as _mcp
from portico.lifespan import lifespan as _lifespan

application = make_application(
    _django, _mcp, _lifespan, prefix=settings.PUBLIC_PATH, proxies=settings.PORTICO_TRUSTED_PROXIES
)

gc.freeze()
gc.enable()
