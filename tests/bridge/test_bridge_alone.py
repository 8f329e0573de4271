"""The bridge against a server that misbehaves on purpose, and its parts by themselves."""

import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared import inbound

from tests.bridge.conftest import bridge_command, bridge_env
from tests.live import ROOT
from tests.mcp_endpoint.speak import META
from tests.services import free_port

sys.path.append(str(ROOT / "bridge" / "src"))

from portico_stdio import cli, headers

KEY = "ptc_000000000000_secret"


class Moody(ThreadingHTTPServer):
    """A server of the handshake era that forgets its session, and breaks some connections."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.sessions = [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/t/acme/mcp"

    def methods(self):
        return [message.get("method") for _, message in self.seen]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.reply(405)

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((dict(self.headers), message))
        method, session = message.get("method"), self.headers.get("mcp-session-id")
        if method == "initialize":
            self.server.sessions.append(f"s{len(self.server.sessions)}")
            result = {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "serverInfo": {"name": "m", "version": "1"},
            }
            self.reply(200, message, result, session=self.server.sessions[-1])
        elif session and session != self.server.sessions[-1]:
            self.reply(404)
        elif "id" not in message:
            self.reply(202)
        elif method == "tools/call" and message["params"]["name"] == "break":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif method == "tools/call" and message["params"]["name"] == "redirect":
            self.reply(307, location="https://elsewhere.example.com/")
        elif method == "tools/list" and self.server.methods().count("tools/list") == 1:
            self.reply(503)
        else:
            self.reply(
                200, message, {"session": session, "version": self.headers.get("mcp-protocol-version")}
            )

    def reply(self, status, message=None, result=None, session="", location=""):
        body = b""
        if message is not None:
            body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if session:
            self.send_header("mcp-session-id", session)
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def moody():
    made = Moody()
    yield made
    made.shutdown()
    made.server_close()


class Lines:
    """The bridge, spoken to line by line."""

    def __init__(self, url, *arguments, **env):
        self.process = subprocess.Popen(
            [*bridge_command(url), *arguments], env=bridge_env(KEY, **env), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, id, method, **params):
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def finish(self):
        out, errors = self.process.communicate(timeout=40)
        return [json.loads(line) for line in out.splitlines()], errors.decode()


def test_a_session_that_the_server_forgot_is_made_anew(moody):
    lines = Lines(moody.url, PORTICO_TOKEN_JIRA="mine")
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    assert "result" in lines.ask(1, "initialize", **hello)
    assert "result" in lines.ask(2, "logging/setLevel", level="debug")
    moody.sessions.append("forgotten")
    answer = lines.ask(3, "ping")
    assert answer == {"jsonrpc": "2.0", "id": 3, "result": {"session": "s2", "version": "2025-06-18"}}
    assert moody.methods()[2:] == [
        "ping",
        "initialize",
        "notifications/initialized",
        "logging/setLevel",
        "ping",
    ]
    assert moody.seen[3][1]["params"] == hello
    assert all(sent["X-Jira-Token"] == "mine" for sent, _ in moody.seen)
    rest, errors = lines.finish()
    assert rest == []
    assert "a new one is made" in errors
    assert KEY not in errors


def test_a_call_that_was_lost_is_never_sent_twice(moody):
    lines = Lines(moody.url)
    answer = lines.ask(1, "tools/call", name="break", arguments={})
    assert answer["id"] == 1
    assert "may have been done" in answer["error"]["message"]
    assert moody.methods() == ["tools/call"]
    assert "result" in lines.ask(2, "tools/list")
    assert moody.methods() == ["tools/call", "tools/list", "tools/list"], "reading again is harmless"
    lines.finish()


def test_the_key_follows_no_redirect(moody):
    lines = Lines(moody.url)
    answer = lines.ask(1, "tools/call", name="redirect", arguments={})
    assert "https://elsewhere.example.com/" in answer["error"]["message"]
    lines.finish()


def test_a_server_that_is_not_there_is_named():
    url = f"http://127.0.0.1:{free_port()}/t/acme/mcp"
    lines = Lines(url, "--patience", "0.5")
    message = {"jsonrpc": "2.0", "id": "a", "method": "server/discover", "params": {"_meta": META}}
    lines.process.stdin.write(json.dumps(message).encode() + b"\n")
    lines.process.stdin.flush()
    answer = json.loads(lines.process.stdout.readline())
    assert "nothing was sent" in answer["error"]["message"]
    assert url in answer["error"]["message"]
    lines.finish()


@given(st.text())
def test_a_header_value_is_encoded_as_the_official_client_does(text):
    if text.isprintable() or text.isascii():
        assert headers.encoded(text) == inbound.encode_header_value(text)
    assert inbound.decode_header_value(headers.encoded(text)) == text or not _is_whole(text)


def _is_whole(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def test_marked_arguments_are_repeated_as_the_official_client_does():
    schema = {"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
        "flag": {"type": "boolean", "x-mcp-header": "Flag"},
        "plain": {"type": "string"},
    }}  # fmt: skip
    marked = headers.marks(schema)
    assert marked == inbound.x_mcp_header_map(schema)
    for arguments in ({}, {"region": "ü", "deep": {"n": 5}, "flag": False}, {"region": None, "deep": 3}):
        message = {"method": "tools/call", "params": {"name": "t", "arguments": arguments}}
        made = headers.routing(message, "2026-07-28", {"t": marked})
        params = {name: value for name, value in made.items() if name.startswith("Mcp-Param-")}
        assert params == inbound.mcp_param_headers(marked, arguments)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://portico.example.com/t/a/mcp", "not encrypted"),
        ("https://user:word@portico.example.com/t/a/mcp", "user name"),
        ("https://portico.example.com/t/a/sse", "/mcp"),
        ("ftp://x", "must look like"),
        ("https://[x", "no URL"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url, said):
    with pytest.raises(cli.Unusable, match=said):
        cli.checked_url(url, allow_http=False)


def test_secrets_come_from_the_environment_alone():
    assert cli.checked_url("http://10.0.0.1/t/a/mcp", allow_http=True)
    assert cli.checked_url("http://localhost:8000/t/a/mcp", allow_http=False)
    assert cli.secret_headers({"PORTICO_ACCESS_KEY": f" {KEY}\n", "PORTICO_TOKEN_JIRA": "t", "OTHER": "x"}) == {
        "Authorization": f"Bearer {KEY}", "X-Jira-Token": "t",
    }  # fmt: skip
    for environment in (
        {}, {"PORTICO_ACCESS_KEY": " "}, {"PORTICO_ACCESS_KEY": "two words"},
        {"PORTICO_ACCESS_KEY": KEY, "PORTICO_TOKEN_A.B": "x"}, {"PORTICO_ACCESS_KEY": KEY, "PORTICO_TOKEN_A": "é"},
    ):  # fmt: skip
        with pytest.raises(cli.Unusable) as caught:
            cli.secret_headers(environment)
        assert KEY not in str(caught.value)
