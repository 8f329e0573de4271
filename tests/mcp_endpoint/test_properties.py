"""Whatever comes in: the right status or a JSON-RPC answer, in time, one record for a call, and only one's own data."""

import asyncio
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.db import in_db
from common.writer import writer
from tests.mcp_endpoint.properties import (
    ANYTHING,
    HANDLERS,
    METHODS,
    SCALARS,
    VALUES,
    answered,
    checked,
    dumped,
    examples,
    mutated,
    rows_of,
    valid,
)
from tests.mcp_endpoint.speak import (
    Place,
    Post,
    by_door,
    headers_of,
    initialize,
    make_place,
    unique,
)

VERSIONS = st.sampled_from(["2026-07-28", "2025-11-25", "2024-11-05", "2099-01-01", "", "é", None])
PARAMS = st.dictionaries(
    st.sampled_from(["name", "arguments", "uri", "cursor", "ref", "argument", "level", "_meta", "protocolVersion",
                     "capabilities", "clientInfo", "requestId", "taskId", "requestState", "inputResponses"]),
    ANYTHING | st.just({"type": "ref/prompt", "name": "demo-ask"}),
    max_size=4,
)  # fmt: skip
NAMES = st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=9)
MARKER = "PLANTED-IN-THE-OTHER"


@pytest.fixture(scope="module")
def place(database) -> Place:
    """A tenant of this module's own, so that its records are all from here."""
    return make_place(connectors=("demo", "probe", "asker"))


@pytest.fixture(scope="module")
def markers(database) -> list[bytes]:
    """What belongs to a second tenant with the same connections, and must never be seen."""
    other = make_place()
    other.tenant.name = MARKER
    other.tenant.save()
    return [
        text.encode()
        for text in (MARKER, other.tenant.slug, str(other.tenant.id), other.tenant.id.hex, other.key)
    ]


async def sent(place: Place, markers: list[bytes], body: bytes, lines: list[tuple[str, str]]):
    """Send, check what holds for every request, and give the answer with its records."""
    request_id = unique("p")
    answer = await answered(Post(place.path, body, [*lines, ("x-request-id", request_id)]))
    message = checked(answer)
    whole = answer.body + repr(answer.headers).encode()
    assert not any(marker in whole for marker in markers)
    rows = await rows_of(place, request_id=request_id)
    assert len({row.call_id for row in rows}) <= 1, "one request is one call"
    assert Counter(row.phase for row in rows)["done"] <= 1
    if message is not None and "result" in message and "error" not in message:
        try:
            method = json.loads(body)["method"]
        except (
            UnicodeDecodeError
        ):  # the strict parser reads UTF-8 alone, so this was not answered with a result
            raise AssertionError("a result for what is not UTF-8") from None
        kinds = {"tools/call": "call", "resources/read": "read", "prompts/get": "prompt"}
        assert [row.kind for row in rows if row.phase == "done"] == (
            [kinds[method]] if method in kinds else []
        ), (method, rows)
    return message


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
@examples(60)
@given(body=st.binary(max_size=60) | VALUES.map(dumped))
async def test_any_bytes_are_answered(place, markers, era, body):
    headers = headers_of(place, mcp_protocol_version=era)
    message = await sent(place, markers, body, list(headers.items()))
    assert message is None or "error" in message


@examples(150)
@given(method=METHODS | st.text(max_size=8), params=PARAMS | VALUES, id=SCALARS | st.just(...), version=VERSIONS,
       name=NAMES)  # fmt: skip
async def test_any_message_is_answered(place, markers, method, params, id, version, name):
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    if id is not ...:
        message["id"] = id
    routing = {
        "mcp_protocol_version": version,
        "mcp_name": name,
        "mcp_method": method if method in HANDLERS else None,
    }
    await sent(place, markers, dumped(message), list(headers_of(place, **routing).items()))


@examples(40)
@given(draft=valid())
async def test_a_right_request_is_answered_with_a_result(place, markers, session, draft):
    message = await sent(place, markers, draft.sent(), with_secrets(draft, place, session))
    assert message is None or "result" in message, message


@examples(350)
@given(draft=mutated())
async def test_a_request_with_one_thing_changed_is_answered(place, markers, session, draft):
    await sent(place, markers, draft.sent(), with_secrets(draft, place, session))


def with_secrets(draft, place, session):
    """The lines with the key and the session, which are not known when an example is made."""
    lines = [(name, session if value == "SESSION" else value) for name, value in draft.lines()]
    return lines if any(name == "authorization" for name, _ in lines) else [
        *lines, ("authorization", f"Bearer {place.key}")]  # fmt: skip


@pytest.fixture(scope="module")
def session(place):
    return asyncio.run(by_door(initialize(place))).headers["mcp-session-id"]


async def recorded(place, number):
    """The records of malformed requests, once all that wait are written."""
    await asyncio.wait_for(asyncio.to_thread(writer.flush, 5.0), 10)
    found = await rows_of(place, error_type="protocol_error")
    assert len(found) >= number
    return found


MISTAKES = st.sampled_from(
    [
        (b"{", None, ("", "-32700")),
        (b"[]", None, ("", "-32600")),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":7}', None, ("ping", "-32600")),
        (b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}', None, ("tools/list", "-32600")),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', None, ("tools/call", "-32602")),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', "2026-07-28", ("tools/list", "-32602")),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', "2099-01-01", ("tools/list", "-32602")),
        (b'{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"x"}}', None,
         ("logging/setLevel", "-32602")),
        (b'{"jsonrpc":"2.0","id":1,"method":"made/up"}', None, ("made/up", "-32601")),
    ]
)  # fmt: skip


@examples(6)
@given(mistakes=st.lists(MISTAKES, min_size=2, max_size=12))
async def test_each_kind_of_mistake_has_one_record_a_minute(mistakes):
    place = await in_db(make_place, connectors=("probe",))
    for body, version, _ in mistakes:
        headers = headers_of(place, mcp_protocol_version=version)
        message = checked(await answered(Post(place.path, body, list(headers.items()))))
        assert "error" in message
    expected = {kind for _, _, kind in mistakes}
    found = await recorded(place, len(expected))
    seen = Counter((row.name, row.message.partition(":")[0]) for row in found)
    assert set(seen) == expected
    minutes = {row.at_us // 60_000_000 for row in found}
    assert all(number <= len(minutes) for number in seen.values()), seen


async def test_methods_that_nobody_has_are_one_kind_of_mistake_whatever_they_are_called(place):
    mine = await in_db(make_place, connectors=("probe",))
    for number in range(30):
        body = dumped({"jsonrpc": "2.0", "id": 1, "method": f"made/up/{number}"})
        assert (await by_door(Post(mine.path, body, list(headers_of(mine).items())))).error["code"] == -32601
    found = await recorded(mine, 1)
    assert 1 <= len(found) <= 2  # the minute may have changed
