"""Patterns of tools, ``connection:tool`` with ``*`` anywhere in either half.

A tool's identity is (connection, tool), never its exposed name, so that a second connection
of the same connector loosens no pattern. ``*`` alone means every tool of every connection.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from tenants.errors import InvalidValue

MAX_PATTERNS = 200
_SHAPE = re.compile(r"^[a-z0-9*]{1,14}:[A-Za-z0-9_.*-]{1,64}$")


def validate_patterns(patterns: Iterable[object], field: str | None = None) -> list[str]:
    """The patterns stripped and without doubles, in their order.

    Raises :class:`tenants.errors.InvalidValue` with a sentence that says what to write.
    """
    if isinstance(patterns, str):
        patterns = patterns.split()
    kept: list[str] = []
    for given in patterns:
        pattern = given.strip() if isinstance(given, str) else given
        if not isinstance(pattern, str):
            raise InvalidValue("Patterns are texts such as goals:create_goal or *:get_*.", field)
        if not pattern or pattern in kept:
            continue
        if pattern != "*" and not _SHAPE.match(pattern):
            raise InvalidValue(_advice(pattern), field)
        kept.append(pattern)
    if len(kept) > MAX_PATTERNS:
        raise InvalidValue(f"At most {MAX_PATTERNS} patterns; use * to cover several tools with one.", field)
    return kept


def _advice(pattern: str) -> str:
    shown = pattern if len(pattern) <= 60 else pattern[:59] + "…"
    if ":" not in pattern and re.fullmatch(r"[A-Za-z0-9_.*-]+", pattern):
        return (
            f"{shown!r} names no connection: write <connection>:{shown}, for example goals:{shown}, "
            f"or *:{shown} for every connection."
        )
    return (
        f"{shown!r} is no pattern: write <connection>:<tool>, for example goals:create_goal, "
        "*:create_goal or goals:*."
    )


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    text = "*:*" if pattern == "*" else pattern
    return re.compile(".*".join(map(re.escape, text.split("*"))))


def matches(pattern: str, connection_slug: str, tool_name: str) -> bool:
    """Whether a validated pattern covers a tool of a connection.

    ``*`` never reaches across the colon, since neither slugs nor tool names have one.
    """
    return _compiled(pattern).fullmatch(f"{connection_slug}:{tool_name}") is not None
