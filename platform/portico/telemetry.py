"""Spans to an OpenTelemetry collector, where the standard variables name one.

``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT``) switches it on;
the other ``OTEL_*`` variables mean what OpenTelemetry's own documentation says. Nothing of
its SDK is imported otherwise. What is in the spans: :mod:`mcp_endpoint.observe`.
"""

import logging
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings

from common import tracing
from common.tracing import Trace

if TYPE_CHECKING:
    from opentelemetry.trace import Span

logger = logging.getLogger(__name__)

FLUSH_S = 4.0  # how long a process that stops waits for a collector
PROTOCOL = "http/protobuf"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a collector for traces and does not switch them off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() not in ("", "otlp"):
        return False
    return any(environment.get(name, "").strip() for name in _ENDPOINTS)


def problem(environment: Mapping[str, str] = os.environ) -> str:
    """Why spans that are wanted cannot be sent, as a sentence; empty where they can."""
    if not wanted(environment):
        return ""
    asked = next((value for name in _PROTOCOLS if (value := environment.get(name, "").strip())), PROTOCOL)
    if asked != PROTOCOL:
        return (
            f"No spans are sent: OTEL_EXPORTER_OTLP_PROTOCOL asks for {asked[:40]!r}, and Portico speaks "
            f"{PROTOCOL} alone. Write {PROTOCOL} and the collector's HTTP port, usually 4318."
        )
    return ""


class Telemetry:
    """OpenTelemetry's tracer as :class:`common.tracing.Tracer`."""

    def __init__(self) -> None:
        """Make the exporter and its thread: after the fork. Raises ValueError for wrong variables."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        about = {"service.version": settings.PORTICO_VERSION}
        named = "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        if not named and not os.environ.get("OTEL_SERVICE_NAME"):
            about["service.name"] = "portico"
        self._provider: TracerProvider = TracerProvider(
            resource=Resource.create(about), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("portico", settings.PORTICO_VERSION)

    def start(
        self, name: str, *, server: bool, parent: Trace | None, attributes: Mapping[str, Any]
    ) -> "_Span":
        """Begin a span; without a parent it begins a trace, whatever else runs here."""
        from opentelemetry.context import Context
        from opentelemetry.trace import (
            NonRecordingSpan,
            SpanContext,
            SpanKind,
            TraceFlags,
            TraceState,
            set_span_in_context,
        )

        context = Context()
        if parent is not None:
            above = SpanContext(
                int(parent.trace_id, 16),
                int(parent.span_id, 16),
                is_remote=not parent.ours,
                trace_flags=TraceFlags(parent.flags),
                trace_state=TraceState.from_header([parent.state] if parent.state else []),
            )
            context = set_span_in_context(NonRecordingSpan(above), context)
        kind = SpanKind.SERVER if server else SpanKind.INTERNAL
        return _Span(self._tracer.start_span(name, context, kind, dict(attributes)))

    def stop(self) -> None:
        """Send what is waiting and end the thread; a collector that does not answer is not waited for long."""
        # The SDK's own time limits end at 30 seconds or nowhere; its thread ends with the process.
        ending = threading.Thread(target=self._provider.shutdown, name="portico-spans", daemon=True)
        ending.start()
        ending.join(FLUSH_S)


class _Span:
    """OpenTelemetry's span as :class:`common.tracing.Span`."""

    __slots__ = ("_span", "trace")

    def __init__(self, span: "Span") -> None:
        self._span = span
        at = span.get_span_context()
        state = at.trace_state.to_header() if at.trace_state else ""
        self.trace = Trace(f"{at.trace_id:032x}", f"{at.span_id:016x}", int(at.trace_flags), state, ours=True)

    def end(
        self, *, name: str | None = None, error: str = "", attributes: Mapping[str, Any] | None = None
    ) -> None:
        """Finish; an error is told by its class alone, since its text may quote what a client sent."""
        from opentelemetry.trace import StatusCode

        if name is not None:
            self._span.update_name(name)
        if attributes:
            self._span.set_attributes(dict(attributes))
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


_telemetry: Telemetry | None = None


def start() -> None:
    """Begin to send spans from this process, where that is wanted; a mistake is logged and stops nothing."""
    global _telemetry
    if not wanted() or _telemetry is not None:
        return
    if found := problem():
        logger.warning(found)
        return
    try:
        _telemetry = Telemetry()
    except Exception as error:
        logger.warning("No spans are sent, because an OTEL_ variable is wrong: %s", type(error).__name__)
        return
    tracing.tracer = _telemetry


def stop() -> None:
    """Stop sending, after what is waiting."""
    global _telemetry
    telemetry, _telemetry, tracing.tracer = _telemetry, None, None
    if telemetry is not None:
        telemetry.stop()
