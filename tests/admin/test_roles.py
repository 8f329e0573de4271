"""What each role may do in the admin."""

from typing import Any

import pytest

from tenants.models import Membership, Tenant
from tests.admin.conftest import World, sign_in, url
from tests.factories import make_member, make_tenant, make_user, unique

LISTS = [
    "tenants_membership_changelist", "tenants_invitation_changelist", "tenants_serviceaccount_changelist",
    "tenants_accesskey_changelist", "connectors_connection_changelist", "connectors_toolpermission_changelist",
    "audit_auditevent_changelist",
]  # fmt: skip


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_viewers_and_operators_see_the_home_page_alone(world: World, role: str) -> None:
    client = sign_in(world.left.people[role].user)
    home = client.get(url("index"))
    assert home.status_code == 200
    assert f"/t/{world.left.tenant.slug}/mcp" in home.content.decode()
    for page in LISTS:
        assert client.get(url(page)).status_code == 403, page
    for page in ("tenants_accesskey_add", "connectors_connection_add", "tenants_invitation_add"):
        assert client.get(url(page)).status_code == 403, page
    change = url("connectors_connection_change", world.left.things["connection"].pk)
    assert client.get(change).status_code == 403
    assert client.post(change, {"name": "mine"}).status_code == 403


@pytest.mark.parametrize("role", ["admin", "owner"])
def test_admins_and_owners_see_every_page_of_their_tenant(world: World, role: str) -> None:
    client = sign_in(world.left.people[role].user)
    for page in LISTS:
        assert client.get(url(page)).status_code == 200, page


def test_on_the_platform_a_tenants_page_says_that_one_is_to_be_chosen(world: World) -> None:
    client = sign_in(world.superuser)
    missing = "none is chosen. Choose one on the home page"
    for page in ("connectors_connection_add", "connectors_usagelimit_add", "tenants_accesskey_add"):
        answer = client.get(url(page))
        assert answer.status_code == 403 and missing in answer.content.decode(), page
    viewer = sign_in(world.left.people["viewer"].user).get(url("connectors_connection_add"))
    assert viewer.status_code == 403 and missing not in viewer.content.decode()


def test_members_who_are_not_staff_sign_in_with_their_password() -> None:
    from django.test import Client

    tenant, user = make_tenant(), make_user(password="a-long-enough-one")
    user.is_staff = False
    user.save()
    make_member(tenant, "viewer", user)
    client = Client()
    page = url("login")
    assert client.post(page, {"username": user.username, "password": "wrong"}).status_code == 200
    done = client.post(page, {"username": user.username, "password": "a-long-enough-one"})
    assert done.status_code == 302
    assert client.get(url("index")).status_code == 200


def test_a_user_without_a_tenant_cannot_sign_in() -> None:
    from django.test import Client

    user = make_user(password="a-long-enough-one")
    client = Client()
    answer = client.post(url("login"), {"username": user.username, "password": "a-long-enough-one"})
    assert answer.status_code == 200
    assert client.get(url("index")).status_code == 302


def test_only_an_owner_makes_an_owner(world: World) -> None:
    member = make_member(world.left.tenant, "viewer")
    page = url("tenants_membership_change", member.pk)
    assert sign_in(world.left.people["admin"].user).post(page, {"role": "owner"}).status_code == 422
    assert Membership.objects.for_tenant(world.left.tenant).get(pk=member.pk).role == "viewer"
    assert sign_in(world.left.people["owner"].user).post(page, {"role": "owner"}).status_code == 302
    assert Membership.objects.for_tenant(world.left.tenant).get(pk=member.pk).role == "owner"


def test_the_last_owner_stays_and_the_form_says_why() -> None:
    tenant = make_tenant()
    owner = make_member(tenant, "owner")
    client = sign_in(owner.user)
    answer = client.post(url("tenants_membership_change", owner.pk), {"role": "viewer"})
    assert answer.status_code == 422
    assert "last owner" in answer.content.decode()
    answer = client.post(url("tenants_membership_delete", owner.pk))
    assert answer.status_code == 422
    assert "last owner" in answer.content.decode()


