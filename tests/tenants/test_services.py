import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit.events import Event
from audit.models import AuditEvent
from audit.services import record_blocking
from common.redis import sync_client, tenant_key
from common.vault import VaultError, encrypt
from tenants import services
from tenants.changes import GONE, watcher
from tenants.errors import (
    AlreadyThere,
    InvalidValue,
    LastOwner,
    NotAllowed,
    SlugImmutable,
    SlugTaken,
    WrongState,
)
from tenants.models import AccessKey, Membership, Principal, ServiceAccount, Tenant
from tenants.principals import Actor
from tests.factories import (
    SYSTEM,
    actor_of,
    make_caller,
    make_key,
    make_member,
    make_service_account,
    make_tenant,
    make_user,
    unique,
)


def member_actor(tenant, role):
    return actor_of(make_member(tenant, role).user)


def audit_names(tenant):
    return list(AuditEvent.objects.for_tenant(tenant).order_by("seq").values_list("name", flat=True))


def test_a_taken_slug_is_refused_with_the_field_named():
    tenant = make_tenant()
    with pytest.raises(SlugTaken) as refused:
        make_tenant(slug=tenant.slug)
    assert refused.value.field == "slug"


@pytest.mark.parametrize(
    "slug",
    ["", "a", "ab", "Acme", "1acme", "acme-", "a_b", "a b", "ä" * 4, "a" * 41, "acme\n", "a\x00bc", "../etc"],
)
def test_a_poison_slug_is_refused_and_nothing_is_written(slug):
    with pytest.raises(InvalidValue) as refused:
        make_tenant(slug=slug, name="Poison") if slug else services.tenant_create(
            slug=slug, name="Poison", actor=SYSTEM
        )
    assert refused.value.field == "slug"


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\x00b", "a\ud800b", "two\nlines", None, 7])
def test_a_poison_name_is_refused(name):
    with pytest.raises(InvalidValue):
        services.tenant_create(slug=unique(), name=name, actor=SYSTEM)


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(InvalidValue, match="Europe/Berlin"):
        make_tenant(time_zone="Middle/Earth")


def test_a_slug_never_changes():
    tenant = make_tenant()
    with pytest.raises(SlugImmutable):
        services.tenant_update(tenant=tenant, slug=unique(), actor=SYSTEM)
    assert services.tenant_update(tenant=tenant, slug=tenant.slug, name="New", actor=SYSTEM).name == "New"


def test_only_the_platform_makes_and_deletes_tenants():
    owner = member_actor(make_tenant(), "owner")
    with pytest.raises(NotAllowed):
        services.tenant_create(slug=unique(), name="Mine", actor=owner)
    assert services.tenant_create(slug=unique(), name="Theirs", actor=actor_of(make_user(superuser=True)))


def test_every_change_bumps_the_version_and_leaves_an_audit_row():
    tenant = make_tenant()
    version = tenant.version
    key, _ = make_key(tenant)
    services.access_key_revoke(key=key, actor=SYSTEM)
    tenant.refresh_from_db()
    assert tenant.version == version + 3
    names = audit_names(tenant)
    assert [name.split()[0] for name in names] == [
        "tenant.create", "service_account.create", "access_key.create", "access_key.revoke",
    ]  # fmt: skip


def test_a_change_that_changes_nothing_leaves_no_trace():
    tenant = make_tenant()
    key, _ = make_key(tenant)
    tenant.refresh_from_db()
    version, rows = tenant.version, len(audit_names(tenant))
    services.access_key_update(key=key, name=key.name, actor=SYSTEM)
    services.tenant_update(tenant=tenant, name=tenant.name, actor=SYSTEM)
    tenant.refresh_from_db()
    assert (tenant.version, len(audit_names(tenant))) == (version, rows)


def test_a_refused_change_writes_nothing_at_all():
    tenant = make_tenant()
    tenant.refresh_from_db()
    version, rows = tenant.version, len(audit_names(tenant))
    with pytest.raises(NotAllowed):
        services.service_account_create(tenant=tenant, name="x", role="viewer", actor=actor_of(make_user()))
    tenant.refresh_from_db()
    assert (tenant.version, len(audit_names(tenant))) == (version, rows)


# -- roles -----------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_admins_handle_members_and_keys(role):
    tenant = make_tenant()
    actor = member_actor(tenant, role)
    principal = make_service_account(tenant, "viewer")
    for change in (
        lambda: services.membership_create(tenant=tenant, user=make_user(), role="viewer", actor=actor),
        lambda: services.invitation_create(tenant=tenant, email="a@example.com", role="viewer", actor=actor),
        lambda: services.access_key_create(tenant=tenant, principal=principal, name="k", actor=actor),
        lambda: services.service_account_update(account=principal, role="operator", actor=actor),
        lambda: services.tenant_update(tenant=tenant, name="Mine now", actor=actor),
    ):
        with pytest.raises(NotAllowed):
            change()


