"""Writes on users, who are global: superusers make and change them, with a row on the platform's chain."""

from typing import Any

from django.contrib.auth import get_user_model, password_validation
from django.core.exceptions import ValidationError
from django.db import transaction

from audit.services import record_change
from tenants.principals import Actor
from tenants.rules import demand_platform
from tenants.services import user_changed

FIELDS = ("username", "email", "first_name", "last_name", "is_active", "is_superuser")


def user_create(*, password: str, actor: Actor, **values: Any) -> Any:
    """Make a user; an empty password makes one that cannot sign in until a link sets it.

    ``values`` are of :data:`FIELDS`. Raises ``django.core.exceptions.ValidationError``.
    """
    user: Any = get_user_model()(**values)
    user.is_staff = user.is_superuser
    _set_password(user, password) if password else user.set_unusable_password()
    with transaction.atomic():
        demand_platform(actor, "make users")
        user.full_clean()
        user.save(force_insert=True)
        after = {name: getattr(user, name) for name in FIELDS}
        record_change(tenant=None, actor=actor, name=f"user:{user.username}", before={}, after=after)
    return user


def user_update(*, user: Any, actor: Actor, **values: Any) -> Any:
    """Change a user; the last active superuser stays one. Raises ``ValidationError``."""
    with transaction.atomic():
        demand_platform(actor, "change users")
        users = get_user_model()._default_manager
        user = users.select_for_update().get(pk=user.pk)
        before = {name: getattr(user, name) for name in values if getattr(user, name) != values[name]}
        for name, value in values.items():
            setattr(user, name, value)
        user.is_staff = user.is_superuser
        if not before:
            return user
        if not (user.is_superuser and user.is_active):
            others = users.select_for_update().filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
            if not others.exists():
                raise ValidationError("This is the last active superuser; make somebody else one first.")
        user.full_clean()
        user.save(update_fields=[*before, "is_staff"])
        user_changed(user)
        after = {name: values[name] for name in before}
        record_change(tenant=None, actor=actor, name=f"user:{user.username}", before=before, after=after)
    return user


def record_password_change(user: Any, actor: Actor) -> None:
    """Write that a password changed, never which, inside the transaction that changes it."""
    change = {"password": "changed"}
    record_change(tenant=None, actor=actor, name=f"user:{user.get_username()}", before={}, after=change)


def _set_password(user: Any, password: str) -> None:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error
    user.set_password(password)
