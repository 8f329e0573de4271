"""Any bytes on a real connection: an HTTP answer that is right or a closed connection, in time, never a 500."""

import http.client
import io
import json
import socket
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.models import AuditEvent
from tests.mcp_endpoint.properties import (
    ACKNOWLEDGED,
    DEADLINE_S,
    HEADER_BYTES,
    STATUSES,
    Draft,
    checked,
    dumped,
    examples,
    mutated,
    valid,
)
from tests.mcp_endpoint.speak import Answer, Place, make_place, unique
from tests.mcp_endpoint.test_properties import MARKER, markers

__all__ = ["markers"]

UNREADABLE = b"Invalid HTTP request received."  # what uvicorn says of it, in plain text
RECORDED = ("call", "read", "prompt", "denial")


@pytest.fixture(scope="module")
def place(database) -> Place:
    return make_place(connectors=("demo", "probe", "asker"))


class _Received:
    """What came, for ``http.client`` to read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def exchange(base_url: str, raw: bytes, *, leave: bool = True) -> Answer | None:
    """Send bytes and read the first answer until the server closes; None where there is none.

    ``leave`` closes the sending side, as who goes away does: a server that waits for more sees
    that none comes, and need not answer.
    """
    at = urlsplit(base_url)
    deadline = time.monotonic() + DEADLINE_S
    data = b""
    with socket.create_connection((at.hostname, at.port), timeout=DEADLINE_S) as line:
        try:
            line.sendall(raw)
            if leave:
                line.shutdown(socket.SHUT_WR)
            while chunk := line.recv(65536):
                data += chunk
                if ACKNOWLEDGED.encode() in data:  # a subscription, which lasts
                    return None
                assert time.monotonic() < deadline, "the server goes on and on"
        except (ConnectionResetError, BrokenPipeError):  # closed with our bytes still unread
            pass
        except TimeoutError:
            raise AssertionError(f"no end within {DEADLINE_S} s after {data[:300]!r}") from None
    if not data:
        return None
    response = http.client.HTTPResponse(_Received(data))  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read()
    except http.client.IncompleteRead:
        assert leave, "the answer broke off"
        return None
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def head(path: bytes, lines: list[tuple[bytes, bytes]], method: bytes = b"POST") -> bytes:
    return b"%b %b HTTP/1.1\r\n" % (method, path) + b"".join(b"%b: %b\r\n" % pair for pair in lines) + b"\r\n"


def lines_of(draft: Draft, place: Place, request_id: str) -> list[tuple[bytes, bytes]]:
    made = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in draft.lines()]
    names = {name for name, _ in made}
    made += [(b"host", b"127.0.0.1"), (b"connection", b"close"), (b"x-request-id", request_id.encode())]
    return made if b"authorization" in names else [*made, (b"authorization", b"Bearer " + place.key.encode())]


def judged(answer: Answer | None, markers: list[bytes]) -> dict | None:
    """The JSON-RPC message of an answer that is as it must be."""
    if answer is None:
        return None
    whole = answer.body + repr(answer.headers).encode()
    assert not any(marker in whole for marker in markers)
    if answer.status == 400 and answer.body == UNREADABLE:
        return None
    assert answer.status in STATUSES, (answer.status, answer.body[:500])
    return checked(answer)


def calls_of(place: Place, request_id: str) -> set[str]:
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(request_id=request_id, kind__in=RECORDED)
    done = list(rows.filter(phase="done"))
    assert len(done) <= 1
    return {str(row.call_id) for row in rows}


@examples(80)
@given(draft=valid() | mutated())
def test_a_request_on_a_real_connection_is_answered(base_url, place, markers, draft):
    request_id, body = unique("s"), draft.sent()
    lines = [pair for pair in lines_of(draft, place, request_id) if pair[0] != b"mcp-session-id"]
    answer = exchange(
        base_url,
        head(place.path.encode(), [*lines, (b"content-length", b"%d" % len(body))]) + body,
        leave=False,
    )
    message = judged(answer, markers)
    assert len(calls_of(place, request_id)) <= 1
    if message is not None and "result" in message and json.loads(body)["method"] == "tools/call":
        assert len(calls_of(place, request_id)) == 1


LENGTHS = st.sampled_from(
    [b"0", b"1", b"-1", b"+5", b"5 5", b"0x10", b"1e3", b"", b"99999999999999999999", b"4194305", b"\xb2", "٣".encode()]
)  # fmt: skip


@examples(60)
@given(
    draft=valid(),
    length=LENGTHS | st.integers(0, 2000).map(lambda number: b"%d" % number),
    twice=st.booleans(),
)
def test_a_length_that_is_not_the_bodys_is_survived(base_url, place, markers, draft, length, twice):
    request_id, body = unique("s"), draft.sent()
    lines = [*lines_of(draft, place, request_id), (b"content-length", length)]
    if twice:
        lines.append((b"content-length", b"%d" % len(body)))
    judged(exchange(base_url, head(place.path.encode(), lines) + body), markers)
    assert len(calls_of(place, request_id)) <= 1


CHUNKS = st.sampled_from(
    [
        b"0\r\n\r\n",
        b"zz\r\n",
        b"5\r\nab",
        b"ffffffffffffffff\r\nx",
        b"-1\r\n\r\n",
        b"3;x=y\r\nabc\r\n0\r\n\r\n",
        b"",
    ]
)


@examples(40)
@given(draft=valid(), broken=CHUNKS, cut=st.integers(0, 60), whole=st.booleans())
def test_a_body_in_chunks_right_or_broken_is_survived(base_url, place, markers, draft, broken, cut, whole):
    request_id, body = unique("s"), draft.sent()
    pieces = [body[:cut], body[cut:]]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    lines = [*lines_of(draft, place, request_id), (b"transfer-encoding", b"chunked")]
    lines = [pair for pair in lines if pair[0] != b"mcp-session-id"]
    answer = exchange(
        base_url,
        head(place.path.encode(), lines) + chunked + (b"0\r\n\r\n" if whole else broken),
        leave=not whole,
    )
    message = judged(answer, markers)
    if whole and not draft.message["method"].startswith(("notifications/", "subscriptions/")):
        assert message is not None
        assert "result" in message


@examples(60)
@given(
    names=st.lists(st.tuples(HEADER_BYTES, HEADER_BYTES), max_size=4),
    path=st.sampled_from([b"", b"/", b"?toolsets=%00", b"?x=%ff", b"?toolsets=" + b"a," * 800, b"/..", b"/%2e%2e", b"%00", b";x"]),
    method=st.sampled_from([b"POST", b"GET", b"DELETE", b"PUT", b"OPTIONS", b"HEAD", b"TRACE", b"PATCH"]),
    authorised=st.booleans(),
)  # fmt: skip
def test_headers_paths_and_methods_of_any_kind_are_survived(
    base_url, place, markers, names, path, method, authorised
):
    body = dumped({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    lines = [(b"host", b"127.0.0.1"), (b"connection", b"close"), (b"content-type", b"application/json"), *names,
             (b"content-length", b"%d" % len(body))]  # fmt: skip
    if authorised:
        lines.append((b"authorization", b"Bearer " + place.key.encode()))
    answer = exchange(base_url, head(place.path.encode() + path, lines, method) + body)
    if answer is not None:
        assert answer.status < 500, (answer.status, answer.body[:500])
        assert not any(marker in answer.body for marker in markers)


@examples(60)
@given(raw=st.binary(max_size=200))
def test_bytes_that_are_no_http_are_survived(base_url, raw):
    answer = exchange(base_url, raw)
    assert answer is None or answer.status < 500


@examples(30)
@given(draft=valid(), at=st.integers(0, 10_000))
def test_a_request_that_breaks_off_anywhere_runs_at_most_once_and_is_never_half_run(
    base_url, place, draft, at
):
    request_id, body = unique("s"), draft.sent()
    raw = (
        head(
            place.path.encode(), [*lines_of(draft, place, request_id), (b"content-length", b"%d" % len(body))]
        )
        + body
    )
    cut = min(at, len(raw) - 1)
    exchange(base_url, raw[:cut])
    assert calls_of(place, request_id) == set()


def test_after_all_that_the_server_serves(base_url, place):
    body = dumped({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    lines = [(b"host", b"127.0.0.1"), (b"connection", b"close"), (b"content-type", b"application/json"),
             (b"content-length", b"%d" % len(body)), (b"authorization", b"Bearer " + place.key.encode())]  # fmt: skip
    answer = exchange(base_url, head(place.path.encode(), lines) + body, leave=False)
    assert answer.json == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert MARKER not in answer.body.decode()
    rows = AuditEvent.objects.for_tenant(place.tenant).filter(kind="call")
    phases = Counter((row.call_id, row.phase) for row in rows)
    assert all(number == 1 for number in phases.values())
