"""Changing what a tenant has configured: one transaction each, version bump, audit row last."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as FieldErrors
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from pydantic import BaseModel, SecretStr, ValidationError

from audit.services import record_change
from common.db import in_db
from common.text import clean_text
from common.vault import VaultError, decrypt, encrypt
from connectors.base import CheckResult, Connector
from connectors.context import CREDENTIAL_PURPOSE, CallContext, Channel
from connectors.errors import ConnectorError
from connectors.models import Connection, Credential, HealthCheck, ToolPermission, ToolSwitch
from connectors.registry import UnknownConnectorError, connector_class
from connectors.snapshot import connection_ref, snapshot_of
from tenants.changes import tenant_changed
from tenants.errors import AlreadyThere, InvalidValue
from tenants.models import Principal, Tenant
from tenants.patterns import validate_patterns
from tenants.principals import Actor, Caller, PrincipalKind, Role
from tenants.rules import demand

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 20


def connection_create(
    *,
    tenant: Tenant,
    connector: str,
    slug: str,
    name: str = "",
    settings: Mapping[str, Any] | None = None,
    credential_mode: str | None = None,
    credential: Mapping[str, Any] | None = None,
    read_only: bool = False,
    enabled: bool = True,
    actor: Actor,
) -> Connection:
    """Connect a tenant to a system.

    Raises InvalidValue (with the field at fault), AlreadyThere for a slug in use or a name
    that another connector's tools have, and NotAllowed.
    """
    cls = _class_of(connector)
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "add connections")
        _lock_tenant(tenant)
        own = list(Connection.objects.for_tenant(tenant))
        if any(row.slug == slug for row in own):
            raise AlreadyThere(_("This tenant has a connection %(slug)r already.") % {"slug": slug}, "slug")
        primary = not any(row.connector == connector and row.is_primary for row in own)
        if primary:
            _refuse_clash(connector, cls, own)
        row = Connection(
            tenant=tenant,
            connector=connector,
            slug=slug,
            name=name.strip() or cls.title,
            settings=valid_settings(cls, settings or {}),
            credential_mode=credential_mode or _default_mode(cls),
            read_only=read_only,
            enabled=enabled,
            is_primary=primary,
            seen_tools=sorted(cls.tools),
        )
        _clean(row)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            raise AlreadyThere(
                _("This tenant has a connection %(slug)r already.") % {"slug": slug}, "slug"
            ) from error
        if credential:
            _store_credential(row, credential, None, "settings")
        cls.on_created(connection_ref(row, tenant.time_zone))
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant,
            actor=actor,
            name=f"connection.create {slug}",
            before={},
            after=connection_facts(row),
        )
    return row


def connection_update(
    row: Connection,
    *,
    actor: Actor,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    credential_mode: str | None = None,
    read_only: bool | None = None,
    enabled: bool | None = None,
) -> Connection:
    """Change a connection; what is None stays. Its slug and connector never change."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "change connections")
        row = _locked(row)
        before = connection_facts(row)
        if name is not None:
            row.name = name.strip() or row.name
        if settings is not None:
            row.settings = valid_settings(_class_of(row.connector), settings)
        if credential_mode is not None:
            row.credential_mode = credential_mode
        if read_only is not None:
            row.read_only = read_only
        if enabled is not None:
            row.enabled = enabled
        _clean(row)
        after = connection_facts(row)
        if after != before:
            row.version += 1
            row.save()
            tenant_changed(tenant.pk)
            record_change(
                tenant=tenant, actor=actor, name=f"connection.update {row.slug}", before=before, after=after
            )
    return row


