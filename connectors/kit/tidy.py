"""Vendors' JSON made small and safe to read: nothing empty, nothing invisible, nothing endless.

The texts of systems are written by strangers. Characters that people do not see, but models
read, are taken out of them: bidirectional controls (which also reorder code before the eye,
CVE-2021-42574), zero-width characters, the tag block that mirrors ASCII, C0 and C1 controls.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.results import ToolResult

NOISE: Final = frozenset(
    {
        "self",
        "_links",
        "_expandable",
        "expand",
        "avatar_url",
        "avatarUrl",
        "avatarUrls",
        "avatarId",
        "gravatar_id",
        "iconUrl",
        "icon_url",
        "node_id",
        "profilePicture",
    }
)
"""Names that vendors' records have and nobody asks for: links to themselves, pictures of people."""

LONG_TEXT: Final = 20_000
"""Characters of one text that a record keeps, unless a connector says otherwise."""

UNTRUSTED: Final = {"trust": "untrusted"}
"""The ``_meta`` of results whose texts strangers may have written."""

# What no text shows. The joiners (U+200C, U+200D) and the variation selectors (U+FE0E, U+FE0F)
# stay where they stand between or after what people see: emoji and several scripts need them.
_SEEN = "\u0600-\u1fff\u20d0-\u20ff\u2100-\ufdff\ufe20-\ufefe\uff00-\uffef\U00010000-\U0003ffff"
_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff"
    "]"
    f"|(?<![{_SEEN}])[\u200c\ufe0e\ufe0f]"
    f"|(?<![{_SEEN}\ufe0f])\u200d"
    f"|[\u200c\u200d](?![{_SEEN}])"
)
_IDS = ("accountId", "account_id", "login", "id", "Id", "key")
_NAMES = ("displayName", "display_name", "publicName", "public_name", "name", "Name", "login")


def visible(text: str) -> str:
    """The text without characters that people do not see; line breaks and tabs stay.

    >>> visible("pay\\u200b \\u202emoc")
    'pay moc'
    """
    return _HIDDEN.sub("", text)


def cut(text: str, limit: int = LONG_TEXT) -> str:
    """The text, or its first ``limit`` characters and a notice of how much is missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}\n[Cut: {limit:,} of {len(text):,} characters shown.]"


def tidy(
    value: Any, *, drop: Iterable[str] = (), keep: Iterable[str] = (), text_limit: int = LONG_TEXT
) -> Any:
    """A vendor's JSON without nulls, empty values and :data:`NOISE`, its texts visible and bounded.

    ``drop`` names further fields to leave out at every depth, ``keep`` those of NOISE to let
    stand. False and 0 are values and stay. Elements of lists are never dropped, so that columns
    and positions keep their places.
    """
    return _tidy(value, (NOISE | frozenset(drop)) - frozenset(keep), text_limit)


def _tidy(value: Any, drop: frozenset[str], limit: int) -> Any:
    if isinstance(value, str):
        return cut(visible(value), limit)
    if isinstance(value, Mapping):
        made = {visible(name): _tidy(part, drop, limit) for name, part in value.items() if name not in drop}
        return {name: part for name, part in made.items() if not _is_empty(part)}
    if isinstance(value, list | tuple):
        return [_tidy(part, drop, limit) for part in value]
    return value


def small(**fields: Any) -> dict[str, Any]:
    """A record of the fields that have a value, in the order given; texts are made :func:`visible`.

    For results put together by hand: ``small(id=row["id"], title=row.get("title"))``.
    """
    return {
        name: visible(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if not _is_empty(value)
    }


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict | tuple) and not value)


def person(value: Any) -> dict[str, str] | None:
    """Somebody as ``{id, name}``, whichever vendor's record it is; None where nobody is named.

    The id is what the vendor's API takes: accountId (Atlassian Cloud), name (Data Center),
    login (GitHub), Id (Salesforce). E-mail addresses are left out.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping):
        return {"id": visible(str(value))}
    shown = next((value[name] for name in _NAMES if value.get(name)), None)
    found = next((value[name] for name in _IDS[:3] if value.get(name)), None)
    if found is None and "displayName" in value and value.get("name"):
        found = value["name"]  # Jira Data Center: users are called by their user name
    if found is None:
        found = next((value[name] for name in _IDS[3:] if value.get(name)), None)
    made = {"id": found, "name": shown}
    return {name: visible(str(part)) for name, part in made.items() if part is not None} or None


def people(values: Iterable[Any] | None) -> list[dict[str, str]]:
    """Several people as :func:`person`, without those who are nobody."""
    return [made for value in values or () if (made := person(value)) is not None]


def untrusted(value: Any) -> ToolResult:
    """A result whose texts strangers may have written; ``_meta.trust`` tells the client.

    Annotate the method as ``Annotated[ToolResult, Shape]`` where the result has a shape.
    """
    return ToolResult(structured=value, meta=dict(UNTRUSTED))
