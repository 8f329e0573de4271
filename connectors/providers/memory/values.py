"""Keys and values as Redis keeps them: checked text, and compact JSON that gives back what went in."""

import json
import unicodedata
from collections.abc import Iterable
from typing import Any

import orjson

from connectors.errors import InvalidInput

MAX_KEY = 512  # characters
MAX_PATTERN = 512  # characters
MAX_STARS = 8  # matching costs more with each; nobody needs this many


def check_key(key: Any) -> str:
    """The key itself when it is usable. Raises :class:`InvalidInput` with the rule it breaks."""
    if not isinstance(key, str):
        raise InvalidInput("A key is a text.", code="invalid_key")
    if not 1 <= len(key) <= MAX_KEY:
        raise InvalidInput(
            f"A key has 1 to {MAX_KEY} characters; this one has {len(key)}.",
            code="invalid_key",
            hint="Shorten the key, or put the long part into the value.",
        )
    if not key.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in key):
        raise InvalidInput(
            "A key holds no control characters and no halves of characters.",
            code="invalid_key",
            hint="Use letters, digits and marks such as user:42:name.",
        )
    return key


def check_keys(keys: Iterable[Any]) -> list[str]:
    """Usable keys, each once, in their order."""
    checked = list(dict.fromkeys(check_key(key) for key in keys))
    if not checked:
        raise InvalidInput("Name at least one key.", code="no_keys")
    return checked


def check_pattern(pattern: str) -> str:
    """A glob pattern for the connection's own keys: ``*``, ``?``, ``[abc]`` and ``\\``."""
    if not 1 <= len(pattern) <= MAX_PATTERN:
        raise InvalidInput(f"A pattern has 1 to {MAX_PATTERN} characters.", code="invalid_pattern")
    if pattern.count("*") > MAX_STARS:
        raise InvalidInput(
            f"A pattern has at most {MAX_STARS} stars.",
            code="invalid_pattern",
            hint="List the keys with a simpler pattern such as user:* and pick among them.",
        )
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in pattern):
        raise InvalidInput("A pattern holds no control characters.", code="invalid_pattern")
    return pattern


def encode(value: Any, *, most: int, key: str = "") -> str:
    """A JSON value as compact text of at most ``most`` bytes. Raises :class:`InvalidInput`."""
    try:
        data = orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate, or no JSON at all
        try:
            data = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInput(
                f"The value{f' of {key!r}' if key else ''} is no JSON value.", code="invalid_value"
            ) from error
    if len(data) > most:
        raise InvalidInput(
            f"The value{f' of {key!r}' if key else ''} takes {len(data):,} bytes as JSON; "
            f"this connection allows {most:,}.",
            code="value_too_large",
            hint="Store a summary, or split the value over several keys.",
            details={"limit": most, "size": len(data)},
        )
    return data.decode()


def decode(data: bytes | None) -> Any:
    """The value behind stored text. The standard parser, since orjson rounds integers above 2^64."""
    return None if data is None else json.loads(data)
