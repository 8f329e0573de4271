"""Reports to Sentry: they say which code failed and under which ids, and hold no data of anybody."""

import gzip
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from tests.live import ROOT, Live, environment, eventually
from tests.mcp_endpoint.speak import make_place

PLANTED = "pLaNtEd-4711"


class Receiver:
    """A Sentry server as far as its SDK can tell."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                outer.raw.append(str(self.headers).encode() + body)
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.dsn = f"http://public@127.0.0.1:{self.server.server_port}/1"

    @property
    def events(self) -> list[dict]:
        lines = [line for raw in self.raw for line in raw.split(b"\n") if line.startswith(b"{")]
        return [found for line in lines if "logentry" in (found := orjson.loads(line))]


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def run(code: str, dsn: str) -> subprocess.CompletedProcess[str]:
    started = (
        "import logging, django; django.setup()\nfrom portico import error_reports\n"
        "from common.log_context import log_context\nerror_reports.start('web')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", f"{started}{code}\nerror_reports.stop()"], cwd=ROOT, env=environment(SENTRY_DSN=dsn),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_report_says_which_code_failed_and_nothing_that_it_held(receiver):
    code = f'''
def broken(argument):
    local = argument + "x"
    try:
        raise KeyError(local)
    except KeyError as error:
        raise ValueError("it said " + local) from error
log = logging.getLogger("some.module")
import sentry_sdk
sentry_sdk.set_user({{"username": "{PLANTED}"}}); sentry_sdk.set_extra("more", "{PLANTED}")
log.warning("no error: {PLANTED}")
with log_context(tenant="acme", request_id="r-1", trace_id="t-1"):
    try:
        broken("{PLANTED}")
    except ValueError as error:
        log.exception("failed with %s", "{PLANTED}", extra={{"secret": "{PLANTED}"}})
'''
    done = run(code, receiver.dsn)
    assert done.returncode == 0, done.stderr
    (event,) = receiver.events
    assert event["logentry"] == {"message": "failed with %s"}
    assert event["tags"] == {"process": "web", "tenant": "acme", "request_id": "r-1", "trace_id": "t-1"}
    assert [error["type"] for error in event["exception"]["values"]] == ["KeyError", "ValueError"]
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames] == ["<module>", "broken"]
    assert all(frame["lineno"] for frame in frames)
    assert not any(PLANTED.encode() in raw for raw in receiver.raw)


def test_a_text_that_somebody_elses_code_put_together_stays_here(receiver):
    code = f"""
import asyncio
async def main():
    async def broken():
        raise ValueError("{PLANTED}")
    task = asyncio.create_task(broken()); await asyncio.sleep(0)
    await asyncio.sleep(0); del task
asyncio.run(main()); import gc; gc.collect()
logging.getLogger("acme.weather").error("it said {PLANTED}")
logging.getLogger("portico.some").error("Something is wrong")
"""
    done = run(code, receiver.dsn)
    assert done.returncode == 0, done.stderr
    assert [event["logentry"]["message"] for event in receiver.events] == [
        "An error of asyncio", "An error of acme.weather", "Something is wrong",
    ]  # fmt: skip
    assert not any(PLANTED.encode() in raw for raw in receiver.raw)


def test_what_is_no_dsn_is_said_and_stops_nothing():
    done = run("print('on')", f"not-a-dsn-{PLANTED}")
    assert (done.returncode, done.stdout) == (0, "on\n")
    assert "SENTRY_DSN is not a DSN" in done.stderr
    assert PLANTED not in done.stderr


def test_a_crash_of_a_tool_is_reported_without_the_calls_data(database, receiver, tmp_path):
    server = Live(tmp_path, workers=1, PORTICO_VAR=str(tmp_path / "var"), SENTRY_DSN=receiver.dsn)
    try:
        place = make_place(connectors=("probe",))
        line = server.line()
        line.call(place, "probe_fail", how="crash")
        line.call(place, "probe_echo", text=PLANTED)
        line.close()
        event = eventually(lambda: receiver.events and receiver.events[0])
    finally:
        server.stop()
    assert event["tags"]["tenant"] == place.tenant.slug
    assert event["tags"]["request_id"]
    assert set(event) <= {
        "event_id", "timestamp", "level", "platform", "logger", "release", "environment", "server_name", "sdk",
        "logentry", "exception", "tags",
    }  # fmt: skip
    secret = place.key.split("_", 2)[2].encode()
    assert not any(PLANTED.encode() in raw or secret in raw or b"public@" in raw for raw in receiver.raw)