def connection_delete(row: Connection, *, actor: Actor) -> None:
    """Remove a connection with its credentials, switches and data."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "remove connections")
        row = _locked(row)
        before = connection_facts(row)
        _release_on_commit(row, tenant)
        row.delete()
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant, actor=actor, name=f"connection.delete {row.slug}", before=before, after={}
        )


def release_tenant(tenant: Tenant) -> None:
    """Release what the connections of a tenant that is being deleted keep outside the database."""
    for row in Connection.objects.for_tenant(tenant):
        _release_on_commit(row, tenant)


def _release_on_commit(row: Connection, tenant: Tenant) -> None:
    try:
        cls = connector_class(row.connector)
    except UnknownConnectorError:
        return  # its package was uninstalled, and with it whatever knew what it kept
    ref = connection_ref(row, tenant.time_zone)
    # robust: a Redis that is away must not turn a committed deletion into an error
    transaction.on_commit(lambda: cls.on_deleted(ref), robust=True)


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
        _bump(connection)
        row = _store_credential(connection, values, principal, kind)
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
        _bump(connection)
        removed, _rows = (
            Credential.objects.for_tenant(tenant)
            .filter(connection=connection, principal=principal, kind=kind)
            .delete()
        )
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


def switch_set(
    connection: Connection, *, actor: Actor, tool: str = "", toolset: str = "", enabled: bool | None
) -> None:
    """Switch one tool or one toolset on or off; None returns it to its default."""
    cls = _class_of(connection.connector)
    if bool(tool) == bool(toolset):
        raise InvalidValue(_("Name either a tool or a toolset."))
    if tool and tool not in cls.tools:
        raise InvalidValue(_("%(name)s has no tool %(tool)r.") % {"name": cls.title, "tool": tool}, "tool")
    if toolset and toolset not in {spec.toolset for spec in cls.tools.values()}:
        raise InvalidValue(
            _("%(name)s has no toolset %(set)r.") % {"name": cls.title, "set": toolset}, "toolset"
        )
    with transaction.atomic():
        tenant = connection.tenant
        demand(actor, tenant, Role.ADMIN, "switch tools")
        _locked(connection)
        rows = ToolSwitch.objects.for_tenant(tenant).filter(connection=connection, tool=tool, toolset=toolset)
        former = rows.first()
        before = former.enabled if former else None
        if before == enabled:
            return
        if enabled is None:
            rows.delete()
        elif former:
            rows.update(enabled=enabled)
        else:
            ToolSwitch.objects.create(
                tenant=tenant, connection=connection, tool=tool, toolset=toolset, enabled=enabled
            )
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant,
            actor=actor,
            name=f"switch.set {connection.slug}:{tool or toolset}",
            before={"enabled": before},
            after={"enabled": enabled},
        )


def permission_set(
    *, tenant: Tenant, role: str, allow: list[str], deny: list[str], actor: Actor
) -> ToolPermission:
    """Say what a role may use, as patterns ``connection:tool``; empty lists take all rules away."""
    try:
        role = Role(role).value
    except ValueError as error:
        raise InvalidValue(
            _("Write one of %(roles)s.") % {"roles": ", ".join(r.value for r in Role)}, "role"
        ) from error
    allow, deny = validate_patterns(allow, "allow"), validate_patterns(deny, "deny")
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "change permissions")
        _lock_tenant(tenant)
        row = ToolPermission.objects.for_tenant(tenant).filter(role=role).first()
        before = {"allow": row.allow, "deny": row.deny} if row else {}
        if row is None:
            row = ToolPermission(tenant=tenant, role=role)
        row.allow, row.deny = allow, deny
        row.save()
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant,
            actor=actor,
            name=f"permission.set {role}",
            before=before,
            after={"allow": allow, "deny": deny},
        )
    return row


async def connection_check(connection: Connection, *, caller: Caller | None = None) -> CheckResult:
    """Test a connection now and keep the answer on its page.

    ``caller`` is whoever asks: a personal connection is tested with the caller's own
    credential. Failures are results, not exceptions.
    """
    started = time.perf_counter()
    snapshot = await snapshot_of(connection.tenant_id)
    view = snapshot.connection(connection.slug)
    if view is None:
        result = CheckResult(
            False, _("The connector %(name)s is not installed.") % {"name": connection.connector}
        )
    else:
        asking = caller or _nobody(snapshot.tenant)
        context = CallContext(
            asking, view, Channel(), f"check-{uuid.uuid4().hex[:12]}", time.monotonic() + CHECK_TIMEOUT_S
        )
        result = await _checked(view.connector, context)
    latency = int((time.perf_counter() - started) * 1000)
    await in_db(_store_check, connection.tenant_id, connection.pk, result, latency)
    return result


async def _checked(connector: Connector, context: CallContext) -> CheckResult:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await connector.check(context)
    except ConnectorError as error:
        return CheckResult(False, error.message, {"hint": error.hint, "type": error.type})
    except TimeoutError:
        return CheckResult(False, _("No answer within %(seconds)d seconds.") % {"seconds": CHECK_TIMEOUT_S})
    except VaultError as error:
        return CheckResult(False, str(error))
    except Exception as error:
        logger.exception("The check of connection %s failed", context.connection.slug, exc_info=error)
        return CheckResult(
            False,
            _("The check failed inside Portico; the operator finds it in the log under %(id)s.")
            % {"id": context.request_id},
        )


def credential_fields(connection: Connection) -> list[str]:
    """Names of the secrets that are stored for everybody, never their values."""
    row = (
        Credential.objects.for_tenant(connection.tenant_id)
        .filter(connection=connection, principal=None, kind="settings")
        .first()
    )
    return sorted(name for name, value in _read(connection.tenant, row).items() if value) if row else []


def connection_facts(row: Connection) -> dict[str, Any]:
    """What the audit shows of a connection; secrets are in its credential, never in its settings."""
    return {
        "connector": row.connector,
        "slug": row.slug,
        "name": row.name,
        "settings": dict(row.settings),
        "credential_mode": str(row.credential_mode),
        "read_only": row.read_only,
        "enabled": row.enabled,
    }


def valid_settings(cls: type[Connector], values: Mapping[str, Any]) -> dict[str, Any]:
    """A connector's settings as stored JSON. Raises InvalidValue naming the field."""
    stored: dict[str, Any] = _validated(cls.Settings, values, "settings").model_dump(mode="json")
    for name, value in stored.items():
        if any(clean_text(text, len(text)) != text for text in _texts(value)):
            raise InvalidValue(_("This text has a character that cannot be stored."), f"settings.{name}")
    return stored


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _validated(model: type[BaseModel], values: Mapping[str, Any], prefix: str) -> BaseModel:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(map(str, first["loc"]))
        said = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidValue(f"{path}: {said}" if path else said, f"{prefix}.{path}") from None


