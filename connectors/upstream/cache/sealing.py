"""What lies in Redis of a kept result: JSON, encrypted under the tenant's data key and bound to its place."""

from typing import Any, Final
from uuid import UUID

import orjson

from common.keyring import UnknownKeyError
from common.vault import VaultError, decrypt, encrypt
from connectors.results import (
    Audio,
    Content,
    EmbeddedResource,
    Image,
    ResourceContents,
    ResourceLink,
    Text,
    ToolResult,
)
from connectors.upstream.cache.plans import Plan

PURPOSE: Final = "kept-result"
# Names are stored: a class may move, what is kept stays readable for a day.
_KINDS: Final[dict[str, type[Any]]] = {
    "text": Text,
    "image": Image,
    "audio": Audio,
    "link": ResourceLink,
    "resource": EmbeddedResource,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def packed(result: ToolResult) -> bytes | None:
    """The result as JSON; None where it has something that JSON cannot say."""
    try:
        text = orjson.dumps(result.structured)
        # Most results say the same twice: as data and as its text. It is stored once.
        twice = result.structured is not None and result.content == (Text(text.decode()),)
        content = None if twice else [[_NAMES[type(part)], part] for part in result.content]
        return orjson.dumps([orjson.Fragment(text), content, result.meta])
    except (TypeError, ValueError, KeyError):
        return None


def unpacked(data: bytes) -> ToolResult:
    """What :func:`packed` stored. Raises ValueError for anything else."""
    try:
        structured, content, meta = orjson.loads(data)
        parts: tuple[Content, ...]
        if content is None:
            parts = (Text(orjson.dumps(structured).decode()),)
        else:
            parts = tuple(_part(name, values) for name, values in content)
        return ToolResult(structured, parts, meta)
    except (KeyError, TypeError) as error:
        raise ValueError("not a kept result") from error


def _part(name: str, values: dict[str, Any]) -> Content:
    kind = _KINDS[name]
    if kind is EmbeddedResource:
        return EmbeddedResource(ResourceContents(**values["contents"]))
    part: Content = kind(**values)
    return part


def sealed(plan: Plan, data: bytes) -> bytes | None:
    """Encrypted; None where the tenant's data key is gone."""
    try:
        return encrypt(plan.view.key, _place(plan), PURPOSE, data)
    except (VaultError, UnknownKeyError):
        return None


def opened(plan: Plan, data: bytes) -> ToolResult | None:
    """A stored result; None where it cannot be read (any more) or belongs to another place."""
    try:
        return unpacked(decrypt(plan.view.key, _place(plan), PURPOSE, data))
    except (VaultError, UnknownKeyError, ValueError):
        return None


def _place(plan: Plan) -> UUID:
    """The first half of the key, so that a value copied to another place does not decrypt."""
    return UUID(bytes=plan.key[:16])
