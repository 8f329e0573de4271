"""Cleaning text that comes from outside before it is stored or shown."""

import math
from typing import Any


def clean_text(value: Any, limit: int) -> str:
    """Text without NUL and lone surrogates, at most ``limit`` characters long.

    PostgreSQL refuses NUL in text and UTF-8 has no lone surrogates, so one such character
    would lose a whole row.
    """
    text = value if isinstance(value, str) else str(value)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def clean_json(value: Any, limit: int = 10_000) -> Any:
    """A JSON-like value that every database takes, with the texts of :func:`clean_text`.

    What JSON has no word for (NaN, infinities, other types) becomes text, and so do names.
    Raises RecursionError for what is nested some hundred levels deep.
    """
    if isinstance(value, str):
        return clean_text(value, limit)
    if isinstance(value, dict):
        return {clean_text(name, limit): clean_json(part, limit) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(part, limit) for part in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return clean_text(value, limit)
