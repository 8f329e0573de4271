"""Asking over two workers: the call stands in one, the person's answer enters the other."""

import json

from tests.live import Line
from tests.mcp_endpoint.speak import Place, Post, headers_of, initialize, legacy, make_place, modern
from tests.mcp_endpoint.test_asking_legacy import ABLE, ALICE, post

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


class Stream:
    """A call of the handshake era on one worker's connection."""

    def __init__(self, line: Line, place: Place, session: str, tool: str) -> None:
        request = legacy(place, "tools/call", {"name": tool, "arguments": {}}, id=5, mcp_session_id=session)
        line.http.request(request.method, request.path, request.body, dict(request.headers))
        self.response = line.http.getresponse()
        assert self.response.status == 200

    def event(self):
        while line := self.response.readline():
            if line.startswith(b"data: "):
                return json.loads(line.decode().removeprefix("data: "))
        raise AssertionError("the stream ended")

    def end(self) -> None:
        self.response.read()


def test_an_answer_that_enters_another_worker_reaches_the_call(live):
    place = make_place(connectors=("asker",))
    stranger = make_place(connectors=("asker",))
    with live.lines() as workers:
        for one, other in (workers, workers[::-1]):
            session = other.send(initialize(place, **ABLE)).headers["mcp-session-id"]
            foreign = one.send(initialize(stranger, **ABLE)).headers["mcp-session-id"]
            stream = Stream(one, place, session, "asker_greet")
            question = stream.event()
            mallory = {"id": question["id"], "result": {"action": "accept", "content": {"name": "Mallory"}}}
            assert other.send(post(stranger, foreign, mallory)).status == 202
            assert other.send(post(stranger, session, mallory)).status == 404
            assert other.send(post(place, session, {"id": question["id"], "result": ALICE})).status == 202
            assert stream.event()["result"]["content"][0]["text"] == "Hello, Alice!"
            stream.end()


def test_the_second_call_of_a_round_trip_may_enter_any_worker(live):
    place = make_place(connectors=("asker",))
    params = {"name": "asker_steps", "arguments": {}}
    with live.lines() as (one, other):
        meta = {CAPABILITIES: {"elicitation": {}}}
        first = one.send(modern(place, "tools/call", params, meta=meta)).result
        params = {**params, "inputResponses": {"answer": ALICE}, "requestState": first["requestState"]}
        second = other.send(modern(place, "tools/call", params, meta=meta)).result
        blue = {"answer": {"action": "accept", "content": {"colour": "blue"}}}
        params |= {"inputResponses": blue, "requestState": second["requestState"]}
        third = one.send(modern(place, "tools/call", params, meta=meta)).result
        assert third["content"][0]["text"].startswith("Alice likes blue")


def test_an_answer_too_large_to_travel_is_refused(live):
    place = make_place(connectors=("asker",))
    with live.lines() as (one, other):
        session = one.send(initialize(place, **ABLE)).headers["mcp-session-id"]
        stream = Stream(one, place, session, "asker_greet")
        question = stream.event()
        large = {"id": question["id"], "result": {"action": "accept", "content": {"name": "x" * 1_100_000}}}
        assert other.send(post(place, session, large)).status == 413
        gone = Post(place.path, b"{}", list(headers_of(place, mcp_session_id=session).items()))
        assert other.send(gone).status == 400
        assert one is not other
        other.send(post(place, session, {"id": question["id"], "result": {"action": "decline"}}))
        assert stream.event()["result"]["content"][0]["text"] == "decline."
        stream.end()
