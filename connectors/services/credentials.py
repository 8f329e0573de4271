"""Secrets of connections: stored encrypted, never handed out."""

import json
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

from django.db import transaction
from django.utils.translation import gettext as _
from pydantic import SecretBytes, SecretStr

from audit.services import record_change
from common.vault import decrypt, encrypt
from connectors.context import CREDENTIAL_PURPOSE
from connectors.models import Connection, Credential, HealthCheck
from connectors.registry import connector_slugs
from connectors.services._shared import class_of, locked, validated
from connectors.services.tokens import tokens_forget
from tenants.changes import tenant_changed
from tenants.errors import InvalidValue
from tenants.models import Principal, Tenant
from tenants.principals import Actor, Role
from tenants.rules import demand


def credential_set(
    connection: Connection,
    values: Mapping[str, Any],
    *,
    actor: Actor,
    principal: Principal | None = None,
    kind: str = "settings",
) -> Credential:
    """Store a connection's secrets: of everybody, or of one principal.

    ``values`` are the fields of the connector's ``Credentials``. A field that is missing or
    empty keeps its stored value, so a form that was not changed overwrites nothing.
    Raises InvalidValue; no message ever has a value in it.
    """
    with transaction.atomic():
        tenant = connection.tenant
        own_account = principal is not None and str(principal.user_id or principal.pk) == actor.id
        demand(actor, tenant, Role.VIEWER if own_account else Role.ADMIN, "store credentials")
        _bump(connection, shared=principal is None)
        row = store_credential(connection, values, principal, kind)
        tokens_forget(tenant.pk, connection.pk, principal.pk if principal else None)
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant,
            actor=actor,
            name=f"credential.set {connection.slug}",
            before={},
            after={"kind": kind, "version": row.version, "principal": str(principal.pk) if principal else ""},
        )
    return row


def credential_delete(
    connection: Connection, *, actor: Actor, principal: Principal | None = None, kind: str = "settings"
) -> bool:
    """Forget a connection's secrets; tells whether there were any."""
    with transaction.atomic():
        tenant = connection.tenant
        own_account = principal is not None and str(principal.user_id or principal.pk) == actor.id
        demand(actor, tenant, Role.VIEWER if own_account else Role.ADMIN, "remove credentials")
        _bump(connection, shared=principal is None)
        removed, _rows = (
            Credential.objects.for_tenant(tenant)
            .filter(connection=connection, principal=principal, kind=kind)
            .delete()
        )
        tokens_forget(tenant.pk, connection.pk, principal.pk if principal else None)
        if removed:
            tenant_changed(tenant.pk)
            record_change(
                tenant=tenant,
                actor=actor,
                name=f"credential.delete {connection.slug}",
                before={"kind": kind},
                after={},
            )
    return bool(removed)


def credential_fields(connection: Connection, principal: Principal | None = None) -> list[str]:
    """Names of the secrets that are stored for everybody or for one principal, never their values."""
    row = (
        Credential.objects.for_tenant(connection.tenant_id)
        .filter(connection=connection, principal=principal, kind="settings")
        .first()
    )
    return sorted(name for name, value in _read(connection.tenant, row).items() if value) if row else []


def credential_choices(connection: Connection, principal: Principal | None = None) -> dict[str, Any]:
    """Of what is stored, how it signs in and until when: choices, dates and switches, never a text."""
    row = (
        Credential.objects.for_tenant(connection.tenant_id)
        .filter(connection=connection, principal=principal, kind="settings")
        .first()
    )
    model = class_of(connection.connector).Credentials if row is not None else None
    if row is None or model is None:
        return {}
    stored = _read(connection.tenant, row)
    return {
        name: stored[name]
        for name, info in model.model_fields.items()
        if stored.get(name) is not None and not _is_text(info.annotation)
    }


def _is_text(annotation: Any) -> bool:
    """Whether a field of this type holds what somebody typed."""
    if get_origin(annotation) is Literal:
        return False
    if isinstance(annotation, type) and issubclass(annotation, str | SecretStr | SecretBytes | bytes):
        return not issubclass(annotation, Enum)
    parts = get_args(annotation)
    return any(map(_is_text, parts[:1] if get_origin(annotation) is Annotated else parts))


def credential_warnings(connection: Connection, principal: Principal | None = None) -> list[str]:
    """What the connector finds odd about the stored credential, in sentences without its values."""
    row = (
        Credential.objects.for_tenant(connection.tenant_id)
        .filter(connection=connection, principal=principal, kind="settings")
        .first()
    )
    if row is None or connection.connector not in connector_slugs():
        return []
    return class_of(connection.connector).credential_warnings(_read(connection.tenant, row))


def credential_has(
    connection: Connection, values: Mapping[str, Any], principal: Principal | None = None
) -> bool:
    """Whether a credential is stored that has these values; nobody learns which it has."""
    row = (
        Credential.objects.for_tenant(connection.tenant_id)
        .filter(connection=connection, principal=principal, kind="settings")
        .first()
    )
    stored = _read(connection.tenant, row) if row else {}
    return row is not None and all(stored.get(name) == value for name, value in values.items())


def store_credential(
    connection: Connection, values: Mapping[str, Any], principal: Principal | None, kind: str
) -> Credential:
    """Merge the values into what is stored, in the caller's transaction, which holds the connection's row."""
    cls = class_of(connection.connector)
    if cls.Credentials is None:
        raise InvalidValue(_("%(name)s takes no credential.") % {"name": cls.title}, "credential")
    tenant = connection.tenant
    if principal is not None and principal.tenant_id != tenant.pk:
        raise InvalidValue(_("This principal is not of this tenant."), "principal")
    row = (
        Credential.objects.for_tenant(tenant)
        .filter(connection=connection, principal=principal, kind=kind)
        .first()
    )
    merged = _read(tenant, row) if row else {}
    merged.update({name: value for name, value in values.items() if value not in (None, "")})
    model = validated(cls.Credentials, merged, "credential")
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in model.model_dump().items()
    }
    if row is None:
        row = Credential(tenant=tenant, connection=connection, principal=principal, kind=kind, version=0)
    row.version += 1
    row.ciphertext = encrypt(tenant, row.pk, CREDENTIAL_PURPOSE, json.dumps(plain, default=str).encode())
    row.save()
    return row


def _read(tenant: Tenant, row: Credential) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(decrypt(tenant, row.pk, CREDENTIAL_PURPOSE, row.ciphertext))
    return value


def _bump(connection: Connection, *, shared: bool) -> None:
    """Make the connection newer, so that no result under its former credential is used again."""
    connection.version = locked(connection).version + 1
    own = Connection.objects.for_tenant(connection.tenant_id).filter(pk=connection.pk)
    own.update(version=connection.version)
    if shared:  # the one that probes use: somebody waits to see whether it works now, and what it may do
        connection.hidden_tools = {}
        own.update(hidden_tools={})
        checks = HealthCheck.objects.for_tenant(connection.tenant_id).filter(connection=connection)
        checks.update(next_probe_at=None)
