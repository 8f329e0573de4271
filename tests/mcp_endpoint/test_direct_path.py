"""What skips the SDK's kernel answers as the kernel does, for every kind of request and result."""

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzz
from hypothesis import strategies as st
from mcp_types.jsonrpc import JSONRPCRequest
from mcp_types.methods import CLIENT_REQUESTS
from pydantic import ValidationError

from common.db import in_db
from connectors.results import Text, ToolResult
from mcp_endpoint import handlers, lists, messages, sdk
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import ProtocolError, dumps
from tests.factories import make_caller
from tests.mcp_endpoint.speak import META

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"


@pytest.fixture(scope="module")
def caller(place):
    return make_caller(place.tenant)


def message_of(method, params, version):
    params = {**params, "_meta": {**META, **params.get("_meta", {})}} if version == MODERN else params
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def both(caller, method, params, version):
    """The answers of the direct path and of the kernel: a result, or (code, message)."""
    answers = []
    message = message_of(method, params, version)
    for direct in (True, False):
        turn = Turn(caller, version == MODERN, version, 1, method, message["params"])
        try:
            if direct:  # once to be remembered, once from memory
                with contextlib.suppress(ProtocolError):
                    sdk.check_params(method, version, message)
            if not direct:
                answers.append(json.loads(dumps(await sdk.serve(turn))))
                continue
            sdk.check_params(method, version, message)
            if method == "tools/call":
                result = await handlers.run_tool(turn)
                answers.append(json.loads(sdk.encode_tool_result(result, modern=turn.modern)))
            else:
                answers.append(json.loads(await lists.answer(turn)))
        except ProtocolError as error:
            answers.append((error.code, error.message))
    return answers


CALLS = [
    {"name": "demo_add", "arguments": {"a": 1}},
    {"name": "demo_add", "arguments": {"a": 1}, "extra": {"ignored": True}},
    {"name": "demo_add"},
    {"name": "demo_add", "arguments": None},
    {"name": "demo_add", "arguments": {"a": "wrong"}},
    {"name": "demo_add", "arguments": [1]},
    {"name": "demo_everything", "arguments": {}},
    {"name": "demo_rows", "arguments": {}},
    {"name": "demo_tell", "arguments": {"steps": 0}},
    {"name": "probe_fail", "arguments": {"how": "conflict"}},
    {"name": "probe_fail", "arguments": {}},
    {"name": "nothing", "arguments": {}},
    {"name": 7, "arguments": {}},
    {"name": None},
    {"arguments": {}},
    {},
    {"name": "demo_add", "arguments": {"a": 1}, "inputResponses": 5, "requestState": 5},
    {"name": "demo_add", "arguments": {"a": 1}, "task": {"ttl": "x"}},
    {"name": "demo_add", "arguments": {"a": 1}, "task": {"ttl": 60}},
]


@pytest.mark.parametrize("version", [MODERN, HANDSHAKE, "2024-11-05"])
async def test_calls_answer_as_the_kernel_does(caller, version):
    for params in CALLS:
        direct, kernel = await both(caller, "tools/call", params, version)
        if isinstance(direct, dict) and isinstance(
            kernel, dict
        ):  # the text of an error carries the call's own id
            direct["content"][0].pop("text"), kernel["content"][0].pop("text")
        assert direct == kernel, params


@pytest.mark.parametrize("meta", [
    {"progressToken": 1}, {"progressToken": "x"}, {"progressToken": [1]}, {"other/key": {"a": [1]}},
    {"io.modelcontextprotocol/clientInfo": {"name": 5}}, {"io.modelcontextprotocol/clientInfo": None},
    {"io.modelcontextprotocol/clientCapabilities": []}, {"io.modelcontextprotocol/logLevel": "loud"},
])  # fmt: skip
async def test_metadata_is_checked_as_the_kernel_does(caller, meta):
    params = {"name": "demo_add", "arguments": {"a": 1}, "_meta": meta}
    direct, kernel = await both(caller, "tools/call", params, MODERN)
    assert direct == kernel
    direct, kernel = await both(caller, "tools/call", params, HANDSHAKE)
    assert direct == kernel


@pytest.mark.parametrize("version", [MODERN, HANDSHAKE])
@pytest.mark.parametrize("method", sorted(lists.KEPT_METHODS))
async def test_lists_answer_as_the_kernel_does(caller, version, method):
    for params in ({}, {"cursor": None}, {"cursor": 5}, {"cursor": "forged"}, {"other": 1}):
        for _ in range(2):  # made, then kept
            direct, kernel = await both(caller, method, params, version)
            assert direct == kernel, params


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@fuzz(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(structured=JSON, meta=st.dictionaries(st.text(max_size=5), JSON, max_size=2), failed=st.booleans())
async def test_any_result_is_written_as_the_kernel_does(caller, structured, meta, failed):
    result = ToolResult(structured, (Text("t"),), meta, failed)

    async def give(turn):
        return handlers.shapes.tool_result(result, modern=turn.modern)

    for version in (MODERN, HANDSHAKE):
        message = message_of("tools/call", {"name": "x"}, version)
        turn = Turn(caller, version == MODERN, version, 1, "tools/call", message["params"])
        kept = handlers.HANDLERS["tools/call"]
        sdk._server.cache_clear()
        handlers.HANDLERS["tools/call"] = give
        try:
            kernel = await sdk.serve(turn)
        finally:
            handlers.HANDLERS["tools/call"] = kept
            sdk._server.cache_clear()
        assert json.loads(sdk.encode_tool_result(result, modern=turn.modern)) == json.loads(dumps(kernel))


@fuzz(max_examples=200, deadline=None)
@given(
    jsonrpc=st.sampled_from(["2.0", "1.0", None, 2.0]),
    request_id=st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-2, 2)
    | st.text(max_size=3)
    | st.just([]),
    method=st.none() | st.text(max_size=5) | st.integers(),
    params=st.none()
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
    | st.lists(st.integers()),
)
def test_the_envelope_is_checked_as_the_sdk_does(jsonrpc, request_id, method, params):
    message = {"jsonrpc": jsonrpc, "id": request_id, "method": method, "params": params}
    try:
        JSONRPCRequest.model_validate(message)
        accepted = True
    except ValidationError:
        accepted = False
    try:
        messages.check_envelope(message)
        ours = True
    except ProtocolError:
        ours = False
    assert ours == accepted


def test_every_method_that_we_serve_is_of_the_schema():
    known = {method for method, _ in CLIENT_REQUESTS}
    assert set(handlers.HANDLERS) <= known


async def test_a_result_that_json_cannot_hold_is_written_all_the_same(caller):
    odd = ToolResult({"big": 2**70, "half": "\ud800", "nan": float("nan"), "set": {1}}, (Text("\udfff"),))
    made = json.loads(sdk.encode_tool_result(odd, modern=True))
    assert made["structuredContent"]["big"] == 2**70
    assert made["structuredContent"]["nan"] is None
    await in_db(lambda: None)
