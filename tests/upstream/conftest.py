import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.connection_settings import NetworkSettings
from connectors.upstream import retry
from connectors.upstream.client import Client
from tests.upstream.faulty import Faulty, faulty


@dataclass
class Ctx:
    """As much of a call's context as a client needs."""

    deadline: float

    def trace_headers(self) -> dict[str, str]:
        return {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}


@pytest.fixture
def ctx() -> Callable[..., Any]:
    return lambda seconds=10.0: Ctx(time.monotonic() + seconds)


@pytest.fixture(autouse=True)
def sandbox(settings, monkeypatch) -> None:
    settings.PORTICO_SANDBOX = True
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.005)


@pytest.fixture
async def double() -> AsyncIterator[Faulty]:
    async with faulty() as running:
        yield running


@pytest.fixture
async def client(double) -> AsyncIterator[Client]:
    made = Client(double.url, NetworkSettings(read_s=0.3, connect_s=1.0))
    yield made
    await made.aclose()
    await asyncio.sleep(0)
