"""Records of version 1 of the API in the shape that version 2 gives them.

A space has its key for an id, and people stand where version 2 has their account's id. Links are
whole, since a Data Center may be below any path of its host.
"""

from collections.abc import Callable
from typing import Any, Final

from connectors.kit.cursors import parameter_of

Row = dict[str, Any]

PAGE: Final = "space,version,history,ancestors"
COMMENT: Final = "version,body.storage,ancestors,container,extensions.inlineProperties,extensions.resolution"


def link(root: str, row: Row, name: str = "webui") -> str:
    """A record's whole address; empty where the system gives none."""
    told = str((row.get("_links") or {}).get(name) or "")
    return f"{root}{told}" if told.startswith("/") else ""


def listed(told: Row, make: Callable[[Row], Row]) -> Row:
    """A list; its cursor is the offset that version 1 goes on with."""
    start = parameter_of((told.get("_links") or {}).get("next"), "start")
    links = {"next": f"?cursor={start}"} if start else {}
    return {"results": [make(row) for row in told.get("results") or []], "_links": links}


def person(user: Any) -> Row | None:
    """Somebody, whose user name is what the API takes."""
    if not isinstance(user, dict):
        return None
    found = {"accountId": user.get("username") or user.get("userKey"), "displayName": user.get("displayName")}
    return {name: value for name, value in found.items() if value} or None


def version(told: Row | None) -> Row:
    """A version's number, moment, author and message."""
    told = told or {}
    return {
        "number": told.get("number"), "createdAt": told.get("when"), "message": told.get("message"),
        "minorEdit": told.get("minorEdit"), "authorId": person(told.get("by")),
    }  # fmt: skip


def page(root: str, row: Row) -> Row:
    """A page or blog post; what was not expanded is missing."""
    history, above = row.get("history") or {}, row.get("ancestors") or []
    key = str((row.get("space") or {}).get("key") or "")
    return {
        "id": str(row["id"]), "status": row.get("status"), "title": row.get("title"),
        "spaceId": key, "spaceKey": key,
        "parentId": str(above[-1]["id"]) if above else None,
        "authorId": person(history.get("createdBy")), "createdAt": history.get("createdDate"),
        "version": version(row.get("version")), "body": row.get("body") or {}, "_links": {"webui": link(root, row)},
    }  # fmt: skip


def node(root: str, row: Row, below: str = "") -> Row:
    """A page in a tree; ``depth`` counts from the page ``below``, where that is named."""
    above = [str(one["id"]) for one in row.get("ancestors") or []]
    made = {
        "id": str(row["id"]),
        "title": row.get("title"),
        "type": "page",
        "_links": {"webui": link(root, row)},
    }
    if below in above:
        made |= {"parentId": above[-1], "depth": len(above) - above.index(below)}
    return made


def space(root: str, row: Row) -> Row:
    """A space, called by its key."""
    home = row.get("homepage") or {}
    return {
        "id": row["key"], "key": row["key"], "name": row.get("name"), "type": row.get("type"),
        "status": row.get("status"), "homepageId": str(home["id"]) if home.get("id") else None,
        "description": row.get("description"), "_links": {"webui": link(root, row)},
    }  # fmt: skip


def comment(root: str, row: Row) -> Row:
    """A comment, with what it is about where it stands beside words."""
    more, above = row.get("extensions") or {}, row.get("ancestors") or []
    above = [one for one in above if one.get("type", "comment") == "comment"]
    return {
        "id": str(row["id"]), "pageId": str((row.get("container") or {}).get("id") or ""),
        "parentCommentId": str(above[-1]["id"]) if above else None, "version": version(row.get("version")),
        "body": row.get("body") or {}, "resolutionStatus": (more.get("resolution") or {}).get("status"),
        "properties": {"inlineOriginalSelection": (more.get("inlineProperties") or {}).get("originalSelection")},
        "_links": {"webui": link(root, row)},
    }  # fmt: skip


def attachment(root: str, row: Row) -> Row:
    """A file at a page."""
    more, told = row.get("extensions") or {}, row.get("version") or {}
    about = row.get("metadata") or {}
    return {
        "id": str(row["id"]), "title": row.get("title"), "pageId": str((row.get("container") or {}).get("id") or ""),
        "mediaType": more.get("mediaType") or about.get("mediaType"), "fileSize": more.get("fileSize"),
        "comment": more.get("comment") or about.get("comment"), "version": version(told), "createdAt": told.get("when"),
        "_links": {"webui": link(root, row)},
    }  # fmt: skip


def hit(root: str, row: Row) -> Row:
    """A row of a search, with whole links."""
    content = row.get("content") or {}
    address = str(row.get("url") or "")
    made = {**row, "url": f"{root}{address}" if address.startswith("/") else ""}
    return {**made, "content": {**content, "_links": {"webui": link(root, content)}}} if content else made
