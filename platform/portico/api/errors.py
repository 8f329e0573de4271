"""Every error of the API as problem details (RFC 9457): type, title, status, detail, errors."""

from typing import Any

from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from common.writer import QueueFullError, WriterUnavailableError
from connectors.pipeline import ServiceUnavailable
from connectors.snapshot import TenantGoneError
from tenants.access import AccessUnavailable
from tenants.errors import TenantError

CONTENT_TYPE = "application/problem+json"
_BY_CODE = {
    "not_allowed": (403, "Not allowed"),
    "slug_taken": (409, "Already there"),
    "already_exists": (409, "Already there"),
    "last_owner": (409, "The last owner stays"),
    "wrong_state": (409, "Not possible in this state"),
    "slug_immutable": (409, "The slug cannot change"),
}


class Problem(exceptions.APIException):
    """An error of the API's own, with its status, a title and a sentence that helps."""

    def __init__(self, status_code: int, title: str, detail: str, *, code: str = "") -> None:
        super().__init__(detail, code or title.lower().replace(" ", "_"))
        self.status_code = status_code
        self.title = title


def problem(
    status_code: int, title: str, detail: str, *, code: str, errors: list[dict[str, str]] | None = None
) -> Response:
    """A problem details answer; ``errors`` are ``{"field", "message"}`` for forms."""
    body: dict[str, Any] = {
        "type": f"urn:portico:{code}",
        "title": title,
        "status": status_code,
        "detail": detail,
        "code": code,
    }
    if errors:
        body["errors"] = errors
    return Response(body, status=status_code, content_type=CONTENT_TYPE)


def handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: everything that can be expected, in one shape."""
    set_rollback()
    if isinstance(error, TenantError):
        status_code, title = _BY_CODE.get(error.code, (400, "Not valid"))
        errors = [{"field": error.field, "message": error.message}] if error.field else None
        return problem(status_code, title, error.message, code=error.code, errors=errors)
    if isinstance(error, (ServiceUnavailable, AccessUnavailable, QueueFullError, WriterUnavailableError)):
        answer = problem(503, "Not available", str(error), code="unavailable")
        answer["Retry-After"] = "2"
        return answer
    if isinstance(error, RecursionError):  # the JSON parser's, of a body that is nested too deeply
        return problem(400, "Not valid", "The body is nested too deeply.", code="parse_error")
    if isinstance(error, (Http404, TenantGoneError)):
        return problem(404, "Not found", "There is nothing at this address for you.", code="not_found")
    if isinstance(error, Problem):
        return problem(error.status_code, error.title, str(error.detail), code=str(error.detail.code))  # type: ignore[union-attr]
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flat(error.detail))
        said = "; ".join(f"{e['field']}: {e['message']}" if e["field"] else e["message"] for e in errors)
        return problem(400, "Not valid", said, code="invalid", errors=errors)
    if isinstance(error, exceptions.APIException):
        answer = problem(
            error.status_code,
            error.default_code.replace("_", " ").capitalize(),
            str(error.detail),
            code=str(error.default_code),
        )
        if header := getattr(error, "auth_header", None):
            answer["WWW-Authenticate"] = header
        if (wait := getattr(error, "wait", None)) is not None:
            answer["Retry-After"] = str(int(wait) + 1)
        return answer
    return None


def _flat(detail: Any, path: str = "") -> Any:
    """A serializer's nested errors as a flat list."""
    if isinstance(detail, dict):
        for name, value in detail.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _flat(value, ".".join(part for part in (path, own) if part))
    elif isinstance(detail, list):
        for value in detail:
            yield from _flat(value, path)
    else:
        yield {"field": path, "message": str(detail)}
