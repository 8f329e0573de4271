"""Making, changing, stopping and deleting tenants."""

import contextlib
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import redis
from django.db import IntegrityError, transaction

from audit import services as audit
from audit.archive import archive_chain
from common import vault
from common.redis import sync_client
from tenants import rules
from tenants.changes import GONE, announce_on_commit
from tenants.errors import InvalidValue, SlugImmutable, SlugTaken, WrongState
from tenants.models import Membership, Tenant
from tenants.principals import Actor, Role
from tenants.services._shared import UNSET, Unset, changed, check, check_name, finish, plain

logger = logging.getLogger(__name__)

_on_delete: list[Callable[[Tenant], None]] = []


def on_tenant_delete(callback: Callable[[Tenant], None]) -> None:
    """Have a room above clean up inside the transaction that deletes a tenant."""
    if callback not in _on_delete:
        _on_delete.append(callback)


def tenant_create(*, slug: str, name: str, time_zone: str = "UTC", owner: Any = None, actor: Actor) -> Tenant:
    """Make a tenant with a data key of its own and, if given, a user as its first owner.

    Raises :class:`tenants.errors.SlugTaken`, ``InvalidValue`` or ``NotAllowed``.
    """
    rules.demand_platform(actor, "create tenants")
    tenant = Tenant(slug=slug, name=check_name(name, 120), time_zone=time_zone)
    tenant.wrapped_data_key = vault.new_data_key(tenant.pk)
    check(tenant)
    taken = SlugTaken(f"There is a tenant {slug!r} already; choose another slug.", "slug")
    with transaction.atomic():
        if Tenant.objects.filter(slug=slug).exists():
            raise taken
        try:
            with transaction.atomic():
                tenant.save(force_insert=True)
        except IntegrityError as error:  # somebody was faster
            raise taken from error
        after = {"slug": tenant.slug, "name": tenant.name, "time_zone": tenant.time_zone}
        if owner is not None:
            Membership.objects.create(tenant=tenant, user=owner, role=Role.OWNER)
            after["owner"] = owner.get_username()
        finish(tenant, actor, f"tenant.create {tenant.slug}", {}, after)
    tenant.refresh_from_db(fields=["version", "changed_at"])
    return tenant


def tenant_update(
    *,
    tenant: Tenant,
    actor: Actor,
    slug: str | Unset = UNSET,
    name: str | Unset = UNSET,
    time_zone: str | Unset = UNSET,
    read_only: bool | Unset = UNSET,
    sse_enabled: bool | Unset = UNSET,
    deferred_tools: bool | Unset = UNSET,
    audit_retention_days: int | Unset = UNSET,
    audit_legal_hold: bool | Unset = UNSET,
) -> Tenant:
    """Change a tenant's settings; retention and legal hold are an owner's.

    A slug other than the present one raises :class:`tenants.errors.SlugImmutable`.
    """
    with transaction.atomic():
        tenant = _locked(tenant)
        guarded = (audit_retention_days, audit_legal_hold) != (UNSET, UNSET)
        rules.demand(actor, tenant, Role.OWNER if guarded else Role.ADMIN, "change these settings")
        if slug is not UNSET and slug != tenant.slug:
            raise SlugImmutable("A slug cannot be changed: clients hold URLs with it.", "slug")
        if name is not UNSET:
            name = check_name(name, 120)
        before, after = changed(
            tenant,
            name=name,
            time_zone=time_zone,
            read_only=read_only,
            sse_enabled=sse_enabled,
            deferred_tools=deferred_tools,
            audit_retention_days=audit_retention_days,
            audit_legal_hold=audit_legal_hold,
        )
        if after:
            check(tenant)
            tenant.save(update_fields=list(after))
            finish(tenant, actor, f"tenant.update {tenant.slug}", before, after)
    tenant.refresh_from_db()
    return tenant


def tenant_suspend(*, tenant: Tenant, actor: Actor) -> Tenant:
    """Stop every key, token and call of a tenant in all workers within a second."""
    return _set_status(tenant, actor, Tenant.Status.SUSPENDED, "suspend")


def tenant_resume(*, tenant: Tenant, actor: Actor) -> Tenant:
    """Let a suspended tenant work again."""
    return _set_status(tenant, actor, Tenant.Status.ACTIVE, "resume")


def _set_status(tenant: Tenant, actor: Actor, status: str, action: str) -> Tenant:
    with transaction.atomic():
        tenant = _locked(tenant)
        rules.demand(actor, tenant, Role.OWNER, f"{action} it")
        before, after = changed(tenant, status=status)
        if after:
            tenant.save(update_fields=["status"])
            finish(tenant, actor, f"tenant.{action} {tenant.slug}", before, after)
    tenant.refresh_from_db()
    return tenant


def tenant_delete(*, tenant: Tenant, actor: Actor) -> None:
    """Delete a suspended tenant with all that is its own.

    Its audit chain is archived first; its data key goes with its row, so that secrets in old
    copies of other tables stay unreadable. Raises :class:`tenants.errors.WrongState` for a
    tenant that is active, under legal hold.
    """
    with transaction.atomic():
        tenant = _locked(tenant)
        rules.demand_platform(actor, "delete tenants")
        if tenant.status != Tenant.Status.SUSPENDED:
            raise WrongState("Suspend the tenant first, then delete it.", "status")
        if tenant.audit_legal_hold:
            raise WrongState(
                "The tenant's audit is under legal hold; lift the hold first.", "audit_legal_hold"
            )
        tenant_id, slug = tenant.pk, tenant.slug
        before = {"slug": slug, "name": tenant.name, "id": tenant_id}
        for callback in _on_delete:
            callback(tenant)
        archive_chain(tenant)
        Tenant.objects.filter(pk=tenant_id).update(wrapped_data_key=b"")
        tenant.delete()
        announce_on_commit(tenant_id, GONE)
        transaction.on_commit(lambda: _forget(tenant_id))
        audit.record_change(
            tenant=None, actor=actor, name=f"tenant.delete {slug}", before=plain(before), after={}
        )


def _forget(tenant_id: UUID) -> None:
    """Drop what was kept outside the database: the unwrapped key and everything in Redis."""
    vault.forget(tenant_id)
    try:
        client = sync_client()
        batch: list[bytes] = []
        for key in client.scan_iter(match=f"portico:{tenant_id.hex}:*", count=1000):
            batch.append(key)
            if len(batch) >= 500:
                client.unlink(*batch)
                batch.clear()
        if batch:
            client.unlink(*batch)
    except (redis.RedisError, OSError) as error:
        logger.warning("Keys of deleted tenant %s remain in Redis: %s", tenant_id, type(error).__name__)


def _locked(tenant: Tenant) -> Tenant:
    # NO KEY: a plain FOR UPDATE would collide with the foreign key check of audit rows, whose
    # writer holds the chain's head already: two locks in two orders, a deadlock.
    with contextlib.suppress(Tenant.DoesNotExist):
        return Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    raise InvalidValue("This tenant does not exist any more.")
