"""``notifications/cancelled`` of the handshake era, in whichever worker the request runs.

The notification may enter another worker than the request it names. It then goes over the
bus, under the digest of its session: only requests of the same session are cancelled.
"""

from typing import Any
from uuid import UUID

from common.bus import bus
from mcp_endpoint.sessions import Session, digest
from mcp_endpoint.turn import cancel_running, cancel_where

KIND = "cancel"


async def cancel(session: Session, tenant_id: UUID, request_id: Any) -> None:
    """Cancel a running request of this session; an unknown or finished one is no mistake."""
    if type(request_id) not in (int, str) or cancel_running(session, request_id):
        return
    await bus.publish_async(tenant_id, KIND, {"s": digest(session.token), "i": request_id})


def _heard(tenant_id: UUID, body: dict[str, Any]) -> None:
    """Cancel what runs here; called in any thread."""
    cancel_where(
        lambda token, turn: (
            turn.id == body["i"] and turn.caller.tenant.id == tenant_id and digest(token) == body["s"]
        )
    )


bus.subscribe(KIND, _heard)
