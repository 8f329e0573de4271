"""Cursors of tools: a vendor's page token, offset or link, sealed for who listed and what they listed.

A tool that lists gives ``{items, count, next_cursor, total?}``. The cursor wraps whatever the
vendor pages with (nextPageToken, nextRecordsUrl, a link, a page number, an offset) and is worth
nothing for another tenant, connection, credential, tool or query, nor after a day. It can be
read by whoever holds it: no secrets in it.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, NotRequired
from urllib.parse import parse_qs, urlsplit

import orjson
from pydantic import Field
from typing_extensions import TypedDict

from common.signing import MAX_TOKEN, BadToken, seal, unseal
from connectors.calling import Context
from connectors.errors import InvalidInput, UpstreamError

MAX_AGE_S: Final = 24 * 3600
_PURPOSE: Final = "tool-cursor"

Cursor = Annotated[
    str | None, Field(max_length=MAX_TOKEN, description="next_cursor of the answer before this one.")
]
"""The argument type of every tool that lists."""


class Page(TypedDict):
    """A part of a list; the last has no next_cursor."""

    items: list[dict[str, Any]]
    count: int
    next_cursor: str | None
    total: NotRequired[int]


def page_of(items: list[dict[str, Any]], next_cursor: str | None = None, total: int | None = None) -> Page:
    """The answer of a tool that lists."""
    made: Page = {"items": items, "count": len(items), "next_cursor": next_cursor}
    if total is not None:
        made["total"] = total
    return made


def next_cursor(ctx: Context, tool: str, query: Mapping[str, Any], position: Any) -> str | None:
    """The cursor of the position after this page; None where ``position`` is None: there is no more.

    ``query`` is what the list depends on (the arguments but for the cursor and the limit),
    ``position`` a JSON value. Raises UpstreamError where the system's own token is too long.
    """
    if position is None:
        return None
    token = seal(_PURPOSE, position, bind=_bind(ctx, tool, query), max_age=MAX_AGE_S)
    if len(token) > MAX_TOKEN:
        raise UpstreamError(
            "The system's own token for the next page is too long to be handed out.",
            code="page_token_too_long",
            hint="Ask for more rows at once, or narrow the list down.",
        )
    return token


def position_of(ctx: Context, tool: str, query: Mapping[str, Any], cursor: str | None) -> Any:
    """The position that a cursor wraps; None where there is no cursor: the start.

    Raises InvalidInput for one that was not given out for this very list.
    """
    if not cursor:
        return None
    try:
        return unseal(_PURPOSE, cursor, bind=_bind(ctx, tool, query))
    except BadToken:
        raise InvalidInput(
            "This cursor does not belong to this list, or is older than a day.",
            code="bad_cursor",
            hint=f"Call {tool} without a cursor to begin again; keep the other arguments the same while you page.",
        ) from None


def _bind(ctx: Context, tool: str, query: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in query.items() if value is not None}
    data = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    holder = f"{ctx.connection.tenant_id}:{ctx.connection.id}:{ctx.identity}"
    return f"{holder}:{tool}:{hashlib.sha256(data).hexdigest()}"


def offset_after(offset: int, rows: int, total: int | None, *, limit: int) -> int | None:
    """The offset of the next page where the vendor pages by offset; None on the last page.

    Without a total a page that is not full is the last.
    """
    if not rows:
        return None
    more = rows >= limit if total is None else offset + rows < total
    return offset + rows if more else None


def part_of(
    ctx: Context,
    tool: str,
    query: Mapping[str, Any],
    rows: list[dict[str, Any]],
    cursor: str | None,
    limit: int,
) -> Page:
    """A page of a list that the system gives whole. Raises InvalidInput as :func:`position_of` does."""
    start = position_of(ctx, tool, query, cursor) or 0
    part = rows[start : start + limit]
    after = offset_after(start, len(part), len(rows), limit=limit)
    return page_of(part, next_cursor(ctx, tool, query, after), len(rows))


def parameter_of(link: str | None, name: str) -> str | None:
    """A parameter of a link to the next page (``cursor`` of Confluence's ``_links.next``)."""
    values = parse_qs(urlsplit(link).query).get(name) if link else None
    return values[0] if values else None


_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[\w*]+\s*=\s*(?:"[^"]*"|[^\s;,"]+))*)')


def link_of(header: str | None, relation: str = "next") -> str | None:
    """The target of a ``Link`` header's relation (RFC 8288), as GitHub pages."""
    for target, parameters in _LINK.findall(header or ""):
        found = re.search(r';\s*rel\s*=\s*("[^"]*"|[^\s;,"]+)', parameters, re.IGNORECASE)
        if found and relation in found[1].strip('"').lower().split():
            return str(target)
    return None
