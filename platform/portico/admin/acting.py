"""Who acts behind a request, as services and the call pipeline want to know it."""

from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest

from portico.admin.current import Seat, seat_of
from tenants.access import client_address
from tenants.models import AccessKey, Principal
from tenants.principals import Actor, Caller
from tenants.selectors import caller_of

MYSELF = "me"


def address_of(request: HttpRequest) -> str:
    """The client's address: the nearest hop that is no trusted proxy."""
    return client_address(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For"))


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person, for the audit and the services' own rules."""
    user: Any = request.user
    return Actor(id=str(user.pk), name=user.get_username(), address=address_of(request), via="admin")


def run_as_choices(seat: Seat) -> list[tuple[str, Any]]:
    """Whom a tool may be tried as: oneself, a member, a service account, an access key."""
    choices: list[tuple[str, Any]] = []
    if seat.membership is not None:
        choices.append((MYSELF, f"myself ({seat.membership.role})"))
    people: list[tuple[str, str]] = []
    programs: list[tuple[str, str]] = []
    for principal in Principal.objects.for_tenant(seat.here).select_related("user").order_by("created_at"):
        target = people if principal.user_id is not None else programs
        target.append((f"p:{principal.pk}", f"{principal.display_name} ({principal.role})"))
    keys = [
        (f"k:{key.pk}", f"{key.name} · ptc_{key.pk}… ({key.principal.display_name})")
        for key in AccessKey.objects.for_tenant(seat.here).select_related("principal__user")
        if key.is_live
    ]
    for title, entries in (("Members", people), ("Service accounts", programs), ("Access keys", keys)):
        if entries:
            choices.append((title, entries))
    return choices


def caller_for(request: HttpRequest, choice: str) -> Caller | None:
    """The caller for a choice of :func:`run_as_choices`: narrowed to what the actor may do as well.

    None for a choice of another tenant, and for ``me`` of somebody who is no member. A
    superuser who is no member gets the bare target, which suffices to explain and must not be
    used to call.
    """
    seat = seat_of(request)
    if seat.tenant is None:
        return None
    address = address_of(request)
    actor = caller_of(seat.membership, address=address, via="admin") if seat.membership else None
    if choice == MYSELF:
        return actor
    kind, _, key_id = choice.partition(":")
    target: Caller | None = None
    if kind == "p":
        principal = _one(Principal.objects.for_tenant(seat.tenant).select_related("user", "tenant"), key_id)
        target = caller_of(principal, address=address, via="admin") if principal else None
    elif kind == "k":
        rows = AccessKey.objects.for_tenant(seat.tenant).select_related(
            "principal__user", "principal__tenant"
        )
        key = _one(rows, key_id)
        if key is not None and key.is_live:
            target = caller_of(key.principal, key=key, address=address, via="admin")
    return replace(target, actor=actor) if target is not None else None


def _one(rows: Any, key: str) -> Any:
    try:
        return rows.filter(pk=key).first()
    except (ValueError, ValidationError):  # no key of this kind
        return None
