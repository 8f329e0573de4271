import threading
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from audit.models import AuditEvent
from tenants import services
from tenants.errors import InvalidValue, InvitationInvalid
from tenants.models import Invitation, Membership
from tenants.services.invitations import invitation_find
from tests.factories import SYSTEM, actor_of, make_member, make_tenant, make_user, unique

PASSWORD = "correct horse battery staple"


def invite(tenant, role="operator", email=None, **fields):
    return services.invitation_create(
        tenant=tenant, email=email or f"{unique()}@example.com", role=role, actor=SYSTEM, **fields
    )


def test_a_new_person_sets_a_password_and_is_a_member():
    tenant = make_tenant()
    invitation, token = invite(tenant, "viewer")
    name = unique("u")
    member = services.invitation_accept_new(token=token, username=name, password=PASSWORD)
    assert (member.tenant_id, member.role, member.user.email) == (tenant.pk, "viewer", invitation.email)
    assert member.user.check_password(PASSWORD)
    assert not member.user.is_staff
    assert not member.user.is_superuser


def test_a_user_joins_with_the_offered_role():
    tenant, user = make_tenant(), make_user()
    member = services.invitation_accept(token=invite(tenant, "admin")[1], user=user)
    assert (member.user, member.role) == (user, "admin")
    row = AuditEvent.objects.for_tenant(tenant).order_by("-seq").first()
    assert (row.principal_id, row.principal_name) == (str(user.pk), user.username)


def test_a_member_who_accepts_keeps_the_role():
    tenant = make_tenant()
    owner = make_member(tenant, "owner")
    member = services.invitation_accept(token=invite(tenant, "viewer")[1], user=owner.user)
    assert (member.pk, member.role) == (owner.pk, "owner")


def test_inviting_does_not_tell_whether_the_address_is_known():
    tenant = make_tenant()
    known = make_user(email=f"{unique()}@example.com")
    make_member(tenant, "viewer", known)
    one, _ = invite(tenant, email=known.email)
    two, _ = invite(tenant, email=f"{unique()}@example.com")
    differing = {
        field.name
        for field in Invitation._meta.fields
        if getattr(one, field.name) != getattr(two, field.name)
    }
    assert differing <= {"id", "email", "digest", "expires_at", "created_at"}


def test_a_link_works_once():
    tenant = make_tenant()
    _, token = invite(tenant)
    services.invitation_accept(token=token, user=make_user())
    with pytest.raises(InvitationInvalid):
        services.invitation_accept(token=token, user=make_user())
    with pytest.raises(InvitationInvalid):
        invitation_find(token)


def test_a_link_opened_by_many_at_once_makes_one_member():
    tenant = make_tenant()
    _, token = invite(tenant)
    users = [make_user() for _ in range(4)]
    outcomes = []

    def accept(user):
        try:
            services.invitation_accept(token=token, user=user)
            outcomes.append("in")
        except InvitationInvalid:
            outcomes.append("late")
        finally:
            connection.close()

    threads = [threading.Thread(target=accept, args=(user,)) for user in users]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(outcomes) == ["in", "late", "late", "late"]
    assert Membership.objects.for_tenant(tenant).count() == 1


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "é" * 5000])
def test_a_poison_link_is_as_invalid_as_any(token):
    with pytest.raises(InvitationInvalid):
        invitation_find(token)


def test_expired_and_withdrawn_links_end():
    tenant = make_tenant()
    _, late = invite(tenant, valid_for=timedelta(seconds=-1))
    invitation, withdrawn = invite(tenant)
    services.invitation_revoke(invitation=invitation, actor=SYSTEM)
    for token in (late, withdrawn):
        with pytest.raises(InvitationInvalid):
            invitation_find(token)


@pytest.mark.parametrize(
    ("username", "password", "field"),
    [
        ("", PASSWORD, "username"),
        ("a b", PASSWORD, "username"),
        ("x\x00y", PASSWORD, "username"),
        (None, "12345678", "password"),
    ],
)
def test_a_refused_new_user_leaves_nothing_and_the_link_open(username, password, field):
    tenant = make_tenant()
    invitation, token = invite(tenant)
    with pytest.raises(InvalidValue) as refused:
        services.invitation_accept_new(
            token=token, username=unique("u") if username is None else username, password=password
        )
    assert refused.value.field == field
    assert invitation_find(token).pk == invitation.pk
    assert not get_user_model().objects.filter(email=invitation.email).exists()


def test_a_taken_user_name_is_said():
    taken = make_user()
    with pytest.raises(InvalidValue) as refused:
        services.invitation_accept_new(
            token=invite(make_tenant())[1], username=taken.username, password=PASSWORD
        )
    assert refused.value.field == "username"


@pytest.mark.parametrize("email", ["", "x", "a@b", "a\x00@example.com", None, "a" * 250 + "@example.com"])
def test_a_wrong_address_is_refused(email):
    with pytest.raises(InvalidValue):
        services.invitation_create(tenant=make_tenant(), email=email, role="viewer", actor=SYSTEM)


def test_the_inviter_is_remembered_and_the_token_stored_nowhere():
    tenant = make_tenant()
    owner = make_member(tenant, "owner")
    invitation, token = services.invitation_create(
        tenant=tenant, email="new@example.com", role="owner", actor=actor_of(owner.user)
    )
    assert invitation.invited_by == owner.user
    assert token not in str(Invitation.objects.for_tenant(tenant).values().get())
    assert all(token not in str(vars(row)) for row in AuditEvent.objects.for_tenant(tenant))
