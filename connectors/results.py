"""What tools, resources and prompts give back: small values, free of any protocol library."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image, base64 encoded."""

    data: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Audio:
    """A sound, base64 encoded."""

    data: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class ResourceLink:
    """A pointer to a resource that the client may read."""

    uri: str
    name: str
    title: str = ""
    description: str = ""
    mime_type: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class ResourceContents:
    """The contents of a resource: ``text``, or ``blob`` (base64), never both."""

    uri: str
    mime_type: str = "text/plain"
    text: str | None = None
    blob: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddedResource:
    """A resource's contents within a result."""

    contents: ResourceContents


Content = Text | Image | Audio | ResourceLink | EmbeddedResource


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's answer when a plain return value is not enough.

    ``structured`` is any JSON value (the structured content); when ``content`` is empty the
    pipeline gives the same data once more as compact JSON text. ``meta`` goes to ``_meta``.
    """

    structured: Any = None
    content: tuple[Content, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    is_error: bool = False
    error_type: str = ""  # one of connectors.errors' types, for the audit
    cache: str = ""  # hit, miss, stale or empty


@dataclass(frozen=True, slots=True)
class ResourceEntry:
    """A row of ``resources/list``."""

    uri: str
    name: str
    title: str = ""
    description: str = ""
    mime_type: str = ""
    size: int | None = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """A message of a prompt."""

    role: Literal["user", "assistant"]
    content: Content
