"""Counting, in Redis and in the process: the same rules, held against a model of them."""

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import settings as configured
from hypothesis import strategies as st

from common.redis import sync_client
from connectors.limiting import script
from connectors.limiting.calendar import month_of, said_moment
from connectors.limiting.local import Counters
from connectors.limiting.rules import Due, Rule
from connectors.limiting.verdict import Verdict, part_of

CLOCK = """local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)"""
START = 1_790_000_000_000


def due(calls: int, period_ms: int, key: str = "", cost: int = 1) -> Due:
    name = key or f"portico:{uuid.uuid4().hex}:limit:x"
    return Due(Rule(name, "tenant", calls, "some time", period_ms), name, cost, month_of("UTC"))


class InRedis:
    """The scripts, with a clock of the test's own in place of the server's."""

    def __init__(self) -> None:
        self.now = START

    def _run(self, text, dues, interval_key, interval_ms, *numbers):
        assert CLOCK in text
        keys, args = script.asked(dues, interval_key, interval_ms, *numbers)
        text = text.replace(CLOCK, "local now = tonumber(ARGV[#ARGV])")
        return sync_client().eval(text, len(keys), *keys, *args, self.now)

    def take(self, dues, interval_key="", interval_ms=0, patience_ms=0) -> Verdict:
        return script.verdict_of(self._run(script.TAKE, dues, interval_key, interval_ms, patience_ms))

    def give_back(self, dues, taken_ms, interval_key="", interval_ms=0, slot_ms=0) -> None:
        self._run(script.GIVE_BACK, dues, interval_key, interval_ms, slot_ms, taken_ms)

    def seed(self, key, used) -> None:
        sync_client().set(key, used, nx=True, ex=60)


class InProcess:
    """The process's own counters, with a clock of the test's own."""

    def __init__(self) -> None:
        self.now = START
        self.counters = Counters(lambda: self.now / 1_000)

    def take(self, dues, interval_key="", interval_ms=0, patience_ms=0) -> Verdict:
        return self.counters.take(dues, interval_key, interval_ms, patience_ms)

    def give_back(self, dues, taken_ms, interval_key="", interval_ms=0, slot_ms=0) -> None:
        self.counters.give_back(dues, interval_key, interval_ms, slot_ms, taken_ms)

    def seed(self, key, used) -> None:
        self.counters.seed(key, used)


@pytest.fixture(params=[InRedis, InProcess], ids=["redis", "process"])
def counting(request):
    return request.param()


# What happens: time goes on, a call comes, or the n-th last granted call is given back.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(0, 700)),
        st.tuples(st.just("call"), st.just(0)),
        st.tuples(st.just("back"), st.integers(0, 3)),
    ),
    max_size=60,
)


@pytest.mark.parametrize("kind", [InRedis, InProcess], ids=["redis", "process"])
@given(calls=st.sampled_from([1, 2, 3, 7, 1_001]), period=st.sampled_from([400, 1_000, 60_000]), steps=STEPS)
@configured(max_examples=60, deadline=None)
def test_a_moving_window_counts_as_a_list_of_moments_would(kind, calls, period, steps):
    counting, limited, granted = kind(), due(calls, period), []
    for what, number in steps:
        if what == "pass":
            counting.now += number
            continue
        if what == "back":
            if len(granted) > number:
                taken = granted.pop(-1 - number)
                counting.give_back([limited], taken)
            continue
        still = [t for t in granted if part_of(t, period, calls) + period > counting.now]
        assert len([t for t in granted if t + period > counting.now]) <= len(still)
        verdict = counting.take([limited])
        if len(still) < calls:
            assert verdict == Verdict(now_ms=counting.now, slot_ms=counting.now)
            granted.append(counting.now)
        else:
            (refusal,) = verdict.refusals
            free = part_of(sorted(still)[-calls], period, calls) + period - counting.now
            assert refusal == (0, len(still), free)


def test_a_refusal_tells_the_very_moment_at_which_the_next_call_is_granted(counting):
    limited = due(3, 1_000)
    for _ in range(3):
        assert not counting.take([limited]).refusals
        counting.now += 100
    (refusal,) = counting.take([limited]).refusals
    assert refusal.free_in_ms == 700
    counting.now += 699
    assert counting.take([limited]).refusals
    counting.now += 1
    assert not counting.take([limited]).refusals


