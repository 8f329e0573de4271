"""Cron lines are read and reckoned in a time zone, also where its clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.schedules import next_run, read_schedule
from tenants.errors import InvalidValue

BERLIN = ZoneInfo("Europe/Berlin")
HAVANA = ZoneInfo("America/Havana")  # its clocks are set back at midnight


def runs(text, zone, after, count):
    schedule, found = read_schedule(text), []
    for _ in range(count):
        after = next_run(schedule, zone, after)
        found.append(after.astimezone(zone))
    return [f"{at:%m-%d %H:%M %z}" for at in found]


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_a_time_of_day_is_that_of_the_tenants_zone_in_summer_and_winter():
    assert runs("30 6 * * *", BERLIN, utc(2026, 10, 24), 3) == [
        "10-24 06:30 +0200",
        "10-25 06:30 +0100",
        "10-26 06:30 +0100",
    ]


def test_a_skipped_time_of_day_is_made_up_for_and_a_doubled_one_counts_once():
    assert runs("30 2 * * *", BERLIN, utc(2026, 3, 28, 12), 2) == ["03-29 03:30 +0200", "03-30 02:30 +0200"]
    assert runs("30 2 * * *", BERLIN, utc(2026, 10, 24, 12), 2) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]
    assert runs("30 0 * * *", HAVANA, utc(2026, 10, 31, 12), 2) == ["11-01 00:30 -0400", "11-02 00:30 -0500"]


def test_what_runs_every_hour_runs_in_both_hours_of_a_doubled_one():
    assert runs("30 * * * *", BERLIN, utc(2026, 10, 24, 23, 45), 4) == [
        "10-25 02:30 +0200",
        "10-25 02:30 +0100",
        "10-25 03:30 +0100",
        "10-25 04:30 +0100",
    ]
    assert runs("0 * * * *", BERLIN, utc(2026, 3, 29, 0, 30), 2) == ["03-29 03:00 +0200", "03-29 04:00 +0200"]


def test_days_of_month_and_week_are_combined_as_cron_does():
    assert runs("0 12 13 * fri", ZoneInfo("UTC"), utc(2026, 11, 1), 4) == [
        "11-06 12:00 +0000",
        "11-13 12:00 +0000",
        "11-20 12:00 +0000",
        "11-27 12:00 +0000",
    ]
    assert runs("0 0 29 feb *", ZoneInfo("UTC"), utc(2096, 3, 1), 1) == ["02-29 00:00 +0000"]
    assert runs("0 9-17/4 * * mon-fri", ZoneInfo("UTC"), utc(2026, 11, 20, 16), 2) == [
        "11-20 17:00 +0000",
        "11-23 09:00 +0000",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "", "* * * *", "* * * * * *", "61 * * * *", "* 24 * * *", "a * * * *", "*/0 * * * *", "1,,2 * * * *",
        "0 0 30 2 *", "0 0 0 * *", "-1 * * * *", "\u0663 * * * *", "@daily", "* * * * *" + " " * 100, "* * * 13 *",
        "0 0 31 apr *",
    ],
    ids=range(16),
)  # fmt: skip
def test_what_cron_would_not_take_is_refused_with_the_field_at_fault(text):
    with pytest.raises(InvalidValue) as refused:
        read_schedule(text)
    assert refused.value.field == "schedule" and refused.value.message


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        ["*/5 * * * *", "7 * * * *", "15 2 * * *", "0 0 1 * *", "59 23 * * sun", "0,30 1-3 * * *"]
    ),
    st.sampled_from(["Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]),
    st.datetimes(datetime(2010, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
)
def test_the_next_run_is_later_and_the_clock_shows_what_was_written_or_was_changed(text, zone, after):
    schedule, zone = read_schedule(text), ZoneInfo(zone)
    found = next_run(schedule, zone, after)
    assert found > after
    local = found.astimezone(zone)
    shown = (
        local.minute in schedule.minutes and local.hour in schedule.hours and schedule.runs_on(local.date())
    )
    before = (found - timedelta(hours=25)).astimezone(zone)
    assert shown or before.utcoffset() != local.utcoffset(), "only a change of the clocks may move it"
    # Nothing was left out in between: at most once an hour for what runs every hour.
    assert len(schedule.hours) < 24 or found - after <= timedelta(hours=2)
