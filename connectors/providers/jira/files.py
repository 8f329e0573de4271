"""Files at issues."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from pydantic import Field

from connectors.artifacts import MAX_BYTES
from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, NotFound
from connectors.kit.attachments import (
    Base64,
    FileName,
    FileText,
    FileUri,
    file_form,
    given_bytes,
    handed_out,
    safe_name,
)
from connectors.kit.cursors import Cursor, Page, part_of
from connectors.kit.fields import pick_each
from connectors.kit.tidy import small, untrusted
from connectors.providers.jira import queries, trim, types
from connectors.providers.jira.base import API, NO_ISSUE, JiraBase, hinting, issue_path
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

NO_FILE: Final = "jira_list_attachments lists an issue's files."

OfIssue = Annotated[
    types.IssueKey | None,
    Field(description="The file's issue; needed where the connection reaches some projects only."),
]


class FileTools(JiraBase):
    """Attachments as they are listed, read, put there and deleted."""

    @tool(title="List attachments", hint="R", toolset="attachments",
          open_world=True, cache="S", tags=("jira:issue:{issue_key}", "jira:issues"),
          default_on=False)  # fmt: skip
    async def jira_list_attachments(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        limit: types.Limit = 25,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """The files of an issue, the newest first."""
        rows = sorted(
            await self._files(ctx, issue_key), key=lambda row: str(row.get("created")), reverse=True
        )
        told = pick_each([self._told(row) for row in rows], fields)
        asked = {"issue_key": issue_key}
        return untrusted(part_of(ctx, "jira_list_attachments", asked, told, cursor, limit))

    @tool(title="Get an attachment", hint="R", toolset="attachments",
          open_world=True, cache="S", tags=("jira:attachment:{attachment_id}",),
          default_on=False)  # fmt: skip
    async def jira_get_attachment(
        self,
        ctx: Context,
        attachment_id: types.Id,
        issue_key: OfIssue = None,
        max_bytes: Annotated[int, Field(ge=1, le=MAX_BYTES)] = MAX_BYTES,
    ) -> ToolResult:
        """A file of an issue: small texts and pictures in the answer, others as a link for a day."""
        row = await self._file(ctx, attachment_id, issue_key)
        about = self._told(row)
        if int(row.get("size") or 0) > max_bytes:
            raise InvalidInput(
                f"The file has {int(row['size']):,} bytes, more than {max_bytes:,}.",
                code="file_too_large",
                hint=f"Ask for more max_bytes (at most {MAX_BYTES:,}), or let a person open {about['url']}.",
            )
        # It lies on another host: the site sends there, with an address that is good for a moment.
        path = f"{API}/attachment/content/{attachment_id}"
        with hinting(not_found=NO_FILE):
            answer = await self._send(ctx, Request("GET", path, Kind.READ, max_bytes=max_bytes))
        known = {name: about[name] for name in ("id", "author", "created") if name in about}
        return await handed_out(
            ctx, about.get("name") or attachment_id, answer.body, mime_type=str(row.get("mimeType") or ""),
            source=about["url"], about=known | small(key=issue_key),
        )  # fmt: skip

    @tool(title="Attach a file", hint="W", toolset="attachments", open_world=True, required=True, default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_add_attachment(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        filename: FileName,
        content_base64: Base64 | None = None,
        text: FileText | None = None,
        file_uri: FileUri | None = None,
    ) -> types.Values:
        """Put a file at an issue: its content as text, in base64, or by file_uri. Same names may come twice."""
        name = safe_name(filename)
        data = await given_bytes(ctx, content_base64=content_base64, text=text, file_uri=file_uri)
        await self.demand_issue(ctx, issue_key)
        body, media_type = file_form(name, data)
        request = Request(
            "POST", issue_path(issue_key, "/attachments"), Kind.ONCE, content=body,
            # Without the second header Jira takes it for a forged form of a browser's.
            headers={"content-type": media_type, "x-atlassian-token": "no-check"},
            look_first=f"Look with jira_list_attachments(issue_key='{issue_key}').",
        )  # fmt: skip
        with hinting(not_found=f"{NO_ISSUE} The account may lack the right to attach files."):
            made = await self._json(ctx, request)
        row: dict[str, Any] = next(iter(made or []), {})
        told = self._told(row)
        return small(
            id=told.get("id"), key=issue_key, name=told.get("name") or name, size=len(data), url=told["url"]
        )

    @tool(title="Delete an attachment", hint="DI", toolset="delete", open_world=True, default_on=False,
          tags=("jira:attachment:{attachment_id}", "jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_delete_attachment(
        self, ctx: Context, attachment_id: types.Id, issue_key: OfIssue = None
    ) -> types.Values:
        """Delete a file of an issue for good."""
        row = await self._file(ctx, attachment_id, issue_key)
        with hinting(not_found=NO_FILE):
            await self._send(ctx, Request("DELETE", f"{API}/attachment/{attachment_id}", Kind.REPEATABLE))
        return small(id=attachment_id, key=issue_key, name=row.get("filename"))

    async def _files(self, ctx: Context, key: str) -> list[dict[str, Any]]:
        """The files of an issue that may be reached."""
        if self.allowed:
            queries.demand_project(queries.project_of(key), self.allowed)
        with hinting(not_found=NO_ISSUE):
            row = self.checked(await self.read(ctx, issue_path(key), fields="attachment,project"))
        return list((row.get("fields") or {}).get("attachment") or [])

    async def _file(self, ctx: Context, id: str, key: str | None) -> dict[str, Any]:
        """A file, if it may be reached. Jira does not say whose a file is, so its issue must."""
        if key is None and not self.allowed:
            with hinting(not_found=NO_FILE):
                row: dict[str, Any] = await self.read(ctx, f"{API}/attachment/{id}")
            return row
        if key is None:
            raise InvalidInput(
                "Which issue is the file of? This connection reaches some projects only.",
                code="issue_needed",
                hint=f"Give issue_key. {NO_FILE}",
            )
        for row in await self._files(ctx, key):
            if str(row.get("id")) == id:
                return row
        raise NotFound(
            f"{key} has no attachment {id}.",
            hint=f"jira_list_attachments(issue_key='{key}') lists its files.",
        )

    def _told(self, row: dict[str, Any]) -> dict[str, Any]:
        """A file with its address for people."""
        told = trim.attachment(row)
        id, name = str(told.get("id") or ""), str(told.get("name") or "")
        return told | {"id": id, "url": f"{self.site.url}/secure/attachment/{id}/{quote(name, safe='')}"}
