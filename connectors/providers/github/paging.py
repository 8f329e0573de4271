"""Where a page of a list stands, and its answer: no row is lost where a page is too long for one answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.calling import Context
from connectors.kit.cursors import Page, next_cursor, page_of, position_of
from connectors.providers.github.sizes import fitting

Position = Any  # None for the first page, a page's number, or the parameters of GitHub's link to it


@dataclass(frozen=True, slots=True)
class Turn:
    """A page that was read: ``here`` is its position, ``after`` that of the next (None at the end).

    ``skip`` rows of it were in an answer before.
    """

    tool: str
    query: Mapping[str, Any]
    here: Position
    skip: int
    after: Position

    def page(self, ctx: Context, items: list[dict[str, Any]], total: int | None = None) -> Page:
        """The answer: a record per row; what does not fit comes with the next cursor."""
        shown = fitting(items)
        rest = [self.here, self.skip + shown] if shown < len(items) else self.after
        return page_of(items[:shown], next_cursor(ctx, self.tool, self.query, rest), total)


def begun(ctx: Context, tool: str, query: Mapping[str, Any], cursor: str | None) -> tuple[Position, int]:
    """Where a cursor leads: a position, and how many rows of it were shown. Raises InvalidInput."""
    position = position_of(ctx, tool, query, cursor)
    if isinstance(position, list):
        return position[0], int(position[1])
    return position, 0
