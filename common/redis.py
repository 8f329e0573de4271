"""The process's Redis clients, and the one place where keys get their names.

Every key of a tenant is ``portico:{tenant}:<room>:<rest>``: the tenant's id first, so that
no room can read another tenant's keys by forgetting it.
"""

import asyncio
import threading
import weakref
from typing import Any
from uuid import UUID

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

# The library would try ten times with growing pauses: seconds in which a call hangs. Once more is
# for a connection that has gone stale; whoever can do without Redis does so at once.
_TIMES: dict[str, Any] = {"socket_timeout": 5, "socket_connect_timeout": 2}

_sync: redis.Redis | None = None
_making = threading.Lock()
_by_loop: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]" = (
    weakref.WeakKeyDictionary()
)


def sync_client() -> redis.Redis:
    """The client for threads, tasks and commands; made at first use and shared."""
    global _sync
    if _sync is None:
        with _making:  # a second client would be dropped, and take its connections along
            if _sync is None:
                _sync = redis.Redis.from_url(settings.REDIS_URL, retry=Retry(NoBackoff(), 1), **_TIMES)
    return _sync


def async_client() -> redis.asyncio.Redis:
    """The client of the running event loop; one per loop, since a connection belongs to its loop."""
    loop = asyncio.get_running_loop()
    client = _by_loop.get(loop)
    if client is None:
        client = redis.asyncio.Redis.from_url(settings.REDIS_URL, retry=AsyncRetry(NoBackoff(), 1), **_TIMES)
        _by_loop[loop] = client
    return client


def tenant_key(tenant_id: UUID, room: str, *parts: Any) -> str:
    """A key of one tenant: ``portico:{tenant}:room:part:part``."""
    if not isinstance(tenant_id, UUID):
        raise TypeError("a tenant's key needs the tenant's UUID")
    return ":".join(["portico", tenant_id.hex, room, *map(str, parts)])
