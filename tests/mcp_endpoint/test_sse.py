"""The HTTP+SSE transport: the stream, the message URL, and who may use them."""

import asyncio
import json
from contextlib import asynccontextmanager

import mcp
import mcp_types as types
import pytest
from django.conf import settings as django_settings
from mcp.client.sse import sse_client
from pydantic import BaseModel, SecretStr

from common.db import in_db
from connectors.base import Connector, Context, tool
from connectors.models import Connection
from mcp_endpoint import sse, sse_stream
from tenants import services
from tests.factories import SYSTEM, make_connection, make_key
from tests.mcp_endpoint.demo import waits
from tests.mcp_endpoint.speak import (
    Place,
    Post,
    Running,
    by_door,
    by_view,
    eventually,
    headers_of,
    legacy,
    make_place,
    modern,
    unique,
)

for entry in ("asker=tests.mcp_endpoint.asker:Asker", "bringer=tests.mcp_endpoint.test_sse:Bringer"):
    if entry not in django_settings.PORTICO_CONNECTORS:
        django_settings.PORTICO_CONNECTORS.append(entry)


class Bringer(Connector):
    slug = "bringer"
    title = "Bringer"
    description = "For tests: says how long a token is."
    built_in = True

    class Credentials(BaseModel):
        token: SecretStr

    @tool(title="Length", hint="R")
    async def bringer_length(self, ctx: Context) -> dict[str, int]:
        """How long the token is."""
        credential = await ctx.credential()
        return {"length": len(str(credential["token"]))}


MODES = ["auto", "legacy", "2026-07-28"]


@asynccontextmanager
async def client_of(base_url, place, mode="legacy", **more):
    headers = {"Authorization": f"Bearer {place.key}"}
    async with mcp.Client(
        sse_client(f"{base_url}/t/{place.tenant.slug}/sse", headers), mode=mode, **more
    ) as client:
        yield client


class Streamed:
    """An open stream at the door: its events, and posting to its message URL."""

    def __init__(self, place, **headers):
        self.place = place
        made = headers_of(place, content_type=None, accept="text/event-stream", **headers)
        self.running = Running(Post(f"/t/{place.tenant.slug}/sse", b"", list(made.items()), "GET"))
        self.frames, self.url, self.status, self.over = [], "", 0, False
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        async for message in self.running.chunks():
            if message["type"] == "http.response.start":
                self.status, self.headers = message["status"], dict(message["headers"])
                continue
            text = message["body"].decode()
            for line in text.splitlines():
                if line.startswith("data: ") and "event: endpoint" in text:
                    self.url = line.removeprefix("data: ")
                elif line.startswith("data: "):
                    self.frames.append(json.loads(line.removeprefix("data: ")))
        self.over = True

    async def opened(self):
        await eventually(lambda: self.url)
        return self

    async def post(self, method, params=None, *, id=None, place=None, url=None, **more):
        message = {"jsonrpc": "2.0", "method": method, **({"id": id} if id is not None else {})}
        if params is not None:
            message["params"] = params
        return await self.send(json.dumps({**message, **more}).encode(), place, url)

    async def send(self, body, place=None, url=None):
        path, _, query = (url or self.url).partition("?")
        post = Post(path, body, list(headers_of(place or self.place).items()))
        return await posted(post, query.encode())

    async def answer(self, id):
        await eventually(lambda: any(frame.get("id") == id for frame in self.frames))
        return next(frame for frame in self.frames if frame.get("id") == id)

    async def leave(self):
        self.running.gone.set()
        await self.reader


async def posted(post, query):
    """A POST with a query string through the ASGI door."""
    from mcp_endpoint.asgi import mcp_app

    sent, headers = [], [(b"host", b"testserver"), *((n.encode(), v.encode()) for n, v in post.headers)]

    async def receive():
        return {"type": "http.request", "body": post.body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": post.method, "path": post.path, "query_string": query,
             "headers": headers, "client": ("127.0.0.1", 5)}  # fmt: skip
    await mcp_app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.fixture
