"""Reads on tenants and principals."""

from typing import Any

from django.db.models import Q, QuerySet

from tenants.models import AccessKey, Principal, Tenant
from tenants.principals import Caller, KeyRights, PrincipalKind, Role


def tenants_of(user: Any) -> QuerySet[Tenant]:
    """The tenants that a signed-in user may see: their memberships', all for a superuser."""
    if not user.is_authenticated or not user.is_active:
        return Tenant.objects.none()
    if user.is_superuser:
        return Tenant.objects.all()
    return Tenant.objects.filter(principals__user=user)


def membership_of(user: Any, tenant: Tenant) -> Principal | None:
    """The user's membership in a tenant; None for a superuser who is no member."""
    found: Principal | None = (
        Principal.objects.for_tenant(tenant).filter(user_id=user.pk).select_related("user", "tenant").first()
    )
    return found


def callers_named(slug: str, name: str, *, address: str, via: str) -> list[Caller]:
    """The principals of an active tenant that a name may mean, as callers; for the operator's commands.

    A name is a member's user name or mail address, or a service account's own.
    """
    rows = Principal.objects.filter(tenant__slug=slug, tenant__status=Tenant.Status.ACTIVE)
    people = Q(user__is_active=True) & (Q(user__username=name) | Q(user__email__iexact=name))
    found = rows.filter(people | Q(kind=PrincipalKind.SERVICE_ACCOUNT, name=name))
    return [caller_of(row, address=address, via=via) for row in found.select_related("tenant", "user")]


def caller_of(
    principal: Principal, *, key: AccessKey | None = None, address: str = "", via: str = "admin"
) -> Caller:
    """A principal (perhaps through one of its keys) as the value that calls tools."""
    return Caller(
        tenant=principal.tenant.ref(),
        principal_id=principal.pk,
        principal_kind=PrincipalKind(principal.kind),
        principal_name=principal.display_name,
        role=Role(principal.role),
        rights=KeyRights() if key is None else rights_of(key),
        key_id="" if key is None else key.id,
        address=address,
        via=via,
    )


def rights_of(key: AccessKey) -> KeyRights:
    """What a key takes away from its principal."""
    return KeyRights(tuple(key.allow), tuple(key.deny), key.read_only)
