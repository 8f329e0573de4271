"""A fault for each rule of repetition; the names of the cases begin with the rule's number.

1 nothing was sent · 2 reads · 3 writes that may be repeated · 4 creations · 5 refused
credentials · 6 waiting, attempts, budget · 7 the breaker
"""

import asyncio
import gzip
import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from connectors.errors import (
    AuthenticationFailed,
    CircuitOpen,
    Conflict,
    ConnectionFailed,
    ConnectorError,
    InvalidInput,
    NotFound,
    NotPermitted,
    RateLimited,
    TimedOut,
    UpstreamError,
)
from connectors.upstream import breaker as breaker_module
from connectors.upstream import network
from connectors.upstream.breaker import breaker_of
from connectors.upstream.client import Client, Request
from connectors.upstream.retry import Kind
from tests.upstream.conftest import some_connection, until
from tests.upstream.faulty import answer, faulty, half, reset, silence
from tests.upstream.things import Bearer

READ = Request("GET", "things", Kind.READ)
SEARCH = Request("POST", "search", Kind.READ, json={"q": "x"})
PUT = Request("PUT", "things/1", Kind.REPEATABLE, json={"a": 1})
DELETE = Request("DELETE", "things/1", Kind.REPEATABLE)
CREATE = Request("POST", "things", Kind.ONCE, json={"a": 1})
LOCKED = replace(CREATE, before_commit=lambda got: b"LOCK" in got.body)
LOCK = b"UNABLE_TO_LOCK_ROW"
NOW = {"retry_after": "0"}

TABLE = {
    "2-get-reset": (READ, [reset], 200, 2),
    "2-get-broken-in-the-body": (READ, [half], 200, 2),
    "2-get-late": (READ, [silence], 200, 2),
    "2-get-408": (READ, [answer(408)], 200, 2),
    "2-get-429": (READ, [answer(429)], 200, 2),
    "2-get-500": (READ, [answer(500)], 200, 2),
    "2-get-502-504": (READ, [answer(502), answer(504)], 200, 3),
    "2-get-503": (READ, [answer(503)], 200, 2),
    "2-get-501": (READ, [answer(501)], UpstreamError, 1),
    "2-get-404": (READ, [answer(404)], NotFound, 1),
    "2-post-that-reads-late": (SEARCH, [silence], 200, 2),
    "2-post-that-reads-500": (SEARCH, [answer(500)], 200, 2),
    "3-put-429": (PUT, [answer(429, **NOW)], 200, 2),
    "3-put-503-told": (PUT, [answer(503, **NOW)], 200, 2),
    "3-put-503": (PUT, [answer(503)], UpstreamError, 1),
    "3-put-500": (PUT, [answer(500)], UpstreamError, 1),
    "3-put-502": (PUT, [answer(502)], 200, 2),
    "3-put-504": (PUT, [answer(504)], 200, 2),
    "3-put-502-twice": (PUT, [answer(502), answer(502)], UpstreamError, 2),
    "3-put-reset": (PUT, [reset], 200, 2),
    "3-put-reset-twice": (PUT, [reset, reset], ConnectionFailed, 2),
    "3-put-reset-then-502": (PUT, [reset, answer(502)], UpstreamError, 2),
    "3-put-503-told-then-reset": (PUT, [answer(503, **NOW), reset], 200, 3),
    "3-put-late": (PUT, [silence], TimedOut, 1),
    "3-delete-found-nothing-the-second-time": (DELETE, [reset, answer(404)], 404, 2),
    "3-delete-found-nothing-after-502": (DELETE, [answer(502), answer(404)], 404, 2),
    "3-delete-found-nothing-the-first-time": (DELETE, [answer(404)], NotFound, 1),
    "3-delete-found-nothing-after-a-refusal": (DELETE, [answer(429), answer(404)], NotFound, 2),
    "4-post-429": (CREATE, [answer(429)], 200, 2),
    "4-post-503-told": (CREATE, [answer(503, **NOW)], 200, 2),
    "4-post-503": (CREATE, [answer(503)], UpstreamError, 1),
    "4-post-reset": (CREATE, [reset], ConnectionFailed, 1),
    "4-post-broken-in-the-body": (CREATE, [half], ConnectionFailed, 1),
    "4-post-late": (CREATE, [silence], TimedOut, 1),
    "4-post-408": (CREATE, [answer(408)], UpstreamError, 1),
    "4-post-409": (CREATE, [answer(409)], Conflict, 1),
    "4-post-500": (CREATE, [answer(500)], UpstreamError, 1),
    "4-post-502": (CREATE, [answer(502)], UpstreamError, 1),
    "4-post-504": (CREATE, [answer(504)], UpstreamError, 1),
    "4-post-redirected": (CREATE, [answer(307, location="/elsewhere")], UpstreamError, 1),
    "4-post-locked-400": (LOCKED, [answer(400, LOCK)], 200, 2),
    "4-post-locked-409": (LOCKED, [answer(409, LOCK)], 200, 2),
    "4-post-locked-500": (LOCKED, [answer(500, LOCK)], 200, 2),
    "4-post-400": (LOCKED, [answer(400, b"other")], InvalidInput, 1),
    "5-get-403": (READ, [answer(403)], NotPermitted, 1),
    "5-post-403": (CREATE, [answer(403)], NotPermitted, 1),
    "5-post-403-secondary-limit": (LOCKED, [answer(403, LOCK)], 200, 2),
    "5-get-401-without-a-credential": (READ, [answer(401)], AuthenticationFailed, 1),
    "6-three-attempts": (READ, [answer(500)] * 5, UpstreamError, 3),
    "6-three-attempts-of-mixed-faults": (READ, [reset, answer(429), answer(502), reset], UpstreamError, 3),
}  # fmt: skip