def test_an_admin_of_one_tenant_is_a_stranger_in_another():
    actor, other = member_actor(make_tenant(), "owner"), make_tenant()
    with pytest.raises(NotAllowed):
        services.tenant_suspend(tenant=other, actor=actor)
    with pytest.raises(NotAllowed):
        services.access_key_create(tenant=other, principal=make_service_account(other), name="k", actor=actor)


def test_only_an_owner_makes_changes_or_removes_an_owner_or_has_their_key_made():
    tenant = make_tenant()
    admin, owner = member_actor(tenant, "admin"), make_member(tenant, "owner")
    plain = make_member(tenant, "viewer")
    for change in (
        lambda: services.membership_create(tenant=tenant, user=make_user(), role="owner", actor=admin),
        lambda: services.membership_update(membership=plain, role="owner", actor=admin),
        lambda: services.membership_update(membership=owner, role="viewer", actor=admin),
        lambda: services.membership_remove(membership=owner, actor=admin),
        lambda: services.service_account_create(tenant=tenant, name="x", role="owner", actor=admin),
        lambda: services.invitation_create(tenant=tenant, email="a@example.com", role="owner", actor=admin),
        lambda: services.access_key_create(tenant=tenant, principal=owner, name="k", actor=admin),
    ):
        with pytest.raises(NotAllowed):
            change()
    assert services.membership_update(membership=plain, role="owner", actor=actor_of(owner.user))


def test_suspension_is_an_owners():
    tenant = make_tenant()
    with pytest.raises(NotAllowed):
        services.tenant_suspend(tenant=tenant, actor=member_actor(tenant, "admin"))
    services.tenant_suspend(tenant=tenant, actor=member_actor(tenant, "owner"))


def test_a_program_with_an_admins_key_acts_by_its_own_role():
    tenant = make_tenant()
    admin = make_service_account(tenant, "admin")
    actor = Actor(id=str(admin.pk), name=admin.name, via="api")
    made = services.service_account_create(
        tenant=tenant, name="made by a program", role="viewer", actor=actor
    )
    assert made.role == "viewer"
    services.service_account_remove(account=admin, actor=SYSTEM)
    with pytest.raises(NotAllowed):
        services.service_account_remove(account=made, actor=actor)


@pytest.mark.parametrize("actor_id", ["", "x", "-1", "٣", "9" * 40, "00000000-0000-0000-0000-000000000000"])
def test_an_actor_nobody_knows_may_do_nothing(actor_id):
    with pytest.raises(NotAllowed):
        services.tenant_suspend(tenant=make_tenant(), actor=Actor(id=actor_id, name="nobody"))


# -- owners ----------------------------------------------------------------------------


def test_the_last_owner_stays():
    tenant = make_tenant()
    owner = make_member(tenant, "owner")
    with pytest.raises(LastOwner):
        services.membership_update(membership=owner, role="admin", actor=SYSTEM)
    with pytest.raises(LastOwner):
        services.membership_remove(membership=owner, actor=actor_of(owner.user))
    make_member(tenant, "owner")
    services.membership_remove(membership=owner, actor=actor_of(owner.user))


def test_two_owners_who_leave_at_once_do_not_both_leave():
    tenant = make_tenant()
    owners = [make_member(tenant, "owner") for _ in range(2)]
    outcomes = []

    def leave(owner):
        try:
            services.membership_remove(membership=owner, actor=actor_of(owner.user))
            outcomes.append("left")
        except LastOwner:
            outcomes.append("stayed")
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=(owner,)) for owner in owners]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(outcomes) == ["left", "stayed"]
    assert Membership.objects.for_tenant(tenant).filter(role="owner").count() == 1


def test_a_member_may_leave_by_themselves():
    tenant = make_tenant()
    viewer = make_member(tenant, "viewer")
    services.membership_remove(membership=viewer, actor=actor_of(viewer.user))
    assert not Membership.objects.for_tenant(tenant).exists()


def test_a_user_is_a_member_once_and_a_name_is_used_once():
    tenant, user = make_tenant(), make_user()
    make_member(tenant, "viewer", user)
    with pytest.raises(AlreadyThere):
        make_member(tenant, "viewer", user)
    account = make_service_account(tenant)
    with pytest.raises(AlreadyThere):
        services.service_account_create(tenant=tenant, name=account.name, role="viewer", actor=SYSTEM)
    assert services.service_account_create(
        tenant=make_tenant(), name=account.name, role="viewer", actor=SYSTEM
    )
    assert set(Principal.objects.for_tenant(tenant).values_list("kind", flat=True)) == {
        "membership", "service_account",
    }  # fmt: skip
    assert ServiceAccount.objects.for_tenant(tenant).count() == 1


