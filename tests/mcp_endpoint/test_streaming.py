import json

from common.db import in_db
from mcp_endpoint import stream
from tests.mcp_endpoint.demo import waits
from tests.mcp_endpoint.speak import Running, by_door, eventually, initialize, legacy, modern, unique


async def test_progress_arrives_while_the_call_is_running(place):
    word = unique()
    running = Running(modern(place, "tools/call", {"name": "demo_wait", "arguments": {"word": word, "tell": True}},
                             meta={"progressToken": 1}))  # fmt: skip
    chunks = running.chunks()
    start = await anext(chunks)
    assert start["status"] == 200
    first = await anext(chunks)
    assert b"notifications/progress" in first["body"]
    assert waits[word] == "started"
    waits[word] = "released"
    rest = b"".join([chunk["body"] async for chunk in chunks])
    assert b"waited" in rest


async def test_a_modern_client_that_leaves_cancels_its_call(place):
    for tell in (True, False):  # with an open stream, and before there is one
        word = unique()
        running = Running(modern(place, "tools/call", {"name": "demo_wait", "arguments": {"word": word, "tell": tell}},
                                 meta={"progressToken": 1}, x_request_id=word))  # fmt: skip
        await eventually(lambda word=word: waits.get(word) == "started")
        running.gone.set()
        await eventually(lambda word=word: waits[word] == "cancelled")
        await running.task
        await eventually(lambda running=running: running.task.done())
    row = await in_db(_row, place.tenant, word)
    assert row.outcome == "cancelled"


async def test_a_client_of_the_handshake_era_that_leaves_does_not_cancel(place):
    word = unique()
    running = Running(legacy(place, "tools/call", {"name": "demo_wait", "arguments": {"word": word}}))
    await eventually(lambda: waits.get(word) == "started")
    running.gone.set()
    for _ in range(3):
        assert waits[word] == "started"
        await eventually(lambda: True)
    waits[word] = "released"
    await running.task
    assert waits[word] == "done"


async def test_the_cancelled_notification_cancels_a_request_of_its_own_session(place, other_place):
    session = (await by_door(initialize(place))).headers["mcp-session-id"]
    other = (await by_door(initialize(place))).headers["mcp-session-id"]
    word = unique()
    running = Running(legacy(place, "tools/call", {"name": "demo_wait", "arguments": {"word": word}}, id="r-1",
                             mcp_session_id=session))  # fmt: skip
    await eventually(lambda: waits.get(word) == "started")
    for token, request_id in ((other, "r-1"), (session, "r-2"), (session, ["r-1"])):
        gone = legacy(
            place, "notifications/cancelled", {"requestId": request_id}, id=None, mcp_session_id=token
        )
        assert (await by_door(gone)).status == 202
        assert waits[word] == "started"
    gone = legacy(place, "notifications/cancelled", {"requestId": "r-1"}, id=None, mcp_session_id=session)
    assert (await by_door(gone)).status == 202
    answer = await running.answer()
    assert waits[word] == "cancelled"
    assert answer.error == {"code": -32800, "message": "Request cancelled"}


async def test_a_silent_call_opens_its_stream_and_is_kept_alive(place, monkeypatch):
    monkeypatch.setattr(stream, "PING_S", 0.02)
    word = unique()
    running = Running(modern(place, "tools/call", {"name": "demo_wait", "arguments": {"word": word}}))
    chunks = running.chunks()
    assert (await anext(chunks))["type"] == "http.response.start"
    assert (await anext(chunks))["body"] == b": ping\r\n\r\n"
    assert (await anext(chunks))["body"] == b": ping\r\n\r\n"
    waits[word] = "released"
    rest = b"".join([chunk["body"] async for chunk in chunks])
    (data,) = [line for line in rest.decode().splitlines() if line.startswith("data: ")]
    assert json.loads(data[6:])["result"]["content"][0]["text"] == "waited"


def _row(tenant, request_id):
    from audit.models import AuditEvent
    from common.writer import writer

    writer.flush()
    return AuditEvent.objects.for_tenant(tenant).get(request_id=request_id, phase="done")