async def outcome(client, ctx, request, auth=None):
    try:
        return (await client.send(ctx, request, auth)).status
    except ConnectorError as error:
        return type(error)


@pytest.mark.parametrize(("request_", "script", "expected", "sent"), TABLE.values(), ids=TABLE)
async def test_a_request_is_sent_again_by_the_rules_alone(
    client, double, ctx, request_, script, expected, sent
):
    double.script = list(script)
    assert await outcome(client, ctx(), request_) == expected
    assert len(double.came) == sent


class Tokens:
    """A credential that is renewed when asked."""

    renewals = 0

    async def headers(self, *, renewed):
        self.renewals += renewed
        return {"authorization": f"Bearer token-{self.renewals}"}


@pytest.mark.parametrize("request_", [READ, PUT, CREATE], ids=["1-read", "1-repeatable", "1-once"])
async def test_a_system_that_refuses_connections_is_tried_three_times(ctx, monkeypatch, request_):
    async with faulty() as gone:
        url = gone.url
    tries = []
    real = network.GuardedBackend.connect_tcp
    monkeypatch.setattr(
        network.GuardedBackend, "connect_tcp", lambda self, *a, **k: tries.append(1) or real(self, *a, **k)
    )
    client = Client(some_connection(), url)
    with pytest.raises(ConnectionFailed) as caught:
        await client.send(ctx(), request_)
    assert (len(tries), caught.value.retryable) == (3, True)
    await client.aclose()


async def test_a_creation_goes_through_when_the_name_is_found_at_the_third_look(double, ctx, monkeypatch):
    """Rule 1: DNS."""
    looks = []
    real = network.resolve

    async def failing(host, port, policy):
        looks.append(host)
        return await real("no-such-host.invalid" if len(looks) < 3 else "127.0.0.1", port, policy)

    monkeypatch.setattr(network, "resolve", failing)
    client = Client(some_connection(), double.url)
    assert (await client.send(ctx(), CREATE)).attempts == 3
    assert len(double.came) == 1
    await client.aclose()


