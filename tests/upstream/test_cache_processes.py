"""Two processes share what is kept, what is forgotten and who asks the system."""

import asyncio

import pytest

from common.bus import wait_until_connected
from common.db import in_db
from connectors.upstream.cache.copies import copies
from connectors.upstream.client import close_all
from tests.live import environment, run_code
from tests.upstream.kept import ENTRY, Place, numbered, until
from tests.upstream.test_cache_forgetting import Held

OTHER = """
import asyncio
from uuid import UUID
from django.conf import settings
settings.PORTICO_SANDBOX = True
from connectors.pipeline import call_tool
from connectors.snapshot import load
from common.writer import writer
from tenants.models import Principal
from tenants.selectors import caller_of
principal = Principal.objects.for_tenant(UUID("{tenant}")).select_related("tenant").get(pk=UUID("{principal}"))
caller = caller_of(principal, via="mcp")
load(caller.tenant.id)
async def calls():
    return [await call_tool(caller, name, arguments) for name, arguments in {calls!r}]
got = asyncio.run(calls())
writer.stop()
print(json.dumps([[one.cache, one.structured] for one in got]))
"""


async def other_process(place, *calls):
    code = OTHER.format(tenant=place.tenant.pk, principal=place.caller.principal_id, calls=calls)
    env = environment(PORTICO_CONNECTORS=ENTRY, PORTICO_SANDBOX="true")
    return await asyncio.to_thread(run_code, code, env)


@pytest.fixture
async def place(double):
    yield await in_db(Place, double.url)
    await close_all()


async def test_what_one_process_keeps_another_has_and_what_it_writes_ends_it_here(place, double):
    double.script = [numbered(n) for n in range(9)]
    assert await asyncio.to_thread(wait_until_connected, 10)
    await place.call("kept_item", number=1)
    await place.call("kept_fields")
    item = ("kept_item", {"number": 1})
    got = await other_process(place, item, ("kept_change", {"number": 1}), item)
    assert got == [["hit", {"item": {"n": 0}}], ["", {"item": {"n": 2}}], ["miss", {"item": {"n": 3}}]]
    await until(lambda: len(copies._rooms[place.tenant.pk].copies) == 1)
    answered = await place.call("kept_item", number=1)
    assert (answered.cache, answered.structured) == ("hit", {"item": {"n": 3}})
    assert (await place.call("kept_fields")).cache == "hit"


async def test_two_processes_ask_the_system_once(place, double):
    held = Held(7)
    double.script = [held]
    there = asyncio.create_task(other_process(place, ("kept_item", {"number": 1})))
    await until(lambda: held.came, 60)
    here = asyncio.create_task(place.call("kept_item", number=1))
    await asyncio.wait([here], timeout=0.1)
    held.go.set()
    assert await there == [["miss", {"item": {"n": 7}}]]
    assert ((await here).cache, (await here).structured) == ("hit", {"item": {"n": 7}})
    assert len(double.came) == 1
