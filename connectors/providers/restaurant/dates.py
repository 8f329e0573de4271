"""Calendar days as the tools take them: ISO dates in the tenant's time zone."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.base import ConnectionRef
from connectors.errors import InvalidInput

MAX_RANGE_DAYS = 731


def today(connection: ConnectionRef) -> date:
    """Today in the tenant's time zone."""
    return timezone.now().astimezone(ZoneInfo(connection.time_zone)).date()


def local(connection: ConnectionRef, moment: datetime) -> datetime:
    """A point in time on the tenant's clock, without microseconds."""
    return moment.astimezone(ZoneInfo(connection.time_zone)).replace(microsecond=0)


def parse_day(text: str, field: str = "date") -> date:
    """Read ``YYYY-MM-DD``. Raises InvalidInput naming the field."""
    try:
        if len(text) != 10:  # fromisoformat also knows week dates
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            _("%(field)s: %(text)r is no day of the calendar.") % {"field": field, "text": text[:40]},
            hint=_("Write the day as YYYY-MM-DD, such as 2026-03-31."),
        ) from None


def parse_range(start: str, end: str) -> tuple[date, date]:
    """Read two days, both included. Raises InvalidInput when they are out of order or too far apart."""
    first, last = parse_day(start, "start_date"), parse_day(end, "end_date")
    if first > last:
        raise InvalidInput(
            _("start_date %(first)s is after end_date %(last)s.") % {"first": first, "last": last},
            hint=_("Exchange the two days."),
        )
    if (last - first).days >= MAX_RANGE_DAYS:
        raise InvalidInput(
            _("The range has more than %(days)d days.") % {"days": MAX_RANGE_DAYS},
            hint=_("Ask for two years at most."),
        )
    return first, last


def months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The range cut at the ends of months."""
    while first <= last:
        next_month = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(last, next_month - timedelta(days=1))
        first = next_month
