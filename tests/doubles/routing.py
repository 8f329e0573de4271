"""Which method of a double answers which operation."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])
_HOLE = re.compile(r"\{(\w[\w.-]*)\}")


@dataclass(frozen=True)
class Route:
    """One operation that a double plays. ``slashes`` names path parameters that may hold slashes.

    ``undocumented``: the vendor's document does not have it, so only ours is asked. ``spare``: no
    tool asks for it; it is there for who tries the sandbox by hand.
    """

    method: str
    template: str
    handler: str
    scopes: tuple[str, ...] = ()
    anonymous: bool = False
    slashes: tuple[str, ...] = ()
    undocumented: bool = False
    spare: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        """What paths (as sent, quoted) belong to it."""
        parts, end = [], 0
        for index, hole in enumerate(_HOLE.finditer(self.template)):
            wide = hole[1] in self.slashes
            parts.append(re.escape(self.template[end : hole.start()]))
            parts.append(f"(?P<p{index}>{'.*' if wide else '[^/]+'})")
            end = hole.end()
        return re.compile("".join(parts) + re.escape(self.template[end:]))

    @property
    def names(self) -> list[str]:
        """Its path parameters in order."""
        return _HOLE.findall(self.template)


def route(
    method: str,
    template: str,
    *,
    scopes: Iterable[str] = (),
    anonymous: bool = False,
    slashes: Iterable[str] = (),
    undocumented: bool = False,
    spare: bool = False,
) -> Callable[[Handler], Handler]:
    """Mark a method as what answers an operation: ``template`` is the document's path with its base."""

    def mark(handler: Handler) -> Handler:
        made = Route(
            method, template, handler.__name__, tuple(scopes), anonymous, tuple(slashes), undocumented, spare
        )
        handler.__dict__.setdefault("routes", []).append(made)
        return handler

    return mark
