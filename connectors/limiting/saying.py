"""The refusal in words: which limit, how much of it, and when to come back."""

import math
from collections.abc import Sequence

from common import metrics
from connectors.errors import RateLimited
from connectors.limiting.calendar import month_of, said_moment
from connectors.limiting.rules import Due, Limits, Rule
from connectors.limiting.verdict import Refusal


def refused(limits: Limits, dues: Sequence[Due], refusals: Sequence[Refusal], now: float) -> RateLimited:
    """The error of a call that these forbid: it tells the one that lasts longest. ``now``: Unix time."""

    def seconds(refusal: Refusal) -> float:
        if refusal.free_in_ms >= 0:
            return max(0.001, refusal.free_in_ms / 1_000)
        return max(1.0, month_of(limits.time_zone, now).ends - now)

    worst = max(refusals, key=seconds)
    wait = seconds(worst)
    if worst.place >= len(dues):
        return _turn(limits, wait)
    due = dues[worst.place]
    if due.rule.period_ms:
        return _rate(due.rule, wait)
    return _quota(limits, due, worst.used, wait)


def _rate(rule: Rule, wait: float) -> RateLimited:
    metrics.limited("tool" if rule.scope == "caller" else rule.scope)
    if rule.scope == "caller":
        message, limit = f"Rate limit exceeded: {rule.period}", rule.period
    else:
        message = f"{_whose(rule)} limit is reached: {rule.calls} calls per {rule.period}."
        limit = f"{rule.calls}/{rule.period}"
    return RateLimited(
        message,
        code="rate_limit",
        retryable=True,
        retry_after=_rounded(wait),
        hint=f"Call again in {_said(wait)}.",
        details={"limit": limit, "scope": rule.scope},
    )


def _quota(limits: Limits, due: Due, used: int, wait: float) -> RateLimited:
    metrics.limited("quota")
    rule, month = due.rule, due.month
    assert month is not None
    costs = f"; this call costs {due.cost}" if due.cost != 1 else ""
    return RateLimited(
        f"{_whose(rule)} quota of this month is used up: {used} of {rule.calls}{costs}.",
        code="quota",
        retryable=False,
        retry_after=_rounded(wait),
        hint=f"A new month begins on {said_moment(limits.time_zone, month.ends)}. "
        "An admin of this tenant can raise the quota.",
        details={"limit": f"{rule.calls}/month", "scope": rule.scope},
    )


def _turn(limits: Limits, wait: float) -> RateLimited:
    metrics.limited("interval")
    return RateLimited(
        f"Calls of the connection {limits.connection} are at least {limits.interval_ms} ms apart, "
        "and too many wait for their turn.",
        code="rate_limit",
        retryable=True,
        retry_after=_rounded(wait),
        hint=f"Call again in {_said(wait)}.",
        details={"limit": f"1/{limits.interval_ms}ms", "scope": "connection"},
    )


def _whose(rule: Rule) -> str:
    of = f"{rule.connection}:{rule.tool}" if rule.tool else f"the connection {rule.connection}"
    if rule.scope == "key":
        return f"This access key's own ({of})" if rule.connection else "This access key's"
    if rule.scope == "tenant":
        return "This tenant's"
    return f"The tool {of}'s" if rule.tool else f"The connection {rule.connection}'s"


def _rounded(seconds: float) -> float:
    """Up to a tenth of a second: never told too early."""
    return math.ceil(seconds * 10) / 10


def _said(seconds: float) -> str:
    whole = math.ceil(seconds)
    if whole < 120:
        return f"{whole} second{'' if whole == 1 else 's'}"
    return f"{math.ceil(whole / 60)} minutes" if whole < 7_200 else f"{math.ceil(whole / 3_600)} hours"
