from datetime import timedelta

import pytest
from django.utils import timezone

from common.writer import writer
from tenants import services
from tenants.access import AccessDenied, authenticate, authenticate_blocking, presented_key
from tests.factories import SYSTEM, make_key, make_member, make_tenant, make_user, unique


async def refused(slug, secret, address="192.0.2.1"):
    with pytest.raises(AccessDenied) as denied:
        await authenticate(slug, secret, address=address)
    return denied.value


def test_a_key_becomes_a_caller_with_its_rights():
    tenant = make_tenant()
    key, secret = make_key(tenant, "admin", allow=["goals:*"], deny=["*:delete_*"], read_only=True)
    caller = authenticate_blocking(tenant.slug, secret, address="192.0.2.1")
    assert (caller.tenant.id, caller.key_id, caller.role) == (tenant.pk, key.id, "admin")
    assert (caller.rights.allow, caller.rights.deny, caller.rights.read_only) == (
        ("goals:*",), ("*:delete_*",), True,
    )  # fmt: skip
    assert (caller.address, caller.via) == ("192.0.2.1", "api")
    assert authenticate_blocking(tenant.slug, secret, address="192.0.2.9").address == "192.0.2.9"
