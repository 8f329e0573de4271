"""Who entered and left the admin, in the audit: the one use of signals in the house."""

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from audit.events import Event
from audit.models import AuditEvent
from audit.services import record_blocking
from common.writer import QueueFullError, WriterUnavailableError
from portico.admin.acting import address_of
from portico.admin.current import seat_of

logger = logging.getLogger(__name__)


def _event(request: HttpRequest | None, name: str, user: Any, **more: Any) -> Event:
    return Event(
        tenant_id=more.pop("tenant_id", None),
        kind=AuditEvent.Kind.SIGN_IN,
        name=name,
        principal_id=f"user:{user.pk}" if user is not None else "",
        principal_name=user.get_username() if user is not None else "",
        via="admin",
        address=address_of(request) if request is not None else "",
        **more,
    )


def _write(event: Event) -> None:
    """Record; a sign-in is not refused because the audit rests, since nothing can be done without it."""
    try:
        record_blocking(event)
    except (WriterUnavailableError, QueueFullError):
        logger.warning("A sign-in event could not be recorded: %s", event.name)


def signed_in(sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
    """Record on the platform's chain, and on that of the tenant where the person arrives."""
    _write(_event(request, "signed in", user))
    request.user = user  # a request that did not pass the middleware has none yet
    request._portico_seat = None  # type: ignore[attr-defined]
    record_entry(request)


def record_entry(request: HttpRequest) -> None:
    """Record that the person entered the current tenant's pages."""
    seat = seat_of(request)
    if seat.tenant is not None:
        _write(_event(request, "entered the admin", request.user, tenant_id=seat.tenant.pk))


def signed_out(sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
    """Record a person who leaves."""
    if user is not None:
        _write(_event(request, "signed out", user))


def refused(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Record a failed sign-in; a name that nobody has may be a mistyped password and is not stored."""
    name = str(credentials.get("username", ""))
    user = get_user_model()._default_manager.filter(username=name).first()
    known = "wrong password or inactive user" if user is not None else "unknown user name"
    _write(
        _event(request, "sign-in refused", user, outcome="denied", error_type="authentication", message=known)
    )


def connect() -> None:
    """Listen; called once, when the admin is loaded."""
    user_logged_in.connect(signed_in, dispatch_uid="portico-signed-in")
    user_logged_out.connect(signed_out, dispatch_uid="portico-signed-out")
    user_login_failed.connect(refused, dispatch_uid="portico-sign-in-refused")
