"""What outlives a request asks again who its caller is."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from common.db import in_db
from tenants import access, key_cache, services
from tenants.access import recheck
from tenants.principals import ClientInfo, Role
from tenants.selectors import caller_of
from tests.factories import SYSTEM, make_key, make_member, make_service_account, make_tenant


@pytest.fixture
async def known(database):
    """A key with its secret, and its caller."""
    tenant = await in_db(make_tenant)
    key, secret = await in_db(make_key, tenant)
    caller = await access.authenticate(tenant.slug, secret, address="192.0.2.1")
    return tenant, key, caller


async def test_nothing_changed_is_the_same_caller(known):
    _, _, caller = known
    assert await recheck(caller) is caller


async def test_a_caller_gets_what_its_key_may_do_now_and_keeps_how_it_came(known):
    _, key, caller = known
    caller = caller.using(ClientInfo("tester", "1"))
    await in_db(services.access_key_update, key=key, deny=["*:write"], read_only=True, actor=SYSTEM)
    found = await recheck(caller)
    assert (found.rights.deny, found.rights.read_only) == (("*:write",), True)
    assert found == replace(caller, rights=found.rights)


async def test_a_dead_key_has_no_caller(known):
    tenant, key, caller = known
    await in_db(services.access_key_update, key=key, networks=["10.0.0.0/8"], actor=SYSTEM)
    assert await recheck(caller) is None
    await in_db(services.access_key_update, key=key, networks=[], actor=SYSTEM)
    assert await recheck(caller) is not None
    await in_db(services.tenant_suspend, tenant=tenant, actor=SYSTEM)
    assert await recheck(caller) is None


async def test_a_key_is_asked_for_its_end_by_the_clock(known):
    tenant, _, caller = known
    assert access.expires_at(caller) == float("inf")
    until = timezone.now() + timedelta(seconds=60)
    key, secret = await in_db(make_key, tenant, expires_at=until)
    mortal = await access.authenticate(tenant.slug, secret, address="192.0.2.1")
    assert access.expires_at(mortal) == until.timestamp()
    key_cache.entries.drop(key.id)
    assert access.expires_at(mortal) == 0.0
    assert await recheck(mortal) is mortal
    assert access.expires_at(mortal) == until.timestamp()
    key_cache.entries.get(key.id).expires = 1.0
    assert await recheck(mortal) is None


async def test_a_key_never_speaks_for_another_tenant_or_principal(known):
    _, _, caller = known
    other = await in_db(make_tenant)
    assert await recheck(replace(caller, tenant=other.ref())) is None
    account = await in_db(make_service_account, other)
    assert await recheck(replace(caller, principal_id=account.pk)) is None


async def test_a_caller_without_a_key_is_its_principal_as_it_is_now(database):
    tenant = await in_db(make_tenant)
    await in_db(make_member, tenant, "owner")
    member = await in_db(make_member, tenant, "operator")
    caller = await in_db(caller_of, member, via="stdio")
    assert access.expires_at(caller) == float("inf")
    assert await recheck(caller) == caller
    await in_db(services.membership_update, membership=member, role="viewer", actor=SYSTEM)
    found = await recheck(caller)
    assert (found.role, found.via) == (Role.VIEWER, "stdio")
    await in_db(services.membership_remove, membership=member, actor=SYSTEM)
    assert await recheck(caller) is None
