import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.base import ConnectionRef
from connectors.connection_settings import NetworkSettings
from connectors.upstream import retry, shared
from connectors.upstream.client import Client
from tests.upstream.faulty import Faulty, faulty


def some_connection(**network: Any) -> ConnectionRef:
    """A connection that is nobody's, with these network settings."""
    return ConnectionRef(
        uuid.uuid4(), uuid.uuid4(), "things", "Things", True, 1, connector="things",
        network=NetworkSettings(**network),
    )  # fmt: skip


async def until(check: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.005)


@dataclass
class Ctx:
    """As much of a call's context as a client needs; a new identity each time, unless one is given."""

    deadline: float
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)
    sent: bool = False

    def trace_headers(self) -> dict[str, str]:
        return {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}


@pytest.fixture
def ctx() -> Callable[..., Any]:
    return lambda seconds=10.0, **more: Ctx(time.monotonic() + seconds, **more)


@pytest.fixture(autouse=True)
def sandbox(settings, monkeypatch) -> None:
    settings.PORTICO_SANDBOX = True
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.005)
    monkeypatch.setattr(shared, "_away_until", 0.0)


@pytest.fixture
async def double() -> AsyncIterator[Faulty]:
    async with faulty() as running:
        yield running


@pytest.fixture
async def client(double) -> AsyncIterator[Client]:
    made = Client(some_connection(read_s=0.3, connect_s=1.0), double.url)
    yield made
    await made.aclose()
    await asyncio.sleep(0)
