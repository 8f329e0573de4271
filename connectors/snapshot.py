"""A tenant's configuration, compiled once into a frozen value that calls read without a query.

Snapshots live in a bounded LRU. One is used only while its version is the newest that was
announced for its tenant; building is single flight per tenant.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jsonschema_rs
from django.db import transaction

from common.db import in_db
from connectors.base import ConnectionRef, Connector, PromptSpec, ResourceSpec, ToolSpec
from connectors.connection_settings import CACHE_DEFAULTS, CacheSettings, NetworkSettings, read_settings
from connectors.limiting.rules import Compiler, Limits
from connectors.models import Connection, Credential, Endpoint, ToolPermission, ToolSwitch, UsageLimit
from connectors.permissions import ConnectionRules, EndpointRules, RoleRule
from connectors.registry import UnknownConnectorError, connector_class
from connectors.tokens import token_names
from connectors.toolset_names import canonical
from tenants.changes import watcher
from tenants.models import Tenant
from tenants.principals import Role, TenantRef

logger = logging.getLogger(__name__)

MAX_SNAPSHOTS = 2_000


class TenantGoneError(LookupError):
    """The tenant does not exist any more."""


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A shared credential as it is stored: still encrypted, decrypted for each call."""

    id: UUID
    version: int
    ciphertext: bytes

    def __repr__(self) -> str:
        return f"StoredCredential({self.id})"


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A tenant's wrapped data key, as the vault wants it."""

    pk: UUID
    wrapped_data_key: bytes

    def __repr__(self) -> str:
        return f"TenantKey({self.pk})"


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection ready to be used: its rules, its connector instance, its shared credential."""

    ref: ConnectionRef
    connector: Connector
    connector_slug: str
    rules: ConnectionRules
    credential_mode: str
    credential: StoredCredential | None
    key: TenantKey
    # Under which names callers may bring a token of their own; none where they may not.
    token_names: tuple[str, ...] = ()
    cache: CacheSettings = CACHE_DEFAULTS
    caches: bool = False  # whether it has tools whose results are kept
    limits: Limits | None = None  # of its resources and prompts

    def exposed(self, name: str) -> str:
        """A tool's or prompt's name as clients see it."""
        return name if self.ref.is_primary else f"{self.ref.slug}__{name}"

    def exposed_uri(self, uri: str) -> str:
        """A resource's URI as clients see it: later connections carry their slug first."""
        if self.ref.is_primary:
            return uri
        scheme, _, rest = uri.partition("://")
        return f"{scheme}://{self.ref.slug}/{rest}"


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """A tool of a connection under the name that clients see."""

    name: str
    spec: ToolSpec
    connection: ConnectionView
    run: Callable[..., Any]
    validator: Any  # a compiled jsonschema_rs validator, shared by all tenants
    limits: Limits | None = None

    @property
    def identity(self) -> tuple[UUID, str]:
        """What permissions, audit, cache and limits know the tool by."""
        return (self.connection.ref.id, self.spec.name)


@dataclass(slots=True)
class TenantSnapshot:
    """Everything a call needs to know of its tenant."""

    tenant: TenantRef
    version: int
    connections: tuple[ConnectionView, ...]
    tools: Mapping[str, ToolEntry]
    aliases: Mapping[str, ToolEntry]
    prompts: Mapping[str, tuple[ConnectionView, PromptSpec]]
    resources: tuple[tuple[ConnectionView, ResourceSpec], ...]
    role_rules: Mapping[Role, RoleRule]
    endpoints: Mapping[str, EndpointRules] = field(default_factory=dict)
    # What connectors.catalogue compiled from this snapshot, by callers' rights.
    catalogues: "OrderedDict[tuple[object, ...], Any]" = field(default_factory=OrderedDict)
    # What connectors.selection read from queries and headers, by their text.
    selections: "OrderedDict[tuple[object, ...], Any]" = field(default_factory=OrderedDict)

    def connection(self, slug: str) -> ConnectionView | None:
        """The connection with this slug."""
        return next((view for view in self.connections if view.ref.slug == slug), None)


