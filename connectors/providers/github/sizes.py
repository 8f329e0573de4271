"""What fits into one answer, measured as the client gets it: as JSON."""

from collections.abc import Iterable
from typing import Any, Final

import orjson

ROOM: Final = 50_000  # characters that an answer gives to rows or to a text; 60,000 are the most in all


def beginning(text: str, room: int = ROOM) -> str:
    """As much of the beginning of a text as has ``room`` characters in JSON (quotes and line ends count twice)."""
    text = text[:room]
    if _length(text) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _length(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low]


def ending(text: str, room: int = ROOM) -> str:
    """As much of the end of a text."""
    return beginning(text[-room:][::-1], room)[::-1]


def fitting(rows: Iterable[Any], room: int = ROOM) -> int:
    """How many of the first rows fit, at least one."""
    number = taken = 0
    for row in rows:
        taken += len(orjson.dumps(row).decode()) + 1
        if taken > room and number:
            break
        number += 1
    return number


def _length(text: str) -> int:
    return len(orjson.dumps(text).decode()) - 2
