"""Calendar months in a tenant's time zone."""

import time
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Month:
    """A month somewhere: its label (``2026-11``) and its borders in seconds since 1970."""

    label: str
    begins: float
    ends: float
    first_day: date


_current: dict[str, Month] = {}


def month_of(time_zone: str, now: float | None = None) -> Month:
    """The month in which a moment (by default now) lies, in a time zone."""
    now = time.time() if now is None else now
    found = _current.get(time_zone)
    if found is not None and found.begins <= now < found.ends:
        return found
    zone = ZoneInfo(time_zone)
    here = datetime.fromtimestamp(now, zone)
    first = datetime(here.year, here.month, 1, tzinfo=zone)
    after = datetime(here.year + here.month // 12, here.month % 12 + 1, 1, tzinfo=zone)
    month = Month(f"{here:%Y-%m}", first.timestamp(), after.timestamp(), first.date())
    _current[time_zone] = month
    return month


def said_moment(time_zone: str, moment: float) -> str:
    """A moment as people in a time zone write it: ``1 December 2026, 00:00 (Europe/Berlin)``."""
    here = datetime.fromtimestamp(moment, ZoneInfo(time_zone))
    return f"{here.day} {here:%B %Y, %H:%M} ({time_zone})"
