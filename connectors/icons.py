"""Connectors' icons: an ``icon.svg`` beside the connector's module, shown by clients next to its tools.

The specification's ``icons`` of a tool (2025-11-25 and later) is a list of addresses; clients fetch
them without a key, so an icon tells nothing of a tenant.
"""

from functools import cache
from importlib import resources
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from connectors.base import Connector
from connectors.registry import UnknownConnectorError, connector_class

TYPE: Final = "image/svg+xml"
MAX_BYTES: Final = 16_384
DAY_S: Final = 86_400


def icon_of(cls: type[Connector]) -> bytes | None:
    """A connector's icon as SVG; None where its package has none, or one that is too large to be one."""
    return _icon_in(cls.__module__.rpartition(".")[0])


@cache
def _icon_in(package: str) -> bytes | None:
    if not package:
        return None
    file = resources.files(package).joinpath("icon.svg")
    found = file.read_bytes() if file.is_file() else b""
    return found if 0 < len(found) <= MAX_BYTES else None


def icon_url(connector: Connector) -> str:
    """Where clients find a connector's icon; empty where it has none."""
    if icon_of(type(connector)) is None:
        return ""
    return f"{settings.PORTICO_PUBLIC_URL}/connectors/{connector.slug}/icon.svg"


@require_safe
def icon(request: HttpRequest, connector: str) -> HttpResponse:
    """A connector's icon, for anybody; 404 for those without one and those that are not installed."""
    try:
        found = icon_of(connector_class(connector))
    except UnknownConnectorError:
        found = None
    if found is None:
        raise Http404
    response = HttpResponse(found, content_type=TYPE)
    # Opened as a page of its own it must run nothing, whoever drew it.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = f"public, max-age={DAY_S}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
