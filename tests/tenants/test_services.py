import pytest

from tenants import services
from tenants.errors import LastOwner, NotAllowed, SlugImmutable, SlugTaken
from tenants.models import AccessKey, Membership
from tests.factories import (
    SYSTEM,
    actor_of,
    make_caller,
    make_key,
    make_member,
    make_tenant,
    make_user,
    unique,
)


def test_a_taken_slug_is_refused_with_the_field_named():
    tenant = make_tenant()
    with pytest.raises(SlugTaken) as refused:
        make_tenant(slug=tenant.slug)
    assert refused.value.field == "slug"


def test_a_key_narrows_its_caller():
    caller = make_caller(make_tenant(), "viewer", allow=["goals:get_*"], read_only=True)
    assert caller.role == "viewer"
    assert caller.rights.allow == ("goals:get_*",)
    assert caller.rights.read_only


def test_a_slug_never_changes():
    tenant = make_tenant()
    with pytest.raises(SlugImmutable):
        services.tenant_update(tenant=tenant, slug=unique(), actor=SYSTEM)
    assert services.tenant_update(tenant=tenant, slug=tenant.slug, name="New", actor=SYSTEM).name == "New"


def test_every_change_bumps_the_version():
    tenant = make_tenant()
    before = tenant.version
    make_key(tenant)
    tenant.refresh_from_db()
    assert tenant.version >= before + 2  # the service account and the key
