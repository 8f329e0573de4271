"""Two processes with one expired token exchange its refresh token once, with Redis and without."""

import asyncio

import pytest

from common.db import in_db
from tests.live import environment, run_code
from tests.upstream.token_server import token_server
from tests.upstream.tokened import ENTRY, Seat

CALLS = """
import asyncio, urllib.request
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
from connectors.upstream import tokens
def tell(where):
    urllib.request.urlopen("{url}/" + where, timeout=60).read()
async def calls():
    tasks = [asyncio.create_task(call_tool(caller, "rotating_get", {{}})) for _ in range(10)]
    while not tokens._working:
        await asyncio.sleep(0.005)
    await asyncio.to_thread(tell, "working")
    return await asyncio.gather(*tasks)
tell("barrier")
got = asyncio.run(calls())
writer.stop()
print(json.dumps([[str(one.content[0].text) for one in got if one.is_error], len(got)]))
"""


@pytest.mark.parametrize("redis", ["there", "away"])
async def test_two_processes_with_an_expired_token_get_one_between_them(tmp_path, redis):
    async with token_server() as server:
        seat = await in_db(Seat, server)
        await seat.get()
        await in_db(lambda: seat.age(left_s=-1))
        server.valid.clear()
        server.gate.clear()
        code = CALLS.format(tenant=seat.tenant.pk, principal=seat.caller.principal_id, url=server.url)
        env = environment(PORTICO_CONNECTORS=ENTRY, PORTICO_SANDBOX="true")
        if redis == "away":
            env["REDIS_URL"] = f"unix://{tmp_path}/none.sock"
        work = [asyncio.create_task(asyncio.to_thread(run_code, code, env)) for _ in range(2)]
        ends = await asyncio.gather(*work)  # the answer comes when both are at it
        assert ends == [[[], 10]] * 2
        assert server.count == 2 and len(server.used) == 21
        assert (await in_db(seat.row)).leased_until is None
