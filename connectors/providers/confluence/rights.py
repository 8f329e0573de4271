"""What a connection's credential may not do, and which tools that takes away.

Atlassian lists neither the scopes of a token nor the rights of an account in one place. Spaces
tell the operations that they permit. A scope shows where the gateway refuses a request for the
lack of it, before it looks at what the request is about: the requests here are about the page 0,
which no site has, so that a token that has the scope is told that there is no such page, and
nothing is changed. See https://developer.atlassian.com/cloud/confluence/scopes-for-oauth-2-3LO-and-forge-apps/.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.base import Context
from connectors.errors import ConnectorError
from connectors.kit.attachments import file_form
from connectors.providers.confluence.base import V1, V2, ConfluenceBase
from connectors.providers.confluence.bodies import body_of
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

_NOBODYS: Final = "0"  # the id of no page
_MOST_SPACES: Final = 10  # whose operations a test asks for
_SCOPES_S: Final = 3600.0  # the scopes of a token never change; tests come every few minutes
_NO_ANSWER: Final = ("authentication", "rate_limit", "timeout", "connection", "circuit_open")
_WRITERS: Final = (
    "confluence_create_page", "confluence_update_page", "confluence_update_page_section", "confluence_append_to_page",
    "confluence_move_page", "confluence_copy_page", "confluence_create_blogpost",
)  # fmt: skip
_PAGE: Final = {
    "id": _NOBODYS, "status": "current", "title": "A test of this connection", "body": body_of(""),
    "version": {"number": 2},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that is refused where the token lacks a scope; ``tools`` None: all that read or write spaces."""

    scope: str
    tools: tuple[str, ...] | None
    request: Request


def _read(path: str) -> Request:
    return Request("GET", path, Kind.READ)


def _write(method: str, path: str, body: Any = None) -> Request:
    return Request(method, path, Kind.ONCE, json=body)


def _upload() -> Request:
    body, content_type = file_form("test.txt", b"test", {"minorEdit": "true"})
    headers = {"content-type": content_type, "x-atlassian-token": "nocheck"}
    path = f"{V1}/content/{_NOBODYS}/child/attachment"
    return Request("PUT", path, Kind.ONCE, content=body, headers=headers)


_PAGES: Final = f"{V2}/pages/{_NOBODYS}"
SCOPES: Final = (
    Probe("read:content-details:confluence", ("confluence_connection_info", "confluence_search_users"),
          _read(f"{V1}/user/current")),
    Probe("read:space:confluence", None, _read(f"{V2}/spaces?limit=1")),
    Probe("read:page:confluence", (
        "confluence_get_page", "confluence_ask_page", "confluence_list_pages", "confluence_get_page_history",
        "confluence_get_page_version", "confluence_diff_versions", "confluence_get_labels", "confluence_delete_page",
        "confluence_list_blogposts", *_WRITERS[1:6],
    ), _read(f"{V2}/pages?limit=1")),
    Probe("search:confluence", ("confluence_search",), _read(f"{V1}/search?cql=type%3Dpage&limit=1")),
    Probe("read:comment:confluence", ("confluence_get_comments",), _read(f"{_PAGES}/footer-comments?limit=1")),
    Probe("read:attachment:confluence", ("confluence_list_attachments", "confluence_get_attachment"),
          _read(f"{_PAGES}/attachments?limit=1")),
    Probe("read:task:confluence", ("confluence_list_tasks",), _read(f"{V2}/tasks?limit=1")),
    Probe("write:page:confluence", _WRITERS, _write("PUT", _PAGES, _PAGE)),
    Probe("delete:page:confluence", ("confluence_delete_page",), _write("DELETE", _PAGES)),
    Probe("write:comment:confluence", ("confluence_add_comment",),
          _write("POST", f"{V2}/footer-comments", {"pageId": _NOBODYS, "body": body_of("")})),
    Probe("write:label:confluence", ("confluence_add_labels", "confluence_remove_label"),
          _write("POST", f"{V1}/content/{_NOBODYS}/label", [{"prefix": "global", "name": "test"}])),
    Probe("write:attachment:confluence", ("confluence_upload_attachment",), _upload()),
)  # fmt: skip

# Which operation in a space a tool needs. Those of comments, attachments and deletions are left
# out: an answer without them does not say that they are forbidden.
# https://developer.atlassian.com/cloud/confluence/rest/v2/api-group-operation/
OPERATIONS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("create", "page"): tuple(name for name in _WRITERS if name != "confluence_create_blogpost"),
    ("create", "blogpost"): ("confluence_create_blogpost",),
}
_WITHOUT_SPACES: Final = {"confluence_search", "confluence_search_users", "confluence_connection_info"}


class Rights(ConfluenceBase):
    """Looks for scopes and rights that are missing."""

    def __init__(self, connection: Any, settings: Any) -> None:
        super().__init__(connection, settings)
        self._scopes: dict[str, tuple[float, list[Probe]]] = {}  # missing ones, by identity

    async def missing_scopes(self, ctx: Context) -> list[Probe]:
        """The scopes that the token lacks; kept for an hour."""
        known = self._scopes.get(ctx.identity)
        if known is None or known[0] < time.monotonic():
            refused = await asyncio.gather(*(self._refused(ctx, one.request) for one in SCOPES))
            lacking = [one for one, lacks in zip(SCOPES, refused, strict=True) if lacks]
            known = self._scopes[ctx.identity] = (time.monotonic() + _SCOPES_S, lacking)
        return known[1]

    async def _refused(self, ctx: Context, request: Request) -> bool:
        """Whether a request is refused for a scope. What else may be wrong with it is no matter."""
        try:
            await self._send(ctx, request)
        except ConnectorError as error:
            if error.type in _NO_ANSWER:
                raise
            return error.code == "scope_missing"
        return False

    async def missing_rights(self, ctx: Context) -> list[tuple[str, str]]:
        """The operations that none of the connection's spaces permits.

        Where neither settings nor the account's own few spaces bound them, nothing is known: empty.
        """
        permitted: set[tuple[str, str]] = set()
        ids = await self._space_ids(ctx)
        for id in ids:
            try:
                told = await self._get(ctx, f"{V2}/spaces/{id}/operations")
            except ConnectorError as error:
                if error.type not in ("not_found", "permission", "validation"):
                    raise
                return []
            rows = told.get("operations")
            if not rows:
                return []
            permitted |= {(str(row.get("operation")), str(row.get("targetType"))) for row in rows}
        return [one for one in OPERATIONS if one not in permitted] if ids else []

    async def _space_ids(self, ctx: Context) -> list[str]:
        """The ids of the spaces that calls are about, where they are few and all of them known."""
        keys = self.settings.spaces
        if len(keys) > _MOST_SPACES:
            return []
        told = await self._get(ctx, f"{V2}/spaces", keys=keys or None, limit=_MOST_SPACES)
        more = (told.get("_links") or {}).get("next")
        return [] if more else [str(row["id"]) for row in told.get("results") or []]

    def tools_without(self, scopes: Iterable[Probe], rights: Iterable[tuple[str, str]]) -> dict[str, str]:
        """The tools that are of no use, each with the first scope or right that it lacks."""
        hidden: dict[str, str] = {}
        for probe in scopes:
            for name in probe.tools if probe.tools is not None else sorted(set(self.tools) - _WITHOUT_SPACES):
                hidden.setdefault(name, probe.scope)
        for operation, target in rights:
            for name in OPERATIONS[operation, target]:
                hidden.setdefault(name, f"{operation} {target}")
        return hidden
