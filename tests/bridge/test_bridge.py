"""``portico-stdio`` between the official client's stdio transport and a real server."""

import asyncio
import json
import os
import signal
import socket
import subprocess

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from audit.models import AuditEvent
from common.db import in_db
from tenants import services
from tests.bridge.conftest import bridge_command, bridge_env, bridged
from tests.factories import SYSTEM, make_connection
from tests.live import eventually as until
from tests.mcp_endpoint.speak import META, eventually, make_place, unique

CONNECTORS = ("demo", "probe", "asker")
MODES = ["auto", "legacy"]


@pytest.fixture(scope="module")
def mine(database):
    return make_place(connectors=CONNECTORS)


def recorded(place, name, **more):
    return list(AuditEvent.objects.for_tenant(place.tenant).filter(name=name, phase="done", **more))


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_works_through_it(server, mine, mode):
    async with bridged(server, mine, mode) as client:
        assert (client.protocol_version == "2026-07-28") == (mode == "auto")
        assert "demo_add" in [tool.name for tool in (await client.list_tools()).tools]
        told = []

        async def note(done, total, message):
            told.append(message)

        assert (await client.call_tool("demo_tell", {}, progress_callback=note)).content[0].text == "told"
        assert told == ["step 1", "step 2", "step 3"]
        results = await asyncio.gather(*(client.call_tool("demo_add", {"a": n, "b": 0}) for n in range(20)))
        assert [result.structured_content["total"] for result in results] == list(range(20))
        routed = await client.call_tool("demo_route", {"region": " nörd\n"})
        assert routed.structured_content == {"region": " nörd\n"}
        assert (await client.read_resource("demo://rows/3")).contents[0].text.startswith("row 3")
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("nothing", {})


@pytest.mark.parametrize("mode", MODES)
async def test_giving_up_cancels_the_call_at_the_server(server, mine, mode):
    async with bridged(server, mine, mode) as client:
        word = unique()
        started = asyncio.Event()

        async def note(done, total, message):
            started.set()

        arguments = {"word": word, "tell": True}
        call = asyncio.create_task(client.call_tool("demo_wait", arguments, progress_callback=note))
        await asyncio.wait_for(started.wait(), 10)
        before = len(await in_db(recorded, mine, "demo_wait", outcome="cancelled"))
        call.cancel()
        for _ in range(200):
            if len(await in_db(recorded, mine, "demo_wait", outcome="cancelled")) > before:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the call went on")
        assert (await client.call_tool("demo_add", {"a": 1})).structured_content == {"total": 2}


@pytest.mark.parametrize("mode", MODES)
async def test_the_person_is_asked_through_it(server, mine, mode):
    async def fill(context, params):
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async with bridged(server, mine, mode, elicitation_callback=fill) as client:
        assert (await client.call_tool("asker_greet", {})).content[0].text == "Hello, Ada!"


@pytest.mark.parametrize("mode", MODES)
async def test_a_restart_of_the_server_is_bridged(server, mode, tmp_path):
    place = await in_db(make_place, connectors=CONNECTORS)
    told, log = [], tmp_path / "bridge.log"

    async def note(message):
        told.append(repr(message))

    with log.open("w") as errors:
        async with bridged(server, place, mode, errors=errors, message_handler=note) as client:
            listening = asyncio.create_task(listen(client, told)) if mode == "auto" else None
            assert (await client.call_tool("demo_add", {"a": 1})).structured_content == {"total": 2}
            await change_until_told(place, told, "first")

            started = asyncio.Event()

            async def begun(done, total, message):
                started.set()

            arguments = {"word": unique(), "tell": True}
            lost = asyncio.create_task(client.call_tool("demo_wait", arguments, progress_callback=begun))
            await asyncio.wait_for(started.wait(), 10)
            await asyncio.to_thread(kill, server)
            with pytest.raises(MCPError, match="may have been done"):
                await lost

            waiting = asyncio.create_task(client.call_tool("demo_add", {"a": 2}))
            told.clear()
            await asyncio.to_thread(server.start)
            assert (await waiting).structured_content == {"total": 3}
            await eventually(
                lambda: any("list_changed" in text.lower() or "ListChanged" in text for text in told), 15
            )
            await change_until_told(place, told, "second")
            if listening is not None:
                assert not listening.done()
                listening.cancel()
    assert place.key not in log.read_text()
    rows = await in_db(recorded, place, "demo_add")
    assert len(rows) == 2


async def listen(client, told):
    async with client.listen(tools_list_changed=True) as subscription:
        async for event in subscription:
            told.append(repr(event))


async def change_until_told(place, told, slug):
    """A new connection is heard of, once the stream stands."""
    told.clear()
    await in_db(make_connection, place.tenant, "demo", slug=slug)
    try:
        await eventually(lambda: told, 5)
    except AssertionError:  # the stream was not open yet when the change was made
        await in_db(make_connection, place.tenant, "probe", slug=f"{slug}b")
        await eventually(lambda: told, 10)


def kill(server):
    """End it without a word, as a power cut does."""
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    until(lambda: refused(server.port))


def refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Lines:
    """The bridge, spoken to line by line."""

    def __init__(self, url, key, **env):
        self.process = subprocess.Popen(
            bridge_command(url), env=bridge_env(key, **env), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def send(self, *messages):
        for message in messages:
            line = (
                message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0", **message}).encode()
            )
            self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def finish(self):
        out, errors = self.process.communicate(timeout=40)
        return [json.loads(line) for line in out.splitlines()], errors.decode()


def test_what_the_server_refuses_is_said_in_full(server, mine):
    wrong = Lines(server.url(mine), "ptc_wrong")
    wrong.send(
        {"id": 1, "method": "tools/list"}, {"id": "x", "method": "server/discover", "params": {"_meta": META}}
    )
    answers, errors = wrong.finish()
    assert {answer["id"] for answer in answers} == {1, "x"}
    assert all("PORTICO_ACCESS_KEY" in answer["error"]["message"] for answer in answers)
    assert "ptc_wrong" not in errors + json.dumps(answers)


def test_lines_that_are_no_messages_are_answered_and_notifications_are_not(server, mine):
    lines = Lines(server.url(mine), mine.key)
    lines.send(b"", b"no json", b"[]", b'{"jsonrpc":"2.0","id":null,"method":"ping"}', {"method": "notifications/x"},
               {"id": 7, "method": "ping"})  # fmt: skip
    answers, errors = lines.finish()
    assert [answer.get("error", {}).get("code") for answer in answers] == [-32700, -32600, -32600, None]
    assert answers[3] == {"jsonrpc": "2.0", "id": 7, "result": {}}
    assert mine.key not in errors


def test_a_tool_that_wants_headers_is_called_without_its_list(server, mine):
    lines = Lines(server.url(mine), mine.key)
    params = {"name": "demo_route", "arguments": {"region": "=?base64?eA==?="}, "_meta": META}
    lines.send({"id": 1, "method": "tools/call", "params": params})
    (answer,), _ = lines.finish()
    assert answer["result"]["structuredContent"] == {"region": "=?base64?eA==?="}


async def test_a_revoked_key_is_told_in_the_answer(server):
    place = await in_db(make_place, connectors=("probe",))
    async with bridged(server, place, "auto") as client:
        assert (await client.list_tools()).tools
        await in_db(services.access_key_revoke, key=place.access_key, actor=SYSTEM)
        with pytest.raises(MCPError, match="PORTICO_ACCESS_KEY"):
            for _ in range(200):
                await client.call_tool("probe_echo", {"text": "x"})
                await asyncio.sleep(0.02)
