"""Keys, invitations, users, passwords and sign-ins."""

import re
import secrets
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from audit.models import AuditEvent
from tenants.models import AccessKey, Membership, ServiceAccount
from tests.admin.conftest import World, sign_in, url
from tests.factories import make_key, make_member, make_tenant, make_user, unique

SECRET = re.compile(r"ptc_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


def admin_of(tenant: Any, role: str = "admin") -> Client:
    return sign_in(make_member(tenant, role).user)


def test_a_key_is_shown_once_with_a_client_configuration_and_never_again() -> None:
    tenant = make_tenant()
    client = admin_of(tenant)
    answer = client.post(
        url("tenants_accesskey_add"),
        {
            "name": "laptop", "principal": "new", "account_name": "robot", "account_role": "operator",
            "allow": "goals:*", "read_only": "on", "networks": "10.0.0.0/8", "expires_at": "2099-01-02T03:04",
        },
    )  # fmt: skip
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    text = answer.content.decode()
    secrets = set(SECRET.findall(text))
    assert len(secrets) == 1
    assert f"Authorization: Bearer {next(iter(secrets))}" in text
    key = AccessKey.objects.for_tenant(tenant).get(name="laptop")
    assert (key.allow, key.read_only, key.networks) == (["goals:*"], True, ["10.0.0.0/8"])
    assert key.expires_at == datetime(2099, 1, 2, 3, 4, tzinfo=UTC)
    assert key.principal.display_name == "robot"
    for page in (url("tenants_accesskey_changelist"), url("tenants_accesskey_change", key.pk)):
        assert not SECRET.search(client.get(page).content.decode())


def test_a_wrong_key_form_makes_neither_key_nor_account() -> None:
    tenant = make_tenant()
    client = admin_of(tenant)
    values = {"name": "laptop", "principal": "new", "account_name": "robot", "account_role": "viewer"}
    answer = client.post(url("tenants_accesskey_add"), {**values, "networks": "not a network"})
    assert answer.status_code == 422
    assert "networks" in answer.context["form"].errors
    assert not ServiceAccount.objects.for_tenant(tenant).exists()
    answer = client.post(url("tenants_accesskey_add"), {**values, "account_name": ""})
    assert "account_name" in answer.context["form"].errors


def test_a_key_cannot_be_made_for_another_tenants_principal(world: World) -> None:
    client = sign_in(world.left.people["owner"].user)
    answer = client.post(
        url("tenants_accesskey_add"), {"name": "stolen", "principal": str(world.right.people["owner"].pk)}
    )
    assert answer.status_code == 422
    assert not AccessKey.unscoped.filter(name="stolen").exists()


def test_an_admin_makes_no_key_for_an_owner() -> None:
    tenant = make_tenant()
    owner = make_member(tenant, "owner")
    answer = admin_of(tenant).post(url("tenants_accesskey_add"), {"name": "up", "principal": str(owner.pk)})
    assert answer.status_code == 422
    assert not AccessKey.objects.for_tenant(tenant).exists()


def test_a_key_is_narrowed_and_revoked_and_then_read_only() -> None:
    tenant = make_tenant()
    key, _ = make_key(tenant)
    client = admin_of(tenant)
    page = url("tenants_accesskey_change", key.pk)
    assert client.post(page, {"name": "new name", "deny": "*:delete_*"}).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.deny) == ("new name", ["*:delete_*"])
    assert client.post(url("tenants_accesskey_delete", key.pk)).status_code == 302
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert client.get(page).status_code == 200
    assert client.post(page, {"name": "again"}).status_code == 403


def test_an_invitation_link_is_shown_once_and_makes_a_new_user_a_member() -> None:
    tenant = make_tenant()
    client = admin_of(tenant)
    answer = client.post(url("tenants_invitation_add"), {"email": "new@example.com", "role": "operator"})
    assert "no-store" in answer["Cache-Control"]
    path = re.search(r"https?://[^/\s]+(/\S*?/invitation/[\w-]+/)", answer.content.decode()).group(1)  # type: ignore[union-attr]
    token = path.rstrip("/").rpartition("/")[2]
    assert token not in client.get(url("tenants_invitation_changelist")).content.decode()
    guest, name = Client(), unique("guest")
    assert tenant.name in guest.get(path).content.decode()
    weak = guest.post(path, {"username": name, "password": "12345678", "again": "12345678"})
    assert weak.status_code == 200
    assert "password" in weak.context["form"].errors
    done = guest.post(
        path, {"username": name, "password": "correct-horse-battery", "again": "correct-horse-battery"}
    )
    assert done.status_code == 302
    assert Membership.objects.for_tenant(tenant).get(user__username=name).role == "operator"
    assert guest.get(url("index")).status_code == 200
    assert Client().get(path).status_code == 404  # works once


def test_a_signed_in_user_accepts_an_invitation_with_one_click() -> None:
    tenant, user = make_tenant(), make_member(make_tenant(), "viewer").user
    answer = admin_of(tenant).post(
        url("tenants_invitation_add"), {"email": "x@example.com", "role": "viewer"}
    )
    path = re.search(r"https?://[^/\s]+(/\S*?/invitation/[\w-]+/)", answer.content.decode()).group(1)  # type: ignore[union-attr]
    client = sign_in(user)
    assert client.post(path).status_code == 302
    assert tenant.slug in client.get(url("index")).content.decode()


