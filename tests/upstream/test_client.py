import gzip
import json
import time

import pytest

from common import metrics
from connectors.errors import (
    AuthenticationFailed,
    Conflict,
    ConnectionFailed,
    InvalidInput,
    NotFound,
    NotPermitted,
    TimedOut,
    UpstreamError,
)
from connectors.upstream.client import Client, Request
from connectors.upstream.retry import Kind
from tests.upstream.conftest import some_connection
from tests.upstream.faulty import answer, faulty, reset, silence

READ = Request("GET", "things", Kind.READ)
PUT = Request("PUT", "things/1", Kind.REPEATABLE, json={"a": 1})
CREATE = Request("POST", "things", Kind.ONCE, json={"a": 1})
SECRET = "planted-upstream-secret"


class Tokens:
    """A credential that is renewed when asked."""

    def __init__(self):
        self.renewals = 0

    async def headers(self, *, renewed):
        self.renewals += renewed
        return {"authorization": f"Bearer {SECRET}-{self.renewals}"}


async def outcome(client, ctx, request):
    try:
        return (await client.send(ctx(), request)).status
    except Exception as error:
        return type(error)


async def test_a_refused_credential_is_renewed_once_and_the_request_repeated(client, double, ctx):
    tokens = Tokens()
    double.script = [answer(401)]
    assert (await client.send(ctx(), CREATE, tokens)).status == 200
    assert [came.headers["authorization"][-1] for came in double.came] == ["0", "1"]
    double.script = [answer(401), answer(401, b"no " + SECRET.encode() + b"-2")]
    with pytest.raises(AuthenticationFailed) as caught:
        await client.send(ctx(), CREATE, tokens)
    assert SECRET not in str(caught.value.as_dict())


async def test_repetitions_stop_when_too_many_calls_need_them(client, double, ctx):
    double.otherwise = answer(500)
    for _ in range(30):
        await outcome(client, ctx, READ)
    assert 30 < len(double.came) < 40


async def test_no_call_outlives_its_deadline(client, double, ctx):
    double.otherwise = silence
    started = time.monotonic()
    with pytest.raises(TimedOut):
        await client.send(ctx(seconds=0.15), READ)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidInput), (401, AuthenticationFailed), (403, NotPermitted), (404, NotFound), (409, Conflict),
     (412, Conflict), (418, UpstreamError), (422, InvalidInput)],
)  # fmt: skip
async def test_an_error_has_the_systems_words_and_never_a_secret(client, double, ctx, status, kind):
    body = (
        f"<b>Field x is wrong</b>, you sent Bearer {SECRET}-0 and {SECRET}-0; Bearer {SECRET}-1".encode()
        if status == 401
        else (f"<b>Field x is wrong</b>, you sent Bearer {SECRET}-0 and {SECRET}-0".encode())
    )
    double.otherwise = answer(status, body, content_type="text/html")
    with pytest.raises(kind) as caught:
        await client.send(ctx(), READ, Tokens())
    said = str(caught.value.as_dict())
    assert "Field x is wrong" in said
    assert SECRET not in said
    assert caught.value.upstream_status == status


async def test_redirects_of_reads_are_followed_without_the_credential_to_other_origins(client, double, ctx):
    async with faulty() as other:
        double.script = [answer(302, location="/moved"), answer(307, location=f"{other.url}/elsewhere")]
        assert (await client.send(ctx(), READ, Tokens())).status == 200
        assert [came.target for came in double.came] == ["/things", "/moved"]
        assert "authorization" in double.came[1].headers
        assert "authorization" not in other.came[0].headers
        double.script = [answer(307, location=f"{other.url}/elsewhere")]
        with pytest.raises(UpstreamError, match="307"):
            await client.send(ctx(), CREATE, Tokens())
        double.script = [answer(302, location="/again")] * 10
        with pytest.raises(ConnectionFailed, match="circle"):
            await client.send(ctx(), READ)


async def test_a_large_body_and_a_bomb_are_refused_within_the_limit(client, double, ctx):
    small = Request("GET", "things", Kind.READ, max_bytes=1000)
    bomb = gzip.compress(b"0" * 50_000_000)
    chunked = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n"
    )
    for refused in (answer(200, b"x" * 1001), chunked, answer(200, bomb, content_encoding="gzip")):
        double.script = [refused]
        with pytest.raises(UpstreamError) as caught:
            await client.send(ctx(), small)
        assert caught.value.code == "too_large"
    double.script = [answer(200, gzip.compress(b"x" * 1000), content_encoding="gzip")]
    assert (await client.send(ctx(), small)).body == b"x" * 1000
    double.script = [answer(200, b"not gzip", content_encoding="gzip")]
    with pytest.raises(UpstreamError, match="damaged"):
        await client.send(ctx(), small)


