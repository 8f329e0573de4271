"""Limits that processes share, and Redis that is away, with real Redis servers."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from common.db import in_db
from common.redis import sync_client
from common.redis_server import socket_client, start_server
from connectors.errors import RateLimited
from connectors.limiting.calendar import month_of
from connectors.limiting.use import usage_of_limits
from connectors.limits import charge
from connectors.services import limit_create, limit_update
from connectors.snapshot import load
from tests.connectors.limiting import limited, registered, rested, step, tenant
from tests.factories import SYSTEM, make_caller
from tests.live import ROOT, environment

__all__ = ["registered", "step", "tenant"]  # fixtures


# -- over all processes --------------------------------------------------------------------

# Another process: as many calls at once as it is told, and how many were granted.
SPENDER = """
import asyncio, json, sys, time
import django
django.setup()
from connectors import registry
registry.BUILT_IN["limited"] = "tests.connectors.limited:Limited"
from uuid import UUID
from connectors.errors import RateLimited
from connectors.limits import charge
from connectors.snapshot import load
from tenants.models import Principal
from tenants.selectors import caller_of
tenant, calls = UUID(sys.argv[1]), int(sys.argv[2])
entry = load(tenant).tools["limited_light"]
caller = caller_of(Principal.objects.for_tenant(tenant).select_related("tenant", "user")[0])
async def main():
    async def one():
        try:
            return (await charge(caller, entry, time.monotonic() + 60)).slot_ms
        except RateLimited:
            return 0
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(await asyncio.gather(*[one() for _ in range(calls)])), flush=True)
asyncio.run(main())
"""


def spend_in_processes(tenant, processes, calls):
    """What each of some processes got that all began together: the turns of what was granted."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SPENDER, str(tenant.pk), str(calls)],
            cwd=ROOT, env=environment(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(processes)
    ]  # fmt: skip
    try:
        for process in running:
            assert process.stdout.readline() == "ready\n"
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in running]
    finally:
        for process in running:
            process.communicate(timeout=30)


def test_processes_share_a_window_and_a_month_to_the_call(tenant):
    make_caller(tenant)
    limit_create(tenant=tenant, calls=70, period="hour", actor=SYSTEM)
    month = limit_create(tenant=tenant, calls=1_000, period="month", actor=SYSTEM)
    found = spend_in_processes(tenant, 3, 60)
    assert sum(slot > 0 for slots in found for slot in slots) == 70
    assert usage_of_limits(tenant)[month.pk].used == 70


async def test_processes_share_the_turns_of_a_connection(tenant):
    await in_db(make_caller, tenant)
    await rested(tenant, 100)
    found = await asyncio.to_thread(spend_in_processes, tenant, 2, 8)
    slots = sorted(slot for own in found for slot in own if slot)
    assert len(slots) == 16
    assert all(later - earlier >= 100 for earlier, later in itertools.pairwise(slots))


# -- what it costs, and Redis that is away -------------------------------------------------


async def test_a_tool_without_limits_asks_nobody(tenant, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    one, other = await in_db(make_caller, tenant), await in_db(make_caller, tenant)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    assert entry.limits is None and entry.connection.limits is None
    asked = charge(one, entry, 0.0)
    with pytest.raises(StopIteration):
        asked.send(None)
    await limited(tenant, 1, key=other.key_id)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    asked = charge(one, entry, 0.0)
    with pytest.raises(StopIteration):
        asked.send(None)


async def test_a_full_window_is_refused_without_redis(tenant, step):
    row = await limited(tenant, 1, "day")
    caller = await in_db(make_caller, tenant)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    await charge(caller, entry, time.monotonic() + 30)
    with pytest.raises(RateLimited):
        await charge(caller, entry, time.monotonic() + 30)
    sync_client().delete(f"portico:{tenant.pk.hex}:limit:{row.pk.hex}:day")
    with pytest.raises(RateLimited) as refused:
        await charge(caller, entry, time.monotonic() + 30)
    assert 86_300 < refused.value.retry_after <= 86_400
    await charge(caller, replace(entry, limits=(await raised(tenant, row)).limits), time.monotonic() + 30)


async def raised(tenant, row):
    await in_db(limit_update, row, calls=2, actor=SYSTEM)
    return (await in_db(load, tenant.pk)).tools["limited_light"]


@pytest.fixture
def server(tmp_path_factory, settings):
    """A Redis server of this test's own, which it may stop."""
    folder = tmp_path_factory.mktemp("r")
    running = {"process": start_server(folder, durable=True)}
    settings.REDIS_URL = f"unix://{folder / 'redis.sock'}"
    yield folder, running
    running["process"].kill()
    running["process"].wait()


async def test_without_redis_the_process_counts_and_with_it_again_everything_recovers(
    tenant, step, server, caplog
):
    folder, running = server
    await limited(tenant, 4)
    month = await limited(tenant, 100, "month")
    caller = await in_db(make_caller, tenant)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]

    async def spent(times):
        found = 0
        for _ in range(times):
            try:
                await charge(caller, entry, time.monotonic() + 30)
                found += 1
            except RateLimited:
                pass
        return found

    assert await spent(3) == 3
    with socket_client(folder) as client:  # a busy disk may hold its file up beyond the kill
        client.set("last", 1)  # it waits for what this client has written, and so for all before it
        client.execute_command("WAITAOF", 1, 0, 10_000)
    running["process"].kill()
    running["process"].wait()
    assert await spent(6) == 4  # counted anew, in this process
    assert step.line.is_away
    said = [record.getMessage() for record in caplog.records if "Redis is not reachable" in record.message]
    assert len(said) == 1 and "per process" in said[0]
    running["process"] = start_server(folder, durable=True)
    await eventually_async(lambda: spent(1), lambda: not step.line.is_away)
    assert [r for r in caplog.records if "Redis is back" in r.message]
    key = f"portico:{tenant.pk.hex}:limit:{month.pk.hex}:month:{month_of('Europe/Berlin').label}"

    async def counted():
        from common.redis import async_client

        return int(await async_client().get(key))

    assert await counted() >= 3 + 4  # the months learn what was debited meanwhile


async def eventually_async(act, check, seconds=15.0):
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it never happened"
        await act()
        await asyncio.sleep(0.05)


async def test_a_redis_that_hangs_holds_no_call_up(tenant, step, server):
    _, running = server
    await limited(tenant, 1_000)
    caller = await in_db(make_caller, tenant)
    entry = (await in_db(load, tenant.pk)).tools["limited_light"]
    await charge(caller, entry, time.monotonic() + 30)
    os.kill(running["process"].pid, signal.SIGSTOP)
    try:
        found = await asyncio.wait_for(
            asyncio.gather(*[charge(caller, entry, time.monotonic() + 30) for _ in range(20)]), 15
        )
        assert all(debit.local for debit in found)
    finally:
        os.kill(running["process"].pid, signal.SIGCONT)
    await eventually_async(
        lambda: charge(caller, entry, time.monotonic() + 30), lambda: not step.line.is_away
    )


def test_the_use_of_limits_is_not_known_while_redis_is_away(tenant, monkeypatch, settings):
    import redis

    from connectors.limiting import use

    row = limit_create(tenant=tenant, calls=1, period="hour", actor=SYSTEM)
    nowhere = redis.Redis(unix_socket_path="/nowhere/redis.sock", retry=None)
    monkeypatch.setattr(use, "sync_client", lambda: nowhere)
    assert usage_of_limits(tenant)[row.pk].used is None