async def test_who_waits_in_vain_for_room_was_not_sent_and_may_come_again(double, ctx):
    """Rule 1: one wait of ``pool_s`` in the connection's own queue stands for three in the library's."""
    client = Client(some_connection(connections=1, pool_s=0.1), double.url)
    double.script = [silence]
    first = asyncio.create_task(outcome(client, ctx(5), READ))
    await until(lambda: double.came)
    with pytest.raises(ConnectionFailed) as caught:
        await client.send(ctx(), CREATE)
    assert (caught.value.code, caught.value.retryable) == ("busy", True)
    assert len(double.came) == 1
    first.cancel()
    await asyncio.wait([first])
    assert await outcome(client, ctx(), CREATE) == 200
    await client.aclose()


@pytest.mark.parametrize("fault", [reset, half, silence, *map(answer, (500, 502, 504))],
                         ids=["4-reset", "4-half", "4-late", "4-500", "4-502", "4-504"])  # fmt: skip
async def test_a_creation_that_may_have_happened_says_so_and_how_to_look(client, double, ctx, fault):
    double.script = [fault]
    with pytest.raises(ConnectorError) as caught:
        await client.send(ctx(), replace(CREATE, look_first="Check with things_search before trying again."))
    error = caught.value
    assert (error.code, error.retryable) == ("outcome_unknown", False)
    assert error.hint == "The request may have succeeded. Check with things_search before trying again."


@pytest.mark.parametrize("request_", [READ, PUT, CREATE], ids=["5-read", "5-repeatable", "5-once"])
async def test_a_refused_credential_is_renewed_once_and_the_request_sent_again(client, double, ctx, request_):
    tokens = Tokens()
    double.script = [answer(401)]
    assert await outcome(client, ctx(), request_, tokens) == 200
    double.script = [answer(401), answer(401)]
    assert await outcome(client, ctx(), request_, tokens) is AuthenticationFailed
    assert (tokens.renewals, len(double.came)) == (2, 4)


async def test_a_renewal_is_no_repetition_but_one_of_three_attempts(double, ctx):
    """Rules 5 and 6."""
    tokens, patient = Tokens(), Client(some_connection(retries=0), double.url)
    double.script = [answer(401)]
    assert await outcome(patient, ctx(), READ, tokens) == 200
    double.script = [answer(401), answer(500)]
    assert await outcome(patient, ctx(), READ, tokens) is UpstreamError
    await patient.aclose()
    client = Client(some_connection(), double.url)
    double.script = [answer(500), answer(500), answer(401)]
    assert await outcome(client, ctx(), READ, tokens) is AuthenticationFailed
    assert len(double.came) == 7
    await client.aclose()


@pytest.mark.parametrize(("retries", "sent"), [(0, 1), (1, 2), (2, 3)], ids=["6-none", "6-one", "6-two"])
async def test_a_connection_may_allow_fewer_repetitions(double, ctx, retries, sent):
    client = Client(some_connection(retries=retries), double.url)
    double.script = [answer(500)] * 3
    assert await outcome(client, ctx(), READ) is UpstreamError
    assert len(double.came) == sent
    await client.aclose()


async def test_who_asks_for_more_patience_than_the_call_has_gets_a_time_to_come_back(client, double, ctx):
    """Rule 6: 30 seconds are more than 20, 10 more than the 2 that are left."""
    double.script = [answer(429, retry_after="30")]
    with pytest.raises(RateLimited) as caught:
        await client.send(ctx(seconds=100), READ)
    assert (caught.value.retry_after, caught.value.code) == (pytest.approx(30, abs=1), "vendor_limit")
    double.script = [answer(503, retry_after=formatdate(time.time() + 10, usegmt=True))]
    with pytest.raises(RateLimited) as caught:
        await client.send(ctx(seconds=2), CREATE)
    assert 8 < caught.value.retry_after <= 10
    assert len(double.came) == 2


