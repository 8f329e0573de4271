"""What the other workers know of a credential, asked for at its first use in this process."""

from typing import Any

import redis.asyncio

from connectors.upstream import breaker as breakers
from connectors.upstream import pauses
from connectors.upstream.shared import asked


async def look(breaker: breakers.Breaker) -> None:
    """Learn whether its breaker is open and which pauses hold, in one round trip to Redis."""
    breaker.looked = True
    tenant_id, connection_id, credential = breaker.tenant_id, breaker.connection_id, breaker.credential

    async def question(client: redis.asyncio.Redis) -> list[Any]:
        pipe = client.pipeline(transaction=False)
        pipe.hget(breakers.key_of(tenant_id, connection_id), f"{credential}:until")
        pipe.hgetall(pauses.key_of(tenant_id, connection_id))
        pipe.time()
        return list(await pipe.execute())

    found = await asked(question)
    if found is None:
        return
    until, paused, (seconds, micros) = found
    now = seconds * 1000 + micros // 1000
    breaker.learn(None if until is None else (int(float(until)) - now) / 1000)
    pauses.learn((tenant_id, connection_id, credential), paused, now)
