"""HTTP+SSE over two workers: one holds the stream, the other takes the messages."""

import json

from tests.factories import SYSTEM, make_connection
from tests.live import Line, Live, eventually
from tests.mcp_endpoint.speak import Post, headers_of, make_place


class Held:
    """A stream on one worker's connection."""

    def __init__(self, line: Line, place, **headers: str) -> None:
        self.place = place
        line.http.request("GET", f"/t/{place.tenant.slug}/sse", None, {
            "Authorization": f"Bearer {place.key}", "Accept": "text/event-stream", **headers,
        })  # fmt: skip
        self.response = line.http.getresponse()
        assert self.response.status == 200
        self.url = self.event()

    def event(self) -> str:
        """The data of the next event; an empty text where the stream has ended."""
        while line := self.response.readline():
            if line.startswith(b"data: "):
                return line.decode().removeprefix("data: ").strip()
        return ""

    def post(self, line: Line, method: str, params=None, **more):
        message = {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {}), **more}
        return line.send(Post(self.url, json.dumps(message).encode(), list(headers_of(self.place).items())))


def test_messages_that_enter_another_worker_are_answered_on_the_stream(live):
    place = make_place(connectors=("probe",))
    with live.lines() as (one, other):
        stream = Held(one, place)
        params = {
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": {"name": "old", "version": "1"},
        }
        assert stream.post(other, "initialize", params, id=1).status == 202
        assert json.loads(stream.event())["result"]["protocolVersion"] == "2024-11-05"
        assert stream.post(other, "notifications/initialized").status == 202
        for number in range(2, 12):
            arguments = {"name": "probe_echo", "arguments": {"text": "ü" * number}}
            assert stream.post(other, "tools/call", arguments, id=number).status == 202
        answers = [json.loads(stream.event()) for _ in range(10)]
        assert sorted(answer["id"] for answer in answers) == list(range(2, 12))
        assert all("result" in answer for answer in answers)

        make_connection(place.tenant, "probe", slug="second")
        assert json.loads(stream.event())["method"] == "notifications/tools/list_changed"

        large = stream.post(
            other, "tools/call", {"name": "probe_echo", "arguments": {"text": "x" * 10**6}}, id=99
        )
        assert large.status == 413


def test_a_stream_that_has_ended_is_gone_for_every_worker(live):
    place = make_place(connectors=("probe",))
    with live.lines() as (one, other):
        stream = Held(one, place)
        stream.response.close()
        one.http.close()
        answer = eventually(lambda: (got := stream.post(other, "ping", id=1)).status == 410 and got)
        assert "GET it again" in answer.error["message"]


def test_a_key_revoked_in_another_process_ends_the_stream(live):
    from tenants import services

    place = make_place(connectors=("probe",))
    with live.lines() as (one, _):
        stream = Held(one, place)
        services.access_key_revoke(key=place.access_key, actor=SYSTEM)
        assert stream.event() == ""


def test_a_stopping_server_lets_the_calls_of_a_stream_finish(database, tmp_path):
    place = make_place(connectors=("probe",))
    server = Live(tmp_path, workers=1)
    try:
        line, other = server.line(), server.line()
        stream = Held(line, place)
        call = {"name": "probe_wait", "arguments": {"seconds": 1.5}, "_meta": {"progressToken": 1}}
        assert stream.post(other, "tools/call", call, id=1).status == 202
        assert json.loads(stream.event())["method"] == "notifications/progress"
        server.process.terminate()
        frames = [json.loads(stream.event())]
        while "id" not in frames[-1]:
            frames.append(json.loads(stream.event()))
        assert frames[-1]["result"]["content"][0]["text"]
        assert not frames[-1]["result"].get("isError")
        assert stream.event() == ""
        server.process.wait(15)
    finally:
        server.stop()
