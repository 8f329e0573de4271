"""Whether a running call may have changed something in its system already.

A method may make several requests: that the last one did nothing, or can be sent again, says
nothing of those before it. Whoever must know lets the client take note.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Effects:
    """What became known of one call."""

    __slots__ = ("happened",)

    def __init__(self) -> None:
        self.happened = False


_watched: ContextVar[Effects | None] = ContextVar("effects", default=None)


@contextmanager
def watched() -> Iterator[Effects]:
    """Take note of the effects of what runs inside, tasks that it starts included."""
    effects = Effects()
    token = _watched.set(effects)
    try:
        yield effects
    finally:
        _watched.reset(token)


def happened() -> None:
    """A request that writes was carried out, or may have been."""
    if (effects := _watched.get()) is not None:
        effects.happened = True


def apart() -> None:
    """What this task does from now on is no effect of the call that started it."""
    _watched.set(None)
