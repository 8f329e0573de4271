"""Taking away what a deleted connection or tenant left in Redis; for threads, tasks and commands."""

from typing import cast
from uuid import UUID

import orjson
import redis.exceptions

from common.redis import sync_client, tenant_key
from connectors.providers.memory.store import DROP

BATCH = 1000


def purge_connection(tenant_id: UUID, connection_id: UUID) -> int:
    """Delete all keys of one connection and its place in the tenant's index; how many there were."""
    client = sync_client()
    base, connection = tenant_key(tenant_id, "memory", ""), connection_id.hex
    index = (f"{base}expiries", f"{base}totals", f"{base}{connection}:sizes")
    gone, cursor = 0, 0
    while True:
        cursor, page = client.hscan(index[2], cursor, count=BATCH)
        keys = [cast("bytes", key).decode() for key in page]
        for first in range(0, len(keys), BATCH):
            arguments = (*index, base, connection, orjson.dumps(keys[first : first + BATCH]))
            try:
                answer = client.evalsha(DROP.digest, 3, *arguments)
            except redis.exceptions.NoScriptError:
                answer = client.eval(DROP.source, 3, *arguments)
            gone += int(answer[1])
        if cursor == 0:
            break
    client.hdel(index[1], f"{connection}:keys", f"{connection}:bytes")
    return gone


def purge_tenant(tenant_id: UUID) -> int:
    """Delete everything of one tenant's memory, index and all; how many Redis keys there were.

    It looks through the whole server (SCAN), since the tenant's connections may be gone already.
    The pattern is made of the tenant's id alone, so it has no characters of its own meaning.
    """
    client = sync_client()
    gone, batch = 0, []
    for name in client.scan_iter(match=f"{tenant_key(tenant_id, 'memory', '')}*", count=BATCH):
        batch.append(name)
        if len(batch) == BATCH:
            gone += client.unlink(*batch)
            batch = []
    return gone + (client.unlink(*batch) if batch else 0)