def test_an_owner_suspends_and_resumes_and_an_admin_does_not() -> None:
    tenant = make_tenant()
    owner, admin = make_member(tenant, "owner"), make_member(tenant, "admin")
    page = url("tenants_tenant_status", tenant.pk)
    assert sign_in(admin.user).post(page, {"action": "suspend"}).status_code == 403
    client = sign_in(owner.user)
    assert client.post(page, {"action": "suspend"}).status_code == 302
    assert Tenant.objects.get(pk=tenant.pk).status == "suspended"
    assert sign_in(admin.user).get(url("index")).status_code == 302  # closed to all but owners
    assert "suspended" in client.get(url("index")).content.decode()
    assert client.post(page, {"action": "resume"}).status_code == 302
    assert Tenant.objects.get(pk=tenant.pk).status == "active"


def test_retention_is_an_owners_choice(world: World) -> None:
    page = url("tenants_tenant_change", world.left.tenant.pk)
    values = {"name": world.left.tenant.name, "time_zone": "UTC"}
    admin = sign_in(world.left.people["admin"].user)
    assert "audit_retention_days" not in admin.get(page).content.decode()
    assert admin.post(page, {**values, "audit_retention_days": "1"}).status_code == 302
    assert Tenant.objects.get(pk=world.left.tenant.pk).audit_retention_days != 1
    owner = sign_in(world.left.people["owner"].user)
    assert owner.post(page, {**values, "audit_retention_days": "77"}).status_code == 302
    assert Tenant.objects.get(pk=world.left.tenant.pk).audit_retention_days == 77


def test_users_and_new_tenants_are_the_superusers(world: World) -> None:
    owner, platform = sign_in(world.left.people["owner"].user), sign_in(world.superuser)
    for page in ("auth_user_changelist", "auth_user_add", "tenants_tenant_add"):
        assert owner.get(url(page)).status_code in (403, 404), page
        assert platform.get(url(page)).status_code == 200, page
    person = world.right.people["viewer"].user
    assert owner.get(url("auth_user_change", person.pk)).status_code == 404
    assert platform.get(url("auth_user_change", person.pk)).status_code == 200


def test_a_superuser_creates_a_tenant_and_lands_in_it(world: World) -> None:
    client, slug = sign_in(world.superuser), unique("new")
    taken = {"slug": world.left.tenant.slug, "name": "Again", "time_zone": "UTC"}
    answer = client.post(url("tenants_tenant_add"), taken)
    assert answer.status_code == 422
    assert "choose another slug" in answer.content.decode()
    answer = client.post(
        url("tenants_tenant_add"),
        {"slug": slug, "name": "New", "time_zone": "Europe/Berlin", "make_me_owner": "on"},
    )
    assert answer.status_code == 302
    home = client.get(url("index")).content.decode()
    assert "Next steps" in home
    assert f"/t/{slug}/mcp" in home


def test_a_tenant_is_deleted_only_when_suspended_and_with_its_slug_typed(world: World) -> None:
    tenant, client = make_tenant(), sign_in(world.superuser)
    page = url("tenants_tenant_delete", tenant.pk)
    assert client.post(page, {"confirm": "wrong"}).status_code == 422
    assert client.post(page, {"confirm": tenant.slug}).status_code == 422  # still active
    client.post(url("tenants_tenant_status", tenant.pk), {"action": "suspend"})
    assert client.post(page, {"confirm": tenant.slug}).status_code == 302
    assert not Tenant.objects.filter(pk=tenant.pk).exists()


def _patterns(client: Any, **values: str) -> Any:
    return client.post(url("connectors_toolpermission_changelist"), values)


def test_role_patterns_are_stored_and_a_wrong_one_is_named_at_its_field() -> None:
    from connectors.models import ToolPermission

    tenant = make_tenant()
    client = sign_in(make_member(tenant, "admin").user)
    assert _patterns(client, viewer_deny="goals:delete_*\n*:secret").status_code == 302
    row = ToolPermission.objects.for_tenant(tenant).get(role="viewer")
    assert row.deny == ["goals:delete_*", "*:secret"]
    assert ToolPermission.objects.for_tenant(tenant).count() == 1  # the other roles were not touched
    answer = _patterns(client, operator_allow="what is this")
    assert answer.status_code == 422
    assert "no pattern" in answer.content.decode()
    row.refresh_from_db()
    assert row.deny == ["goals:delete_*", "*:secret"]
