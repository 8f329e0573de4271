"""For which tenant and request this code runs, so that log lines can say it.

Only for log lines: no decision may rest on it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

tenant_context: ContextVar[str] = ContextVar("portico_tenant", default="")
request_context: ContextVar[str] = ContextVar("portico_request", default="")


@contextmanager
def log_context(*, tenant: str | None = None, request_id: str | None = None) -> Iterator[None]:
    """Name the tenant (slug or id) and the request of all log lines within; restored at the end."""
    tenant_token = tenant_context.set(tenant) if tenant is not None else None
    request_token = request_context.set(request_id) if request_id is not None else None
    try:
        yield
    finally:
        if request_token is not None:
            request_context.reset(request_token)
        if tenant_token is not None:
            tenant_context.reset(tenant_token)