def test_a_window_of_many_calls_lets_no_more_through_and_keeps_few_entries(counting):
    limited = due(5_000, 60_000)
    granted = 0
    for _ in range(5_200):
        counting.now += 3
        granted += not counting.take([limited]).refusals
    assert granted == 5_000
    if isinstance(counting, InRedis):
        assert sync_client().llen(limited.key) < 300
    counting.now += 60_060
    assert not counting.take([limited]).refusals


def test_one_full_limit_leaves_the_others_untouched(counting):
    wide, narrow = due(10, 60_000), due(2, 60_000)
    month = due(100, 0)
    counting.seed(month.key, 0)
    for _ in range(2):
        assert not counting.take([wide, narrow, month], "turn", 0).refusals
    for _ in range(5):
        (refusal,) = counting.take([wide, narrow, month]).refusals
        assert refusal.place == 1
    granted = 0
    while not counting.take([wide]).refusals:
        granted += 1
    assert granted == 8
    (refusal,) = counting.take([due(2, 0, month.key)]).refusals
    assert refusal.used == 2


def test_every_full_limit_is_told(counting):
    first, second = due(1, 1_000), due(1, 60_000)
    counting.take([first, second])
    assert [refusal.place for refusal in counting.take([first, second]).refusals] == [0, 1]


def test_a_month_is_counted_by_weight_and_a_lighter_call_still_fits(counting):
    key = due(10, 0).key
    heavy, light = due(10, 0, key, 4), due(10, 0, key, 1)
    assert counting.take([heavy]).missing == (0,)
    counting.seed(key, 1)
    counting.seed(key, 9)  # another process was slower
    assert not counting.take([heavy]).refusals
    assert not counting.take([heavy]).refusals
    assert counting.take([heavy]).refusals[0][:2] == (0, 9)
    assert not counting.take([light]).refusals
    assert counting.take([light]).refusals


def test_turns_are_as_far_apart_as_the_interval_and_given_out_in_order(counting):
    key = f"portico:{uuid.uuid4().hex}:limit:turn"
    slots = [counting.take([], key, 250, 1_000).slot_ms for _ in range(5)]
    assert slots == [START + 250 * n for n in range(5)]
    (refusal,) = counting.take([], key, 250, 1_000).refusals
    assert refusal == (0, 0, 1_250)
    counting.give_back([], START, key, 250, slots[-1])
    assert counting.take([], key, 250, 1_000).slot_ms == slots[-1]
    counting.now += 5_000
    assert counting.take([], key, 250, 0).wait_ms == 0


def test_a_turn_that_is_too_far_off_debits_nothing(counting):
    key, limited = f"portico:{uuid.uuid4().hex}:limit:turn", due(2, 60_000)
    assert not counting.take([limited], key, 1_000, 500).refusals
    assert counting.take([limited], key, 1_000, 500).refusals
    assert not counting.take([limited]).refusals
    assert counting.take([limited]).refusals


def test_what_is_given_back_can_be_had_again_once(counting):
    limited, month = due(2, 60_000), due(2, 0)
    counting.seed(month.key, 0)
    first = counting.take([limited, month])
    counting.now += 10
    counting.take([limited, month])
    assert counting.take([limited, month]).refusals
    counting.give_back([limited, month], first.now_ms)
    assert not counting.take([limited, month]).refusals
    assert len(counting.take([limited, month]).refusals) == 2


@pytest.mark.parametrize(
    ("zone", "moment", "label", "ends"),
    [
        ("UTC", "2026-11-30T23:59:59", "2026-11", "2026-12-01T00:00:00"),
        ("Europe/Berlin", "2026-11-30T23:00:00", "2026-12", "2026-12-31T23:00:00"),
        ("Europe/Berlin", "2026-03-31T21:59:59", "2026-03", "2026-03-31T22:00:00"),
        ("Pacific/Kiritimati", "2026-12-31T10:00:00", "2027-01", "2027-01-31T10:00:00"),
        ("America/Los_Angeles", "2027-01-01T07:59:59", "2026-12", "2027-01-01T08:00:00"),
    ],
)
def test_months_begin_and_end_in_the_tenants_time_zone(zone, moment, label, ends):
    def at(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    month = month_of(zone, at(moment))
    assert (month.label, month.ends) == (label, at(ends))
    assert month.begins <= at(moment) < month.ends
    assert month_of(zone, month.ends).begins == month.ends
    assert month_of(zone, month.begins - 1).ends == month.begins
    assert ", 00:00 (" in said_moment(zone, month.ends)
