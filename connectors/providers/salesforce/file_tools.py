"""Files of records: what a caller sends becomes a file of the org, linked to a record."""

from base64 import b64encode
from typing import Any, Final

from connectors.base import Context, tool
from connectors.errors import ConnectorError, NotFound
from connectors.kit.attachments import Base64, FileName, FileText, FileUri, given_bytes, safe_name
from connectors.kit.tidy import small
from connectors.providers.salesforce.base import SalesforceBase, part, shaped
from connectors.providers.salesforce.types import RecordId
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

VERSION: Final = "ContentVersion"
_LATEST: Final = (
    "SELECT ContentDocumentId, ContentDocument.Title FROM ContentDocumentLink WHERE LinkedEntityId = '{id}'"
)


class FileTools(SalesforceBase):
    """Files (REST API, "Insert or Update Blob Data")."""

    @tool(
        title="Upload a file", hint="W", open_world=True, toolset="write", default_on=False,
        tags=("sf:ContentVersion", "sf:ContentDocument"),
    )  # fmt: skip
    async def salesforce_upload_file(
        self,
        ctx: Context,
        record_id: RecordId,
        filename: FileName,
        content_base64: Base64 | None = None,
        text: FileText | None = None,
        file_uri: FileUri | None = None,
    ) -> dict[str, Any]:
        """Put a file at a record, by its content in one of three ways; 10 MB at most."""
        self.allowed.demand(VERSION)
        name = safe_name(filename)
        data = await given_bytes(ctx, content_base64=content_base64, text=text, file_uri=file_uri)
        await self._demand_record(ctx, record_id)
        body = {
            "Title": name.rpartition(".")[0] or name,
            "PathOnClient": name,
            "VersionData": b64encode(data).decode(),
            "FirstPublishLocationId": record_id,
        }
        look = f'Look with salesforce_query(query="{_LATEST.format(id=record_id)}") before you try again.'
        request = Request("POST", f"sobjects/{VERSION}", Kind.ONCE, json=body, look_first=look)
        answer, instance = await self._send(ctx, request)
        id = str(shaped(answer, "id", look=f"The request may have succeeded. {look}")["id"])
        try:  # the file's page goes by its document, which Salesforce makes meanwhile
            row, _ = await self._get(ctx, f"sobjects/{VERSION}/{part(id)}", {"fields": "ContentDocumentId"})
        except ConnectorError:  # it is there all the same
            row = {}
        document = row.get("ContentDocumentId")
        return small(
            id=id, document_id=document, name=name, size=len(data), record_id=record_id,
            url=f"{instance}/{document or id}",
        )  # fmt: skip

    async def _demand_record(self, ctx: Context, id: str) -> None:
        """Hold a record of an unnamed object against the allow-list, by how its id begins."""
        if not self.allowed:
            return
        found, _ = await self._get(ctx, "sobjects", needs=("sobjects",))
        object = next((row["name"] for row in found["sobjects"] if row.get("keyPrefix") == id[:3]), None)
        if object is None:
            raise NotFound(f"No object has ids like {id}.", code="MALFORMED_ID")
        self.allowed.demand(object)
