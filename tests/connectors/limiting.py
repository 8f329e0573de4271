"""What the tests of limits share: a tenant with the connection ``limited``, its calls and what they used."""

import asyncio
import json
import time

import pytest

from common.db import in_db
from connectors import limits as door
from connectors import registry
from connectors.limiting.step import Step
from connectors.limiting.use import usage_of_limits
from connectors.pipeline import call_tool
from connectors.services import connection_update, limit_create
from connectors.snapshot import load
from tests.connectors.limited import Limited
from tests.factories import SYSTEM, make_connection, make_tenant


@pytest.fixture(scope="module", autouse=True)
def registered(database):
    registry.BUILT_IN["limited"] = "tests.connectors.limited:Limited"
    yield
    del registry.BUILT_IN["limited"]


@pytest.fixture
def tenant():
    made = make_tenant(time_zone="Europe/Berlin")
    make_connection(made, "limited")
    return made


@pytest.fixture
def step(monkeypatch):
    """A process's counters of this test's own."""
    made = Step()
    monkeypatch.setattr(door, "step", made)
    return made


async def limited(tenant, calls, period="hour", **whose):
    return await in_db(limit_create, tenant=tenant, calls=calls, period=period, actor=SYSTEM, **whose)


async def called(caller, name="limited_light", **arguments):
    result = await call_tool(caller, name, arguments)
    return json.loads(result.content[0].text) if result.is_error else {}


async def granted(caller, times, name="limited_light"):
    return [not await called(caller, name) for _ in range(times)].count(True)


def executed(tenant):
    return Limited.executed.get(tenant.pk, 0)


async def use_of(tenant, row):
    return (await in_db(usage_of_limits, tenant))[row.pk]


async def eventually_used(tenant, row, expected):
    until = time.monotonic() + 15
    while (await use_of(tenant, row)).used != expected:
        assert time.monotonic() < until, "it never happened"
        await asyncio.sleep(0.01)


async def rested(tenant, interval_ms, tool="limited_light"):
    """The tool of a connection whose calls are so far apart."""
    row = (await in_db(load, tenant.pk)).connections[0].ref.id

    def change():
        from connectors.models import Connection

        found = Connection.objects.for_tenant(tenant).select_related("tenant").get(pk=row)
        connection_update(found, network={"min_interval_ms": interval_ms}, actor=SYSTEM)

    await in_db(change)
    return (await in_db(load, tenant.pk)).tools[tool]
