"""What goes wrong on our side, and calls that carry poison."""

import asyncio
import json

import pytest

from common.db import in_db
from connectors import pipeline
from mcp_endpoint import asgi
from tenants import access
from tests.mcp_endpoint.speak import META, by_door, legacy, modern, unique

CALL = {"name": "demo_add", "arguments": {"a": 1}}


@pytest.mark.parametrize("speak", [modern, legacy])
async def test_an_audit_that_cannot_be_written_is_a_503_that_says_when_to_come_back(
    place, monkeypatch, speak
):
    async def refuse(*args, **kwargs):
        raise pipeline.ServiceUnavailable(executed=False)

    monkeypatch.setattr(pipeline, "call_tool", refuse)
    answer = await by_door(speak(place, "tools/call", CALL))
    assert answer.status == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.error["code"] == -32603
    assert "nothing was executed" in answer.error["message"]


async def test_a_database_that_cannot_check_a_key_is_a_503(place, monkeypatch):
    async def refuse(*args, **kwargs):
        raise access.AccessUnavailable

    monkeypatch.setattr(access, "authenticate", refuse)
    answer = await by_door(modern(place, "tools/list"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")


async def test_a_mistake_of_ours_shows_nothing_of_the_inside(place, monkeypatch, caplog):
    async def fail(*args, **kwargs):
        raise RuntimeError("the-inside")

    monkeypatch.setattr(pipeline, "catalogue", fail)
    answer = await by_door(modern(place, "tools/list", x_request_id="find-me"))
    assert (answer.status, answer.error["code"]) == (200, -32603)
    assert "find-me" in answer.error["message"]
    assert b"the-inside" not in answer.body
    assert "the-inside" in caplog.text
    monkeypatch.setattr(access, "authenticate", fail)
    answer = await by_door(modern(place, "tools/list"))
    assert (answer.status, answer.error["code"]) == (503, -32603)
    assert b"the-inside" not in answer.body


async def test_a_body_that_never_ends_is_given_up(place, monkeypatch):
    monkeypatch.setattr(asgi, "BODY_TIMEOUT_S", 0.02)

    async def receive():
        receive.asked += 1
        if receive.asked > 1:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"{", "more_body": True}

    receive.asked = 0
    sent = []

    async def send(message):
        sent.append(message)

    headers = [
        (n.encode(), v.encode())
        for n, v in {**dict(modern(place, "tools/list").headers), "host": "testserver"}.items()
    ]
    scope = {"type": "http", "method": "POST", "path": place.path, "headers": headers, "client": None}
    await asgi.mcp_app(scope, receive, send)
    assert sent[0]["status"] == 408


async def test_a_poisoned_call_hurts_nobody(place):
    word = unique()
    noisy = {**META, "io.modelcontextprotocol/clientInfo": {"name": "n\x00" + "x" * 5000, "version": "\x00"}}
    call = {"name": "probe_echo", "arguments": {"text": "nul \x00 here"}}
    answer = await by_door(modern(place, "tools/call", call, meta=noisy, x_request_id=word))
    assert answer.result["structuredContent"] == {"said": "nul \x00 here"}
    row = await in_db(_row, place.tenant, word)
    assert len(row.client_name) <= 64
    assert "\x00" not in row.client_name
    half = modern(place, "tools/call", {"name": "probe_echo", "arguments": {"text": "half \ud800"}})
    answer = await by_door(half)
    assert (answer.status, answer.error["code"]) == (400, -32700)
    big = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"x": "y" * 10_000_000}})
    post = modern(place, "tools/call", call)
    post.body = big.encode()
    assert (await by_door(post)).status == 413


async def test_the_address_behind_a_trusted_proxy_is_in_the_audit(place, settings):
    settings.PORTICO_TRUSTED_PROXIES = ["127.0.0.0/8"]
    word = unique()
    post = modern(place, "tools/call", CALL, x_request_id=word, x_forwarded_for="198.51.100.1, 203.0.113.9")
    post.headers.append(("x-forwarded-for", "127.0.0.2"))
    assert (await by_door(post)).status == 200
    assert (await in_db(_row, place.tenant, word)).address == "203.0.113.9"


def _row(tenant, request_id):
    from audit.models import AuditEvent

    return AuditEvent.objects.for_tenant(tenant).get(request_id=request_id, phase="done")