_snapshots: "OrderedDict[UUID, TenantSnapshot]" = OrderedDict()
_lock = threading.Lock()
_building: dict[UUID, threading.Lock] = {}
_validators: dict[tuple[str, str, str], Any] = {}


async def snapshot_of(tenant_id: UUID) -> TenantSnapshot:
    """The tenant's current snapshot; from memory unless its configuration changed.

    Raises :class:`TenantGoneError`.
    """
    found = _snapshots.get(tenant_id)
    if found is not None and watcher.running and found.version >= watcher.current_version(tenant_id):
        try:  # noqa: SIM105  suppress() costs ten times as much
            _snapshots.move_to_end(tenant_id)
        except KeyError:  # another thread dropped it just now
            pass
        return found
    return await in_db(load, tenant_id)


def load(tenant_id: UUID) -> TenantSnapshot:
    """As :func:`snapshot_of`, for code in a thread."""
    with _lock:
        building = _building.setdefault(tenant_id, threading.Lock())
    try:
        with building:  # single flight: the others find what the first one built
            announced = watcher.current_version(tenant_id) if watcher.running else _stored_version(tenant_id)
            found = _snapshots.get(tenant_id)
            if found is None or found.version < announced:
                found = _build(tenant_id, found)
                with _lock:
                    _snapshots[tenant_id] = found
                    _snapshots.move_to_end(tenant_id)
                    if len(_snapshots) > MAX_SNAPSHOTS:
                        _snapshots.popitem(last=False)
            return found
    finally:
        with _lock:
            _building.pop(tenant_id, None)


def _stored_version(tenant_id: UUID) -> int:
    version = Tenant.objects.filter(pk=tenant_id).values_list("version", flat=True).first()
    if version is None:
        forget(tenant_id)
        raise TenantGoneError("This tenant does not exist.")
    return version


def forget(tenant_id: UUID) -> None:
    """Drop a tenant's snapshot; the next call builds a new one."""
    with _lock:
        _snapshots.pop(tenant_id, None)


def _build(tenant_id: UUID, former: TenantSnapshot | None) -> TenantSnapshot:
    with transaction.atomic():
        tenant = Tenant.objects.filter(pk=tenant_id).first()
        if tenant is None:
            raise TenantGoneError("This tenant does not exist.")
        rows = list(Connection.objects.for_tenant(tenant_id).order_by("slug"))
        switches = list(ToolSwitch.objects.for_tenant(tenant_id))
        rules = list(ToolPermission.objects.for_tenant(tenant_id))
        endpoints = list(Endpoint.objects.for_tenant(tenant_id))
        limits = list(UsageLimit.objects.for_tenant(tenant_id))
        credentials = {
            row.connection_id: StoredCredential(row.pk, row.version, bytes(row.ciphertext))
            for row in Credential.objects.for_tenant(tenant_id).filter(principal=None, kind="settings")
        }
    kept = {view.ref: view.connector for view in former.connections} if former else {}
    key = TenantKey(tenant.pk, bytes(tenant.wrapped_data_key))
    slugs = frozenset(row.slug for row in rows)
    compiler = Compiler(tenant_id, tenant.time_zone, limits, {row.pk: row.slug for row in rows})
    views = []
    for row in rows:
        ref = connection_ref(row, tenant.time_zone)
        try:
            instance = kept.get(ref) or _instance(row, ref)
        except UnknownConnectorError:
            continue  # its package was uninstalled; the admin says so on the connection's page
        except Exception:  # a connector that breaks takes nothing else of its tenant along
            logger.exception("Connection %s of tenant %s cannot be used", row.slug, tenant.slug)
            continue
        own = [switch for switch in switches if switch.connection_id == row.pk]
        views.append(
            ConnectionView(
                ref=ref,
                connector=instance,
                connector_slug=row.connector,
                rules=connection_rules(row, own),
                credential_mode=row.credential_mode,
                credential=credentials.get(row.pk),
                key=key,
                limits=compiler.of_connection(ref),
                cache=(kept_for := read_settings(CacheSettings, row.cache)),
                caches=kept_for.enabled and any(s.cache != "-" for s in instance.tools.values()),
                token_names=token_names(row.slug, row.connector, row.is_primary, slugs)
                if row.caller_token
                else (),
            )
        )
    return _compile(tenant, tuple(views), rules, endpoints, compiler)


