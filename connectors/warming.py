"""Warm-ups: calls made beforehand, on a schedule, so that the cache has their answers.

A due row is claimed by moving ``next_at`` on in the transaction that queues its message. Who
dies in between queues it again; a message that comes a second time finds that the run is
made, or that another one makes it, and does nothing. A run whose worker dies is made again.
"""

import contextlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import redis
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from common.loops import run_in_loop
from common.redis import sync_client, tenant_key
from common.text import clean_text
from connectors.asking import CapabilityMissing, InputRequired
from connectors.call_info import CallInfo
from connectors.catalogue import explain, tool_subject
from connectors.models import Connection, WarmUp
from connectors.pipeline import ServiceUnavailable, UnknownTool, call_tool
from connectors.results import Text, ToolResult
from connectors.schedules import next_run, read_schedule
from connectors.snapshot import TenantGoneError, TenantSnapshot, ToolEntry, snapshot_of
from tenants.errors import InvalidValue, WrongState
from tenants.models import Tenant
from tenants.principals import Caller, PrincipalKind, Role, TenantRef

logger = logging.getLogger(__name__)

BATCH: Final = 200
LONGEST_S: Final = 240.0  # a warm-up's call
SOFT_LIMIT_S: Final = 270
HARD_LIMIT_S: Final = 300
ROOM: Final = "warm"
RUNS_NOW, RUNS_NOW_S = 10, 60  # that a tenant's admins may ask for
TOO_LONG: Final = "It took too long."


@dataclass(frozen=True, slots=True)
class Due:
    """A run to make: the warm-up, the moment it was planned for, and the seconds until its next one."""

    tenant_id: UUID
    warm_up_id: UUID
    at: datetime
    interval_s: int


@dataclass(frozen=True, slots=True)
class Warmed:
    """How a run ended."""

    ok: bool
    message: str = ""
    duration_ms: int = 0


def claim_due(now: datetime, queue: Callable[[Due], Any], limit: int = BATCH) -> int:
    """Claim the warm-ups that are due, at most ``limit``, and queue each; returns how many.

    Runs that were missed are made up for once. Several workers may ask at once.
    """
    with transaction.atomic():
        rows = list(
            WarmUp.unscoped.select_for_update(skip_locked=True, of=("self",), no_key=True)
            .filter(
                enabled=True,
                next_at__lte=now,
                connection__enabled=True,
                tenant__status=Tenant.Status.ACTIVE,
            )
            .select_related("tenant")
            .order_by("next_at")[:limit]
        )
        for row in rows:
            planned, row.next_at = row.next_at, following(row, row.tenant, now)
            if row.next_at is not None:
                wait = int((row.next_at - now).total_seconds())
                queue(Due(row.tenant_id, row.pk, planned, max(60, wait)))
        WarmUp.unscoped.bulk_update(rows, ["next_at"])
    return len(rows)


def following(row: WarmUp, tenant: Tenant, now: datetime) -> datetime | None:
    """When a warm-up runs next; None while it is switched off or its schedule means nothing."""
    if not row.enabled:
        return None
    try:
        return next_run(read_schedule(row.schedule), ZoneInfo(tenant.time_zone), now)
    except InvalidValue:
        logger.warning("The schedule of a warm-up of tenant %s is not understood", tenant.slug)
        return None


def warm(tenant_id: UUID, warm_up_id: UUID, planned: datetime, message_id: str) -> bool:
    """Make the run that was planned for this moment, from a background task; False where it is made.

    ``message_id`` tells a message that was given out again (its worker died, so the run is made
    once more) from a second message for the same run. Raises what interrupted it.
    """
    row = _enabled(tenant_id).filter(pk=warm_up_id).first()
    if row is None or (row.last_at is not None and row.last_at >= planned):
        return False
    key = tenant_key(tenant_id, ROOM, warm_up_id.hex)
    if not _leased(key, message_id):
        return False
    try:
        try:
            warmed = run_in_loop(warm_now(row))
        except BaseException:  # the time limit, or the worker is told to go
            store(row, Warmed(False, _(TOO_LONG)))
            raise
        store(row, warmed)
    finally:
        _release(key, message_id)
    return True


