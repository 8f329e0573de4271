"""The log level that a session of the handshake era asked for, in all workers.

``logging/setLevel`` enters one worker; the others hear of it over the bus. Levels are kept in
memory alone: a worker that starts later sends what the default lets through.
"""

from collections import OrderedDict
from typing import Any
from uuid import UUID

from common.bus import bus
from mcp_endpoint.sessions import Session, digest

KIND = "level"
DEFAULT_LEVEL = "info"
KEPT = 4096

_levels: "OrderedDict[str, str]" = OrderedDict()


async def set_level(session: Session, tenant_id: UUID, level: str) -> None:
    """Remember a session's level, here and in the other workers."""
    await bus.publish_async(tenant_id, KIND, {"s": digest(session.token), "l": level})


def level_of(session: Session | None) -> str:
    """The level of a session; ``info`` until it asks for another."""
    if session is None or not _levels:
        return DEFAULT_LEVEL
    return _levels.get(digest(session.token), DEFAULT_LEVEL)


def _heard(tenant_id: UUID, body: dict[str, Any]) -> None:
    """Keep a level; the digest of a session stands for its tenant and principal too."""
    _levels[body["s"]] = body["l"]
    _levels.move_to_end(body["s"])
    while len(_levels) > KEPT:
        _levels.popitem(last=False)


bus.subscribe(KIND, _heard)
