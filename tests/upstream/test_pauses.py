"""Vendors that ask for a pause get it, from every worker, and callers learn when to come back."""

import asyncio
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest

from common import metrics
from common.bus import bus
from common.db import in_db
from common.redis import sync_client
from connectors.errors import NotFound, NotPermitted, RateLimited
from connectors.upstream import client as client_module
from connectors.upstream import pauses
from connectors.upstream.breaker import Breaker
from connectors.upstream.client import Client, Request
from connectors.upstream.known import look
from connectors.upstream.quota import Quota, quota_of, seconds_until, wish_of
from connectors.upstream.retry import Kind
from tests.upstream.conftest import some_connection, until
from tests.upstream.faulty import answer

READ = Request("GET", "things", Kind.READ)
SEARCH = Request("GET", "search", Kind.READ, bucket="search")
CREATE = Request("POST", "things", Kind.ONCE, json={})


def at(seconds: float) -> str:
    return str(int(time.time() + seconds))


async def limited(client, ctx, request, **more) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        await client.send(ctx(**more), request)
    assert (caught.value.code, caught.value.retryable) == ("vendor_limit", True)
    return caught.value


async def test_after_the_last_call_of_a_limit_nothing_is_sent_until_its_reset(client, double, ctx):
    double.script = [
        answer(200, x_ratelimit_limit="60", x_ratelimit_remaining="0", x_ratelimit_reset=at(300))
    ]
    assert (await client.send(ctx(identity="c"), READ)).quota.limit == 60
    for request in (READ, CREATE):
        assert 290 < (await limited(client, ctx, request, identity="c")).retry_after <= 300
    assert len(double.came) == 1


async def test_a_call_knows_whether_a_request_was_sent_for_it(client, double, ctx):
    first, second = ctx(identity="c"), ctx(identity="c")
    double.script = [answer(429, retry_after="300")]
    for call, sent in ((first, True), (second, False)):
        with pytest.raises(RateLimited):
            await client.send(call, READ)
        assert call.sent is sent


async def test_another_credential_tenant_connection_or_bucket_goes_on(client, double, ctx):
    double.script = [answer(429, retry_after="300")]
    await limited(client, ctx, READ, identity="c")
    other = Client(some_connection(), double.url)
    assert (await client.send(ctx(identity="another"), READ)).ok
    assert (await other.send(ctx(identity="c"), READ)).ok
    assert (await client.send(ctx(identity="c"), SEARCH)).ok
    await other.aclose()


async def test_a_bucket_of_the_vendors_own_pauses_by_its_name(client, double, ctx):
    told = answer(200, x_ratelimit_limit="30", x_ratelimit_remaining="0", x_ratelimit_reset=at(50),
                  x_ratelimit_resource="search")  # fmt: skip
    double.script = [told]
    assert (await client.send(ctx(identity="c"), SEARCH)).ok
    await limited(client, ctx, SEARCH, identity="c")
    assert (await client.send(ctx(identity="c"), READ)).ok


async def test_a_short_pause_is_waited_for(client, double, ctx):
    double.script = [answer(200, ratelimit='"default";r=0;t=1')]
    await client.send(ctx(identity="c"), READ)
    started = time.monotonic()
    assert (await client.send(ctx(identity="c"), READ)).ok
    assert time.monotonic() - started > 0.9
    assert len(double.came) == 2


async def test_a_pause_longer_than_the_call_or_twenty_seconds_is_not_waited_for(client, double, ctx):
    double.script = [answer(200, x_ratelimit_limit="9", x_ratelimit_remaining="0", x_ratelimit_reset="15")]
    await client.send(ctx(identity="c"), READ)
    started = time.monotonic()
    assert 10 < (await limited(client, ctx, READ, seconds=5, identity="c")).retry_after <= 15
    double.script = [answer(503, retry_after="25")]
    assert 20 < (await limited(client, ctx, READ, seconds=100, identity="d")).retry_after <= 25
    assert time.monotonic() - started < 15


