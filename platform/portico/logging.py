"""The log: what is written where, with tenant, request and trace, and never with a secret."""

import logging
import logging.config
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from common import metrics, tracing
from common.log_context import log_context
from portico.log_files import SharedFile
from portico.log_formats import Columns, JsonLine
from portico.log_formats import OneLine as OneLine
from portico.masking import masked as masked

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DOORS = frozenset({"api", "admin"})


def configuration(level: str, form: str = "line", file: str = "") -> dict[str, Any]:
    """A ``logging.config`` dictionary that sends everything to standard error.

    ``form`` is line or json; ``file`` names a file that is written as well, in columns.
    """
    handlers: dict[str, Any] = {"stderr": {"class": "logging.StreamHandler", "formatter": form}}
    if file:
        handlers["file"] = {"()": SharedFile, "filename": file, "formatter": "columns"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": OneLine}, "json": {"()": JsonLine}, "columns": {"()": Columns}},
        "handlers": handlers,
        "root": {"level": level, "handlers": list(handlers)},
        "loggers": {
            "django": {"level": level, "handlers": [], "propagate": True},
            # A stranger's 404 or 403 is no news for the operator; refusals that matter are in the audit.
            "django.request": {"level": "ERROR"},
            # Its debug lines hold SQL with its parameters.
            "django.db.backends": {"level": "INFO"},
            # Its debug lines hold whole contexts of pages, with tokens and what is shown once.
            "django.template": {"level": "INFO"},
            "gunicorn.error": {"level": level, "handlers": [], "propagate": True},
            "gunicorn.access": {"level": level, "handlers": [], "propagate": True},
            "httpx2": {"level": "WARNING"},
            "httpcore2": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            "asyncio": {"level": "WARNING"},
            # A line when a task comes and one when it is done, every few seconds; failures are errors.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: ``options`` are the arguments of :func:`configuration`."""
    logging.config.dictConfig(configuration(**options))


def request_id_of(given: str | None) -> str:
    """The client's request id where it is short and plain, else a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class RequestIdMiddleware:
    """Gives each request an id, for log lines and in the answer (``X-Request-ID``), and counts it."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        """Answer the request with its id."""
        request_id = request_id_of(request.headers.get("X-Request-ID"))
        request.META["portico.request_id"] = request_id
        trace = tracing.parse(request.headers.get("traceparent"))
        trace_id = trace.trace_id if trace else ""
        if self._is_async:
            return self._later(request, request_id, trace_id)
        with log_context(request_id=request_id, trace_id=trace_id):
            response: HttpResponse = self.get_response(request)
        return _done(request, response, request_id)

    async def _later(self, request: HttpRequest, request_id: str, trace_id: str) -> HttpResponse:
        with log_context(request_id=request_id, trace_id=trace_id):
            response: HttpResponse = await self.get_response(request)
        return _done(request, response, request_id)


def _done(request: HttpRequest, response: HttpResponse, request_id: str) -> HttpResponse:
    response["X-Request-ID"] = request_id
    view = request.resolver_match.func if request.resolver_match else None
    if view is None or not view.__module__.startswith("mcp_endpoint."):  # those count by themselves
        first = request.path_info.split("/", 2)[1:2]
        door = first[0] if first and first[0] in _DOORS else "web"
        method = request.method if request.method in _METHODS else "_OTHER"
        metrics.requested(door, "", str(method), str(response.status_code))
    return response
