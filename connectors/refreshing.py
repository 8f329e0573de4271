"""Renewing stored tokens before their end, also of connections that nobody calls right now.

A system that forgets refresh tokens which are not used keeps those that are exchanged every
hour; and a call never has to wait for a token.
"""

import logging
import time
import uuid
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from django.utils import timezone

from common.db import in_db
from common.loops import run_in_loop
from connectors.asking import CapabilityMissing, InputRequired
from connectors.channel import Channel
from connectors.context import CallContext
from connectors.errors import ConnectorError
from connectors.models import Credential
from connectors.services.tokens import KIND, tokens_near_their_end
from connectors.snapshot import TenantGoneError, snapshot_of
from connectors.upstream.token_values import AHEAD
from connectors.upstream.tokens import FETCH_S, token_of
from tenants.models import Principal
from tenants.principals import Caller, PrincipalKind, Role, TenantRef
from tenants.selectors import caller_of

logger = logging.getLogger(__name__)

AGAIN: Final = timedelta(minutes=5)  # a renewal that failed is tried again after so long
MOST: Final = 500  # at one time; the next run finds the others

Outcome = Literal["good", "failed", "gone"]


def refresh_due_tokens() -> list[tuple[UUID, UUID, UUID]]:
    """Tenant, connection and row of the stored tokens that end within five minutes, the next first."""
    now = timezone.now()
    return tokens_near_their_end(now + AHEAD, now - AGAIN, MOST)


def refresh_token(tenant_id: UUID, credential_id: UUID) -> Outcome:
    """Renew a stored token where it is time; twice is harmless. For threads without a loop.

    "good": it needs no renewal now; "failed": the system gave none, which is in the log;
    "gone": there is no such token any more.
    """
    return run_in_loop(_refreshed(tenant_id, credential_id))


async def _refreshed(tenant_id: UUID, credential_id: UUID) -> Outcome:
    found = await in_db(_row_and_holder, tenant_id, credential_id)
    if found is None:
        return "gone"
    row, holder = found
    try:
        snapshot = await snapshot_of(tenant_id)
    except TenantGoneError:
        return "gone"
    view = next((view for view in snapshot.connections if view.ref.id == row.connection_id), None)
    source = view.connector.token_source() if view is not None else None
    if view is None or source is None:
        return "gone"
    request_id = f"token-{uuid.uuid4().hex[:12]}"
    context = CallContext(
        holder or _nobody(snapshot.tenant), view, Channel(), request_id, time.monotonic() + FETCH_S * 2
    )
    place = context.token_place()
    if not place.stored or place.principal_id != row.principal_id:
        return "gone"  # the connection's kind of credential is another now
    try:
        token = await token_of(context, source)
    except (ConnectorError, InputRequired, CapabilityMissing) as error:
        said = error.message if isinstance(error, ConnectorError) else "no credential is stored"
        logger.warning("A token of connection %s could not be renewed: %s", view.ref.slug, said)
        return "failed"
    return "failed" if token.is_due(timezone.now()) else "good"


def _row_and_holder(tenant_id: UUID, credential_id: UUID) -> tuple[Credential, Caller | None] | None:
    """The token's row, and whose it is where it is not everybody's."""
    row = Credential.objects.for_tenant(tenant_id).filter(pk=credential_id, kind=KIND).first()
    if row is None:
        return None
    if row.principal_id is None:
        return row, None
    principals = Principal.objects.for_tenant(tenant_id).select_related("tenant", "user")
    return row, caller_of(principals.get(pk=row.principal_id), via="task")


def _nobody(tenant: TenantRef) -> Caller:
    """Portico itself: a shared credential is nobody's in particular."""
    return Caller(
        tenant=tenant,
        principal_id=UUID(int=0),
        principal_kind=PrincipalKind.SERVICE_ACCOUNT,
        principal_name="platform",
        role=Role.VIEWER,
        via="task",
    )
