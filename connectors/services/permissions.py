"""What of a connection is switched on, and what each role may use."""

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record_change
from connectors.models import Connection, ToolPermission, ToolSwitch
from connectors.services._shared import class_of, lock_tenant, locked
from tenants.changes import tenant_changed
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.patterns import validate_patterns
from tenants.principals import Actor, Role
from tenants.rules import demand


def switch_set(
    connection: Connection, *, actor: Actor, tool: str = "", toolset: str = "", enabled: bool | None
) -> None:
    """Switch one tool or one toolset on or off; None returns it to its default."""
    cls = class_of(connection.connector)
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
        locked(connection)
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
    *,
    tenant: Tenant,
    role: str,
    allow: list[str],
    deny: list[str],
    confirm: list[str] | None = None,
    actor: Actor,
) -> ToolPermission:
    """Say what a role may use, as patterns ``connection:tool``; empty lists take all rules away.

    ``confirm`` names the tools whose calls the person behind the client must agree to; None
    leaves it as it is.
    """
    try:
        role = Role(role).value
    except ValueError as error:
        raise InvalidValue(
            _("Write one of %(roles)s.") % {"roles": ", ".join(r.value for r in Role)}, "role"
        ) from error
    allow, deny = validate_patterns(allow, "allow"), validate_patterns(deny, "deny")
    if confirm is not None:
        confirm = validate_patterns(confirm, "confirm")
    with transaction.atomic():
        demand(actor, tenant, Role.ADMIN, "change permissions")
        lock_tenant(tenant)
        row = ToolPermission.objects.for_tenant(tenant).filter(role=role).first()
        before = {"allow": row.allow, "deny": row.deny, "confirm": row.confirm} if row else {}
        if row is None:
            row = ToolPermission(tenant=tenant, role=role)
        row.allow, row.deny = allow, deny
        if confirm is not None:
            row.confirm = confirm
        row.save()
        tenant_changed(tenant.pk)
        record_change(
            tenant=tenant,
            actor=actor,
            name=f"permission.set {role}",
            before=before,
            after={"allow": allow, "deny": deny, "confirm": row.confirm},
        )
    return row