async def test_an_answer_that_is_no_json_is_a_clear_error(client, double, ctx):
    double.script = [answer(200, b"<html>Sign in</html>", content_type="text/html")]
    got = await client.send(ctx(), READ)
    with pytest.raises(UpstreamError, match="Sign in"):
        got.json()
    assert json.loads((await client.send(ctx(), READ)).body) == {"ok": True}


async def test_nothing_of_the_environment_and_no_cookie_goes_along(client, double, ctx, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    double.script = [answer(200, set_cookie="session=of-somebody")]
    for _ in range(2):
        assert (await client.send(ctx(), READ)).status == 200
    assert "cookie" not in double.came[1].headers
    assert double.came[1].headers["user-agent"].startswith("Portico/")
    assert double.connections == 1


async def test_what_is_sent_repeated_and_opened_is_counted(double, ctx, monkeypatch):
    counted = []
    monkeypatch.setattr(
        metrics, "sent", lambda connector, outcome, seconds: counted.append((connector, outcome))
    )
    monkeypatch.setattr(metrics, "repeated", lambda connector: counted.append((connector, "again")))
    monkeypatch.setattr(metrics, "breaker", lambda connector, event: counted.append((connector, event)))
    client = Client(some_connection(read_s=0.1), double.url)
    small = Request("GET", "things", Kind.READ, max_bytes=10)
    for request, script in [
        (READ, [reset]), (CREATE, [silence]), (READ, [answer(404)]), (PUT, [answer(307)]), (small, [answer(200)]),
    ]:  # fmt: skip
        double.script = script
        await outcome(client, ctx, request)
    assert {connector for connector, _ in counted} == {"things"}
    assert [what for _, what in counted] == [
        "connection", "again", "2xx", "timeout", "4xx", "3xx", "too_large",
    ]  # fmt: skip
    counted.clear()
    double.script = [answer(500)] * 6
    for _ in range(6):
        await outcome(client, lambda: ctx(identity="c"), PUT)
    assert counted == [("things", "5xx")] * 5 + [("things", "opened")]
    await client.aclose()


async def test_a_compressed_answer_that_ends_too_early_is_damaged(client, double, ctx):
    whole = gzip.compress(bytes(range(256)) * 100)
    double.script = [answer(200, whole[:-20], content_encoding="gzip")]
    with pytest.raises(UpstreamError, match="damaged"):
        await client.send(ctx(), READ)


async def test_a_compressed_answer_in_several_pieces_is_read_to_its_end(client, double, ctx):
    """RFC 1952, 2.2; zeros after the last one are padding."""
    pieces = gzip.compress(b'{"a":') + gzip.compress(b"1}") + b"\0" * 50
    double.script = [answer(200, pieces, content_encoding="gzip")]
    assert (await client.send(ctx(), READ)).json() == {"a": 1}


@pytest.mark.parametrize("junk", [b"junk", gzip.compress(b"")], ids=["junk", "empty_pieces"])
async def test_what_follows_a_compressed_answer_fills_no_memory(client, double, ctx, junk):
    small = Request("GET", "things", Kind.READ, max_bytes=50_000)

    async def endless(writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n")
        part = gzip.compress(b"x")
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            part = junk * 1000

    double.script = [endless]
    with pytest.raises(UpstreamError) as caught:
        await client.send(ctx(5), small)
    assert caught.value.code == "too_large"


async def test_an_answer_elsewhere_is_fetched_with_get_and_without_the_body(client, double, ctx):
    double.script = [answer(303, location="/found")]
    assert (await client.send(ctx(), Request("POST", "search", Kind.READ, json={"q": 1}))).ok
    assert [(came.method, came.target, came.body) for came in double.came][1:] == [("GET", "/found", b"")]


async def test_a_key_that_stands_in_the_query_is_masked_like_a_credential(client, double, ctx):
    request = Request("GET", "things", Kind.READ, params={"key": SECRET}, secrets=(SECRET,))
    double.script = [answer(400, f"The key {SECRET} is wrong".encode())]
    with pytest.raises(InvalidInput) as caught:
        await client.send(ctx(), request)
    assert SECRET not in str(caught.value.as_dict()) and "The key ***" in caught.value.message
