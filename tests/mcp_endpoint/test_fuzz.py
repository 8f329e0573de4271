"""Whatever comes in, the answer is a JSON-RPC error or a result with a known status, never a 500."""

import json

from hypothesis import HealthCheck, given
from hypothesis import settings as fuzz
from hypothesis import strategies as st

from mcp_endpoint.handlers import HANDLERS
from tests.mcp_endpoint.speak import META, Post, by_door, headers_of

STATUSES = {200, 202, 400, 404, 406, 413, 415}
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
METHODS = st.sampled_from(
    [*HANDLERS, "initialize", "server/discover", "subscriptions/listen", "notifications/cancelled"]
)
PARAMS = st.dictionaries(
    st.sampled_from(["name", "arguments", "uri", "cursor", "ref", "argument", "level", "_meta", "protocolVersion",
                     "capabilities", "clientInfo", "requestId"]),
    VALUES | st.sampled_from(["demo_add", "demo://rows/1", "demo-ask"]) | st.just({"a": 1})
    | st.just({"type": "ref/prompt", "name": "demo-ask"}) | st.just(META),
    max_size=4,
)  # fmt: skip
VERSIONS = st.sampled_from(["2026-07-28", "2025-11-25", "2024-11-05", "2099-01-01", "", "é", None])


def check(answer):
    assert answer.status in STATUSES, (answer.status, answer.body)
    if answer.status == 202:
        assert answer.body == b""
        return
    message = answer.json if answer.headers["content-type"] == "application/json" else answer.events[-1]
    assert message["jsonrpc"] == "2.0"
    assert ("result" in message) != ("error" in message)
    if "error" in message:
        assert message["error"]["message"]
        assert message["error"]["code"] != -32603, message


@fuzz(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()), version=VERSIONS)
async def test_any_bytes_are_answered(place, body, version):
    check(
        await by_door(Post(place.path, body, list(headers_of(place, mcp_protocol_version=version).items())))
    )


@fuzz(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=METHODS | st.text(max_size=8), params=PARAMS | VALUES, id=SCALARS | st.just(...), version=VERSIONS,
       name=st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=9))  # fmt: skip
async def test_any_message_is_answered(place, method, params, id, version, name):
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if id is not ...:
        message["id"] = id
    routing = {
        "mcp_protocol_version": version,
        "mcp_name": name,
        "mcp_method": method if method in HANDLERS else None,
    }
    post = Post(place.path, json.dumps(message).encode(), list(headers_of(place, **routing).items()))
    check(await by_door(post))
