"""When something is due that an admin wrote as cron does, in the tenant's time zone.

The fields are read by Celery's parser; what they mean together is crontab(5): where both the
day of the month and the day of the week are restricted, either suffices.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from django.utils.translation import gettext as _

from tenants.errors import InvalidValue

MAX_LENGTH: Final = 100
# February 29 may be eight years away, and on a weekday of its own some more.
FURTHEST: Final = timedelta(days=366 * 12)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron line's fields as sets; weekdays are 0 (Sunday) to 6."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def runs_on(self, day: date) -> bool:
        """Whether the schedule has this day."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_day and by_weekday if self.any_day or self.any_weekday else by_day or by_weekday


def read_schedule(text: str) -> Schedule:
    """A cron line: minute, hour, day of the month, month, day of the week. Raises InvalidValue."""
    fields = text.split()
    if len(fields) != 5 or len(text) > MAX_LENGTH or not text.isascii():
        raise InvalidValue(
            _("Write five fields: minute, hour, day of the month, month, day of the week."), "schedule"
        )
    try:
        read = [
            crontab(**{name: field})
            for name, field in zip(
                ("minute", "hour", "day_of_month", "month_of_year", "day_of_week"), fields, strict=True
            )
        ]
    except (ParseException, ValueError, TypeError) as error:
        raise InvalidValue(
            _("This is no schedule as cron writes them: %(why)s") % {"why": error}, "schedule"
        ) from None
    found = Schedule(
        minutes=frozenset(read[0].minute),
        hours=frozenset(read[1].hour),
        days=frozenset(read[2].day_of_month),
        months=frozenset(read[3].month_of_year),
        weekdays=frozenset(read[4].day_of_week),
        any_day=fields[2].startswith("*"),
        any_weekday=fields[4].startswith("*"),
    )
    next_run(found, UTC_ZONE, datetime.now(UTC))  # February 30 never comes
    return found


UTC_ZONE: Final = ZoneInfo("UTC")


def next_run(schedule: Schedule, zone: ZoneInfo, after: datetime) -> datetime:
    """The first moment (UTC) later than ``after`` that the schedule has in this time zone.

    A time of day that a clock change skips is made up for once the clocks have gone on; one
    that comes twice counts the first time, and both times where the schedule has every hour.
    Raises InvalidValue where it never comes.
    """
    local = after.astimezone(zone)
    day, last = local.date(), local.date() + FURTHEST
    # Yesterday's last hour may still be ahead where the clocks are set back at midnight.
    day -= timedelta(days=1)
    while day <= last:
        if schedule.runs_on(day):
            found = min((at for at in _moments(schedule, zone, day, after) if at > after), default=None)
            if found is not None:
                return found
        day += timedelta(days=1)
    raise InvalidValue(_("This schedule never comes."), "schedule")


def _moments(schedule: Schedule, zone: ZoneInfo, day: date, after: datetime) -> Iterator[datetime]:
    """The moments of a day, those alone that may be the next one: a few hours from the first."""
    earliest = after.astimezone(zone).replace(tzinfo=None) - timedelta(hours=4)
    every_hour = len(schedule.hours) == 24
    enough: datetime | None = None
    for hour in sorted(schedule.hours):
        for minute in sorted(schedule.minutes):
            wall = datetime.combine(day, time(hour, minute))
            if wall < earliest:
                continue
            if enough is not None and wall > enough:
                return
            for fold in (0, 1) if every_hour else (0,):
                at = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
                if enough is None and at > after:
                    enough = wall + timedelta(hours=4)
                yield at
