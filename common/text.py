"""Cleaning text that comes from outside before it is stored or shown."""

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
