"""Points of time as GitHub takes them."""

from datetime import UTC, datetime

from connectors.errors import InvalidInput


def moment(text: str | None) -> str | None:
    """A date or time as GitHub wants it (ISO 8601, UTC). Raises InvalidInput."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text[:40]!r} is no time.", code="bad_time", hint="Such as 2026-01-31 or 2026-01-31T12:00:00Z."
        ) from None
    return f"{found.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
