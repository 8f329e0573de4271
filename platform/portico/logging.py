"""Log lines: one per record, with tenant and request, and never with a secret."""

import logging
import logging.config
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from common.log_context import log_context, request_context, tenant_context

# Access keys and API tokens keep their public id; whatever follows an Authorization name goes.
_ACCESS_KEY = re.compile(r"(pt[ac]_[0-9A-Za-z]{1,32}_)[0-9A-Za-z_-]+")
_AUTHORIZATION = re.compile(
    r"""((?:proxy-)?authorization['"]?\s*[:=,]\s*(?-i:b(?=['"]))?['"]?)(?:(?:bearer|basic|digest)\s+)?[^\s'",;)\]}]+""",
    re.I,
)
_BEARER = re.compile(r"\b(bearer\s+)[0-9A-Za-z._~+/=-]{8,}", re.I)
_URL_PASSWORD = re.compile(r"([a-z][a-z0-9+]{1,20}://[^\s:/@]*:)[^\s/@]+@", re.I)
# The token of a link that lets somebody in: /admin/invitation/<token>/, /admin/password/<user>/<token>/.
_LINK = re.compile(r"(/(?:invitation|password/[0-9A-Za-z_-]{1,64})/)[0-9A-Za-z._~:-]{8,}")
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")


def masked(text: str) -> str:
    """The text without access keys, Authorization values, passwords in URLs and tokens of links."""
    if "ptc_" in text or "pta_" in text:
        text = _ACCESS_KEY.sub(r"\1***", text)
    if "uth" in text or "earer" in text or "UTH" in text or "EARER" in text:
        text = _AUTHORIZATION.sub(r"\1***", text)
        text = _BEARER.sub(r"\1***", text)
    if "://" in text:
        text = _URL_PASSWORD.sub(r"\1***@", text)
    if "/invitation/" in text or "/password/" in text:
        text = _LINK.sub(r"\1***", text)
    return text


class OneLine(logging.Formatter):
    """Time, level, tenant, request, logger and message on one line; a traceback is folded in."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        tenant, request = tenant_context.get() or "-", request_context.get() or "-"
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        text = record.getMessage()
        if record.exc_info:
            text = f"{text} | {self.formatException(record.exc_info)}"
        text = text.replace("\r", "").replace("\n", "\\n")
        context = f"{record.levelname} tenant={tenant} request={request} {record.name}"
        return masked(f"{stamp}.{int(record.msecs):03d} {context}: {text}")


def configuration(level: str) -> dict[str, Any]:
    """A ``logging.config`` dictionary that sends everything to standard error as one-line records."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"one_line": {"()": OneLine}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "one_line"}},
        "root": {"level": level, "handlers": ["stderr"]},
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
            "asyncio": {"level": "WARNING"},
        },
    }


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: ``options`` is ``{"level": …}``."""
    logging.config.dictConfig(configuration(options["level"]))


def request_id_of(given: str | None) -> str:
    """The client's request id where it is short and plain, else a new one."""
    return given if given and _REQUEST_ID.match(given) else uuid.uuid4().hex


class RequestIdMiddleware:
    """Gives each request an id, for log lines and in the answer (``X-Request-ID``)."""

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
        if self._is_async:
            return self._later(request, request_id)
        with log_context(request_id=request_id):
            response: HttpResponse = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response

    async def _later(self, request: HttpRequest, request_id: str) -> HttpResponse:
        with log_context(request_id=request_id):
            response: HttpResponse = await self.get_response(request)
        response["X-Request-ID"] = request_id
        return response
