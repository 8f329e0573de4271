"""Warm-ups: which reading tools are called beforehand, with what and when."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import record_change
from common.text import clean_json
from connectors.arguments import validate, without_nulls
from connectors.catalogue import catalogue_of, explain, tool_subject
from connectors.errors import InvalidInput
from connectors.models import Connection, WarmUp
from connectors.schedules import read_schedule
from connectors.services._shared import lock_tenant
from connectors.snapshot import ToolEntry, load
from connectors.warming import entry_of, following, has_own_credential, platform_caller
from tenants.errors import InvalidValue
from tenants.models import Tenant
from tenants.principals import Actor, Role
from tenants.rules import demand

MAX_WARM_UPS = 100  # of a tenant
MAX_ARGUMENTS = 10_000  # characters of JSON


def warm_up_create(
    *,
    tenant: Tenant,
    connection: Connection,
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    schedule: str = "*/5 * * * *",
    enabled: bool = True,
    actor: Actor,
) -> WarmUp:
    """Have a reading tool called on a schedule, so that the cache has its answer.

    Raises InvalidValue (with the field at fault), NotAllowed.
    """
    demand(actor, tenant, Role.ADMIN, "add warm-ups")
    if connection.tenant_id != tenant.pk:
        raise InvalidValue(_("There is no such connection."), "connection")
    row = WarmUp(tenant=tenant, connection=connection, tool=tool, schedule=schedule.strip(), enabled=enabled)
    row.arguments = _valid(row, arguments or {})
    with transaction.atomic():
        lock_tenant(tenant)
        if WarmUp.objects.for_tenant(tenant).count() >= MAX_WARM_UPS:
            raise InvalidValue(_("A tenant has at most %(most)d warm-ups.") % {"most": MAX_WARM_UPS})
        row.next_at = following(row, tenant, timezone.now())
        row.save(force_insert=True)
        _record(row, actor, "create", {}, warm_up_facts(row))
    return row


def warm_up_update(
    row: WarmUp,
    *,
    actor: Actor,
    tool: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    schedule: str | None = None,
    enabled: bool | None = None,
) -> WarmUp:
    """Change a warm-up; what is None stays. Its connection never changes."""
    tenant = row.tenant
    demand(actor, tenant, Role.ADMIN, "change warm-ups")
    with transaction.atomic():
        row = _locked(row)
        before = warm_up_facts(row)
        row.tool = row.tool if tool is None else tool
        row.schedule = row.schedule if schedule is None else schedule.strip()
        row.enabled = row.enabled if enabled is None else enabled
        if row.enabled or tool is not None or arguments is not None or schedule is not None:
            row.arguments = _valid(row, row.arguments if arguments is None else arguments)
        after = warm_up_facts(row)
        if after != before:
            row.next_at = following(row, tenant, timezone.now())
            row.save(update_fields=["tool", "arguments", "schedule", "enabled", "next_at"])
            _record(row, actor, "update", before, after)
    return row


def warm_up_delete(row: WarmUp, *, actor: Actor) -> None:
    """Stop calling it; what the cache has stays there for its time."""
    demand(actor, row.tenant, Role.ADMIN, "remove warm-ups")
    with transaction.atomic():
        row = _locked(row)
        before = warm_up_facts(row)
        row.delete()
        _record(row, actor, "delete", before, {})


def warm_up_facts(row: WarmUp) -> dict[str, Any]:
    """What the audit shows of a warm-up."""
    return {
        "connection": row.connection.slug,
        "tool": row.tool,
        "arguments": dict(row.arguments),
        "schedule": row.schedule,
        "enabled": row.enabled,
    }


def _record(
    row: WarmUp, actor: Actor, what: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    record_change(
        tenant=row.tenant,
        actor=actor,
        name=f"warm_up.{what} {row.tool}",
        before=before,
        after=after,
        connection=row.connection.slug,
    )


def _locked(row: WarmUp) -> WarmUp:
    rows = WarmUp.objects.for_tenant(row.tenant_id).select_for_update(of=("self",), no_key=True)
    found: WarmUp | None = rows.select_related("tenant", "connection").filter(pk=row.pk).first()
    if found is None:
        raise InvalidValue(_("This warm-up does not exist any more."))
    return found


def _valid(row: WarmUp, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, where the row makes sense as it stands. Raises InvalidValue."""
    read_schedule(row.schedule)
    if not isinstance(arguments, Mapping):
        raise InvalidValue(_("Write a JSON object."), "arguments")
    given = dict(arguments)
    snapshot = load(row.tenant_id)
    entry = entry_of(snapshot, row.connection_id, row.tool)
    if entry is None:
        raise InvalidValue(
            _("The connection %(name)s has no tool of this name.") % {"name": row.connection.slug}, "tool"
        )
    _demand_warmable(entry)
    caller = platform_caller(snapshot.tenant)
    own = catalogue_of(snapshot, caller)
    if own.find(entry.name) is None:
        decision = explain(snapshot, caller, entry.connection, tool_subject(entry))
        raise InvalidValue(
            _("Warm-ups run with the role viewer, which may not use it: %(why)s") % {"why": decision.reason},
            "tool",
        )
    if entry.name in own.confirm:
        raise InvalidValue(_("A person has to confirm each call of this tool."), "tool")
    try:
        size, is_clean = len(json.dumps(given)), clean_json(given) == given
    except (RecursionError, TypeError, ValueError):
        size, is_clean = 0, False
    if size > MAX_ARGUMENTS:
        raise InvalidValue(
            _("The arguments are longer than %(most)d characters.") % {"most": MAX_ARGUMENTS}, "arguments"
        )
    if not is_clean:
        raise InvalidValue(_("The arguments have a value that cannot be stored."), "arguments")
    try:
        validate(entry, without_nulls(entry.spec, given))
    except InvalidInput as error:
        raise InvalidValue(error.message, "arguments") from None
    return given


def _demand_warmable(entry: ToolEntry) -> None:
    spec, view = entry.spec, entry.connection
    if spec.writes:
        raise InvalidValue(_("Only tools that read can be warmed up; this one writes."), "tool")
    if spec.task == "must":
        raise InvalidValue(_("This tool runs as a task of its client; it cannot be warmed up."), "tool")
    seconds = view.cache.tools.get(spec.name, 1 if view.cache.ttl_s is None else view.cache.ttl_s)
    if spec.cache == "-" or spec.secret_arguments or not view.cache.enabled or not seconds:
        raise InvalidValue(_("Results of this tool are not kept, so there is nothing to warm up."), "tool")
    if not has_own_credential(entry):
        raise InvalidValue(
            _(
                "Calls of this connection use each caller's own credential, so nobody could use the answer; "
                "only connections with a shared credential, or without any, can be warmed up."
            ),
            "connection",
        )


def warmable_tools(tenant: Tenant) -> list[ToolEntry]:
    """The tools of a tenant that can be warmed up, by connection and name."""
    snapshot = load(tenant.pk)
    own = catalogue_of(snapshot, platform_caller(snapshot.tenant))
    found = []
    for entry in own.tools:
        with contextlib.suppress(InvalidValue):
            _demand_warmable(entry)
            if entry.name not in own.confirm:
                found.append(entry)
    return sorted(found, key=lambda entry: (entry.connection.ref.slug, entry.spec.name))
