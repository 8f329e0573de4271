import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.events import Event
from audit.models import AuditEvent
from audit.services import record
from common.writer import writer
from tests.factories import make_tenant


@pytest.fixture
def tenant() -> Any:
    return make_tenant()


@pytest.fixture
def call(tenant: Any) -> Callable[..., Event]:
    """An event of a tool call in the test's tenant."""

    def make(name: str = "create_goal", **fields: Any) -> Event:
        fields.setdefault("arguments", {"title": "a goal"})
        return Event(tenant.pk, "call", name=name, connection="goals", **fields)

    return make


@pytest.fixture
def rows(tenant: Any) -> Callable[..., list[AuditEvent]]:
    """The test's rows in the order of the chain, without what making the tenant left."""

    def read(**filters: Any) -> list[AuditEvent]:
        filters = filters or {"kind__in": ["call", "read", "prompt", "denial", "auth"]}
        return list(AuditEvent.objects.for_tenant(tenant).filter(**filters).order_by("seq"))

    return read


async def record_all(events: list[Event]) -> list[Any]:
    return await asyncio.gather(*[record(event) for event in events], return_exceptions=True)


@pytest.fixture(autouse=True)
def nothing_left_waiting() -> Iterator[None]:
    yield
    assert writer.flush()
