"""Testing a connection: who are we there, and what may we do."""

import asyncio
import json
import logging
import time
import uuid
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from common.db import in_db
from common.text import clean_text
from common.vault import VaultError
from connectors.base import CheckResult, Connector
from connectors.channel import Channel
from connectors.context import CallContext
from connectors.errors import ConnectorError
from connectors.models import Connection, HealthCheck
from connectors.snapshot import snapshot_of
from tenants.principals import Caller, PrincipalKind, Role

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 20


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
