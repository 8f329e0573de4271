"""Testing a connection: who are we there, and what may we do."""

import asyncio
import contextlib
import logging
import time
import uuid
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from common.db import in_db
from common.vault import VaultError
from connectors.base import CheckResult, Connector
from connectors.channel import Channel
from connectors.context import CallContext
from connectors.errors import AuthenticationFailed, ConnectorError, NotPermitted, RateLimited
from connectors.health.recording import Found, record_check
from connectors.health.states import Outcome
from connectors.limits import take_turn
from connectors.models import Connection
from connectors.snapshot import snapshot_of
from tenants.principals import Caller, PrincipalKind, Role

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 20
# Codes of a test that had no credential to ask with: it says nothing of the system.
NOTHING_TO_ASK_WITH: Final = frozenset({"no_credential", "token_required", "declined"})


async def connection_check(connection: Connection, *, caller: Caller | None = None) -> CheckResult:
    """Test a connection now and keep the answer on its page and in its history.

    ``caller`` is whoever asks: a personal connection is tested with the caller's own
    credential. Failures are results, not exceptions.
    """
    found = await examine(connection, caller)
    await in_db(record_check, connection.tenant_id, connection.pk, found)
    return found.result


async def examine(connection: Connection, caller: Caller | None = None) -> Found:
    """Test a connection and keep nothing; without a ``caller`` as the platform itself.

    Raises TenantGoneError.
    """
    snapshot = await snapshot_of(connection.tenant_id)
    view = snapshot.connection(connection.slug)
    if view is not None:
        with contextlib.suppress(RateLimited):  # many calls wait: then it works, or is to be found out
            await take_turn(caller or _nobody(snapshot.tenant), view, time.monotonic() + CHECK_TIMEOUT_S)
    started = time.perf_counter()
    if view is None:
        said = _("The connector %(name)s is not installed.") % {"name": connection.connector}
        result, outcome = CheckResult(False, said), Outcome.FAILED
    else:
        asking = caller or _nobody(snapshot.tenant)
        context = CallContext(
            asking, view, Channel(), f"check-{uuid.uuid4().hex[:12]}", time.monotonic() + CHECK_TIMEOUT_S
        )
        personal = view.credential_mode == Connection.CredentialMode.PRINCIPAL
        result, outcome = await _checked(view.connector, context, personal)
    took_ms = int((time.perf_counter() - started) * 1000)
    return Found(result, outcome, took_ms, view.ref.version if view else None)


async def _checked(connector: Connector, context: CallContext, personal: bool) -> tuple[CheckResult, Outcome]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            result = await connector.check(context)
            return result, Outcome.OK if result.ok else Outcome.FAILED
    except ConnectorError as error:
        result = CheckResult(False, error.message, {"hint": error.hint, "type": error.type})
        # Where each member signs in alone, a refused credential is that member's matter.
        refused = personal and isinstance(error, (AuthenticationFailed, NotPermitted))
        untold = refused or error.code in NOTHING_TO_ASK_WITH
        return result, Outcome.UNTOLD if untold else Outcome.FAILED
    except TimeoutError:
        result = CheckResult(False, _("No answer within %(seconds)d seconds.") % {"seconds": CHECK_TIMEOUT_S})
    except VaultError as error:
        result = CheckResult(False, str(error))
    except Exception as error:
        logger.exception("The check of connection %s failed", context.connection.slug, exc_info=error)
        result = CheckResult(
            False,
            _("The check failed inside Portico; the operator finds it in the log under %(id)s.")
            % {"id": context.request_id},
        )
    return result, Outcome.FAILED


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
