"""SIGTERM with open streams and calls in flight: nobody is cut off in silence, nothing is forgotten."""

import asyncio
import http.client
import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from audit.models import AuditEvent
from common.db import in_db
from tests.live import ROOT, Live, environment
from tests.mcp_endpoint.speak import eventually, initialize, legacy, make_place, modern, unique
from tests.processes.waiting import ENTRY, FOLDER, noted
from tests.services import free_port

STREAMS = 200
CALLS = 50
DRAIN_S = 4
STREAMS_WITHIN_S = 3.0  # from the signal to the end of the last stream
EXIT_WITHIN_S = DRAIN_S + 10  # what gunicorn waits for before it kills

if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


@dataclass
class Talk:
    """One request on a connection of its own, and what came of it."""

    word: str
    raw: bytes = b""
    ended_at: float = 0.0

    async def run(self, port, post):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = [
            f"{post.method} {post.path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Content-Length: {len(post.body)}",
        ]
        head += [f"{name}: {value}" for name, value in post.headers]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + post.body)
        while chunk := await reader.read(65536):
            self.raw += chunk
        self.ended_at = time.monotonic()
        writer.close()

    @property
    def answer(self) -> dict:
        """The last JSON-RPC message of the answer."""
        assert self.raw.startswith(b"HTTP/1.1 200"), self.raw[:500]
        lines = [line.removeprefix(b"data: ") for line in self.raw.splitlines()]
        return json.loads([line for line in lines if line.startswith(b'{"jsonrpc"')][-1])


def listen(place):
    return modern(place, "subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id=unique())


def call(place, number, word, session):
    """A call that reads or writes, in either era, as an event stream or as JSON; every second is quick."""
    quick = number % 2 == 0
    arguments = {"word": word, "seconds": 2 if quick else 30, "tell": number % 3 == 0}
    params = {"name": "waiting_write" if number % 4 < 2 else "waiting_read", "arguments": arguments}
    if number % 5 == 0:
        params["_meta"] = {"progressToken": 1}
        return legacy(place, "tools/call", params, x_request_id=word, mcp_session_id=session)
    return modern(place, "tools/call", params, meta={"progressToken": 1}, x_request_id=word)


async def test_a_stopping_server_ends_streams_soon_and_answers_every_call(database, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    live = await asyncio.to_thread(
        Live, tmp_path, PORTICO_CONNECTORS=ENTRY, PORTICO_DRAIN_S=str(DRAIN_S), **{FOLDER: str(notes)}
    )
    try:
        place = await in_db(lambda: make_place(connectors=("waiting",)))
        line = live.line()
        session = (await asyncio.to_thread(line.send, initialize(place))).headers["mcp-session-id"]
        line.close()
        streams = [Talk(f"stream {number}") for number in range(STREAMS)]
        calls = [Talk(unique()) for _ in range(CALLS)]
        tasks = [asyncio.create_task(talk.run(live.port, listen(place))) for talk in streams]
        await eventually(lambda: all(b"acknowledged" in talk.raw for talk in streams), 30)
        for number, talk in enumerate(calls):
            tasks.append(asyncio.create_task(talk.run(live.port, call(place, number, talk.word, session))))
        await eventually(lambda: all(noted(notes, talk.word, "started") for talk in calls), 30)

        signalled = time.monotonic()
        live.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(live.process.wait, EXIT_WITHIN_S)
        stopped = time.monotonic()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
    finally:
        live.stop()
    assert code == 0, live.text()[-3000:]
    assert stopped - signalled < EXIT_WITHIN_S
    assert max(talk.ended_at for talk in streams) - signalled < STREAMS_WITHIN_S
    assert all(talk.answer["result"]["resultType"] == "complete" for talk in streams)

    quick, slow = calls[::2], calls[1::2]
    for talk in quick:
        assert talk.answer["result"]["content"][0]["text"] == f"waited for {talk.word}"
    for talk in slow:
        assert noted(notes, talk.word, "cancelled"), "the connector's method goes on"
        assert talk.ended_at - signalled > DRAIN_S - 1
        result = talk.answer["result"]
        error = json.loads(result["content"][0]["text"])
        assert result["isError"]
        assert (error["type"], error["status_code"]) == ("server_stopping", 503)
        assert "stopping" in error["error"]

    def recorded():
        rows = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call", phase="done")
        return {row.request_id: (row.outcome, row.error_type) for row in rows}

    rows = await in_db(recorded)
    assert rows == {
        **{talk.word: ("ok", "") for talk in quick},
        **{talk.word: ("error", "server_stopping") for talk in slow},
    }
    assert "Traceback" not in live.text()


def test_a_server_without_work_stops_at_once(database, tmp_path):
    live = Live(tmp_path, PORTICO_DRAIN_S="30")
    try:
        line = live.line()
        assert line.get("/healthz").status == 200  # an idle connection holds nobody up
        live.process.send_signal(signal.SIGTERM)
        assert live.process.wait(20) == 0  # long before the 30 seconds are over
        line.close()
    finally:
        live.stop()
    assert "Traceback" not in live.text()


def test_the_worker_stops_cleanly_where_it_serves_another_application(tmp_path):
    port = free_port()
    log = (tmp_path / "log").open("w+")
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "-b", f"127.0.0.1:{port}"]
    bare = subprocess.Popen(
        [*command, "benchmarks.bare:app"],
        cwd=ROOT, env=environment(BARE_TOOLS="call"), stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while True:
            with suppress(
                OSError, http.client.HTTPException
            ):  # an answer: the worker is there, not only its parent
                line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
                line.request("GET", "/")
                line.getresponse().read()
                line.close()
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        bare.send_signal(signal.SIGTERM)
        assert bare.wait(20) == 0
    finally:
        bare.kill()
    log.seek(0)
    assert "Traceback" not in log.read()