async def test_a_wait_that_the_call_can_afford_is_kept(client, double, ctx):
    """Rule 6: the system's wish is longer than our own first wait."""
    double.script = [answer(429, retry_after="1")]
    started = time.monotonic()
    assert await outcome(client, ctx(), CREATE) == 200
    assert time.monotonic() - started >= 1


async def test_no_more_than_a_tenth_of_a_connections_calls_is_repeated(client, double, ctx):
    """Rule 6: three repetitions to begin with, then one for each ten calls."""
    double.otherwise = answer(500)
    for _ in range(100):
        assert await outcome(client, ctx(), READ) is UpstreamError
    assert 110 <= len(double.came) <= 113


@pytest.mark.parametrize("fault", [reset, silence, answer(500), answer(503)],
                         ids=["7-reset", "7-late", "7-500", "7-503"])  # fmt: skip
async def test_five_failures_in_a_row_open_the_breaker_and_nothing_is_sent(client, double, ctx, fault):
    identity = "a credential"
    double.otherwise = fault
    for _ in range(5):
        assert await outcome(client, ctx(identity=identity), PUT) not in (200, CircuitOpen)
    came = len(double.came)
    with pytest.raises(CircuitOpen) as caught:
        await client.send(ctx(identity=identity), PUT)
    assert caught.value.retryable and 0 < caught.value.retry_after <= 30
    assert len(double.came) == came
    double.otherwise = answer(200)
    assert await outcome(client, ctx(identity="another credential"), PUT) == 200


async def test_more_than_half_of_twenty_calls_open_it(client, double, ctx):
    """Rule 7."""
    identity = "a credential"
    said = []
    for number in range(21):
        double.script = [] if number % 2 and number < 18 else [answer(500)]
        said.append(await outcome(client, ctx(identity=identity), PUT))
        if len(said) < 20:
            assert CircuitOpen not in said
    assert said[-1] is CircuitOpen


@pytest.mark.parametrize("harmless", [answer(400), answer(401), answer(403), answer(404), answer(409), answer(429),
                                      answer(503, retry_after="0")],
                         ids=["7-400", "7-401", "7-403", "7-404", "7-409", "7-429", "7-503-told"])  # fmt: skip
async def test_an_answer_that_is_the_callers_fault_or_a_wish_never_opens_it(double, ctx, harmless):
    client = Client(some_connection(retries=0), double.url)
    double.otherwise = harmless
    for _ in range(8):
        assert await outcome(client, ctx(identity="a credential"), CREATE) is not CircuitOpen
    assert len(double.came) == 8
    await client.aclose()


async def test_a_repeated_request_counts_once_by_its_end(client, double, ctx):
    """Rule 7: what came right at the second try is no failure."""
    for _ in range(8):
        double.script = [answer(500)]
        client.line.budget.left = 10
        assert await outcome(client, ctx(identity="a credential"), READ) == 200
    assert not breaker_of(*client._owner, "a credential").failures


async def test_a_caller_in_a_hurry_opens_nothing(double, ctx):
    """Rule 7: a call that gave the system hardly any time says nothing of it."""
    client = Client(some_connection(), double.url)
    double.otherwise = silence
    for _ in range(6):
        assert await outcome(client, ctx(0.1, identity="a credential"), PUT) is TimedOut
    assert not breaker_of(*client._owner, "a credential").failures
    await client.aclose()


async def rested(client, double, ctx, monkeypatch):
    """An open breaker whose rest is over; calls of others would then wait for long."""
    monkeypatch.setattr(breaker_module, "REST_S", 0.05)
    double.script = [answer(500)] * 5
    for _ in range(5):
        await outcome(client, ctx(identity="c"), PUT)
    breaker = breaker_of(*client._owner, "c")
    await until(lambda: breaker.open_until < time.monotonic())
    monkeypatch.setattr(breaker_module, "REST_S", 60.0)
    return breaker