def test_changing_a_tenant_while_its_audit_is_written_never_deadlocks():
    tenant, failures = make_tenant(), []

    def call_a_lot():
        try:
            for _ in range(40):
                record_blocking(Event(tenant.pk, "call", name="busy"))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=call_a_lot) for _ in range(4)]
    [thread.start() for thread in threads]
    for _ in range(10):
        services.tenant_suspend(tenant=tenant, actor=SYSTEM)
        services.tenant_resume(tenant=tenant, actor=SYSTEM)
    [thread.join() for thread in threads]
    assert not failures
    rows = AuditEvent.objects.for_tenant(tenant)
    assert rows.filter(name="busy").count() == 160
    assert rows.filter(kind="config").count() == 21


# -- keys ------------------------------------------------------------------------------


def test_a_key_narrows_its_caller():
    caller = make_caller(make_tenant(), "viewer", allow=["goals:get_*"], read_only=True)
    assert caller.role == "viewer"
    assert caller.rights.allow == ("goals:get_*",)
    assert caller.rights.read_only


def test_only_a_digest_of_the_secret_is_stored():
    key, secret = make_key(make_tenant())
    assert secret.startswith(f"ptc_{key.id}_")
    assert len(secret) == len("ptc_") + 12 + 1 + 43
    stored = AccessKey.objects.for_tenant(key.tenant_id).values().get(pk=key.pk)
    assert secret not in str(stored)


@pytest.mark.parametrize(
    ("rights", "field"),
    [
        ({"allow": ["create_goal"]}, "allow"),
        ({"deny": ["goals:"]}, "deny"),
        ({"networks": ["10.0.0.0/99"]}, "networks"),
        ({"name": ""}, "name"),
        ({"expires_at": timezone.now().replace(tzinfo=None)}, "expires_at"),
    ],
)
def test_a_wrong_right_names_its_field(rights, field):
    with pytest.raises(InvalidValue) as refused:
        make_key(make_tenant(), **rights)
    assert refused.value.field == field


def test_a_key_is_never_of_another_tenants_principal():
    with pytest.raises(InvalidValue):
        make_key(make_tenant(), principal=make_service_account(make_tenant()))


def test_a_revoked_key_stays_revoked():
    key, _ = make_key(make_tenant())
    once = services.access_key_revoke(key=key, actor=SYSTEM).revoked_at
    assert services.access_key_revoke(key=key, actor=SYSTEM).revoked_at == once
    with pytest.raises(WrongState):
        services.access_key_update(key=key, expires_at=timezone.now() + timedelta(days=1), actor=SYSTEM)


# -- deletion --------------------------------------------------------------------------


def test_only_a_suspended_tenant_without_a_hold_is_deleted():
    tenant = make_tenant()
    with pytest.raises(WrongState):
        services.tenant_delete(tenant=tenant, actor=SYSTEM)
    services.tenant_suspend(tenant=tenant, actor=SYSTEM)
    services.tenant_update(tenant=tenant, audit_legal_hold=True, actor=SYSTEM)
    with pytest.raises(WrongState):
        services.tenant_delete(tenant=tenant, actor=SYSTEM)


def test_a_deleted_tenant_leaves_no_rows_no_keys_in_redis_and_no_data_key():
    tenant, other = make_tenant(), make_tenant()
    make_key(tenant)
    encrypt(tenant, tenant.pk, "test", b"x")
    sync_client().set(tenant_key(tenant.pk, "memory", "a"), 1)
    sync_client().set(tenant_key(other.pk, "memory", "a"), 1)
    tenant = services.tenant_suspend(tenant=tenant, actor=SYSTEM)
    services.tenant_delete(tenant=tenant, actor=SYSTEM)
    assert not Tenant.objects.filter(pk=tenant.pk).exists()
    assert not AccessKey.objects.filter(tenant_id=tenant.pk).exists()
    assert not sync_client().exists(tenant_key(tenant.pk, "memory", "a"))
    assert sync_client().exists(tenant_key(other.pk, "memory", "a"))
    assert watcher.current_version(tenant.pk) == GONE
    deleted = AuditEvent.unscoped.filter(tenant=None, name=f"tenant.delete {tenant.slug}")
    assert deleted.count() == 1
    destroyed = Tenant(pk=tenant.pk)
    with pytest.raises(VaultError):
        encrypt(destroyed, tenant.pk, "test", b"x")
