"""Strategies of hostile and half-right requests, and what every answer to one must be.

``HYPOTHESIS_PROFILE=fuzz`` (or ``make fuzz``) tries fifty times as much.
"""

import asyncio
import json
import os
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings as portico
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from audit.models import AuditEvent
from common.db import in_db
from mcp_endpoint.handlers import HANDLERS
from tests.mcp_endpoint.speak import HANDSHAKE, META, NAMED, Answer, Place, Post, Running, headers_of

ASKER = "asker=tests.mcp_endpoint.asker:Asker"
if ASKER not in portico.PORTICO_CONNECTORS:
    portico.PORTICO_CONNECTORS.append(ASKER)

DEADLINE_S = 10.0
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
STATUSES = {200, 202, 400, 401, 403, 404, 405, 406, 413, 415}
FACTOR = {"fuzz": 50}.get(os.environ.get("HYPOTHESIS_PROFILE", ""), 1)


def examples(number: int) -> settings:
    """So many examples, or many more where they are wanted."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=number * FACTOR, deadline=None, suppress_health_check=quiet, print_blob=True)


TEXTS = st.text(max_size=6) | st.sampled_from(
    ["\x00", "\u2028", "\U0001f600", "é", "e\u0301", "\ufeff", "n" * 9000]
)
NUMBERS = st.integers(-(2**70), 2**70) | st.sampled_from([0, -1, 2**53, 2**63, 2**64, 10**400]) | st.floats()
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
METHODS = st.sampled_from(
    [
        *HANDLERS, "initialize", "server/discover", "resources/subscribe", "resources/unsubscribe",
        "notifications/cancelled", "notifications/initialized", "tasks/get", "tasks/cancel", "tasks/update",
        "tasks/result", "sampling/createMessage", "",
    ]
)  # fmt: skip
HEADER_BYTES = st.binary(max_size=12).map(lambda raw: bytes(byte for byte in raw if byte not in b"\r\n\x00"))
# Words that mean something to the endpoint, where they belong and where they do not; copies, since examples change them.
WORDS = st.sampled_from(
    [
        "demo_add", "demo_tell", "demo_everything", "demo_route", "demo://rows/1", "demo-ask", "ref/prompt", "info",
        "2026-07-28", HANDSHAKE, "2024-11-05", "2099-01-01", "probe_write", 1, {"a": 1}, META, [], {},
    ]
).map(deepcopy)  # fmt: skip
ANYTHING = VALUES | WORDS

ASKED: list[tuple[str, dict[str, Any]]] = [
    ("tools/call", {"name": "demo_add", "arguments": {"a": 1, "b": 2}}),
    ("tools/call", {"name": "demo_route", "arguments": {"region": "south"}}),
    ("tools/call", {"name": "demo_tell", "arguments": {"steps": 2}}),
    ("tools/call", {"name": "demo_everything"}),
    ("tools/call", {"name": "probe_write", "arguments": {"text": "x"}}),
    ("tools/list", {}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "demo://rows/1"}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "demo-ask", "arguments": {"topic": "soup"}}),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "demo-ask"}, "argument": {"name": "topic", "value": "s"}},
    ),
]
MODERN_ONLY: list[tuple[str, dict[str, Any]]] = [
    ("server/discover", {}),
    (
        "subscriptions/listen",
        {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["demo://rows/1"]}},
    ),
    ("tools/call", {"name": "asker_greet", "arguments": {"greeting": "Hi"}}),
    (
        "tools/call",
        {
            "name": "asker_greet",
            "arguments": {},
            "inputResponses": {"user_name": {"action": "accept", "content": {"name": "Ada"}}},
        },
    ),
]
LEGACY_ONLY: list[tuple[str, dict[str, Any]]] = [
    ("ping", {}),
    ("logging/setLevel", {"level": "info"}),
    ("notifications/cancelled", {"requestId": 1}),
    ("notifications/initialized", {}),
    (
        "initialize",
        {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    ),
]


@dataclass
class Draft:
    """A request before it is sent: its parts can still be changed."""

    message: Any
    headers: dict[str, str]
    body: bytes | None = None  # where it is no longer the message
    extra: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{self.told}: {self.sent()[:400]!r} {[pair for pair in self.lines() if pair[0] != 'authorization']}>"

    def sent(self) -> bytes:
        return self.body if self.body is not None else dumped(self.message)

    def lines(self) -> list[tuple[str, str]]:
        return [*self.headers.items(), *self.extra]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@st.composite
def valid(draw: Any) -> Draft:
    """A request that is right, of either era; ``KEY`` and ``SESSION`` are put in later."""
    modern = draw(st.booleans())
    method, params = draw(st.sampled_from(ASKED + (MODERN_ONLY if modern else LEGACY_ONLY)))
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": json.loads(json.dumps(params))}
    if not method.startswith("notifications/"):
        message["id"] = draw(st.sampled_from([1, "one", 0, ""]))
    headers = headers_of(None)
    if modern:
        message["params"]["_meta"] = json.loads(json.dumps(META))
        if params.get("name") == "asker_greet" or draw(st.booleans()):
            message["params"]["_meta"][CAPABILITIES] = {"elicitation": {}}
        headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        if method in NAMED:
            headers["mcp-name"] = str(params[NAMED[method]])
        if params.get("name") == "demo_route":
            headers["mcp-param-region"] = "south"
    elif method != "initialize":
        headers["mcp-protocol-version"] = HANDSHAKE
        if draw(st.booleans()):
            headers["mcp-session-id"] = "SESSION"
    if draw(st.integers(0, 3)) == 0:
        message["params"].setdefault("_meta", {})["progressToken"] = draw(st.sampled_from(["p", 7]))
    return Draft(message, headers)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], made: Any) -> Any:
    if not path:
        return made
    at = value
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = made
    return value


def nested(depth: int, kind: str) -> bytes:
    return b"[" * depth + b"]" * depth if kind == "[" else b'{"a":' * depth + b"1" + b"}" * depth


@st.composite
def mutated(draw: Any) -> Draft:
    """A right request with one thing changed, or two."""
    made = draw(valid())
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        change = draw(st.sampled_from(CHANGES))
        made.told.append(change.__name__)
        change(draw, made)
    return made


def _a_value(draw: Any, made: Draft) -> None:
    made.message = put(made.message, draw(st.sampled_from(places(made.message))), draw(ANYTHING))


def _a_missing_member(draw: Any, made: Draft) -> None:
    paths = [path for path in places(made.message) if path and isinstance(path[-1], str)]
    if paths:
        *way, last = draw(st.sampled_from(paths))
        at = made.message
        for step in way:
            at = at[step]
        del at[last]


def _another_member(draw: Any, made: Draft) -> None:
    paths = [path for path in places(made.message) if isinstance(_at(made.message, path), dict)]
    if paths:
        names = TEXTS | st.sampled_from(
            ["_meta", "cursor", "task", "result", "error", "inputResponses", "requestState"]
        )
        _at(made.message, draw(st.sampled_from(paths)))[draw(names)] = draw(ANYTHING)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _a_header(draw: Any, made: Draft) -> None:
    names = [*made.headers, "mcp-name", "mcp-param-region", "mcp-session-id", "traceparent", "tracestate", "origin",
             "content-encoding", "x-forwarded-for", "last-event-id", "mcp-param-", "x-mcp-toolsets", "x-demo-token"]  # fmt: skip
    value = draw(HEADER_BYTES | TEXTS.map(lambda text: text.replace("\x00", "").encode("utf-8", "replace")))
    made.headers[draw(st.sampled_from(names))] = value.decode("latin-1").replace("\r", "").replace("\n", "")


def _a_missing_header(draw: Any, made: Draft) -> None:
    made.headers.pop(draw(st.sampled_from(sorted(made.headers))))


def _a_header_twice(draw: Any, made: Draft) -> None:
    name = draw(st.sampled_from(sorted(made.headers)))
    made.extra.append((name, draw(st.sampled_from([made.headers[name], "", "x"]))))


def _cut(draw: Any, made: Draft) -> None:
    whole = made.sent()
    made.body = whole[: draw(st.integers(0, len(whole)))]


def _a_byte(draw: Any, made: Draft) -> None:
    whole = bytearray(made.sent() or b" ")
    whole[draw(st.integers(0, len(whole) - 1))] = draw(st.integers(0, 255))
    made.body = bytes(whole)


def _something_after(draw: Any, made: Draft) -> None:
    made.body = made.sent() + draw(st.sampled_from([b" \n", b"x", b"{}", b"\x00", b"\n" + made.sent()]))


def _another_encoding(draw: Any, made: Draft) -> None:
    text = made.sent().decode("utf-8", "replace")
    made.body = text.encode(draw(st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "utf-7"])))


def _a_batch(draw: Any, made: Draft) -> None:
    made.body = b"[" + b",".join([made.sent()] * draw(st.integers(0, 3))) + b"]"


def _deep(draw: Any, made: Draft) -> None:
    depth = draw(st.sampled_from([50, 60, 64, 65, 500, 20_000]))
    made.message = put(made.message, draw(st.sampled_from(places(made.message))), "DEEP")
    made.body = dumped(made.message).replace(b'"DEEP"', nested(depth, draw(st.sampled_from("[{"))), 1)


def _a_raw_value(draw: Any, made: Draft) -> None:
    raw = draw(st.sampled_from([b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"-0", b"01", b"+1", b'"\\ud800"',
                                b'"\\u0000"', b"tru", b"1.0", b"1E2", b"'x'", b"//", b'"\xff"', b""]))  # fmt: skip
    made.message = put(made.message, draw(st.sampled_from(places(made.message))), "RAW")
    made.body = dumped(made.message).replace(b'"RAW"', raw, 1)


def _a_key_twice(draw: Any, made: Draft) -> None:
    pairs = [path for path in places(made.message) if path and isinstance(path[-1], str)]
    if pairs:
        name = dumped(draw(st.sampled_from(pairs))[-1])
        made.body = made.sent().replace(
            name + b":", name + b": " + dumped(draw(WORDS)) + b", " + name + b":", 1
        )


CHANGES = [
    _a_value, _a_value, _a_value, _a_missing_member, _another_member, _a_header, _a_header, _a_missing_header,
    _a_header_twice, _cut, _a_byte, _something_after, _another_encoding, _a_batch, _deep, _a_raw_value, _a_key_twice,
]  # fmt: skip


async def answered(post: Post) -> Answer:
    """The whole answer within the deadline; a subscription is left as soon as it stands."""
    running = Running(post)
    status, headers, body = 0, {}, b""
    try:
        async with asyncio.timeout(DEADLINE_S):
            async for message in running.chunks():
                if message["type"] == "http.response.start":
                    status = message["status"]
                    headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
                else:
                    body += message["body"]
                    if ACKNOWLEDGED.encode() in body:
                        running.gone.set()
    finally:
        running.gone.set()
        running.task.cancel()
    return Answer(status, headers, body)


def checked(answer: Answer) -> dict[str, Any] | None:
    """What every answer must be; the JSON-RPC message where there is one."""
    assert answer.status in STATUSES, (answer.status, answer.body)
    if answer.status == 202:
        assert answer.body == b""
        return None
    message = answer.json if answer.headers["content-type"] == "application/json" else answer.events[-1]
    assert message["jsonrpc"] == "2.0"
    if message.get("method") == ACKNOWLEDGED:
        return None
    assert type(message.get("id")) in (str, int, type(None))
    assert ("result" in message) != ("error" in message), message
    if "error" in message:
        assert type(message["error"]["code"]) is int
        assert message["error"]["code"] != -32603, message
        assert message["error"]["message"]
        assert answer.status in (200, 400, 401, 403, 404, 405, 406, 413, 415)
    else:
        assert type(message["result"]) is dict
        assert answer.status == 200
    return message


async def rows_of(place: Place, **filters: Any) -> list[AuditEvent]:
    """A tenant's records of what clients did."""
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(**filters).exclude(kind__in=("config", "auth"))
    return await in_db(lambda: list(rows.order_by("seq")))
