"""CQL: quoting, joining the connection's spaces to it, and words that are no CQL made into some.

The language: https://developer.atlassian.com/cloud/confluence/advanced-searching-using-cql/
"""

import re
from collections.abc import Collection
from typing import Final

from connectors.errors import InvalidInput

FIELDS: Final = (
    "ancestor", "container", "content", "contributor", "created", "creator", "favourite", "id", "label", "lastmodified",
    "macro", "mention", "parent", "sitesearch", "space", "space.category", "space.key", "space.title", "space.type",
    "text", "title", "type", "user", "user.accountid", "user.fullname", "watcher",
)  # fmt: skip
_NAMES: Final = "|".join(re.escape(name) for name in sorted(FIELDS, key=len, reverse=True))
_IS_CQL: Final = re.compile(
    rf"^[\s(]*(?:not[\s(]+)*(?:(?:{_NAMES})\s*(?:!?[=~]|[<>]=?|\s(?:not\s+)?in\s*\()|order\s+by\s+(?:{_NAMES})(?:\s+(?:asc|desc))?\s*(?:,|$))",
    re.IGNORECASE,
)
# A quoted text stands alone: neither glued to a word nor to another one.
_TOKEN: Final = re.compile(
    r"""\s+|(?P<text>(?<![^\s(,=~<>!])(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(?=[\s),]|$))"""
    r"""|(?P<open>\()|(?P<close>\))|[=!~<>,]+|(?P<word>[^\s()=!~<>,"'\\]+)""",
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_CURLY: Final = str.maketrans("\u201c\u201d\u201e", '"""')
_ONE_ORDER: Final = rf"(?:{_NAMES})(?:\s+(?:asc|desc))?"
_ORDER: Final = re.compile(rf"order\s+by\s+{_ONE_ORDER}(?:\s*,\s*{_ONE_ORDER})*", re.IGNORECASE)
HINT: Final = (
    'CQL looks like: type = page AND title ~ "orders" AND lastmodified > now("-7d") ORDER BY lastmodified DESC. '
    "Texts stand in quotes; or send plain words."
)


def quoted(value: str) -> str:
    """A text as CQL has it: in quotes, with its own quotes and backslashes escaped."""
    clean = _CONTROL.sub(" ", value)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_cql(text: str) -> bool:
    """Whether this is meant as a query and not as words to look for."""
    return _IS_CQL.match(text) is not None


def cql_of(query: str, *, spaces: Collection[str] = (), space: str = "", type_: str = "") -> str:
    """The query that is sent. ``query`` is CQL or words; what else is given narrows it.

    Raises InvalidInput for CQL whose quotes and brackets do not close: it could then reach
    beyond the part that it is put into, and so past ``spaces``.
    """
    if is_cql(query):
        condition, order = _parts(query)
    else:
        words = " ".join(_CONTROL.sub(" ", query).split())
        condition, order = (f"siteSearch ~ {quoted(words)}" if words else ""), ""
    parts = [f"({condition})"] if condition else []
    if type_:
        parts.append(f"type = {type_}")
    if space:
        parts.append(f"space = {quoted(space)}")
    if spaces:
        parts.append(f"space in ({', '.join(map(quoted, sorted(spaces)))})")
    if not parts:
        parts.append("type = page")
    return f"{' AND '.join(parts)} {order}".strip()


def _parts(query: str) -> tuple[str, str]:
    """The condition and the order of a query, each whole in itself."""
    query = query.strip().replace("\r\n", "\n")
    if '"' not in query:  # quotes as word processors make them
        query = query.translate(_CURLY)
    if found := _CONTROL.search(query.replace("\n", " ").replace("\t", " ")):
        raise _bad(f"it has the invisible character U+{ord(found[0]):04X}")
    at = depth = 0
    order = len(query)
    while at < len(query):
        token = _TOKEN.match(query, at)
        if token is None:
            raise _bad(f"a quote or backslash at character {at + 1} is out of place")
        depth += (token["open"] is not None) - (token["close"] is not None)
        if depth < 0:
            raise _bad(f"a bracket closes at character {at + 1} that was never opened")
        word = token["word"]
        if word and word.lower() == "order" and depth == 0 and order == len(query):
            order = at
        at = token.end()
    if depth:
        raise _bad("a bracket is not closed")
    condition, tail = query[:order].strip(), query[order:].strip()
    if tail and not _ORDER.fullmatch(tail):
        raise _bad("ORDER BY takes names of fields with ASC or DESC, and stands at the end")
    return condition, tail


def _bad(why: str) -> InvalidInput:
    return InvalidInput(f"The CQL is not well formed: {why}.", code="bad_cql", hint=HINT)