def _instance(row: Connection, ref: ConnectionRef) -> Connector:
    connector = connector_class(row.connector)
    return connector(ref, connector.Settings.model_validate(row.settings))


def _compile(
    tenant: Tenant,
    views: tuple[ConnectionView, ...],
    rules: list[ToolPermission],
    endpoints: list[Endpoint],
    compiler: Compiler,
) -> TenantSnapshot:
    tools: dict[str, ToolEntry] = {}
    aliases: dict[str, ToolEntry] = {}
    prompts: dict[str, tuple[ConnectionView, PromptSpec]] = {}
    resources: list[tuple[ConnectionView, ResourceSpec]] = []
    for view in views:
        for spec in view.connector.tools.values():
            entry = ToolEntry(
                view.exposed(spec.name),
                spec,
                view,
                getattr(view.connector, spec.method),
                validator_of(view, spec),
                compiler.of_tool(view.ref, spec),
            )
            tools[entry.name] = entry
            aliases.update({view.exposed(alias): entry for alias in spec.aliases})
        prompts.update({view.exposed(p.name): (view, p) for p in view.connector.prompts.values()})
        resources.extend((view, r) for r in view.connector.resources)
    return TenantSnapshot(
        tenant=tenant.ref(),
        version=tenant.version,
        connections=views,
        tools=dict(sorted(tools.items())),
        aliases=aliases,
        prompts=dict(sorted(prompts.items())),
        resources=tuple(resources),
        role_rules={
            Role(row.role): RoleRule(tuple(row.allow), tuple(row.deny), tuple(row.confirm)) for row in rules
        },
        endpoints={row.slug: endpoint_rules(row, views) for row in endpoints},
    )


def endpoint_rules(row: Endpoint, views: Iterable[ConnectionView]) -> EndpointRules:
    """A named endpoint as the decision function knows it; names of connectors mean their first connection."""
    known = [(view.ref.slug, view.connector_slug, view.ref.is_primary) for view in views]
    return EndpointRules(
        slug=row.slug,
        name=row.name,
        enabled=row.enabled,
        toolsets=tuple(canonical(name, known) for name in row.toolsets),
        include=tuple(row.include),
        read_only=row.read_only,
        deferred=row.deferred,
    )


def connection_ref(row: Connection, time_zone: str) -> ConnectionRef:
    """A connection's row as the plain value that connectors know."""
    return ConnectionRef(
        id=row.pk,
        tenant_id=row.tenant_id,
        slug=row.slug,
        name=row.name,
        is_primary=row.is_primary,
        version=row.version,
        time_zone=time_zone,
        connector=row.connector,
        network=read_settings(NetworkSettings, row.network),
    )


def connection_rules(row: Connection, switches: list[ToolSwitch]) -> ConnectionRules:
    """What a connection's row and switches say of its tools."""
    return ConnectionRules(
        slug=row.slug,
        enabled=row.enabled,
        read_only=row.read_only,
        toolsets={switch.toolset: switch.enabled for switch in switches if switch.toolset},
        tools={switch.tool: switch.enabled for switch in switches if switch.tool},
        seen_tools=frozenset(row.seen_tools),
        lacking=dict(row.hidden_tools),
    )


def _refuse_remote(uri: str) -> Any:
    """A schema's ``$ref`` is never fetched: jsonschema-rs would do so by default."""
    raise ValueError(f"Schemas must not refer to {uri}.")


def validator_of(view: ConnectionView, spec: ToolSpec) -> Any:
    """A tool's compiled argument schema, one per connector class and version for all tenants."""
    key = (view.connector_slug, view.connector.version, spec.name)
    found = _validators.get(key)
    if found is None:
        found = _validators[key] = jsonschema_rs.Draft202012Validator(
            spec.input_schema, retriever=_refuse_remote
        )
    return found
