"""From what a method returned to what a client gets: plain JSON, bounded in size."""

from decimal import Decimal
from typing import Any

import orjson
from pydantic import BaseModel

from connectors.errors import InvalidInput
from connectors.results import Content, Text, ToolResult

MAX_CHARACTERS = 60_000


def shape(value: Any, *, limit: int = MAX_CHARACTERS) -> ToolResult:
    """Make a returned value a complete result: structured content and the same as compact text.

    Lists that make the answer longer than ``limit`` characters are cut, and the answer says
    so. Raises InvalidInput when nothing can be cut.
    """
    if isinstance(value, ToolResult):
        if value.structured is None:
            return value
        plain, text = _plain(value.structured)
        content: tuple[Content, ...] = value.content or (Text(text),)
        if len(text) > limit:
            return _cut(plain, limit, value)
        return ToolResult(plain, content, value.meta, value.is_error, value.error_type, value.cache)
    if value is None:
        return ToolResult(content=(Text("Done."),))
    if isinstance(value, str):
        return ToolResult(content=(Text(_cut_text(value, limit)),))
    plain, text = _plain(value)
    if len(text) > limit:
        return _cut(plain, limit, ToolResult())
    return ToolResult(structured=plain, content=(Text(text),))


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _plain(value: Any) -> tuple[Any, str]:
    """The value with nothing but JSON types in it, and its text."""
    try:
        data = orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS)
        return value, data.decode()
    except TypeError:
        data = orjson.dumps(value, default=_default, option=orjson.OPT_NON_STR_KEYS)
        return orjson.loads(data), data.decode()


def _cut_text(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n\nTruncated: {limit:,} of {len(text):,} characters shown; ask for less."


def _cut(plain: Any, limit: int, former: ToolResult) -> ToolResult:
    """Shorten the longest list of the answer until it fits."""
    name, rows = _longest_list(plain)
    if rows is None:
        raise _too_long(limit)
    low, high = 0, len(rows)
    while low < high:  # the largest number of rows that fits
        middle = (low + high + 1) // 2
        if len(orjson.dumps(_with_rows(plain, name, rows[:middle]))) <= limit:
            low = middle
        else:
            high = middle - 1
    shorter = _with_rows(plain, name, rows[:low])
    if not low and len(orjson.dumps(shorter)) > limit:
        raise _too_long(limit)
    note = f"Truncated: {low} of {len(rows)} rows shown; "
    if isinstance(plain, dict) and plain.get("next_cursor"):
        note += (
            f"next_cursor begins after all {len(rows)}: for those between, repeat this call with limit {low}."
        )
    else:
        note += "call again with a smaller limit, fewer fields or a narrower selection."
    return ToolResult(
        structured=shorter,
        content=(Text(orjson.dumps(shorter).decode()), Text(note)),
        meta={**former.meta, "truncated": {"shown": low, "total": len(rows)}},
        is_error=former.is_error,
        error_type=former.error_type,
        cache=former.cache,
    )


def _too_long(limit: int) -> InvalidInput:
    return InvalidInput(
        f"The answer is longer than {limit:,} characters.",
        code="result_too_large",
        hint="Ask for fewer fields or a narrower selection.",
    )


def _longest_list(plain: Any) -> tuple[str | None, list[Any] | None]:
    if isinstance(plain, list):
        return None, plain
    if isinstance(plain, dict):
        lists = [(name, value) for name, value in plain.items() if isinstance(value, list) and value]
        if lists:
            return max(lists, key=lambda pair: len(orjson.dumps(pair[1])))
    return None, None


def _with_rows(plain: Any, name: str | None, rows: list[Any]) -> Any:
    """The value with fewer rows; a ``count`` of them stays true."""
    if name is None:
        return rows
    made = {**plain, name: rows}
    if plain.get("count") == len(plain[name]):
        made["count"] = len(rows)
    return made
