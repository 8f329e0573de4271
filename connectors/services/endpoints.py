"""Named endpoints: a part of a tenant's tools under a URL of its own."""

import re
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from audit.services import record_change
from connectors.models import Connection, Endpoint
from connectors.registry import UnknownConnectorError, connector_class
from connectors.services._shared import lock_tenant
from connectors.toolset_names import said_known, unknown_names
from tenants.changes import tenant_changed
from tenants.errors import AlreadyThere, InvalidValue
from tenants.models import Tenant
from tenants.patterns import validate_patterns
from tenants.principals import Actor, Role
from tenants.rules import demand

ENDPOINT_SLUG = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
MAX_ENDPOINTS = 100  # of a tenant
MAX_NAMES = 100  # toolsets of one endpoint


def endpoint_create(
    *,
    tenant: Tenant,
    slug: str,
    name: str = "",
    toolsets: Iterable[str] = (),
    include: Iterable[str] = (),
    read_only: bool = False,
    deferred: bool = False,
    enabled: bool = True,
    actor: Actor,
) -> Endpoint:
    """Give a part of a tenant's tools a URL of its own.

    Raises InvalidValue (with the field at fault), AlreadyThere for a slug in use, NotAllowed.
    """
    if not ENDPOINT_SLUG.fullmatch(slug):
        raise InvalidValue(_("Write 2 to 40 small letters, digits and hyphens, a letter first."), "slug")
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "add endpoints")
        lock_tenant(tenant)
        rows = Endpoint.objects.for_tenant(tenant)
        if rows.filter(slug=slug).exists():
            raise AlreadyThere(_("This tenant has an endpoint %(slug)r already.") % {"slug": slug}, "slug")
        if rows.count() >= MAX_ENDPOINTS:
            raise InvalidValue(_("A tenant has at most %(most)d endpoints.") % {"most": MAX_ENDPOINTS})
        row = Endpoint(
            tenant=tenant,
            slug=slug,
            name=_name(name) or slug,
            toolsets=_toolsets(tenant, toolsets, ()),
            include=validate_patterns(list(include), "include"),
            read_only=read_only,
            deferred=deferred,
            enabled=enabled,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            raise AlreadyThere(
                _("This tenant has an endpoint %(slug)r already.") % {"slug": slug}, "slug"
            ) from error
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant, actor=actor, name=f"endpoint.create {slug}", before={}, after=endpoint_facts(row)
        )
    return row


def endpoint_update(
    row: Endpoint,
    *,
    actor: Actor,
    name: str | None = None,
    toolsets: Iterable[str] | None = None,
    include: Iterable[str] | None = None,
    read_only: bool | None = None,
    deferred: bool | None = None,
    enabled: bool | None = None,
) -> Endpoint:
    """Change an endpoint; what is None stays. Its slug never changes: clients hold URLs with it."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "change endpoints")
        row = _locked(row)
        before = endpoint_facts(row)
        if name is not None:
            row.name = _name(name) or row.name
        if toolsets is not None:
            row.toolsets = _toolsets(tenant, toolsets, row.toolsets)
        if include is not None:
            row.include = validate_patterns(list(include), "include")
        if read_only is not None:
            row.read_only = read_only
        if deferred is not None:
            row.deferred = deferred
        if enabled is not None:
            row.enabled = enabled
        after = endpoint_facts(row)
        if after != before:
            row.save()
            tenant_changed(tenant.pk)
            record_change(
                tenant=tenant, actor=actor, name=f"endpoint.update {row.slug}", before=before, after=after
            )
    return row


def endpoint_delete(row: Endpoint, *, actor: Actor) -> None:
    """Take an endpoint's URL away; the tools behind it stay."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "remove endpoints")
        row = _locked(row)
        before = endpoint_facts(row)
        row.delete()
        tenant_changed(tenant.pk)
        record_change(tenant=tenant, actor=actor, name=f"endpoint.delete {row.slug}", before=before, after={})


def endpoint_facts(row: Endpoint) -> dict[str, Any]:
    """What the audit shows of an endpoint."""
    return {
        "slug": row.slug,
        "name": row.name,
        "toolsets": list(row.toolsets),
        "include": list(row.include),
        "read_only": row.read_only,
        "deferred": row.deferred,
        "enabled": row.enabled,
    }


def _locked(row: Endpoint) -> Endpoint:
    rows = Endpoint.objects.for_tenant(row.tenant_id).select_for_update(of=("self",), no_key=True)
    found: Endpoint | None = rows.select_related("tenant").filter(pk=row.pk).first()
    if found is None:
        raise InvalidValue(_("This endpoint does not exist any more."))
    return found


def _name(name: str) -> str:
    name = name.strip()
    if len(name) > 100 or not name.isprintable():
        raise InvalidValue(_("Write a name of at most 100 printable characters."), "name")
    return name


def _toolsets(tenant: Tenant, names: Iterable[str], kept: Iterable[str]) -> list[str]:
    """The names once each. Those that were there before may mean nothing any more; new ones must."""
    wanted = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    if len(wanted) > MAX_NAMES:
        raise InvalidValue(_("Write at most %(most)d toolsets.") % {"most": MAX_NAMES}, "toolsets")
    rows = list(Connection.objects.for_tenant(tenant).order_by("slug"))
    toolsets: dict[str, set[str]] = {}
    for row in rows:
        try:
            tools = connector_class(row.connector).tools
        except UnknownConnectorError:
            tools = {}
        toolsets[row.slug] = {spec.toolset for spec in tools.values()}
    known = [(row.slug, row.connector, row.is_primary) for row in rows]
    old = set(kept)
    wrong = [name for name in unknown_names(wanted, known, toolsets) if name not in old]
    if wrong:
        raise InvalidValue(
            _("Unknown: %(wrong)s. Known here: %(known)s.")
            % {"wrong": ", ".join(name[:60] for name in wrong[:5]), "known": said_known(known, toolsets)},
            "toolsets",
        )
    return wanted
