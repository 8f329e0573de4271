"""Limits and quotas of a tenant: at most so many calls of everything, a key, a connection or a tool."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record_change
from connectors.models import Connection, UsageLimit
from connectors.registry import UnknownConnectorError, connector_class
from connectors.services._shared import lock_tenant
from tenants.changes import tenant_changed
from tenants.errors import AlreadyThere, InvalidValue
from tenants.models import AccessKey, Tenant
from tenants.principals import Actor, Role
from tenants.rules import demand

MAX_LIMITS = 200  # of a tenant
MAX_CALLS = 1_000_000_000


def limit_create(
    *,
    tenant: Tenant,
    calls: int,
    period: str,
    key: str = "",
    connection: str = "",
    tool: str = "",
    enabled: bool = True,
    actor: Actor,
) -> UsageLimit:
    """Allow at most ``calls`` in a period: of the tenant, or of what is named.

    ``key`` is an access key's public id, ``connection`` a slug, ``tool`` a tool's own name;
    ``period`` is second, minute, hour, day (moving windows) or month (a quota, counted by the
    tools' weight). Raises InvalidValue (with the field at fault), AlreadyThere, NotAllowed.
    """
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "add limits")
        lock_tenant(tenant)
        row = UsageLimit(
            tenant=tenant,
            key=_key(tenant, key),
            connection=(connected := _connection(tenant, connection)),
            tool=_tool(connected, tool),
            calls=_calls(calls),
            period=_period(period),
            enabled=enabled,
        )
        rows = UsageLimit.objects.for_tenant(tenant)
        if rows.filter(key=row.key, connection=connected, tool=row.tool, period=row.period).exists():
            raise AlreadyThere(_("There is a limit of this kind already: change that one."), "period")
        if rows.count() >= MAX_LIMITS:
            raise InvalidValue(_("A tenant has at most %(most)d limits.") % {"most": MAX_LIMITS})
        row.save(force_insert=True)
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant, actor=actor, name=f"limit.create {row.pk}", before={}, after=limit_facts(row),
            connection=connection,
        )  # fmt: skip
    return row


def limit_update(
    row: UsageLimit, *, actor: Actor, calls: int | None = None, enabled: bool | None = None
) -> UsageLimit:
    """Change how many calls, or switch a limit off and on; what it has counted stays counted.

    Whose limit it is and its period stay: a counter would mean something else. Make another.
    """
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "change limits")
        row = _locked(row)
        before = limit_facts(row)
        if calls is not None:
            row.calls = _calls(calls)
        if enabled is not None:
            row.enabled = enabled
        after = limit_facts(row)
        if after != before:
            row.save()
            tenant_changed(tenant.pk)
            record_change(
                tenant=tenant, actor=actor, name=f"limit.update {row.pk}", before=before, after=after,
                connection=before["connection"],
            )  # fmt: skip
    return row


def limit_delete(row: UsageLimit, *, actor: Actor) -> None:
    """Take a limit away; its counter ends by itself."""
    with transaction.atomic():
        tenant = row.tenant
        demand(actor, tenant, Role.ADMIN, "remove limits")
        row = _locked(row)
        before, name = limit_facts(row), f"limit.delete {row.pk}"
        row.delete()
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant, actor=actor, name=name, before=before, after={}, connection=before["connection"]
        )


def limit_facts(row: UsageLimit) -> dict[str, Any]:
    """What the audit shows of a limit; ``key_id`` is an access key's public id."""
    return {
        "key_id": row.key_id or "",
        "connection": row.connection.slug if row.connection else "",
        "tool": row.tool,
        "calls": row.calls,
        "period": row.period,
        "enabled": row.enabled,
    }


def _locked(row: UsageLimit) -> UsageLimit:
    rows = UsageLimit.objects.for_tenant(row.tenant_id).select_for_update(of=("self",), no_key=True)
    found: UsageLimit | None = rows.select_related("tenant", "connection").filter(pk=row.pk).first()
    if found is None:
        raise InvalidValue(_("This limit does not exist any more."))
    return found


def _key(tenant: Tenant, name: str) -> AccessKey | None:
    if not name:
        return None
    found: AccessKey | None = AccessKey.objects.for_tenant(tenant).filter(pk=name).first()
    if found is None:
        raise InvalidValue(_("This tenant has no such access key."), "key")
    if found.revoked_at is not None:
        raise InvalidValue(_("This access key is revoked."), "key")
    return found


def _connection(tenant: Tenant, slug: str) -> Connection | None:
    if not slug:
        return None
    found: Connection | None = Connection.objects.for_tenant(tenant).filter(slug=slug).first()
    if found is None:
        raise InvalidValue(_("This tenant has no such connection."), "connection")
    return found


def _tool(connection: Connection | None, name: str) -> str:
    if not name:
        return ""
    if connection is None:
        raise InvalidValue(_("Name the connection whose tool it is."), "connection")
    try:
        tools = connector_class(connection.connector).tools
    except UnknownConnectorError as error:
        raise InvalidValue(str(error), "connection") from error
    if name not in tools:
        raise InvalidValue(
            _("The connection %(slug)s has no tool %(tool)s.") % {"slug": connection.slug, "tool": name[:60]},
            "tool",
        )
    return name


def _calls(calls: int) -> int:
    if not 1 <= calls <= MAX_CALLS:
        raise InvalidValue(_("Write a number from 1 to %(most)d.") % {"most": MAX_CALLS}, "calls")
    return calls


def _period(period: str) -> str:
    if period not in UsageLimit.Period.values:
        known = ", ".join(UsageLimit.Period.values)
        raise InvalidValue(_("Write one of: %(known)s.") % {"known": known}, "period")
    return period
