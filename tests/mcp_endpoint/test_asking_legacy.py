"""Asking the person before 2026-07-28: a request on the call's stream, answered by a POST of its own."""

import asyncio
import json

import pytest
from django.conf import settings

from audit.models import AuditEvent
from common.db import in_db
from mcp_endpoint import backchannel
from mcp_endpoint.dialogue import Dialogue
from tenants.selectors import caller_of
from tests.factories import make_key, unique
from tests.mcp_endpoint import asker
from tests.mcp_endpoint.speak import Place, Post, Running, by_door, headers_of, initialize, legacy, make_place

ENTRY = "asker=tests.mcp_endpoint.asker:Asker"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)

ALICE = {"action": "accept", "content": {"name": "Alice"}}
ABLE = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}


@pytest.fixture(scope="module")
def place(database) -> Place:
    return make_place(connectors=("asker",))


async def session_of(place, version="2025-11-25", **capabilities):
    answer = await by_door(initialize(place, version=version, **capabilities))
    return answer.headers["mcp-session-id"]


def post(place, session, message) -> Post:
    headers = headers_of(place, mcp_protocol_version="2025-11-25", mcp_session_id=session)
    return Post(place.path, json.dumps({"jsonrpc": "2.0", **message}).encode(), list(headers.items()))


class Call:
    """A running call whose stream is read event by event."""

    def __init__(self, place, session, tool, **arguments):
        params = {"name": tool, "arguments": arguments}
        self.running = Running(legacy(place, "tools/call", params, id=7, mcp_session_id=session))
        self._chunks = self.running.chunks()

    async def event(self):
        async for chunk in self._chunks:
            for line in chunk.get("body", b"").decode().splitlines():
                if line.startswith("data: "):
                    return json.loads(line.removeprefix("data: "))
        raise AssertionError("the stream ended")


async def test_the_question_comes_on_the_stream_and_the_answer_by_a_post(place):
    session = await session_of(place, **ABLE)
    call = Call(place, session, "asker_greet")
    question = await call.event()
    assert question["method"] == "elicitation/create"
    assert question["params"] == {"message": "What is your name?", "requestedSchema": asker.NAME_FORM}
    answer = await by_door(post(place, session, {"id": question["id"], "result": ALICE}))
    assert (answer.status, answer.body) == (202, b"")
    done = await call.event()
    assert done["id"] == 7
    assert done["result"]["content"][0]["text"] == "Hello, Alice!"


async def test_all_kinds_are_asked_one_after_the_other(place):
    session = await session_of(place, **ABLE)
    call = Call(place, session, "asker_everything")
    said = {
        "elicitation/create": ALICE,
        "sampling/createMessage": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}},
        "roots/list": {"roots": []},
    }  # fmt: skip
    pages = 0
    for _ in range(4):
        question = await call.event()
        result = said[question["method"]]
        if question["params"].get("mode") == "url":
            pages += 1
            assert question["params"]["elicitationId"] == "look-1"
            result = {"action": "accept"}
        await by_door(post(place, session, {"id": question["id"], "result": result}))
    assert pages == 1
    assert set((await call.event())["result"]["structuredContent"]) == {"name", "page", "capital", "roots"}


async def refused(place, session, tool="asker_greet", **more):
    params = {"name": tool, "arguments": {}}
    answer = await by_door(legacy(place, "tools/call", params, mcp_session_id=session, **more))
    assert answer.result["isError"]
    return json.loads(answer.result["content"][0]["text"])


async def test_a_client_that_cannot_be_asked_gets_a_clear_error(place):
    able = await session_of(place, **ABLE)
    for session, more in (
        (await session_of(place), {}),  # it declared nothing
        (await session_of(place, sampling={}), {}),
        (await session_of(place, elicitation={"url": {}}), {}),  # it opens pages and shows no forms
        (await session_of(place, version="2025-03-26", **ABLE), {}),  # a revision without elicitation
        (able, {"accept": "application/json"}),  # it takes no stream
        (None, {}),  # it never initialized
    ):
        error = await refused(place, session, **more)
        assert error["code"] == "elicitation_unavailable"
        assert error["hint"]


@pytest.mark.parametrize("result", [{"action": "maybe"}, {"action": "accept", "content": {}}, [], "yes"])
async def test_an_answer_that_does_not_fit_is_an_error(place, result):
    session = await session_of(place, **ABLE)
    call = Call(place, session, "asker_greet")
    question = await call.event()
    await by_door(post(place, session, {"id": question["id"], "result": result}))
    done = await call.event()
    assert json.loads(done["result"]["content"][0]["text"])["code"] == "bad_answer"


