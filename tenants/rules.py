"""Who may change what in a tenant. Read from the database, inside the caller's transaction."""

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model

from tenants.errors import LastOwner, NotAllowed
from tenants.models import Membership, Principal, Tenant
from tenants.principals import Actor, Role


def role_of(actor: Actor, tenant: Tenant) -> Role | None:
    """The actor's standing in a tenant: the platform and superusers as owners, others by membership.

    ``actor.id`` is a user's primary key or a principal's UUID; None means a stranger.
    """
    if actor.platform or is_superuser(actor):
        return Role.OWNER
    found = Principal.objects.for_tenant(tenant)
    key = _uuid(actor.id)
    if key is not None:
        principal = found.filter(pk=key).select_related("user").first()
        if principal is not None and (principal.user is None or principal.user.is_active):
            return Role(principal.role)
        return None
    user_id = user_pk(actor)
    if user_id is None:
        return None
    role = found.filter(user_id=user_id, user__is_active=True).values_list("role", flat=True).first()
    return None if role is None else Role(role)


def is_superuser(actor: Actor) -> bool:
    """Whether the actor is an active superuser of the platform."""
    user_id = user_pk(actor)
    if user_id is None:
        return False
    users = get_user_model()._default_manager
    return users.filter(pk=user_id, is_superuser=True, is_active=True).exists()


def user_pk(actor: Actor) -> int | None:
    """The primary key of the actor's user, None where the actor is no user."""
    text = actor.id
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def demand(actor: Actor, tenant: Tenant, role: Role, what: str = "do this") -> Role:
    """The actor's role, which must be at least ``role``; raises :class:`NotAllowed`."""
    own = role_of(actor, tenant)
    if own is None or own.rank < role.rank:
        raise NotAllowed(f"Only {_ARTICLE[role]} of this tenant can {what}.")
    return own


def demand_platform(actor: Actor, what: str) -> None:
    """Refuse everybody but a superuser and the platform's own commands."""
    if not actor.platform and not is_superuser(actor):
        raise NotAllowed(f"Only a superuser of the platform can {what}.")


def demand_not_above(own: Role, *roles: str) -> None:
    """Refuse to give, change or use a role above one's own."""
    for role in roles:
        if Role(role).rank > own.rank:
            raise NotAllowed("Only an owner can make, change or remove an owner.", "role")


def lock_owners(tenant_id: UUID) -> set[UUID]:
    """The tenant's owners, locked in a fixed order: first step of every change of a member.

    Two owners who leave at once then wait for each other instead of both leaving.
    """
    owners: Any = Membership.objects.for_tenant(tenant_id).filter(role=Role.OWNER).order_by("pk")
    return {owner.pk for owner in owners.select_for_update(no_key=True)}


def keep_an_owner(owners: set[UUID], without: UUID) -> None:
    """Refuse a change that takes away the last owner."""
    if owners == {without}:
        raise LastOwner("This is the tenant's last owner; make somebody else an owner first.", "role")


_ARTICLE = {
    Role.VIEWER: "a member",
    Role.OPERATOR: "an operator",
    Role.ADMIN: "an admin or owner",
    Role.OWNER: "an owner",
}


def _uuid(text: str) -> UUID | None:
    if len(text) not in (32, 36):
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
