"""Small steps that the services of this room share."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from pydantic import BaseModel, ValidationError

from connectors.base import Connector
from connectors.models import Connection
from connectors.registry import UnknownConnectorError, connector_class
from tenants.errors import InvalidValue
from tenants.models import Tenant


def class_of(slug: str) -> type[Connector]:
    try:
        return connector_class(slug)
    except UnknownConnectorError as error:
        raise InvalidValue(str(error), "connector") from error


def validated(model: type[BaseModel], values: Mapping[str, Any], prefix: str) -> BaseModel:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(map(str, first["loc"]))
        said = _said(model, first)
        raise InvalidValue(f"{path}: {said}" if path else said, f"{prefix}.{path}") from None


def _said(model: type[BaseModel], error: Any) -> str:
    """Pydantic's sentence, or one for people where that speaks of patterns and fields."""
    info = model.model_fields.get(str(error["loc"][0])) if error["loc"] else None
    if error["type"] == "missing":
        return _("This is needed.")
    if error["type"] == "string_pattern_mismatch":
        if info is not None and isinstance(info.default, str) and info.default:
            return _("This is not written as it must be, such as %(value)s.") % {"value": info.default}
        return _("This is not written as it must be (%(pattern)s).") % {"pattern": error["ctx"]["pattern"]}
    return str(error["msg"]).removeprefix("Value error, ")


def lock_tenant(tenant: Tenant) -> None:
    """Make changes that add rows wait for each other: there is no row yet that they could lock.

    NO KEY, here and below: a plain FOR UPDATE would collide with the foreign key checks of
    rows that others insert meanwhile.
    """
    if not Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk).values_list("pk"):
        raise InvalidValue(_("This tenant does not exist any more."))


def locked(connection: Connection) -> Connection:
    """The row as it is now, locked. Raises InvalidValue where it is gone."""
    rows = Connection.objects.for_tenant(connection.tenant_id).select_for_update(of=("self",), no_key=True)
    found: Connection | None = rows.select_related("tenant").filter(pk=connection.pk).first()
    if found is None:
        raise InvalidValue(_("This connection does not exist any more."))
    return found
