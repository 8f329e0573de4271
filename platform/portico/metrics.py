"""``/metrics`` for Prometheus, and what this process tells of its own parts."""

import asyncio
import hmac
import platform
from collections.abc import Mapping

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from audit.failures import failures
from common import metrics
from common.bus import bus
from common.db import in_db
from common.metrics.figures import Figures, figures
from common.metrics.tables import OTHER, Key
from common.writer import writer
from connectors.upstream import breaker
from connectors.upstream.cache.forgetting import sizes_of
from mcp_endpoint import streams
from tenants.models import Tenant

MAX_TENANTS = 5_000  # whose caches are added up when Prometheus asks
TENANTS_STREAMS = "streams"  # by tenant, for the API alone: Prometheus gets their sum


def begin(kind: str) -> None:
    """Tell the figures of this process from now on; ``kind`` is web or worker."""
    metrics.sample("audit_queue", lambda: writer.depth)
    metrics.sample("audit_failing", lambda: int(writer.last_error is not None))
    metrics.sample("bus_connected", lambda: int(bus.running and bus.connected.is_set()))
    metrics.sample("unknown_tenants", lambda: failures.unknown_slugs)
    metrics.sample("breakers_open", _open_breakers)
    if kind == "web":
        metrics.sample(TENANTS_STREAMS, _streams)
    metrics.start(kind)


def _open_breakers() -> Mapping[Key, float]:
    return {(connector or OTHER,): number for connector, number in breaker.open_here().items()}


def _streams() -> Mapping[Key, float]:
    return {(tenant_id.hex,): number for tenant_id, number in streams.open_by_tenant().items()}


def streams_of(found: Figures) -> dict[str, int]:
    """Open streams of this machine's processes, by the hexadecimal id of their tenant."""
    return {key[0]: int(number) for key, number in found.samples[TENANTS_STREAMS].items()}


async def prometheus(request: HttpRequest) -> HttpResponse:
    """The figures of all processes of this machine, for who shows PORTICO_METRICS_TOKEN."""
    if not settings.PORTICO_METRICS_TOKEN:
        return HttpResponse(
            "Set PORTICO_METRICS_TOKEN to have metrics here.\n", status=404, content_type="text/plain"
        )
    if not _may(request):
        return HttpResponse(
            "Send PORTICO_METRICS_TOKEN as 'Authorization: Bearer …'.\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    kept = await in_db(kept_results)
    body, content_type = await asyncio.to_thread(exposed, request.headers.get("Accept", ""), kept)
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": "no-store"})


def _may(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.PORTICO_METRICS_TOKEN.encode()
    return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), wanted)


def kept_results() -> tuple[int, int]:
    """How many results all tenants' caches hold and their bytes; nothing where that cannot be asked."""
    try:
        tenants = list(Tenant.objects.values_list("pk", flat=True)[:MAX_TENANTS])
        return sizes_of(tenants)
    except DatabaseError:
        return 0, 0


def exposed(accept: str = "", kept: tuple[int, int] = (0, 0)) -> tuple[bytes, str]:
    """The figures as text and its content type: OpenMetrics for who accepts it, else Prometheus's own."""
    from prometheus_client.exposition import choose_encoder

    from common.metrics.instruments import registry

    encode, content_type = choose_encoder(accept)
    about = {"version": settings.PORTICO_VERSION, "python": platform.python_version()}
    found = figures()
    found.samples["cache_entries"][()], found.samples["cache_bytes"][()] = kept
    return encode(registry(about, found)), content_type
