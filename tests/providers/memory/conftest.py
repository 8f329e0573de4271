"""A memory connection of a fresh tenant, on the suite's real Redis server."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from common.redis import async_client
from connectors.models import Connection
from connectors.providers.memory.connector import Memory
from connectors.providers.memory.settings import MemorySettings
from tenants.models import Tenant
from tests.providers.context import FakeContext

Maker = Callable[..., "Bench"]


class Bench:
    """One connection with its connector and context; ``await bench.cache_set(key=...)`` calls a tool."""

    def __init__(self, tenant: Tenant, slug: str, **limits: Any) -> None:
        row = Connection(tenant=tenant, connector="memory", slug=slug, name=slug, is_primary=slug == "memory")
        self.tenant = tenant
        self.ctx = FakeContext(row)
        self.connector = Memory(self.ctx.connection, MemorySettings(**limits))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.connector, name)
        return lambda **arguments: method(self.ctx, **arguments)

    async def counted(self) -> tuple[int, int]:
        """Keys and bytes as the index has them, after checking them against what Redis really holds."""
        info = await self.cache_info()
        prefix = self.connector.store._data
        client = async_client()
        keys = [key async for key in client.scan_iter(match=f"{prefix}*", count=1000)]
        values = await client.mget(keys) if keys else []
        held = sum(len(k) - len(prefix) + len(v) for k, v in zip(keys, values, strict=True) if v is not None)
        assert (info["keys"], info["bytes"]) == (len(keys), held)
        return info["keys"], info["bytes"]


@pytest.fixture
async def connection() -> AsyncIterator[Maker]:
    """Make benches; all are emptied afterwards."""
    made: list[Bench] = []

    def make(tenant: Tenant | None = None, slug: str = "memory", **limits: Any) -> Bench:
        bench = Bench(tenant or Tenant(slug=f"t-{uuid.uuid4().hex[:12]}", name="A tenant"), slug, **limits)
        made.append(bench)
        return bench

    yield make
    for bench in made:
        await bench.connector.store.drop_matching("*")
    await async_client().aclose()


@pytest.fixture
def memory(connection: Maker) -> Bench:
    """One connection with default limits."""
    return connection()


async def until(condition: Callable[[], Any], seconds: float = 3.0) -> None:
    """Poll an async condition every few milliseconds; fail when time runs out."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)