async def test_github_says_with_403_what_others_say_with_429(client, double, ctx):
    double.script = [
        answer(403, x_ratelimit_limit="60", x_ratelimit_remaining="0", x_ratelimit_reset=at(300)),
        answer(403, b"secondary limit", retry_after="60"),
        answer(403, x_ratelimit_limit="60", x_ratelimit_remaining="59", x_ratelimit_reset=at(300)),
    ]
    first = await limited(client, ctx, READ)
    assert 290 < first.retry_after <= 300 and first.upstream_status == 403
    assert (await limited(client, ctx, READ)).retry_after == pytest.approx(60, abs=1)
    with pytest.raises(NotPermitted):
        await client.send(ctx(), READ)


async def test_a_wish_that_the_system_writes_in_words_is_the_connectors_to_read(client, double, ctx):
    """And nothing is repeated that the system asked to be spared."""

    def wish(got):
        return 60.0 if b"secondary rate limit" in got.body else 0.0

    request = replace(READ, wish=wish, before_commit=lambda got: wish(got) > 0)
    for asked in (request, replace(request, before_commit=None)):
        double.script = [answer(403, b"You have exceeded a secondary rate limit")]
        error = await limited(client, ctx, asked, identity=f"c{asked.before_commit}", seconds=100)
        assert error.retry_after == pytest.approx(60, abs=1)
    assert len(double.came) == 2
    double.script = [answer(403, b"No rights")]
    with pytest.raises(NotPermitted):
        await client.send(ctx(), request)


async def test_the_last_answer_that_a_limit_allows_is_what_it_is(client, double, ctx):
    told = {"x_ratelimit_limit": "60", "x_ratelimit_remaining": "0", "x_ratelimit_reset": at(300)}
    double.script = [answer(404, **told)]
    with pytest.raises(NotFound):
        await client.send(ctx(identity="c"), READ)
    await limited(client, ctx, READ, identity="c")


async def test_more_calls_than_may_wait_do_not_wait_for_a_pause(client, double, ctx, monkeypatch):
    monkeypatch.setattr(client_module, "MAX_WAITING", 3)
    double.script = [answer(200, ratelimit='"default";r=0;t=2')]
    await client.send(ctx(identity="c"), READ)
    said = await asyncio.gather(
        *(client.send(ctx(identity="c"), READ) for _ in range(5)), return_exceptions=True
    )
    assert [type(each) for each in said].count(RateLimited) == 2


async def test_a_creation_refused_with_a_reset_and_no_retry_after_says_when_to_come_back(client, double, ctx):
    double.script = [
        answer(429, x_ratelimit_limit="60", x_ratelimit_remaining="0", x_ratelimit_reset=at(300))
    ]
    assert 290 < (await limited(client, ctx, CREATE)).retry_after <= 300
    assert len(double.came) == 1


async def test_a_limit_of_one_object_pauses_nothing_else(client, double, ctx):
    double.script = [answer(429, retry_after="40", ratelimit_reason="jira-per-issue-on-write")]
    await limited(client, ctx, CREATE, identity="c")
    assert (await client.send(ctx(identity="c"), READ)).ok


async def test_a_worker_that_begins_later_and_one_that_listens_know_of_it():
    place = (uuid.uuid4(), uuid.uuid4(), "c")
    heard = []
    bus.subscribe(pauses.KIND, lambda tenant_id, body: heard.append((tenant_id, body)))
    await pauses.note(place, ["core"], 60)
    (body,) = [body for tenant_id, body in heard if tenant_id == place[0]]
    pauses._until.clear()
    await look(Breaker(*place))
    assert 55 < pauses.left_of(place, "core") <= 60
    assert not pauses.left_of((*place[:2], "d"), "core")
    pauses._until.clear()
    pauses._heard(place[0], body)
    assert 55 < pauses.left_of(place, "core") <= 60


async def test_the_longer_of_two_pauses_holds_and_what_is_stored_has_an_end():
    place = (uuid.uuid4(), uuid.uuid4(), "c")
    await pauses.note(place, [""], 60)
    await pauses.note(place, [""], 5)
    pauses._until.clear()
    await look(Breaker(*place))
    assert 55 < pauses.left_of(place, "") <= 60
    keys = await in_db(lambda: list(sync_client().scan_iter(f"*{place[1].hex}*")))
    assert [key.decode().split(":")[1] for key in keys] == [place[0].hex]
    assert 0 < await in_db(sync_client().pttl, keys[0]) <= 60_000


