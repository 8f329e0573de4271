"""Connecting a tenant to systems, and letting them go."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError as FieldErrors
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from pydantic import BaseModel

from audit.services import record_change
from common.text import clean_text
from connectors.base import Connector
from connectors.connection_settings import CacheSettings, NetworkSettings
from connectors.models import Connection, HealthCheck
from connectors.registry import UnknownConnectorError, connector_class
from connectors.services._shared import class_of, lock_tenant, locked, validated
from connectors.services.credentials import store_credential
from connectors.snapshot import connection_ref
from connectors.upstream.cache.forgetting import forget_now
from tenants.changes import tenant_changed
from tenants.errors import AlreadyThere, InvalidValue
from tenants.models import Tenant
from tenants.principals import Actor, Role
from tenants.rules import demand

PROBE_MINUTES = 5
TESTED = ("settings", "credential_mode", "caller_token", "network")  # what a test's findings rest on


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
    caller_token: bool = False,
    network: Mapping[str, Any] | None = None,
    cache: Mapping[str, Any] | None = None,
    probe_minutes: int | None = None,
    actor: Actor,
) -> Connection:
    """Connect a tenant to a system.

    Raises InvalidValue (with the field at fault), AlreadyThere for a slug in use or a name
    that another connector's tools have, and NotAllowed.
    """
    cls = class_of(connector)
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "add connections")
        lock_tenant(tenant)
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
            caller_token=caller_token,
            network=_network(network or {}),
            cache=_cache(cls, cache or {}),
            probe_minutes=PROBE_MINUTES if probe_minutes is None else probe_minutes,
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
            store_credential(row, credential, None, "settings")
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
    caller_token: bool | None = None,
    network: Mapping[str, Any] | None = None,
    cache: Mapping[str, Any] | None = None,
    probe_minutes: int | None = None,
) -> Connection:
    """Change a connection; what is None stays. Its slug and connector never change."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "change connections")
        row = locked(row)
        before = connection_facts(row)
        if name is not None:
            row.name = name.strip() or row.name
        if settings is not None:
            row.settings = valid_settings(class_of(row.connector), settings)
        if credential_mode is not None:
            row.credential_mode = credential_mode
        if read_only is not None:
            row.read_only = read_only
        if enabled is not None:
            row.enabled = enabled
        if caller_token is not None:
            row.caller_token = caller_token
        if network is not None:
            row.network = _network(network)
        if cache is not None:
            row.cache = _cache(class_of(row.connector), cache)
        if probe_minutes is not None:
            row.probe_minutes = probe_minutes
        _clean(row)
        after = connection_facts(row)
        if after != before:
            if any(after[name] != before[name] for name in TESTED):
                row.hidden_tools = {}  # found with what was changed
            row.version += 1
            row.save()
            # What was changed is probed soon, by its new interval and with its new settings.
            HealthCheck.objects.for_tenant(tenant).filter(connection=row).update(next_probe_at=None)
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
        row = locked(row)
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
    tenant_id, connection_id = tenant.pk, row.pk
    transaction.on_commit(lambda: forget_now(tenant_id, connection_id), robust=True)
    try:
        cls = connector_class(row.connector)
    except UnknownConnectorError:
        return  # its package was uninstalled, and with it whatever knew what it kept
    ref = connection_ref(row, tenant.time_zone)
    # robust: a Redis that is away must not turn a committed deletion into an error
    transaction.on_commit(lambda: cls.on_deleted(ref), robust=True)


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
        "caller_token": row.caller_token,
        "network": dict(row.network),
        "cache": dict(row.cache),
        "probe_minutes": row.probe_minutes,
    }


def valid_settings(cls: type[Connector], values: Mapping[str, Any]) -> dict[str, Any]:
    """A connector's settings as stored JSON. Raises InvalidValue naming the field."""
    stored: dict[str, Any] = validated(cls.Settings, values, "settings").model_dump(mode="json")
    for name, value in stored.items():
        if any(clean_text(text, len(text)) != text for text in _texts(value)):
            raise InvalidValue(_("This text has a character that cannot be stored."), f"settings.{name}")
    return stored


def own_settings(model: type[BaseModel], values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What differs from the defaults, as stored JSON. Raises InvalidValue naming the field."""
    stored: dict[str, Any] = validated(model, values, prefix).model_dump(mode="json", exclude_defaults=True)
    return stored


def _network(values: Mapping[str, Any]) -> dict[str, Any]:
    """Network settings as stored; a private authority that nobody could use is refused now."""
    stored = own_settings(NetworkSettings, values, "network")
    if "ca" in stored:
        try:
            ssl.create_default_context(cadata=stored["ca"])
        except (ssl.SSLError, ValueError):
            raise InvalidValue(
                _("Paste a certificate in PEM form, from BEGIN CERTIFICATE to END CERTIFICATE."), "network.ca"
            ) from None
    return stored


def _cache(cls: type[Connector], values: Mapping[str, Any]) -> dict[str, Any]:
    """Cache settings as stored; a time for a tool that the connector does not have is refused."""
    stored = own_settings(CacheSettings, values, "cache")
    for name in stored.get("tools", {}):
        if name not in cls.tools:
            raise InvalidValue(
                _("%(title)s has no tool %(name)s.") % {"title": cls.title, "name": name}, "cache.tools"
            )
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
        shared = sorted(mine & _names(class_of(row.connector)))
        if shared:
            raise AlreadyThere(
                _("%(mine)s and %(other)s both have %(names)s; only one of them can be connected here.")
                % {"mine": cls.title, "other": row.connector, "names": ", ".join(shared[:5])},
                "connector",
            )


def _names(cls: type[Connector]) -> set[str]:
    """All that clients find under a bare name: tools with their aliases, prompts, resources."""
    tools = {name for spec in cls.tools.values() for name in (spec.name, *spec.aliases)}
    return (
        tools
        | {f"prompt {name}" for name in cls.prompts}
        | {f"resource {spec.uri}" for spec in cls.resources}
    )
