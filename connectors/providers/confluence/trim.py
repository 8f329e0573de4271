"""Confluence's JSON made small: what a model reads of pages, hits, spaces and comments."""

import html
import re
from typing import Any, Final

from connectors.kit.tidy import person, small, visible
from connectors.providers.confluence.markup import to_markdown

_HIGHLIGHT: Final = re.compile(r"@@@(?:end)?hl@@@")
# What records may have, for callers that name the fields they want.
PAGE: Final = (
    "id", "type", "title", "space", "status", "parent_id", "version", "author", "created_at", "updated_at",
    "updated_by", "url", "content", "not_in_markdown", "characters", "next_start", "comments", "history",
)  # fmt: skip
ROW: Final = ("id", "title", "status", "parent_id", "version", "created_at", "updated_at", "url")
SPACE: Final = ("id", "key", "name", "type", "status", "homepage_id", "description", "url")
HIT: Final = ("id", "type", "title", "space", "excerpt", "updated_at", "url")
NODE: Final = ("id", "title", "type", "parent_id", "depth", "url")
COMMENT: Final = ("id", "text", "about", "state", "reply_to", "author", "created_at", "url")
VERSION: Final = ("version", "at", "by", "message", "minor")
FILE: Final = ("id", "name", "mime_type", "size", "comment", "version", "created_at", "by", "url")
TASK: Final = (
    "id", "status", "text", "page_id", "blogpost_id", "assigned_to", "created_by", "created_at", "due_at",
    "completed_at",
)  # fmt: skip
_SPACE: Final = re.compile(r"^/(?:wiki/)?spaces/([^/?#]+)")


def storage_of(record: dict[str, Any]) -> str:
    """The storage format of a page's or comment's body; empty where there is none."""
    body = (record.get("body") or {}).get("storage") or {}
    return str(body.get("value") or "")


def url_of(site: str, record: dict[str, Any]) -> str:
    """A record's address for people. Behind the gateway the links are still the site's."""
    link = str(
        (record.get("_links") or {}).get("webui") or record.get("webuiLink") or record.get("url") or ""
    )
    if link.startswith(f"{site}/"):
        return link  # a Data Center's, made whole
    if not link.startswith("/"):
        return ""
    return f"{site}{'' if link.startswith('/wiki/') else '/wiki'}{link}"


def version_of(record: dict[str, Any]) -> int:
    """The number of a record's version."""
    return int((record.get("version") or {}).get("number") or 1)


def page(site: str, record: dict[str, Any], space_key: str = "") -> dict[str, Any]:
    """A page without its words; who changed it and when only where that was after it was made."""
    version = record.get("version") or {}
    changed = version if version.get("number") != 1 else {}
    return small(
        id=str(record["id"]),
        type="blogpost" if record.get("type") == "blogpost" else None,
        title=record.get("title"),
        space=space_key,
        status=None if record.get("status") == "current" else record.get("status"),
        parent_id=record.get("parentId"),
        version=version.get("number"),
        author=person(record.get("authorId")),
        created_at=record.get("createdAt"),
        updated_at=changed.get("createdAt"),
        updated_by=person(changed.get("authorId")),
        url=url_of(site, record),
    )


def row(site: str, record: dict[str, Any]) -> dict[str, Any]:
    """A page in a list: what tells it from others, and when it was changed."""
    version = record.get("version") or {}
    return small(
        id=str(record["id"]),
        title=record.get("title"),
        status=None if record.get("status") == "current" else record.get("status"),
        parent_id=record.get("parentId"),
        version=version.get("number"),
        updated_at=version.get("createdAt"),
        url=url_of(site, record),
    )


def space(site: str, record: dict[str, Any]) -> dict[str, Any]:
    """A space."""
    description = ((record.get("description") or {}).get("plain") or {}).get("value")
    return small(
        id=str(record["id"]),
        key=record.get("key"),
        name=record.get("name"),
        type=record.get("type"),
        status=None if record.get("status") == "current" else record.get("status"),
        homepage_id=record.get("homepageId"),
        description=description,
        url=url_of(site, record),
    )


def space_key_of_hit(hit: dict[str, Any]) -> str:
    """In which space a hit is; empty where the answer does not say it."""
    content = hit.get("content") or {}
    if key := (content.get("space") or hit.get("space") or {}).get("key"):
        return str(key)
    found = _SPACE.match(str((hit.get("resultGlobalContainer") or {}).get("displayUrl") or ""))
    return found[1] if found else ""


def hit(site: str, record: dict[str, Any]) -> dict[str, Any]:
    """One row of a search."""
    content = record.get("content") or {}
    excerpt = html.unescape(_HIGHLIGHT.sub("", str(record.get("excerpt") or "")))
    return small(
        id=str(content["id"]) if content.get("id") else None,
        type=content.get("type") or record.get("entityType"),
        title=_HIGHLIGHT.sub("", str(record.get("title") or content.get("title") or "")),
        space=space_key_of_hit(record),
        excerpt=" ".join(excerpt.split())[:300],
        updated_at=record.get("lastModified"),
        url=url_of(site, content) or url_of(site, record),
    )


def comment(site: str, record: dict[str, Any]) -> dict[str, Any]:
    """A comment with its words as Markdown."""
    version = record.get("version") or {}
    properties = record.get("properties") or {}
    return small(
        id=str(record["id"]),
        text=visible(to_markdown(storage_of(record))),
        about=properties.get("inlineOriginalSelection") or properties.get("inline-original-selection"),
        state=record.get("resolutionStatus"),
        reply_to=record.get("parentCommentId"),
        author=person(version.get("authorId")),
        created_at=version.get("createdAt"),
        url=url_of(site, record),
    )


def version(record: dict[str, Any]) -> dict[str, Any]:
    """A row of a page's history."""
    return small(
        version=record.get("number"),
        at=record.get("createdAt"),
        by=person(record.get("authorId")),
        message=record.get("message"),
        minor=record.get("minorEdit") or None,
    )


def attachment(site: str, record: dict[str, Any]) -> dict[str, Any]:
    """A file at a page."""
    told = record.get("version") or {}
    return small(
        id=str(record["id"]),
        name=record.get("title"),
        mime_type=record.get("mediaType"),
        size=record.get("fileSize"),
        comment=record.get("comment"),
        version=told.get("number"),
        created_at=record.get("createdAt"),
        by=person(told.get("authorId")),
        url=url_of(site, record),
    )
