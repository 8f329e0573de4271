"""Offers of membership, accepted with a link that is shown or mailed once."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model, password_validation
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants import rules
from tenants.errors import InvalidValue, InvitationInvalid
from tenants.models import Invitation, Membership, Tenant
from tenants.principals import Actor, Role
from tenants.services._shared import check_role, finish
from tenants.services.members import add_member

VALID_FOR = timedelta(days=7)


def invitation_create(
    *, tenant: Tenant, email: str, role: str, actor: Actor, valid_for: timedelta = VALID_FOR
) -> tuple[Invitation, str]:
    """Offer a membership; the second value is the secret token of the link, stored nowhere.

    The answer is the same whether or not the address belongs to a user or a member.
    """
    role, email = check_role(role), email.strip() if isinstance(email, str) else ""
    try:
        validate_email(email)
        if len(email) > 254:
            raise ValidationError("")
    except ValidationError as error:
        raise InvalidValue("Write a mail address such as name@example.com.", "email") from error
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        own = rules.demand(actor, tenant, Role.ADMIN, "invite members")
        rules.demand_not_above(own, role)
        invitation: Invitation = Invitation.objects.create(
            tenant=tenant,
            email=email,
            role=role,
            digest=_digest(token),
            invited_by=_user(actor),
            expires_at=timezone.now() + valid_for,
        )
        finish(
            tenant,
            actor,
            f"invitation.create {email}",
            {},
            {"role": role, "expires_at": invitation.expires_at},
        )
    return invitation, token


def invitation_revoke(*, invitation: Invitation, actor: Actor) -> None:
    """Withdraw an offer: its link stops working."""
    with transaction.atomic():
        tenant = invitation.tenant
        rules.demand(actor, tenant, Role.ADMIN, "withdraw invitations")
        gone, _ = Invitation.objects.for_tenant(tenant).filter(pk=invitation.pk).delete()
        if gone:
            finish(tenant, actor, f"invitation.revoke {invitation.email}", {"role": invitation.role}, {})


def invitation_find(token: str) -> Invitation:
    """The open invitation behind a link; raises :class:`tenants.errors.InvitationInvalid`."""
    return _open(token, Invitation.unscoped.select_related("tenant"))


def invitation_accept(*, token: str, user: Any, address: str = "") -> Membership:
    """Make a signed-in user a member; one who is a member already keeps the role.

    Raises :class:`tenants.errors.InvitationInvalid`.
    """
    with transaction.atomic():
        return _accept(token, user, address)


def invitation_accept_new(*, token: str, username: str, password: str, address: str = "") -> Membership:
    """Make a new user with the invited address and a membership.

    Raises :class:`tenants.errors.InvitationInvalid`, or ``InvalidValue`` for a user name that
    is taken or a password that the validators refuse.
    """
    with transaction.atomic():
        invitation = _open(token, Invitation.unscoped.select_related("tenant"))
        model = get_user_model()
        user = model(username=str(username).strip(), email=invitation.email)  # type: ignore[misc]
        try:
            password_validation.validate_password(password, user)
        except ValidationError as error:
            raise InvalidValue(" ".join(error.messages), "password") from error
        user.set_password(password)
        try:
            user.full_clean()
        except ValidationError as error:
            field, messages = next(iter(error.message_dict.items()))
            raise InvalidValue(" ".join(messages), field) from error
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError as error:
            raise InvalidValue("This user name is taken; choose another.", "username") from error
        return _accept(token, user, address)


def _accept(token: str, user: Any, address: str) -> Membership:
    # Locked, so that one link makes one membership however often it is opened at once.
    invitation = _open(
        token, Invitation.unscoped.select_related("tenant").select_for_update(of=("self",), no_key=True)
    )
    tenant, role = invitation.tenant, Role(invitation.role)
    member: Membership | None = Membership.objects.for_tenant(tenant).filter(user=user).first()
    after = {"invitation": invitation.email, "role": role if member is None else member.role}
    if member is None:
        member = add_member(tenant, user, role)
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    actor = Actor(id=str(user.pk), name=user.get_username(), address=address, via="link")
    finish(tenant, actor, f"membership.create {user.get_username()}", {}, after)
    return member


def _open(token: str, rows: Any) -> Invitation:
    found: Invitation | None = rows.filter(digest=_digest(token)).first()
    if found is None or found.accepted_at is not None or found.expires_at <= timezone.now():
        raise InvitationInvalid("This invitation was used, withdrawn or has expired; ask for a new one.")
    return found


def _digest(token: str) -> str:
    return hashlib.sha256(str(token).encode("utf-8", "replace")).hexdigest()


def _user(actor: Actor) -> Any:
    user_id = rules.user_pk(actor)
    return None if user_id is None else get_user_model()._default_manager.filter(pk=user_id).first()
