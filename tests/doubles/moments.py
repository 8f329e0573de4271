"""Times as vendors write them."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def atlassian(moment: datetime) -> str:
    """As Jira writes it: ``2026-01-02T03:04:05.678+0000``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def zulu(moment: datetime) -> str:
    """As GitHub writes it: ``2026-01-02T03:04:05Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