async def test_a_client_that_refuses_to_ask_says_why(place):
    session = await session_of(place, **ABLE)
    call = Call(place, session, "asker_sample")
    question = await call.event()
    error = {"code": -1, "message": "User rejected sampling request"}
    await by_door(post(place, session, {"id": question["id"], "error": error}))
    said = json.loads((await call.event())["result"]["content"][0]["text"])
    assert said["code"] == "asking_failed"
    assert "User rejected" in said["error"]


async def test_an_answer_of_another_session_principal_or_tenant_reaches_nobody(place):
    session = await session_of(place, **ABLE)
    call = Call(place, session, "asker_greet")
    question = await call.event()
    mallory = {"id": question["id"], "result": {"action": "accept", "content": {"name": "Mallory"}}}
    _, secret = await in_db(make_key, place.tenant)
    neighbour = Place(place.tenant, secret, None)
    stranger = await in_db(make_place, connectors=("asker",))
    assert (await by_door(post(place, await session_of(place, **ABLE), mallory))).status == 202
    for other in (neighbour, stranger):
        assert (await by_door(post(other, session, mallory))).status == 404
        assert (await by_door(post(other, await session_of(other, **ABLE), mallory))).status == 202
        assert (await by_door(post(other, None, mallory))).status == 202
    for wrong in ("ptcq-guess", 7, None, "x" * 5000):
        assert (await by_door(post(place, session, {**mallory, "id": wrong}))).status == 202
    await by_door(post(place, session, {"id": question["id"], "result": ALICE}))
    await by_door(post(place, session, mallory))  # too late
    assert (await call.event())["result"]["content"][0]["text"] == "Hello, Alice!"


async def test_questions_have_ids_that_nobody_guesses_and_leave_nothing_behind(place):
    session = await session_of(place, **ABLE)
    seen = set()
    for _ in range(3):
        call = Call(place, session, "asker_greet")
        question = await call.event()
        seen.add(question["id"])
        await by_door(post(place, session, {"id": question["id"], "result": ALICE}))
        await call.event()
    assert len(seen) == 3
    assert all(len(one) >= 24 for one in seen)
    assert not {question for _, question in backchannel._waiting} & seen


async def test_a_cancelled_call_takes_its_question_back(place):
    session = await session_of(place, **ABLE)
    word = unique()
    call = Call(place, session, "asker_write", word=word)
    question = await call.event()
    gone = legacy(place, "notifications/cancelled", {"requestId": 7}, id=None, mcp_session_id=session)
    assert (await by_door(gone)).status == 202
    taken_back = await call.event()
    assert taken_back["method"] == "notifications/cancelled"
    assert taken_back["params"]["requestId"] == question["id"]
    await call.event()
    late = {"id": question["id"], "result": {"action": "accept"}}
    assert (await by_door(post(place, session, late))).status == 202
    assert word not in asker.done
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(name="asker_write").order_by("seq")
    for _ in range(250):  # nobody waits for a cancelled call's last row
        if len(found := await in_db(list, rows.all())) == 2:
            break
        await asyncio.sleep(0.02)
    outcomes = [(row.phase, row.outcome) for row in found]
    assert outcomes == [("attempt", "started"), ("done", "unknown")]  # it writes, and was under way


async def test_nobody_waits_longer_than_the_call_may_take(place, settings):
    settings.PORTICO_CALL_TIMEOUT_S = 0.2
    session = await session_of(place, **ABLE)
    call = Call(place, session, "asker_greet")
    question = await call.event()
    assert (await call.event())["params"]["requestId"] == question["id"]
    assert json.loads((await call.event())["result"]["content"][0]["text"])["type"] == "timeout"


async def test_a_conversation_over_one_stream_asks_and_is_answered_on_it(place):
    """As HTTP+SSE and stdio hold it: no session id is shown, and no HTTP request surrounds a message."""
    sent: asyncio.Queue[bytes] = asyncio.Queue()
    caller = await in_db(caller_of, place.access_key.principal, key=place.access_key, via="mcp")
    talk = Dialogue(caller, sent.put, lambda: None)

    async def take(**message):
        await talk.take({"jsonrpc": "2.0", **message})

    async def told():
        return json.loads(await asyncio.wait_for(sent.get(), 10))

    await talk.start()
    try:
        params = {
            "protocolVersion": "2025-06-18",
            "capabilities": ABLE,
            "clientInfo": {"name": "a", "version": "1"},
        }
        await take(id=1, method="initialize", params=params)
        assert (await told())["id"] == 1
        await take(id=2, method="tools/call", params={"name": "asker_greet", "arguments": {}})
        question = await told()
        assert question["method"] == "elicitation/create"
        await take(id=question["id"], result=ALICE)
        assert (await told())["result"]["content"][0]["text"] == "Hello, Alice!"
    finally:
        await talk.close()
