"""Downloading files that tools made."""

import time
import uuid

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from audit.services import event_of, record_blocking
from common.writer import QueueFullError, WriterUnavailableError
from connectors.artifacts import artifact_get
from connectors.errors import NotFound
from connectors.models import Artifact
from tenants.access import (
    AccessDenied,
    AccessUnavailable,
    authenticate_blocking,
    client_address,
    presented_key,
)
from tenants.models import Membership, Tenant
from tenants.principals import Caller
from tenants.selectors import caller_of


@require_GET
def download(request: HttpRequest, slug: str, file_id: uuid.UUID) -> HttpResponse:
    """A file as an attachment, for a caller of its tenant: by access key, or signed in to the admin.

    Answers 401 to strangers (whether or not the tenant exists) and 404 for another tenant's
    file, one that never was, or one whose day is over. Each download is in the audit.
    """
    address = client_address(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For"))
    try:
        caller = _member(request, slug, address) or authenticate_blocking(
            slug, presented_key(request.headers.get("Authorization")), address=address
        )
        row = _read(caller, file_id, str(request.META.get("portico.request_id", "")))
    except AccessDenied as denied:
        answer = _problem(401, _("Not authenticated"), str(denied))
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    except (AccessUnavailable, DatabaseError, WriterUnavailableError, QueueFullError, TimeoutError):
        answer = _problem(503, _("Not available"), _("The database does not answer; try again in a moment."))
        answer.headers["Retry-After"] = "2"
        return answer
    if row is None:
        return _problem(404, _("Not found"), _("This file does not exist or its day is over; make it again."))
    response = HttpResponse(bytes(row.data), content_type=row.mime_type)
    # Always an attachment: a file made from tenants' data must not run as a page of ours.
    response.headers["Content-Disposition"] = f'attachment; filename="{_header_safe(row.name)}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _member(request: HttpRequest, slug: str, address: str) -> Caller | None:
    """The signed-in user as a member of this active tenant."""
    if not request.user.is_authenticated:
        return None
    found = (
        Membership.objects.filter(
            tenant__slug=slug,
            tenant__status=Tenant.Status.ACTIVE,
            user_id=request.user.pk,
            user__is_active=True,
        )
        .select_related("tenant", "user")
        .first()
    )
    return caller_of(found, address=address) if found else None


def _read(caller: Caller, file_id: uuid.UUID, request_id: str) -> Artifact | None:
    """The file, and an event that says who read it; written before a byte leaves."""
    started = time.perf_counter()
    row = artifact_get(caller.tenant.id, file_id)
    event = event_of(caller, "read", name=f"portico://files/{file_id}", request_id=request_id)
    if row is None:
        event.outcome, event.error_type = "error", NotFound.type
    event.duration_us = int((time.perf_counter() - started) * 1_000_000)
    record_blocking(event)
    return row


def _problem(status: int, title: str, detail: str) -> JsonResponse:
    body = {"title": title, "status": status, "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")


def _header_safe(name: str) -> str:
    return "".join(c for c in name if c.isascii() and c.isprintable() and c not in '"\\;') or "file"
