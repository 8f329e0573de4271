"""What only the ASGI door sees: raw header lines, bodies in pieces, clients that leave early."""

import json

from mcp_endpoint.asgi import match, mcp_app
from tests.mcp_endpoint.speak import Post, by_door, headers_of, legacy, modern


async def through(place, messages, **scope):
    """Send a request whose body comes in the given messages; what the door sent back."""
    sent = []
    waiting = iter(messages)

    async def receive():
        return next(waiting)

    async def send(message):
        sent.append(message)

    headers = [(n.encode(), v.encode()) for n, v in {"host": "testserver", **headers_of(place)}.items()]
    base = {
        "type": "http",
        "method": "POST",
        "path": place.path,
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    await mcp_app({**base, **scope}, receive, send)
    return sent


def piece(body, more):
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_pieces_is_put_together(place):
    body = legacy(place, "ping").body
    sent = await through(place, [piece(body[:7], True), piece(b"", True), piece(body[7:], False)])
    assert json.loads(sent[1]["body"])["result"] == {}


async def test_a_body_that_grows_too_large_is_refused_before_it_is_whole(place, settings):
    settings.PORTICO_MAX_BODY = 1000
    sent = await through(place, [piece(b"x" * 600, True), piece(b"x" * 600, True)])
    assert sent[0]["status"] == 413
    announced = [(b"host", b"testserver"), (b"content-length", b"100000")]
    sent = await through(place, [], headers=announced)
    assert sent[0]["status"] == 413
    announced = [(b"host", b"testserver"), (b"content-length", b"many")]
    sent = await through(place, [], headers=announced)
    assert sent[0]["status"] == 400


async def test_nothing_is_sent_to_a_client_that_left_before_its_body_came(place):
    assert await through(place, [piece(b"{", True), {"type": "http.disconnect"}]) == []
    assert await through(place, [{"type": "http.disconnect"}]) == []


async def test_a_routing_header_that_comes_twice_is_refused(place):
    for name in ("mcp-method", "mcp-name", "mcp-protocol-version", "mcp-param-region"):
        post = modern(
            place,
            "tools/call",
            {"name": "demo_route", "arguments": {"region": "north"}},
            mcp_param_region="north",
        )
        assert (await by_door(post)).status == 200
        post.headers.append((name, dict(post.headers)[name]))
        answer = await by_door(post)
        assert (answer.status, answer.error["code"]) == (400, -32020), name
        assert "more than once" in answer.error["message"]


async def test_a_path_that_is_no_endpoint_is_not_found(place):
    answer = await by_door(Post(f"{place.path}/toolset", b"", []))
    assert answer.status == 404
    assert match("/t/acme/mcp") == match("/t/acme/mcp/") == ("acme", "", "mcp")
    for path in ("/t/acme", "/t//mcp", "/t/a/b/mcp", "/mcp", "/t/acme/mcp/x", "/t/acme/mcp\n"):
        assert match(path) is None, path
