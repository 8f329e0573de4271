"""People and programs in a tenant."""

from typing import Any

from django.db import IntegrityError, transaction

from tenants import rules
from tenants.changes import tenant_changed
from tenants.errors import AlreadyThere, InvalidValue
from tenants.models import Membership, Principal, ServiceAccount, Tenant
from tenants.principals import Actor, Role
from tenants.services._shared import UNSET, Unset, changed, check_name, check_role, finish


def membership_create(*, tenant: Tenant, user: Any, role: str, actor: Actor) -> Membership:
    """Make a user a member. Raises :class:`tenants.errors.AlreadyThere` or ``NotAllowed``."""
    role = check_role(role)
    with transaction.atomic():
        own = rules.demand(actor, tenant, Role.ADMIN, "add members")
        rules.demand_not_above(own, role)
        member = add_member(tenant, user, role)
        finish(tenant, actor, f"membership.create {user.get_username()}", {}, {"role": role})
    return member


def add_member(tenant: Tenant, user: Any, role: Role) -> Membership:
    """Insert a membership inside the caller's transaction; raises ``AlreadyThere``."""
    there = AlreadyThere(f"{user.get_username()} is a member of this tenant already.", "user")
    if Membership.objects.for_tenant(tenant).filter(user=user).exists():
        raise there
    try:
        with transaction.atomic():
            member: Membership = Membership.objects.create(tenant=tenant, user=user, role=role)
    except IntegrityError as error:
        raise there from error
    return member


def membership_update(*, membership: Membership, role: str, actor: Actor) -> Membership:
    """Change a member's role; the last owner stays one."""
    return _set(membership, actor, "change members", role=check_role(role))


def membership_remove(*, membership: Membership, actor: Actor) -> None:
    """End a membership with its keys and personal credentials; members may leave by themselves."""
    _remove(membership, actor, "remove members")


def service_account_create(*, tenant: Tenant, name: str, role: str, actor: Actor) -> ServiceAccount:
    """Make a program's identity. Raises :class:`tenants.errors.AlreadyThere` for a known name."""
    name, role = check_name(name, 80), check_role(role)
    with transaction.atomic():
        own = rules.demand(actor, tenant, Role.ADMIN, "add service accounts")
        rules.demand_not_above(own, role)
        _demand_free_name(tenant, name)
        try:
            with transaction.atomic():
                account: ServiceAccount = ServiceAccount.objects.create(tenant=tenant, name=name, role=role)
        except IntegrityError as error:
            raise _name_taken(name) from error
        finish(tenant, actor, f"service_account.create {name}", {}, {"role": role})
    return account


def service_account_update(
    *, account: ServiceAccount, actor: Actor, name: str | Unset = UNSET, role: str | Unset = UNSET
) -> ServiceAccount:
    """Change a service account's name or role."""
    return _set(
        account,
        actor,
        "change service accounts",
        name=UNSET if name is UNSET else check_name(name, 80),
        role=UNSET if role is UNSET else check_role(role),
    )


def service_account_remove(*, account: ServiceAccount, actor: Actor) -> None:
    """End a service account with its keys and credentials."""
    _remove(account, actor, "remove service accounts")


def user_changed(user: Any) -> None:
    """Tell all workers that a user was renamed or (de)activated: every tenant of theirs is bumped.

    For the pages on which users are edited; call it inside their transaction. A user who is
    not active has no access, whatever the keys.
    """
    tenants = Membership.unscoped.filter(user=user).order_by("tenant_id").values_list("tenant_id", flat=True)
    for tenant_id in tenants:
        tenant_changed(tenant_id)


def _label(principal: Principal, action: str) -> str:
    return f"{principal.kind}.{action} {principal.display_name}"


def _demand_free_name(tenant: Tenant, name: str) -> None:
    if ServiceAccount.objects.for_tenant(tenant).filter(name=name).exists():
        raise _name_taken(name)


def _name_taken(name: str) -> AlreadyThere:
    return AlreadyThere(f"There is a service account {name!r} already; choose another name.", "name")


def _current(principal: Any) -> Any:
    """The row as it is now, locked."""
    rows = (
        type(principal).objects.for_tenant(principal.tenant_id).select_for_update(of=("self",), no_key=True)
    )
    found = rows.select_related("user", "tenant").filter(pk=principal.pk).first()
    if found is None:
        raise InvalidValue("This member or service account does not exist any more.")
    return found


def _set(principal: Any, actor: Actor, what: str, **values: Any) -> Any:
    with transaction.atomic():
        owners = rules.lock_owners(principal.tenant_id)
        row = _current(principal)
        own = rules.demand(actor, row.tenant, Role.ADMIN, what)
        rules.demand_not_above(own, row.role, *[r for r in (values.get("role"),) if r not in (None, UNSET)])
        if values.get("role") not in (UNSET, row.role):
            rules.keep_an_owner(owners, row.pk)
        if values.get("name", UNSET) not in (UNSET, row.name):
            _demand_free_name(row.tenant, values["name"])
        label = _label(row, "update")
        before, after = changed(row, **values)
        if after:
            try:
                with transaction.atomic():
                    row.save(update_fields=list(after))
            except IntegrityError as error:
                raise _name_taken(str(after.get("name"))) from error
            finish(row.tenant, actor, label, before, after)
    return row


def _remove(principal: Any, actor: Actor, what: str) -> None:
    with transaction.atomic():
        owners = rules.lock_owners(principal.tenant_id)
        row = _current(principal)
        leaves = row.user_id is not None and actor.id in (str(row.user_id), str(row.pk))
        if not leaves:
            own = rules.demand(actor, row.tenant, Role.ADMIN, what)
            rules.demand_not_above(own, row.role)
        rules.keep_an_owner(owners, row.pk)
        label, before = _label(row, "remove"), {"role": row.role}
        keys = [key.id for key in row.access_keys.all()]
        if keys:
            before["access_keys"] = keys
        tenant = row.tenant
        Principal.objects.for_tenant(tenant).filter(pk=row.pk).delete()
        finish(tenant, actor, label, before, {})
