"""What vendors say in headers of how much more they will take, and when to come back.

Understood are ``Retry-After`` (RFC 9110, 10.2.3), the ``X-RateLimit-*`` family as GitHub,
Atlassian and Frappe send it, ``RateLimit`` and ``RateLimit-*`` of the IETF's draft
(draft-ietf-httpapi-ratelimit-headers), and Salesforce's ``Sforce-Limit-Info``. Atlassian's
``Beta-RateLimit*`` is left out: its times were seen to be wrong.
"""

import email.utils
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

VENDOR_LIMIT: Final = "vendor_limit"  # the code of errors that a vendor's limit causes
LONGEST_S: Final = 86_400.0  # a wish for more than a day is taken for a misunderstanding
_EPOCH: Final = 1_000_000_000  # what is larger is a moment, not a number of seconds
_SALESFORCE: Final = re.compile(r"api-usage=(\d{1,12})/(\d{1,12})")


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a vendor's limit; None where the vendor does not say it.

    ``reset_s`` is in seconds from now, ``resource`` the vendor's name of the limit.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
    resource: str = ""


def quota_of(headers: Mapping[str, str]) -> Quota | None:
    """The limit that an answer's headers (lowercase names) announce, or None."""
    for prefix in ("x-ratelimit-", "ratelimit-"):
        if (remaining := headers.get(f"{prefix}remaining")) is not None:
            return Quota(
                _number(headers.get(f"{prefix}limit", "")),
                _number(remaining),
                _reset(headers.get(f"{prefix}reset", ""), headers.get("date", "")),
                headers.get(f"{prefix}resource", "")[:60],
            )
    if (item := headers.get("ratelimit")) is not None:
        return _of_draft(item)
    if (info := headers.get("sforce-limit-info")) is not None and (found := _SALESFORCE.search(info)):
        used, limit = int(found[1]), int(found[2])
        return Quota(limit, max(0, limit - used), None, "api-usage")
    return None


def wish_of(status: int, headers: Mapping[str, str]) -> float:
    """Seconds for which the vendor wants no further request; 0.0 where it has no such wish.

    ``Retry-After`` counts on 403 (GitHub's secondary limits), 429 and 503, else a limit of
    which nothing is left and whose end is known. What a vendor counts for a single object
    (Jira's ``jira-per-issue-on-write``) is no reason to leave the others alone.
    """
    if "per-issue" in headers.get("ratelimit-reason", ""):
        return 0.0
    wish = 0.0
    if status in (403, 429, 503, 529):
        wish = seconds_until(headers.get("retry-after", "")) or 0.0
    quota = quota_of(headers)
    if quota is not None and quota.remaining == 0 and quota.limit != 0:
        wish = max(wish, quota.reset_s or 0.0)
    return min(wish, LONGEST_S)


def seconds_until(value: str) -> float | None:
    """A ``Retry-After`` value in seconds from now, never negative; None where it is none."""
    value = value.strip()
    if not value:
        return None
    if value.isascii() and value.replace(".", "", 1).isdecimal():
        return min(float(value), LONGEST_S * 366)
    moment = _moment(value)
    return None if moment is None else max(0.0, moment - time.time())


def _number(text: str) -> int | None:
    text = text.partition(",")[0].partition(";")[0].strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _reset(text: str, date: str) -> float | None:
    """When a limit begins anew: seconds, a moment since 1970 (GitHub) or a date (Atlassian).

    A moment is compared with the answer's own ``Date``, so that neither clock has to be right.
    """
    text = text.strip()
    number = _number(text)
    if number is not None and number < _EPOCH:
        return float(number)
    moment = float(number) if number is not None else _moment(text)
    if moment is None:
        return None
    if moment > _EPOCH * 1000:
        moment /= 1000
    left = max(0.0, moment - (_moment(date) or time.time()))
    return left if left <= LONGEST_S else None


def _moment(text: str) -> float | None:
    """An HTTP date or an ISO 8601 one, in seconds since 1970."""
    if not text:
        return None
    try:
        read = datetime.fromisoformat if text[:4].isdecimal() else email.utils.parsedate_to_datetime
        found = read(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _of_draft(text: str) -> Quota | None:
    """``"default";r=50;t=30``: what remains of each named policy, and seconds until there is more.

    Of several the one that is used up for longest counts, else the first. Drafts up to the seventh
    wrote ``limit=100, remaining=50, reset=30``, and servers still do.
    """
    found = []
    for item in text.split(","):
        name, *rest = item.split(";")
        values = _values(rest)
        if "r" in values:
            found.append(
                Quota(None, _number(values["r"]), _seconds(values.get("t", "")), name.strip(' "')[:60])
            )
    if not found and (said := _values(text.split(","))).get("remaining"):
        left, reset = _number(said["remaining"]), _seconds(said.get("reset", ""))
        return Quota(_number(said.get("limit", "")), left, reset)
    over = [quota for quota in found if quota.remaining == 0]
    return max(over, key=lambda quota: quota.reset_s or 0.0) if over else next(iter(found), None)


def _values(parts: Iterable[str]) -> dict[str, str]:
    pairs = (part.partition("=") for part in parts)
    return {name.strip(): value.strip(' "') for name, _, value in pairs}


def _seconds(text: str) -> float | None:
    number = _number(text)
    return None if number is None else float(number)