async def test_a_pause_that_is_over_is_forgotten_and_a_look_asks_nobody(monkeypatch):
    place = (uuid.uuid4(), uuid.uuid4(), "c")
    await pauses.note(place, [""], 0.06)
    monkeypatch.setattr(pauses, "asked", None)
    await until(lambda: not pauses.left_of(place, ""))
    assert (*place, "") not in pauses._until
    await pauses.obey(place, "", 1.0)


async def test_calls_that_wait_for_a_pause_together_are_all_sent_afterwards(client, double, ctx):
    double.script = [answer(200, ratelimit='"default";r=0;t=1')]
    await client.send(ctx(identity="c"), READ)
    got = await asyncio.gather(*(client.send(ctx(identity="c"), READ) for _ in range(5)))
    assert [each.status for each in got] == [200] * 5


async def test_a_refusal_for_a_vendors_limit_is_counted(client, double, ctx, monkeypatch):
    counted = []
    monkeypatch.setattr(metrics, "limited", counted.append)
    double.script = [answer(429, retry_after="300")]
    await limited(client, ctx, READ, identity="c")
    await limited(client, ctx, READ, identity="c")
    assert counted == ["vendor", "vendor"]


DATE = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HTTP_DATE = formatdate(DATE.timestamp(), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-ratelimit-remaining": "x"}, Quota()),
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "1777896060",
          "x-ratelimit-resource": "core", "date": HTTP_DATE}, Quota(60, 7, 60.0, "core")),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1777896060000", "date": HTTP_DATE}, Quota(None, 0, 60.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-05-04T12:01Z", "date": HTTP_DATE},
         Quota(None, 0, 60.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999", "date": HTTP_DATE}, Quota(None, 0, None)),
        ({"ratelimit-limit": "100", "ratelimit-remaining": "5", "ratelimit-reset": "50"}, Quota(100, 5, 50.0)),
        ({"ratelimit": '"burst";r=0;t=30'}, Quota(None, 0, 30.0, "burst")),
        ({"ratelimit": '"day";r=50;t=30, "burst";r=0;t=2,"hour";r=0;t=9'}, Quota(None, 0, 9.0, "hour")),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, Quota(100, 0, 50.0)),
        ({"ratelimit": "remaining=, reset=50"}, None),
        ({"ratelimit": "\t" * 20_000}, None),
        ({"ratelimit": "limit=100, remaining=50"}, Quota(100, 50)),
        ({"sforce-limit-info": "api-usage=18/5000"}, Quota(5000, 4982, None, "api-usage")),
    ],
    ids=["none", "nonsense", "github", "milliseconds", "atlassian", "too-far", "old-draft", "draft", "several",
         "older-draft", "without-a-number", "blanks", "without-an-end", "salesforce"],
)  # fmt: skip
def test_what_vendors_say_of_their_limits_is_read(headers, expected):
    assert quota_of(headers) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", None), ("7", 7.0), ("1.5", 1.5), ("-3", None), ("soon", None), ("²", None), ("9" * 500, 31_622_400.0),
     ("Mon, 01 Jan 1 00:00:00 GMT", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
    ids=["empty", "seconds", "fraction", "negative", "word", "odd-digit", "endless", "ancient", "past"],
)  # fmt: skip
def test_a_time_to_wait_is_seconds_or_a_date_and_never_negative(value, expected):
    assert seconds_until(value) == expected or (expected == 0.0 and seconds_until(value) is None)


def test_a_date_to_wait_for_is_read_in_seconds():
    later = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < seconds_until(formatdate(later.timestamp(), usegmt=True)) <= 30


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {"retry-after": "30"}, 0.0),
        (429, {"retry-after": "30"}, 30.0),
        (503, {"retry-after": "30"}, 30.0),
        (429, {"retry-after": "999999999"}, 86_400.0),
        (200, {"x-ratelimit-limit": "0", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}, 0.0),
        (429, {"retry-after": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}, 60.0),
    ],
    ids=["of-a-good-answer", "429", "503", "too-long", "no-limit-at-all", "the-longer"],
)  # fmt: skip
def test_a_wish_is_taken_from_where_vendors_put_it(status, headers, expected):
    assert wish_of(status, headers) == expected
