"""What two tenants of one system never share, though they say the same to it."""

import asyncio
import json

import pytest

from common.db import in_db
from common.redis import sync_client
from connectors.models import Credential, UsageLimit
from connectors.pipeline import call_tool
from connectors.snapshot import forget
from tenants.changes import tenant_changed
from tests.factories import make_caller, make_connection, make_tenant
from tests.walls.neighbours import System


class Side:
    """One of the two tenants."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.tenant = make_tenant()
        self.connection = make_connection(
            self.tenant, "neighbour", settings={"url": url}, credential={"client": name},
            network={"retries": 0},
        )  # fmt: skip
        self.caller = make_caller(self.tenant)

    async def call(self, tool: str, number: int = 1):
        result = await call_tool(self.caller, tool, {"number": number})
        return json.loads(result.content[0].text) if result.is_error else result.structured["thing"]

    def limit(self, calls: int) -> None:
        UsageLimit.objects.create(tenant=self.tenant, connection=self.connection, calls=calls, period="hour")
        tenant_changed(self.tenant.pk)
        forget(self.tenant.pk)


@pytest.fixture
async def system(settings):
    settings.PORTICO_SANDBOX = True
    made = System()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()


@pytest.fixture
async def sides(system):
    return [await in_db(Side, name, system.url) for name in ("one", "two")]


async def test_a_kept_result_and_a_token_answer_their_own_tenant_alone(system, sides):
    for _ in range(3):
        for side in sides:
            assert await side.call("neighbour_kept") == {"of": side.name, "number": 1}
    assert system.reads == {"one": 1, "two": 1}
    assert system.tokens == {"one": 1, "two": 1}
    for side in sides:
        (row,) = await in_db(lambda side=side: list(Credential.objects.for_tenant(side.tenant).filter(kind="token")))  # fmt: skip
        assert row.connection_id == side.connection.pk


async def test_cookies_of_a_system_are_kept_for_nobody(system, sides):
    for side in (*sides, *sides):
        assert (await side.call("neighbour_read"))["of"] == side.name
    assert system.cookies == []


async def test_one_tenants_open_breaker_leaves_the_other_alone(system, sides):
    broken, healthy = sides
    system.broken.add(broken.name)
    types = [(await broken.call("neighbour_read"))["type"] for _ in range(7)]
    assert types[:5] == ["http_error"] * 5 and types[5:] == ["circuit_open"] * 2
    assert await healthy.call("neighbour_read") == {"of": "two", "number": 1}
    assert system.reads["one"] == 5


async def test_one_tenants_used_up_limit_leaves_the_other_alone(system, sides):
    for side in sides:
        await in_db(side.limit, 2)
    one, two = sides
    assert [("of" in await one.call("neighbour_read")) for _ in range(4)] == [True, True, False, False]
    assert [("of" in await two.call("neighbour_read")) for _ in range(3)] == [True, True, False]


async def test_everything_that_is_shared_between_processes_names_its_tenant_and_nothing_in_the_clear(
    system, sides
):
    system.broken.add("one")
    for side in sides:
        await in_db(side.limit, 100)
        for tool in ("neighbour_kept", "neighbour_read"):
            await side.call(tool)

    def found():
        client, mine = sync_client(), {}
        for key in client.scan_iter("*", count=1000):
            name = key.decode(errors="replace")
            for side in sides:
                if side.tenant.pk.hex in name or side.connection.pk.hex in name:
                    mine[name] = (side, client.dump(key) or b"")
        return mine

    stored = await in_db(found)
    rooms = {name.split(":")[2] for name in stored if name.startswith("portico:")}
    assert {"cache", "breaker", "limit"} <= rooms
    for name, (side, value) in stored.items():
        assert name.split(":")[:2] == ["portico", side.tenant.pk.hex], name
        assert b"token-" not in value and b'"of"' not in value, name
