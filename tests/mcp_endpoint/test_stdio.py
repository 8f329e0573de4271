"""``manage.py mcp_stdio`` in a process of its own, driven by the official client and by hand."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager

import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client

from audit.models import AuditEvent
from common.db import in_db
from tenants import services
from tenants.selectors import callers_named
from tests.factories import SYSTEM, make_connection, make_member, make_user, unique
from tests.live import ROOT, environment
from tests.mcp_endpoint.speak import HANDSHAKE, META, eventually, make_place

MODES = ["auto", "legacy"]
CONNECTORS = f"{os.environ['PORTICO_CONNECTORS']},demo=tests.mcp_endpoint.demo:Demo"


def env_of(place=None, **more):
    key = {"PORTICO_ACCESS_KEY": place.key} if place else {}
    return environment(**{"PORTICO_CONNECTORS": CONNECTORS, "LOG_LEVEL": "INFO", **key, **more})


@asynccontextmanager
async def client_of(place, mode, *arguments, key=True, **more):
    server = StdioServerParameters(
        command=sys.executable, args=["manage.py", "mcp_stdio", "--tenant", place.tenant.slug, *arguments],
        env=env_of(place if key else None), cwd=ROOT,
    )  # fmt: skip
    async with mcp.Client(stdio_client(server), mode=mode, **more) as client:
        yield client


class Process:
    """The command, spoken to line by line."""

    def __init__(self, place, *arguments, env=None):
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "mcp_stdio", "--tenant", place.tenant.slug, *arguments], cwd=ROOT,
            env=env or env_of(place), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def send(self, *messages):
        for message in messages:
            line = (
                message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0", **message}).encode()
            )
            self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def line(self):
        return json.loads(self.process.stdout.readline())

    def finish(self):
        """Close its input; what it still says, and what it logged."""
        out, errors = self.process.communicate(timeout=30)
        return [json.loads(line) for line in out.splitlines()], errors.decode()


def call(id, name, _meta=None, **arguments):
    params = {"name": name, "arguments": arguments, **({"_meta": _meta} if _meta else {})}
    return {"id": id, "method": "tools/call", "params": params}


@pytest.fixture(scope="module")
def mine(database):
    return make_place()


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_works_over_it(mine, mode):
    async with client_of(mine, mode) as client:
        assert "demo_add" in [tool.name for tool in (await client.list_tools()).tools]
        assert (await client.call_tool("demo_add", {"a": 2, "b": 3})).structured_content == {"total": 5}
        told = []

        async def note(done, total, message):
            told.append(message)

        assert (await client.call_tool("demo_tell", {}, progress_callback=note)).content[0].text == "told"
        assert told == ["step 1", "step 2", "step 3"]
        slow = asyncio.create_task(client.call_tool("demo_wait", {"word": unique()}))
        results = await asyncio.gather(*(client.call_tool("demo_add", {"a": n, "b": 0}) for n in range(20)))
        assert [result.structured_content["total"] for result in results] == list(range(20))
        assert not slow.done()
        slow.cancel()


async def test_news_reach_the_client(database):
    place = await in_db(make_place)
    told = []

    async def note(message):
        told.append(repr(message))

    async with client_of(place, "legacy", message_handler=note) as client:
        await client.list_tools()
        await in_db(make_connection, place.tenant, "demo", slug="second")
        await eventually(lambda: any("tools/list_changed" in message for message in told), 10)


def test_cancelled_calls_are_not_answered_and_both_are_recorded(mine):
    process = Process(mine)
    word = unique()
    process.send(call(1, "demo_wait", META | {"progressToken": "p"}, word=word, tell=True))
    assert process.line()["method"] == "notifications/progress"
    process.send({"method": "notifications/cancelled", "params": {"requestId": 1}})
    process.send(call(2, "demo_add", META, a=1))
    rest, errors = process.finish()
    assert [message["id"] for message in rest] == [2]
    assert process.process.returncode == 0, errors
    rows = AuditEvent.objects.for_tenant(mine.tenant).filter(via="stdio", phase="done", name="demo_wait")
    assert [row.outcome for row in rows.order_by("-seq")][:1] == ["cancelled"]


def test_what_runs_at_the_end_of_input_is_answered_first(mine):
    process = Process(mine)
    process.send({"id": 0, "method": "initialize", "params": {
        "protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "piped", "version": "1"},
    }}, *(call(number, "probe_wait", seconds=0.3) for number in (1, 2, 3)))  # fmt: skip
    rest, errors = process.finish()
    assert sorted(message["id"] for message in rest) == [0, 1, 2, 3]
    assert process.process.returncode == 0, errors
    rows = AuditEvent.objects.for_tenant(mine.tenant).filter(client_name="piped", phase="done")
    assert [row.outcome for row in rows] == ["ok"] * 3


def test_standard_output_holds_nothing_but_answers_to_what_came(mine):
    process = Process(mine, env=env_of(mine, LOG_LEVEL="DEBUG"))
    process.send(b"", b"no json", b"[]", {"method": "unknown/thing"}, {"id": "x", "method": "ping"})
    rest, errors = process.finish()
    assert [message.get("error", {}).get("code") for message in rest] == [-32700, -32600, None]
    assert rest[2] == {"jsonrpc": "2.0", "id": "x", "result": {}}
    assert mine.key not in errors


def test_sigterm_ends_it_and_records_what_ran(mine):
    process = Process(mine)
    process.send(call(1, "probe_wait", META | {"progressToken": 1}, seconds=20))
    assert process.line()["method"] == "notifications/progress"
    process.process.terminate()
    rest, errors = process.finish()
    assert (rest, process.process.returncode) == ([], 0), errors
    row = AuditEvent.objects.for_tenant(mine.tenant).filter(name="probe_wait", phase="done").latest("seq")
    assert row.outcome == "cancelled"


def test_a_revoked_key_ends_it(database):
    place = make_place()
    process = Process(place)
    process.send({"id": 1, "method": "ping"})
    assert process.line()["id"] == 1
    services.access_key_revoke(key=place.access_key, actor=SYSTEM)
    process.process.wait(10)
    process.finish()


def test_the_operator_names_who_calls_without_a_key(mine):
    user = make_user(email=f"{unique()}@example.com")
    member = make_member(mine.tenant, "viewer", user)
    account = mine.access_key.principal
    for name, expected in ((user.get_username(), member.pk), (account.name, account.pk)):
        (found,) = callers_named(mine.tenant.slug, name, address="", via="stdio")
        assert found.principal_id == expected
    assert callers_named("nobody-here", account.name, address="", via="stdio") == []
    process = Process(mine, "--as", user.email.upper(), env=env_of())
    process.send(call(1, "demo_add", META, a=1), call(2, "probe_write", META, text="x"))
    rest, errors = process.finish()
    answers = {message["id"]: message for message in rest}
    assert answers[1]["result"]["structuredContent"] == {"total": 2}, errors
    assert "error" in answers[2]
    row = AuditEvent.objects.for_tenant(mine.tenant).get(
        principal_name=user.get_username(), name="demo_add", phase="done"
    )
    assert row.via == "stdio"


def test_who_may_not_come_is_told_on_standard_error(mine):
    for arguments, env, said in (
        ([], env_of(PORTICO_ACCESS_KEY="ptc_wrong"), "does not open"),
        (["--as", "nobody"], env_of(), "no active tenant"),
    ):
        process = Process(mine, *arguments, env=env)
        rest, errors = process.finish()
        assert process.process.returncode == 1
        assert rest == []
        assert said in errors
        assert "Traceback" not in errors


def test_it_works_while_redis_is_away(mine):
    process = Process(mine, env=env_of(mine, REDIS_URL="unix:///nowhere/redis.sock"))
    process.send({"id": 0, "method": "initialize", "params": {
        "protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "alone", "version": "1"},
    }}, call(1, "demo_add", a=1), {"id": 2, "method": "tools/list"})  # fmt: skip
    rest, errors = process.finish()
    answers = {message["id"]: message for message in rest}
    assert answers[1]["result"]["structuredContent"] == {"total": 2}, errors
    assert "tools" in answers[2]["result"]
    assert process.process.returncode == 0
