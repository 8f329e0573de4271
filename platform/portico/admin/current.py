"""Who sits in the admin, and in which tenant: read from the session on every request, trusted never.

The session only remembers a wish (``portico_tenant``: a tenant's id, or ``platform``). What a
person may see follows from the memberships in the database at this moment.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from tenants.models import Membership, Tenant
from tenants.principals import Role

SESSION_KEY = "portico_tenant"
PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Seat:
    """A person's place in the admin for one request.

    ``tenant`` is None on the platform's pages (superusers only) and for somebody who belongs
    nowhere. ``membership`` is None for a superuser who is no member: such a person configures
    everything and calls no tool.
    """

    user: Any
    tenant: Tenant | None = None
    membership: Any | None = None

    @property
    def is_superuser(self) -> bool:
        """Whether the person runs the platform."""
        return bool(self.user.is_active and self.user.is_superuser)

    @property
    def role(self) -> Role | None:
        """The role in the current tenant by membership; None where there is none."""
        return Role(self.membership.role) if self.membership is not None else None

    @property
    def is_member(self) -> bool:
        """Whether tools of the current tenant may be called at all."""
        return self.membership is not None

    @property
    def here(self) -> Tenant:
        """The current tenant, for pages that exist in a tenant alone. Raises PermissionDenied elsewhere."""
        if self.tenant is None:
            raise PermissionDenied("Choose a tenant first.")
        return self.tenant

    def may(self, role: Role | None) -> bool:
        """Whether this person may do in the current tenant what ``role`` may; None: superusers alone."""
        if self.is_superuser:
            return True
        if role is None or self.tenant is None or self.role is None:
            return False
        return self.role.rank >= role.rank


def memberships_of(user: Any) -> list[Any]:
    """A person's memberships with their tenants, by tenant slug.

    A suspended tenant stays open to its owners, who may resume it, and to nobody else.
    """
    if not user.is_authenticated or not user.is_active:
        return []
    rows = Membership.unscoped.filter(user=user).select_related("tenant").order_by("tenant__slug")
    return [row for row in rows if row.tenant.status == Tenant.Status.ACTIVE or row.role == Role.OWNER.value]


def seat_of(request: HttpRequest) -> Seat:
    """The seat of this request's user, looked up once per request."""
    seat: Seat | None = getattr(request, "_portico_seat", None)
    if seat is None:
        seat = _find_seat(request)
        request._portico_seat = seat  # type: ignore[attr-defined]
    return seat


def choose_tenant(request: HttpRequest, choice: str) -> Seat | None:
    """Move to another tenant (or ``platform``); None when that seat is not this person's to take."""
    request.session[SESSION_KEY] = choice
    request._portico_seat = None  # type: ignore[attr-defined]
    seat = seat_of(request)
    wanted = seat.tenant is None if choice == PLATFORM else str(getattr(seat.tenant, "pk", "")) == choice
    return seat if wanted else None


def _find_seat(request: HttpRequest) -> Seat:
    user = request.user
    if not user.is_authenticated or not user.is_active:
        return Seat(user)
    memberships = {str(row.tenant_id): row for row in memberships_of(user)}
    wanted = str(request.session.get(SESSION_KEY, ""))
    if wanted in memberships:
        return Seat(user, memberships[wanted].tenant, memberships[wanted])
    if user.is_superuser:
        tenant = Tenant.objects.filter(pk=wanted).first() if _is_uuid(wanted) else None
        return Seat(user, tenant, None)
    first = next(iter(memberships.values()), None)
    return Seat(user, first.tenant if first else None, first)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
