"""Errors to a Sentry server, where ``SENTRY_DSN`` names one; else nothing of its SDK is imported.

What goes out is made anew from a short list of fields: which code failed, where it was called
from, and the ids under which the log and the audit tell the rest. Never what a request, a
variable or the text of an error held, since all of them may quote a person, a credential or
what a system answered.
"""

import logging
from typing import Any

from django.conf import settings

from common.log_context import request_context, tenant_context, trace_context
from portico.masking import masked

logger = logging.getLogger(__name__)

FLUSH_S = 2.0  # how long a process that stops waits for the server
_KEPT = (
    "event_id",
    "timestamp",
    "level",
    "platform",
    "logger",
    "release",
    "environment",
    "server_name",
    "sdk",
)
_OF_FRAMES = ("filename", "abs_path", "function", "module", "lineno", "in_app")
_OURS = frozenset({"portico", "mcp_endpoint", "connectors", "tenants", "audit", "common"})
_OF_ERRORS = ("type", "module")

_started = False


def start(kind: str) -> None:
    """Report errors of this process (web, worker) from now on; a wrong DSN is logged and stops nothing."""
    global _started
    if not settings.SENTRY_DSN or _started:
        return
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.utils import BadDsn

    try:
        sentry_sdk.init(
            settings.SENTRY_DSN,
            release=f"portico@{settings.PORTICO_VERSION}",
            environment=settings.PORTICO_ENV,
            before_send=stripped,
            # What is logged as an error is reported; nothing wraps requests, queries or clients.
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
            send_default_pii=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            traces_sample_rate=None,
            propagate_traces=False,
            auto_session_tracking=False,
            send_client_reports=False,
        )
    except BadDsn:
        logger.warning("Errors are not reported: SENTRY_DSN is not a DSN as Sentry shows it.")
        return
    sentry_sdk.set_tag("process", kind)
    _started = True


def stop() -> None:
    """Send what is waiting, for a moment."""
    global _started
    if not _started:
        return
    _started = False
    import sentry_sdk

    sentry_sdk.get_client().close(timeout=FLUSH_S)


def stripped(event: Any, hint: Any = None) -> Any:
    """The event as it may leave: made of fields that hold no data, whatever the SDK put into it."""
    found = {name: event[name] for name in _KEPT if name in event}
    found["logentry"] = {"message": _said(event)}
    errors = (event.get("exception") or {}).get("values") or []
    if errors:
        found["exception"] = {"values": [_error(error) for error in errors]}
    found["tags"] = {
        name: value
        for name, value in (
            ("process", (event.get("tags") or {}).get("process", "")),
            ("tenant", tenant_context.get()),
            ("request_id", request_context.get()),
            ("trace_id", trace_context.get()),
        )
        if value
    }
    return found


def _said(event: Any) -> str:
    """The log line with its gaps: what would fill them stays here.

    Portico's own code writes constant texts. Another's text without gaps may have been put
    together before it was logged (asyncio quotes whole exceptions so), and is left out.
    """
    said, origin = event.get("logentry") or {}, str(event.get("logger", ""))
    if said.get("params") or origin.split(".")[0] in _OURS:
        return masked(str(said.get("message", "")))[:500]
    return f"An error of {origin[:100] or 'unknown origin'}"


def _error(error: dict[str, Any]) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames") or []
    return {
        **{name: error[name] for name in _OF_ERRORS if name in error},
        "stacktrace": {
            "frames": [{name: frame[name] for name in _OF_FRAMES if name in frame} for frame in frames]
        },
    }