def run_now(row: WarmUp) -> Warmed:
    """Make a run at once, for a person who waits for it; the schedule stays as it is. For threads.

    Raises WrongState while a run of this warm-up is under way.
    """
    key, run_id = tenant_key(row.tenant_id, ROOM, row.pk.hex), f"now-{uuid4().hex}"
    if not _leased(key, run_id):
        raise WrongState(_("A run of this warm-up is under way; how it ended will be shown here."))
    try:
        warmed = async_to_sync(warm_now)(row)
        store(row, warmed)
    finally:
        _release(key, run_id)
    return warmed


def _enabled(tenant_id: UUID) -> Any:
    rows = WarmUp.objects.for_tenant(tenant_id).select_related("connection", "tenant")
    return rows.filter(enabled=True, connection__enabled=True, tenant__status=Tenant.Status.ACTIVE)


def _leased(key: str, message_id: str) -> bool:
    """Whether this message makes the run: nobody does yet, or it did so before its worker died."""
    try:
        client: Any = sync_client()
        if client.set(key, message_id, nx=True, ex=HARD_LIMIT_S + 60):
            return True
        return bool(client.get(key) == message_id.encode())
    except (redis.RedisError, OSError):
        return True  # twice is harmless: it reads


def _release(key: str, message_id: str) -> None:
    with contextlib.suppress(redis.RedisError, OSError):
        client: Any = sync_client()
        if client.get(key) == message_id.encode():
            client.delete(key)


def store(row: WarmUp, warmed: Warmed) -> None:
    """Keep how a run ended on its row."""
    WarmUp.objects.for_tenant(row.tenant_id).filter(pk=row.pk).update(
        last_at=timezone.now(),
        last_ok=warmed.ok,
        last_message=clean_text(warmed.message, 500),
        last_duration_ms=warmed.duration_ms,
    )


async def warm_now(row: WarmUp) -> Warmed:
    """Call a warm-up's tool as the platform and have its answer kept; every failure is an answer."""
    started = time.perf_counter()
    ok, message = await _call(row)
    return Warmed(ok, message, int((time.perf_counter() - started) * 1000))


async def _call(row: WarmUp) -> tuple[bool, str]:
    request_id = f"warm-{uuid4().hex}"
    try:
        snapshot = await snapshot_of(row.tenant_id)
        entry = entry_of(snapshot, row.connection_id, row.tool)
        if entry is None:
            return False, _("There is no such tool.")
        caller = platform_caller(snapshot.tenant)
        limit = min(entry.spec.timeout or settings.PORTICO_CALL_TIMEOUT_S, LONGEST_S)
        info = CallInfo(request_id, timeout=limit, refresh=True)
        try:
            result = await call_tool(caller, entry.name, dict(row.arguments), info=info)
        except UnknownTool:
            return False, explain(snapshot, caller, entry.connection, tool_subject(entry)).reason
        return not result.is_error, _said(result) if result.is_error else ""
    except (InputRequired, CapabilityMissing):
        return False, _("The tool asks a person.")
    except (ServiceUnavailable, TenantGoneError) as error:
        return False, str(error)
    except Exception as error:
        logger.exception("A warm-up of tenant %s failed", row.tenant_id, exc_info=error)
        return False, _("It failed inside Portico; the operator finds it in the log under %(id)s.") % {
            "id": request_id
        }


def _said(result: ToolResult) -> str:
    """A failed result's sentence: that of Portico's own errors, else its text."""
    text = next((part.text for part in result.content if isinstance(part, Text)), "")
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(text)["error"])
    return text


def entry_of(snapshot: TenantSnapshot, connection_id: UUID, tool: str) -> ToolEntry | None:
    """A connection's tool by its own name, whatever clients see."""
    view = next((view for view in snapshot.connections if view.ref.id == connection_id), None)
    return None if view is None else snapshot.tools.get(view.exposed(tool))


def platform_caller(tenant: TenantRef) -> Caller:
    """The platform itself, which reads and nothing else."""
    return Caller(
        tenant=tenant,
        principal_id=UUID(int=0),
        principal_kind=PrincipalKind.SERVICE_ACCOUNT,
        principal_name="platform",
        role=Role.VIEWER,
        via="task",
    )


def has_own_credential(entry: ToolEntry) -> bool:
    """Whether the connection itself has what its calls need: then every caller is the same to its system."""
    view = entry.connection
    if view.credential_mode == Connection.CredentialMode.SHARED:
        return True
    if view.credential_mode == Connection.CredentialMode.PRINCIPAL:
        return False
    return view.connector.Credentials is None or not view.token_names
