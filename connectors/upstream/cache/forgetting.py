"""Forgetting kept results: after a write, on an admin's word, or because their connection is gone."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import redis

from common.bus import bus
from common.redis import sync_client, tenant_key
from connectors.upstream.cache import store
from connectors.upstream.cache.copies import KIND, copies
from connectors.upstream.cache.keeper import keeper
from connectors.upstream.cache.plans import EVERYTHING, connection_mark

logger = logging.getLogger(__name__)

ASK_S: Final = 1.0  # a Redis that is slower than this is as good as away
AWAY: Final = (redis.RedisError, OSError)  # TimeoutError is one of the latter


async def forget_marks(
    tenant_id: UUID, marks: Iterable[str], took_s: float = 0.0, also: Iterable[str] = ()
) -> int | None:
    """Forget in Redis, so that no process reads it again; the moment, or None.

    None where somebody else forgot one of the marks (or of ``also``) in the last ``took_s``
    seconds: who of two is newer, nobody knows then; and where Redis is away, which is told
    later. Copies in memory are dropped by :func:`tell`, after this.
    """
    found = list(marks)
    if not keeper.resting:
        try:
            async with asyncio.timeout(ASK_S):
                moment, others = await store.forget(tenant_id, found, took_s, also)
        except AWAY:
            keeper.lost()
        else:
            keeper.found()
            return None if others else moment
    keeper.owe(tenant_id, found)
    return None


async def tell(tenant_id: UUID, marks: Iterable[str]) -> None:
    """Have every process drop its copies, this one at once."""
    body = {"marks": list(marks)}
    if keeper.resting:  # the others are told when it is back
        copies.forget(tenant_id, body["marks"])
        return
    await bus.publish_async(tenant_id, KIND, body)


def forget_now(tenant_id: UUID, connection_id: UUID | None = None) -> int:
    """Delete a connection's results, or a tenant's, in every process; how many there were. From a thread."""
    mark = EVERYTHING if connection_id is None else connection_mark(connection_id)
    prefix = "" if connection_id is None else f"{connection_id.hex}:"
    deleted = 0
    try:
        store.run_sync(store.FORGET, tenant_id, *store.forget_arguments([mark]))
        deleted = store.clear(tenant_id, prefix)
        keeper.found()
    except AWAY:
        logger.warning("Kept results are forgotten here, and in Redis when it is back")
        keeper.lost()
        keeper.owe(tenant_id, [mark])
    bus.publish(tenant_id, KIND, {"marks": [mark]})
    return deleted


def stats_of(tenant_id: UUID) -> dict[str, int | float | None]:
    """How a tenant's cache does, over all processes: hits, misses and stale answers so far.

    ``entries`` and ``bytes`` are what is stored now, old answers included; ``rate`` is the share
    of calls that were answered from the cache, None before the first. All 0 where Redis is
    away. The last seconds may be missing.
    """
    try:
        pipe = sync_client().pipeline(transaction=False)
        pipe.hgetall(tenant_key(tenant_id, store.ROOM, "stats"))
        pipe.zcard(tenant_key(tenant_id, store.ROOM, "index"))
        pipe.get(tenant_key(tenant_id, store.ROOM, "bytes"))
        counted, entries, size = pipe.execute()
    except AWAY:
        counted, entries, size = {}, 0, 0
    hits, misses, stale = (int(counted.get(name, 0)) for name in (b"hits", b"misses", b"stale"))
    asked = hits + misses + stale
    return {
        "hits": hits,
        "misses": misses,
        "stale": stale,
        "entries": int(entries),
        "bytes": max(0, int(size or 0)),
        "rate": round((hits + stale) / asked, 4) if asked else None,
    }


def sizes_of(tenant_ids: Iterable[UUID]) -> tuple[int, int]:
    """How many results several tenants' caches hold together, and their bytes; for metrics, from a thread."""
    pipe = sync_client().pipeline(transaction=False)
    for tenant_id in tenant_ids:
        pipe.zcard(tenant_key(tenant_id, store.ROOM, "index"))
        pipe.get(tenant_key(tenant_id, store.ROOM, "bytes"))
    try:
        found = pipe.execute()
    except AWAY:
        return 0, 0
    return sum(found[::2]), sum(max(0, int(size or 0)) for size in found[1::2])
