"""Filters that the admin's templates use."""

from datetime import UTC, datetime

from django import template
from django.utils.timesince import timesince
from django.utils.translation import gettext

register = template.Library()

_CLASSES = {
    "ok": "ptc-ok",
    "error": "ptc-bad",
    "denied": "ptc-warn",
    "cancelled": "ptc-warn",
    "started": "ptc-info",
}


@register.filter
def microseconds(value: int) -> datetime:
    """Microseconds since 1970 as a time."""
    return datetime.fromtimestamp(value / 1_000_000, UTC)


@register.filter
def ago(value: datetime) -> str:
    """How long ago a time was, in the largest unit alone."""
    if (datetime.now(UTC) - value).total_seconds() < 60:
        return gettext("just now")
    return gettext("%(time)s ago") % {"time": timesince(value, depth=1)}


@register.filter
def outcome_class(value: str) -> str:
    """The badge's colour for an outcome."""
    return _CLASSES.get(value, "")