def _lock_tenant(tenant: Tenant) -> None:
    """Make changes that add rows wait for each other: there is no row yet that they could lock.

    NO KEY, here and below: a plain FOR UPDATE would collide with the foreign key checks of
    rows that others insert meanwhile.
    """
    if not Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk).values_list("pk"):
        raise InvalidValue(_("This tenant does not exist any more."))


def _locked(connection: Connection) -> Connection:
    """The row as it is now, locked. Raises InvalidValue where it is gone."""
    rows = Connection.objects.for_tenant(connection.tenant_id).select_for_update(of=("self",), no_key=True)
    found: Connection | None = rows.select_related("tenant").filter(pk=connection.pk).first()
    if found is None:
        raise InvalidValue(_("This connection does not exist any more."))
    return found


def _bump(connection: Connection) -> None:
    """Make the connection newer, so that no result under its former credential is used again."""
    connection.version = _locked(connection).version + 1
    Connection.objects.for_tenant(connection.tenant_id).filter(pk=connection.pk).update(
        version=connection.version
    )


def _class_of(slug: str) -> type[Connector]:
    try:
        return connector_class(slug)
    except UnknownConnectorError as error:
        raise InvalidValue(str(error), "connector") from error


def _default_mode(cls: type[Connector]) -> str:
    return Connection.CredentialMode.SHARED if cls.Credentials else Connection.CredentialMode.NONE


def _clean(row: Connection) -> None:
    """The model's own rules, as this room's error."""
    if not row.name.isprintable():
        raise InvalidValue(_("Write a name of printable characters."), "name")
    try:
        row.clean_fields(exclude=["tenant", "seen_tools"])
    except FieldErrors as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidValue(messages[0], field) from error


def _refuse_clash(connector: str, cls: type[Connector], rows: list[Connection]) -> None:
    """Two connectors' bare names must differ, since both would be listed under the same name."""
    mine = _names(cls)
    for row in rows:
        if not row.is_primary or row.connector == connector:
            continue
        shared = sorted(mine & _names(_class_of(row.connector)))
        if shared:
            raise AlreadyThere(
                _("%(mine)s and %(other)s both have %(names)s; only one of them can be connected here.")
                % {"mine": cls.title, "other": row.connector, "names": ", ".join(shared[:5])},
                "connector",
            )


def _names(cls: type[Connector]) -> set[str]:
    return {name for spec in cls.tools.values() for name in (spec.name, *spec.aliases)}


def _read(tenant: Tenant, row: Credential) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(decrypt(tenant, row.pk, CREDENTIAL_PURPOSE, row.ciphertext))
    return value


def _store_credential(
    connection: Connection, values: Mapping[str, Any], principal: Principal | None, kind: str
) -> Credential:
    cls = _class_of(connection.connector)
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
    model = _validated(cls.Credentials, merged, "credential")
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


def _store_check(tenant_id: UUID, connection_id: UUID, result: CheckResult, latency_ms: int) -> None:
    HealthCheck.objects.update_or_create(
        tenant_id=tenant_id,
        connection_id=connection_id,
        defaults={
            "ok": result.ok,
            "message": clean_text(result.message, 500),
            "details": json.loads(json.dumps(dict(result.details), default=str)),
            "latency_ms": latency_ms,
        },
    )


def _nobody(tenant: Any) -> Caller:
    """The platform itself, for tests that nobody in particular asked for."""
    return Caller(
        tenant=tenant,
        principal_id=UUID(int=0),
        principal_kind=PrincipalKind.SERVICE_ACCOUNT,
        principal_name="platform",
        role=Role.VIEWER,
        via="task",
    )
