"""For which tenant, request and trace this code runs, so that log lines can say it.

Only for log lines: no decision may rest on it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

tenant_context: ContextVar[str] = ContextVar("portico_tenant", default="")
request_context: ContextVar[str] = ContextVar("portico_request", default="")
trace_context: ContextVar[str] = ContextVar("portico_trace", default="")


@contextmanager
def log_context(
    *, tenant: str | None = None, request_id: str | None = None, trace_id: str | None = None
) -> Iterator[None]:
    """Name the tenant (slug or id), the request and the trace of all log lines within; restored at the end."""
    given = ((tenant_context, tenant), (request_context, request_id), (trace_context, trace_id))
    tokens = [(context, context.set(value)) for context, value in given if value is not None]
    try:
        yield
    finally:
        for context, token in reversed(tokens):
            context.reset(token)