async def test_one_probe_decides_and_its_call_may_send_all_it_has(client, double, ctx, monkeypatch):
    """Rule 7."""
    breaker = await rested(client, double, ctx, monkeypatch)
    trying, others = ctx(identity="c"), [ctx(identity="c") for _ in range(5)]
    said = await asyncio.gather(
        *(outcome(client, trying, PUT) for _ in range(3)), *(outcome(client, other, PUT) for other in others)
    )
    assert said == [200] * 3 + [CircuitOpen] * 5
    assert not breaker.open_until
    assert await outcome(client, others[0], PUT) == 200


async def test_a_probe_that_fails_means_another_rest(client, double, ctx, monkeypatch):
    """Rule 7."""
    await rested(client, double, ctx, monkeypatch)
    double.script = [answer(500)]
    assert await outcome(client, ctx(identity="c"), PUT) is UpstreamError
    came = len(double.came)
    assert await outcome(client, ctx(identity="c"), PUT) is CircuitOpen
    assert len(double.came) == came


async def test_a_probe_whose_credential_is_refused_shows_that_the_system_answers(
    client, double, ctx, monkeypatch
):
    """Rule 7: 4xx never count, also where the credential has nothing to be renewed with."""
    breaker = await rested(client, double, ctx, monkeypatch)
    double.script = [answer(401)]
    assert await outcome(client, ctx(identity="c"), PUT, Bearer("t")) is AuthenticationFailed
    assert not breaker.open_until


@pytest.mark.parametrize(
    "lost",
    [answer(201, gzip.compress(b"x" * 3000)[:-9], content_encoding="gzip"), answer(201, b"x" * 3000)],
    ids=["damaged", "too_large"],
)  # fmt: skip
async def test_a_creation_whose_answer_cannot_be_read_is_not_to_be_repeated(client, double, ctx, lost):
    """Rule 4."""
    double.script = [lost]
    small = Request(
        "POST", "things", Kind.ONCE, json={}, max_bytes=2000, look_first="Check with things_list."
    )
    with pytest.raises(UpstreamError) as caught:
        await client.send(ctx(), small)
    assert not caught.value.retryable and "may have succeeded. Check with" in caught.value.hint
    assert len(double.came) == 1


class Asking:
    """A credential for which the system is asked first, with the same call."""

    def __init__(self, client, ctx):
        self._client, self._ctx = client, ctx

    async def headers(self, *, renewed):
        await self._client.send(self._ctx, Request("POST", "token", Kind.REPEATABLE))
        return {"authorization": "Bearer new"}


async def away(question):
    """What is answered while Redis is away."""


async def test_a_request_for_a_token_within_a_probe_may_fail_it_but_not_save_it(
    client, double, ctx, monkeypatch
):
    """Rule 7."""
    breaker = await rested(client, double, ctx, monkeypatch)
    trying = ctx(identity="c")
    double.script = [answer(500)]
    assert await outcome(client, trying, PUT, Asking(client, trying)) is UpstreamError
    assert breaker.open_until > time.monotonic() + 30
    monkeypatch.setattr(breaker_module, "asked", away)
    breaker._open(0)
    double.script = [answer(200), answer(500)]
    assert await outcome(client, trying, PUT, Asking(client, trying)) is UpstreamError
    assert breaker.open_until > time.monotonic() + 30
    breaker._open(0)
    assert await outcome(client, trying, PUT, Asking(client, trying)) == 200
    assert not breaker.open_until


async def test_a_probe_whose_caller_leaves_is_given_back(client, double, ctx, monkeypatch):
    """Rule 7: half open does not mean half open for ever."""
    breaker = await rested(client, double, ctx, monkeypatch)
    double.script, came = [silence], len(double.came)
    leaving = asyncio.create_task(outcome(client, ctx(identity="c"), PUT))
    await until(lambda: len(double.came) > came)
    assert await outcome(client, ctx(identity="c"), PUT) is CircuitOpen
    leaving.cancel()
    await asyncio.wait([leaving])
    await asyncio.gather(*breaker_module._BEGUN)
    assert await outcome(client, ctx(identity="c"), PUT) == 200
    assert not breaker.open_until
