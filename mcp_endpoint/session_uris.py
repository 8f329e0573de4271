"""The resources that a session of the handshake era subscribed to: a set in Redis.

``resources/subscribe`` may enter any worker, and another one may hold the session's stream.
The set lives as long as the session; a message on the bus tells the stream's worker of a change.
"""

import hashlib
import time
from typing import Any
from uuid import UUID

from common.bus import bus
from common.redis import async_client, tenant_key
from mcp_endpoint.sessions import Session

ROOM = "subscriptions"
KIND = "subscriptions"
MAX_URIS = 100  # of one session or stream
MAX_URI = 2000  # characters


class TooManyError(Exception):
    """The session has as many subscriptions as it may have."""


def digest_of(session: Session) -> str:
    """What a session is known by outside this process: never its own text, which is a credential."""
    return hashlib.sha256(session.token.encode()).hexdigest()[:32]


async def add(tenant_id: UUID, session: Session, uri: str) -> None:
    """Subscribe. Raises :class:`TooManyError`, and RedisError while Redis is away."""
    key, client = tenant_key(tenant_id, ROOM, digest_of(session)), async_client()
    if await client.scard(key) >= MAX_URIS and not await client.sismember(key, uri):  # type: ignore[misc]
        raise TooManyError
    async with client.pipeline(transaction=True) as pipe:
        pipe.sadd(key, uri)
        pipe.expire(key, max(1, int(session.expires_at - time.time()) + 1))
        await pipe.execute()
    await bus.publish_async(tenant_id, KIND, {"session": digest_of(session)})


async def remove(tenant_id: UUID, session: Session, uri: str) -> None:
    """Unsubscribe; harmless where there was no subscription. Raises RedisError."""
    await async_client().srem(tenant_key(tenant_id, ROOM, digest_of(session)), uri)  # type: ignore[misc]
    await bus.publish_async(tenant_id, KIND, {"session": digest_of(session)})


async def load(tenant_id: UUID, session: str) -> tuple[str, ...]:
    """The URIs of a session, by its digest. Raises RedisError."""
    found: Any = await async_client().smembers(tenant_key(tenant_id, ROOM, session))  # type: ignore[misc]
    return tuple(sorted(uri.decode() for uri in found))