def test_inviting_tells_nothing_about_known_addresses() -> None:
    tenant = make_tenant()
    known = make_user(email=f"{unique('k')}@example.com")
    client = admin_of(tenant)
    pages = [
        client.post(url("tenants_invitation_add"), {"email": mail, "role": "viewer"}).content.decode()
        for mail in (known.email, "nobody-at-all@example.com")
    ]
    shapes = [
        re.sub(r"[\w-]+@example\.com|/invitation/[\w-]+/|csrf\w+\" value=\"\w+", "", page) for page in pages
    ]
    assert shapes[0] == shapes[1]


def test_a_superuser_makes_a_user_and_a_password_link_that_works_once(world: World) -> None:
    client, name = sign_in(world.superuser), unique("made")
    assert client.post(url("auth_user_add"), {"username": name, "is_active": "on"}).status_code == 302
    user = get_user_model().objects.get(username=name)
    assert not user.has_usable_password()
    answer = client.post(url("auth_user_password_link", user.pk))
    path = re.search(r"https?://[^/\s]+(/\S*?/password/\S+?/)<", answer.content.decode()).group(1)  # type: ignore[union-attr]
    guest = Client()
    form = guest.get(path, follow=True)
    target = form.redirect_chain[-1][0]
    done = guest.post(
        target, {"new_password1": "correct-horse-battery", "new_password2": "correct-horse-battery"}
    )
    assert done.status_code == 302
    user.refresh_from_db()
    assert user.check_password("correct-horse-battery")
    assert "used or has expired" in Client().get(path, follow=True).content.decode()
    changes = AuditEvent.unscoped.filter(tenant=None, kind="config", name__contains=name)
    assert changes.count() >= 2
    assert not any("correct-horse" in row.arguments for row in changes)


def test_the_last_superuser_cannot_be_locked_out(world: World) -> None:
    get_user_model().objects.filter(is_superuser=True).exclude(pk=world.superuser.pk).update(
        is_superuser=False
    )
    client = sign_in(world.superuser)
    answer = client.post(
        url("auth_user_change", world.superuser.pk),
        {"username": world.superuser.username, "is_superuser": "on"},
    )
    assert answer.status_code == 422
    assert "last active superuser" in answer.content.decode()


def test_a_user_changes_the_own_password() -> None:
    tenant, user = make_tenant(), make_user(password="old-password-77")
    make_member(tenant, "viewer", user)
    client = sign_in(user)
    answer = client.post(
        url("password_change"),
        {
            "old_password": "old-password-77",
            "new_password1": "brand-new-99-x",
            "new_password2": "brand-new-99-x",
        },
    )
    assert answer.status_code == 302
    user.refresh_from_db()
    assert user.check_password("brand-new-99-x")
    row = AuditEvent.unscoped.filter(tenant=None, kind="config", name__contains=user.username).get()
    assert "brand-new" not in row.arguments


def test_sign_ins_are_recorded_and_an_unknown_name_is_not_stored() -> None:
    tenant, user = make_tenant(), make_user(password="a-long-enough-one")
    make_member(tenant, "viewer", user)
    client, typed = Client(), unique("mistyped-password")
    client.post(url("login"), {"username": user.username, "password": "wrong"})
    client.post(url("login"), {"username": typed, "password": "wrong"})
    client.post(url("login"), {"username": user.username, "password": "a-long-enough-one"})
    client.post(url("logout"))
    rows = AuditEvent.unscoped.filter(tenant=None, kind="sign_in", principal_name=user.username).order_by(
        "id"
    )
    assert [row.name for row in rows] == ["sign-in refused", "signed in", "signed out"]
    assert [row.outcome for row in rows] == ["denied", "ok", "ok"]
    everything = AuditEvent.unscoped.filter(kind="sign_in")
    assert not any(typed in f"{r.principal_name}{r.actor_name}{r.message}{r.arguments}" for r in everything)
    entered = AuditEvent.objects.for_tenant(tenant).filter(kind="sign_in")
    assert [row.name for row in entered] == ["entered the admin"]


def test_changes_in_the_admin_are_recorded_with_the_person_who_made_them() -> None:
    tenant = make_tenant()
    member = make_member(tenant, "admin")
    client = sign_in(member.user)
    client.post(url("tenants_serviceaccount_add"), {"name": "nightly", "role": "viewer"})
    row = AuditEvent.objects.for_tenant(tenant).filter(kind="config", name__contains="nightly").get()
    assert member.user.username in (row.actor_name, row.principal_name)
    assert row.via == "admin"


def test_passwords_cannot_be_guessed_at_speed(client):
    user = make_user(superuser=True, password="right-and-long-enough")
    address = f"10.9.{secrets.randbelow(250)}.{secrets.randbelow(250)}"

    def attempt(password):
        form = {"username": user.username, "password": password, "next": "/admin/"}
        return client.post("/admin/login/", form, REMOTE_ADDR=address)

    for _ in range(20):
        assert attempt("wrong").status_code == 200
    refused = attempt("right-and-long-enough")
    assert refused.status_code == 200
    assert "Too many refused sign-ins" in refused.content.decode()
