"""What the tools take and give: annotated arguments, and results that become output schemas."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict  # pydantic cannot read typing.TypedDict before Python 3.12

from connectors.providers.memory.settings import YEAR
from connectors.providers.memory.values import MAX_KEY, MAX_PATTERN

MAX_INT = 2**63 - 1

Key = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_KEY,
        description="Name of the entry, without control characters; parts are usually joined by colons (user:42:name).",
    ),
]
Keys = Annotated[list[Key], Field(min_length=1, max_length=1000, description="Names of the entries.")]
Value = Annotated[Any, Field(description="Any JSON value: text, number, list, object, true, false or null.")]
Seconds = Annotated[float, Field(gt=0, le=YEAR)]
Ttl = Annotated[
    Seconds | None,
    Field(description="Seconds to live; fractions count. Left out: the connection's default."),
]
Pattern = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_PATTERN,
        description="Glob over whole keys: * any text, ? one character, [abc] one of these, \\ takes the next "
        "character as it is. user:* finds user:1 and user:2:name.",
    ),
]
Amount = Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]


class Stored(TypedDict):
    """Answer of cache_set."""

    key: str
    stored: bool
    created: bool
    size_bytes: int
    expires_in: float | None


class Found(TypedDict):
    """Answer of cache_get."""

    key: str
    found: bool
    value: Any


class Deleted(TypedDict):
    """Answer of cache_delete."""

    deleted: int
    missing: int


class Exists(TypedDict):
    """Answer of cache_exists."""

    exists: dict[str, bool]
    count: int


class Expiry(TypedDict):
    """Answer of cache_expire and cache_ttl; ``ttl`` in seconds, null for a key that stays."""

    key: str
    exists: bool
    ttl: float | None


class KeyList(TypedDict):
    """Answer of cache_keys."""

    items: list[str]
    count: int
    truncated: bool


class KeyPage(TypedDict):
    """Answer of cache_scan; ``next_cursor`` is null on the last page."""

    items: list[str]
    count: int
    next_cursor: str | None


class FoundMany(TypedDict):
    """Answer of cache_mget."""

    values: dict[str, Any]
    missing: list[str]
    omitted: list[str]
    count: int


class StoredMany(TypedDict):
    """Answer of cache_mset."""

    stored: int
    created: int
    expires_in: float | None


class Number(TypedDict):
    """Answer of cache_incr and cache_decr."""

    key: str
    value: int
    created: bool


class Flushed(TypedDict):
    """Answer of cache_flush."""

    deleted: int
    connection: str


class Limits(TypedDict):
    """The limits in force; null where there is none."""

    max_keys: int
    max_bytes: int
    max_value_bytes: int
    default_ttl: int | None
    max_ttl: int | None
    tenant_keys: int
    tenant_bytes: int


class Info(TypedDict):
    """Answer of cache_info."""

    connection: str
    keys: int
    bytes: int
    tenant_keys: int
    tenant_bytes: int
    limits: Limits


class Pong(TypedDict):
    """Answer of cache_ping."""

    ok: bool
    latency_ms: float


class GotOrSet(TypedDict):
    """Answer of cache_get_or_set."""

    key: str
    value: Any
    created: bool


class Appended(TypedDict):
    """Answer of cache_append_list."""

    key: str
    appended: int
    length: int
    created: bool


class ListSlice(TypedDict):
    """Answer of cache_get_list; ``length`` is that of the whole list."""

    key: str
    found: bool
    items: list[Any]
    count: int
    length: int


class PatternDeleted(TypedDict):
    """Answer of cache_delete_pattern."""

    pattern: str
    matched: int
    deleted: int


class Touched(TypedDict):
    """Answer of cache_touch."""

    touched: int
    missing: int
    expires_in: float | None
