"""Small steps that all services of this room share."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models

from audit import services as audit
from common.text import clean_text
from tenants.changes import tenant_changed
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Actor, Role


class Unset(Enum):
    """An argument that was not given, where None is a value of its own."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


def finish(
    tenant: Tenant, actor: Actor, name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Bump the version and write the audit row: the last two steps of every service."""
    tenant_changed(tenant.pk)
    audit.record_change(tenant=tenant, actor=actor, name=name, before=plain(before), after=plain(after))


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON knows them."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return str(value) if isinstance(value, Enum) else value


def check(instance: models.Model, *, skip: tuple[str, ...] = ()) -> None:
    """Run the model's field validators; raises :class:`InvalidValue` for the first field at fault."""
    try:
        instance.clean_fields(exclude=set(skip))
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidValue(" ".join(messages), field) from error


def check_name(name: object, limit: int, field: str = "name") -> str:
    """A name for people: without control characters, not empty, at most ``limit`` long."""
    text = name.strip() if isinstance(name, str) else ""
    if not text or len(text) > limit or clean_text(text, limit) != text or not text.isprintable():
        raise InvalidValue(f"Write a name of 1 to {limit} printable characters.", field)
    return text


def check_role(role: object) -> Role:
    """The role of this name; raises :class:`InvalidValue`."""
    try:
        return Role(str(role))
    except ValueError:
        raise InvalidValue(f"Write one of {', '.join(Role)} as the role.", "role") from None


def changed(instance: models.Model, **values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the given values; before and after of those that differ. UNSET values are left alone."""
    before, after = {}, {}
    for field, value in values.items():
        old = getattr(instance, field)
        if value is not UNSET and value != old:
            before[field], after[field] = old, value
            setattr(instance, field, value)
    return before, after
