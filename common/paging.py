"""Pages of a list behind opaque cursors.

A cursor is a sealed position (:mod:`common.signing`), bound to whom it was given: the
tenant and the principal. It holds the index and the key of the last item that was sent, so
that a list which changed between two pages neither repeats nor loses what stayed.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from common.signing import BadToken, seal, unseal

T = TypeVar("T")
Position = tuple[int, str]
"""The number of items already sent, and the key of the last of them."""

START: Position = (0, "")
MAX_AGE_S = 24 * 3600


class BadCursor(ValueError):
    """The cursor was not given out here, for this list and this caller."""


def cursor(position: Position, *, purpose: str, bind: str) -> str:
    """The opaque cursor of a position; good for a day."""
    return seal(f"cursor:{purpose}", list(position), bind=bind, max_age=MAX_AGE_S)


def position(token: str | None, *, purpose: str, bind: str) -> Position:
    """The position of a cursor; the start where there is none. Raises :class:`BadCursor`."""
    if token is None:
        return START
    try:
        index, key = unseal(f"cursor:{purpose}", token, bind=bind)
    except (BadToken, TypeError, ValueError) as error:
        raise BadCursor("This cursor is not valid here; list again from the start.") from error
    return int(index), str(key)


def page(
    items: Sequence[T], after: Position, *, size: int, key: Callable[[T], str]
) -> tuple[Sequence[T], Position | None]:
    """The items after a position, at most ``size``, and the next position while there is more."""
    start = _start(items, after, key)
    part = items[start : start + size]
    end = start + len(part)
    return part, ((end, key(items[end - 1])) if end < len(items) and part else None)


def _start(items: Sequence[T], after: Position, key: Callable[[T], str]) -> int:
    index, last = after
    if index <= 0:
        return 0
    if index <= len(items) and key(items[index - 1]) == last:
        return index
    for number, item in enumerate(items):  # the list changed: go on behind the item last sent
        if key(item) == last:
            return number + 1
    return min(index, len(items))