async def stream(place):
    made = await Streamed(place).opened()
    yield made
    await made.leave()


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_works_over_it(base_url, place, mode):
    async with client_of(base_url, place, mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "demo_add" in names
        assert (await client.call_tool("demo_add", {"a": 2, "b": 3})).structured_content == {"total": 5}
        told = []

        async def note(done, total, message):
            told.append(message)

        assert (await client.call_tool("demo_tell", {}, progress_callback=note)).content[0].text == "told"
        assert told == ["step 1", "step 2", "step 3"]
        results = await asyncio.gather(*(client.call_tool("demo_add", {"a": n, "b": 0}) for n in range(20)))
        assert [result.structured_content["total"] for result in results] == list(range(20))


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_giving_up_cancels_the_call_over_it(base_url, place, mode):
    word = unique()
    async with client_of(base_url, place, mode) as client:
        call = asyncio.create_task(client.call_tool("demo_wait", {"word": word}))
        await eventually(lambda: waits.get(word) == "started")
        call.cancel()
        await eventually(lambda: waits[word] == "cancelled")
        assert (await client.call_tool("demo_add", {"a": 1})).structured_content == {"total": 2}


async def test_a_change_of_the_tools_is_told_on_the_stream(base_url):
    place = await in_db(make_place)
    told = []

    async def note(message):
        told.append(message)

    async with client_of(base_url, place, message_handler=note) as client:
        await client.list_tools()
        await in_db(make_connection, place.tenant, "demo", slug="second")
        # All of them: the official client fails when one comes while it leaves.
        await eventually(lambda: len(told) >= 3, 10)
    said = repr(told)
    assert all(f"{kind}/list_changed" in said for kind in ("tools", "prompts", "resources"))


async def test_leaving_the_stream_ends_its_calls(place, monkeypatch):
    monkeypatch.setattr(sse_stream, "HANDED_OVER_S", 0.3)
    stream = await Streamed(place).opened()
    word = unique()
    await stream.post("tools/call", {"name": "demo_wait", "arguments": {"word": word}}, id=1)
    await eventually(lambda: waits.get(word) == "started")
    await stream.leave()
    await eventually(lambda: waits[word] == "cancelled")
    status, body = await stream.post("ping", id=2)
    assert (status, b"GET it again" in body) == (410, True), body


async def test_the_first_event_is_the_message_url_with_the_public_prefix(place, settings):
    settings.PUBLIC_PATH = "/portico"
    stream = await Streamed(place).opened()
    assert stream.status == 200
    assert stream.headers[b"content-type"] == b"text/event-stream"
    assert stream.url.startswith(f"/portico/t/{place.tenant.slug}/messages?sessionId=")
    assert place.key not in stream.url
    await stream.leave()


async def test_a_session_is_the_streams_own(stream):
    assert (await stream.post("initialize", {
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"},
    }, id=1)) == (202, b"")  # fmt: skip
    assert (await stream.answer(1))["result"]["protocolVersion"] == "2024-11-05"
    assert (await stream.post("notifications/initialized"))[0] == 202
    await stream.post("ping", id=2)
    assert (await stream.answer(2))["result"] == {}
    await stream.post("nothing/such", id=3)
    assert (await stream.answer(3))["error"]["code"] == -32601
    await stream.post("ping", id=4, jsonrpc="1.0")
    assert (await stream.answer(4))["error"]["code"] == -32600


async def test_what_is_no_message_is_told_in_the_answer_to_its_post(stream):
    for body in (b"", b"{", b"[]", b'{"a":1,"a":2}'):
        assert (await stream.send(body))[0] == 400, body
    status, body = await stream.send(b'"%b"' % (b"x" * (sse.MAX_MESSAGE + 1)))
    assert status == 413
    assert b"/mcp" in body


async def test_an_unknown_or_foreign_session_is_not_found(place, other_place, stream):
    _, secret = await in_db(make_key, place.tenant)
    neighbour = Place(place.tenant, secret, None)
    assert (await stream.post("ping", id=1, place=neighbour))[0] == 404
    foreign = stream.url.replace(place.tenant.slug, other_place.tenant.slug)
    assert (await stream.post("ping", id=1, place=other_place, url=foreign))[0] == 404
    assert (await stream.post("ping", id=1, url=stream.url + "x"))[0] == 404
    assert (await stream.post("ping", id=1, url=stream.url.partition("?")[0]))[0] == 404
    assert (await stream.post("ping", id=1, place=Place(place.tenant, "wrong", None)))[0] == 401


async def test_a_message_runs_with_the_rights_of_the_key_that_brought_it(place, stream):
    _, secret = await in_db(
        make_key, place.tenant, principal=place.access_key.principal, allow=["demo:demo_rows"]
    )
    narrow = Place(place.tenant, secret, None)
    await stream.post("tools/call", {"name": "demo_add", "arguments": {"a": 1}}, id=1, place=narrow)
    assert "Unknown tool" in (await stream.answer(1))["error"]["message"]
    await stream.post("tools/call", {"name": "demo_rows"}, id=2, place=narrow)
    assert "result" in await stream.answer(2)
    await stream.post("tools/call", {"name": "demo_add", "arguments": {"a": 1}}, id=3)
    assert (await stream.answer(3))["result"]["structuredContent"] == {"total": 2}


async def test_a_revoked_key_ends_the_stream():
    place = await in_db(make_place)
    stream = await Streamed(place).opened()
    await in_db(services.access_key_revoke, key=place.access_key, actor=SYSTEM)
    await eventually(lambda: stream.over)


async def test_a_tenant_can_switch_the_transport_off():
    place = await in_db(make_place)
    stream = await Streamed(place).opened()
    await in_db(services.tenant_update, tenant=place.tenant, sse_enabled=False, actor=SYSTEM)
    await eventually(lambda: stream.over)
    url = f"/t/{place.tenant.slug}/sse"
    for post in (
        Post(url, b"", list(headers_of(place, content_type=None).items()), "GET"),
        Post(url, legacy(place, "ping").body, list(headers_of(place).items())),
    ):
        answer = await by_door(post)
        assert answer.status == 404
        assert f"/t/{place.tenant.slug}/mcp" in answer.error["message"]
    stranger = await by_door(Post(url, b"", [], "GET"))
    assert stranger.status == 401
    assert (await by_door(legacy(place, "ping"))).status == 200


async def test_a_post_to_the_stream_url_answers_as_the_streamable_endpoint(place, send):
    for post in (legacy(place, "tools/list"), modern(place, "tools/list"), legacy(place, "nothing")):
        elsewhere = Post(post.path.replace("/mcp", "/sse"), post.body, post.headers)
        expected, got = await send(post), await send(elsewhere)
        assert (got.status, got.body) == (expected.status, expected.body)


async def test_strangers_learn_nothing_of_streams(place):
    for path in (f"/t/{place.tenant.slug}/sse", "/t/nobody-here/sse"):
        answer = await by_view(Post(path, b"", list({"accept": "text/event-stream"}.items()), "GET"))
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_other_methods_and_media_types_are_refused(place):
    url = f"/t/{place.tenant.slug}"
    headers = list(headers_of(place, content_type=None).items())
    assert (await by_door(Post(f"{url}/messages", b"", headers, "GET"))).status == 405
    assert (await by_door(Post(f"{url}/sse", b"", headers, "DELETE"))).status == 405
    refused = Post(f"{url}/sse", b"", list(headers_of(place, accept="application/json").items()), "GET")
    assert (await by_door(refused)).status == 406
    answer = await by_door(Post(f"{url}/sse", b"", [], "OPTIONS"))
    assert (answer.status, answer.headers["allow"]) == (204, "GET, POST, OPTIONS")
    assert "GET" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_person_is_asked_on_the_stream(base_url, mode):
    place = await in_db(make_place, connectors=("asker",))

    async def fill(context, params):
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async with client_of(base_url, place, mode, elicitation_callback=fill) as client:
        assert (await client.call_tool("asker_greet", {})).content[0].text == "Hello, Ada!"


async def test_a_subscription_of_the_newest_revision_lives_on_the_stream(base_url):
    place = await in_db(make_place)
    async with (
        client_of(base_url, place, "auto") as client,
        client.listen(tools_list_changed=True) as subscription,
    ):
        await in_db(make_connection, place.tenant, "demo", slug="second")
        event = await asyncio.wait_for(anext(aiter(subscription)), 10)
        assert "tools" in repr(event).lower()
        assert (await client.call_tool("demo_add", {"a": 1})).structured_content == {"total": 2}


async def test_a_request_cancelled_at_once_never_answers(place, stream):
    await asyncio.gather(
        stream.post("tools/call", {"name": "demo_wait", "arguments": {"word": unique()}}, id=1),
        stream.post("notifications/cancelled", {"requestId": 1}),
        stream.post("ping", id=2),
    )
    await stream.answer(2)
    await stream.post("ping", id=3)
    await stream.answer(3)
    assert [frame["id"] for frame in stream.frames] == [2, 3]


async def test_tokens_of_the_get_count_for_the_whole_stream_and_those_of_a_message_for_nothing():
    place = await in_db(bringing_place)
    stream = await Streamed(place, x_bringer_token="mine").opened()
    await stream.post("tools/call", {"name": "bringer_length"}, id=1)
    assert (await stream.answer(1))["result"]["structuredContent"] == {"length": 4}
    await stream.leave()
    refused = await by_door(
        Post(
            f"/t/{place.tenant.slug}/sse",
            b"",
            list(headers_of(place, x_bringer_token="two words").items()),
            "GET",
        )
    )
    assert refused.status == 400


def bringing_place():
    place = make_place(connectors=("bringer",))
    Connection.objects.for_tenant(place.tenant).filter(slug="bringer").update(caller_token=True)
    return place


async def test_a_named_selection_counts_for_the_whole_stream(place):
    stream = await Streamed(place, x_mcp_toolsets="probe").opened()
    await stream.post("tools/list", id=1)
    names = [tool["name"] for tool in (await stream.answer(1))["result"]["tools"]]
    assert names
    assert all(name.startswith("probe") for name in names)
    await stream.leave()
