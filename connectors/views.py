"""Downloading files that tools made."""

import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from connectors.artifacts import artifact_get
from tenants.access import AccessDenied, authenticate_blocking, client_address, presented_key
from tenants.models import Membership
from tenants.principals import Caller


@require_GET
def download(request: HttpRequest, slug: str, file_id: uuid.UUID) -> HttpResponse:
    """A file as an attachment, for a caller of its tenant: by access key, or signed in to the admin.

    Answers 401 to strangers (whether or not the tenant exists) and 404 for another tenant's
    file, one that never was, or one whose day is over.
    """
    tenant_id = _member_of(request, slug)
    if tenant_id is None:
        try:
            tenant_id = _caller(request, slug).tenant.id
        except AccessDenied as denied:
            return JsonResponse(
                {"title": _("Not authenticated"), "status": 401, "detail": str(denied)},
                status=401,
                headers={"WWW-Authenticate": "Bearer"},
                content_type="application/problem+json",
            )
    row = artifact_get(tenant_id, file_id)
    if row is None:
        return JsonResponse(
            {
                "title": _("Not found"),
                "status": 404,
                "detail": _("This file does not exist or its day is over; make it again."),
            },
            status=404,
            content_type="application/problem+json",
        )
    response = HttpResponse(bytes(row.data), content_type=row.mime_type)
    # Always an attachment: a file made from tenants' data must not run as a page of ours.
    response.headers["Content-Disposition"] = f'attachment; filename="{_header_safe(row.name)}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _member_of(request: HttpRequest, slug: str) -> uuid.UUID | None:
    """The tenant's id when a signed-in user is a member of this active tenant."""
    if not request.user.is_authenticated:
        return None
    found: uuid.UUID | None = (
        Membership.unscoped.filter(
            user_id=request.user.pk, tenant__slug=slug, tenant__status="active", user__is_active=True
        )
        .values_list("tenant_id", flat=True)
        .first()
    )
    return found


def _caller(request: HttpRequest, slug: str) -> Caller:
    address = client_address(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For"))
    return authenticate_blocking(slug, presented_key(request.headers.get("Authorization")), address=address)


def _header_safe(name: str) -> str:
    return "".join(c for c in name if c.isascii() and c.isprintable() and c not in '"\\;') or "file"
