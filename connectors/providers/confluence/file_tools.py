"""Files at pages."""

from typing import Annotated, Any, Final

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
from connectors.kit.cursors import Cursor
from connectors.kit.fields import Fields
from connectors.kit.tidy import small, untrusted
from connectors.providers.confluence import trim
from connectors.providers.confluence.base import V1, V2, ConfluenceBase
from connectors.providers.confluence.types import Limit, PageId
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

AttachmentId = Annotated[str, Field(pattern=r"^(?:att)?[0-9]{1,19}$", description="A file's id.")]
_TAGS: Final = ("confluence:page:{page_id}",)


class FileTools(ConfluenceBase):
    """Attachments as they are listed, read and put there."""

    @tool(title="List attachments", hint="R", open_world=True, cache="S", tags=_TAGS)
    async def confluence_list_attachments(
        self,
        ctx: Context,
        page_id: PageId,
        filename: FileName | None = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> ToolResult:
        """The files at a page."""
        await self.demand_page(ctx, page_id)
        page = await self._list(
            ctx, "confluence_list_attachments", f"{V2}/pages/{page_id}/attachments",
            {"page": page_id, "name": filename}, cursor=cursor, limit=limit,
            row=lambda row: trim.attachment(self.site.url, row), known=trim.FILE, fields=fields, filename=filename,
        )  # fmt: skip
        return untrusted(page)

    @tool(title="Get an attachment", hint="R", open_world=True)
    async def confluence_get_attachment(
        self,
        ctx: Context,
        page_id: PageId,
        attachment_id: AttachmentId | None = None,
        filename: FileName | None = None,
    ) -> ToolResult:
        """A file at a page, by id or name: small texts and pictures in the answer, others as a link for a day."""
        await self.demand_page(ctx, page_id)
        if not attachment_id:
            attachment_id = await self._named(ctx, page_id, filename)
        told = await self._get(ctx, f"{V2}/attachments/{attachment_id}")
        if str(told.get("pageId") or "") != page_id:
            raise NotFound(
                f"The page {page_id} has no attachment {attachment_id}.",
                hint=f'confluence_list_attachments(page_id="{page_id}") lists its files.',
            )
        path = f"{V1}/content/{page_id}/child/attachment/{attachment_id}/download"
        answer = await self._send(ctx, Request("GET", path, Kind.READ, max_bytes=MAX_BYTES))
        return await handed_out(
            ctx, str(told.get("title") or attachment_id), answer.body,
            mime_type=str(told.get("mediaType") or ""), source=trim.url_of(self.site.url, told),
            about={"id": str(told["id"]), "page_id": page_id},
        )  # fmt: skip

    async def _named(self, ctx: Context, page_id: str, filename: str | None) -> str:
        """The id of a page's file of this name."""
        if not filename:
            raise InvalidInput(
                "Name the file by attachment_id or filename.",
                hint="confluence_list_attachments lists a page's files.",
            )
        told = await self._get(ctx, f"{V2}/pages/{page_id}/attachments", filename=filename, limit=5)
        for row in told.get("results") or []:
            if row.get("title") == filename:
                return str(row["id"])
        raise NotFound(
            f"The page {page_id} has no file {filename!r}.",
            hint=f'confluence_list_attachments(page_id="{page_id}") lists its files.',
        )

    @tool(
        title="Upload an attachment", hint="I", toolset="write", open_world=True, default_on=False, tags=_TAGS
    )
    async def confluence_upload_attachment(
        self,
        ctx: Context,
        page_id: PageId,
        filename: FileName,
        content_base64: Base64 | None = None,
        text: FileText | None = None,
        file_uri: FileUri | None = None,
        comment: Annotated[str, Field(max_length=500)] = "",
    ) -> ToolResult:
        """Put a file at a page; one of the same name gets a new version."""
        await self.demand_page(ctx, page_id)
        name = safe_name(filename)
        data = await given_bytes(ctx, content_base64=content_base64, text=text, file_uri=file_uri)
        fields = {"minorEdit": "true", **({"comment": comment} if comment else {})}
        body, content_type = file_form(name, data, fields)
        headers = {"content-type": content_type, "x-atlassian-token": "nocheck"}
        request = Request(
            "PUT", f"{V1}/content/{page_id}/child/attachment", Kind.REPEATABLE, content=body, headers=headers,
            params={"filename": name} if await self.on_data_center(ctx) else None,
        )  # fmt: skip
        told = await self._json(ctx, request)
        made: dict[str, Any] = next(iter(told.get("results") or []), {})
        return untrusted(
            small(
                id=str(made.get("id") or ""),
                name=made.get("title") or name,
                size=len(data),
                page_id=page_id,
                version=(made.get("version") or {}).get("number"),
                url=trim.url_of(self.site.url, made),
            )
        )
