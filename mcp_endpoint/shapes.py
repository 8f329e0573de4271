"""From the house's own values to the objects of the protocol (their names are the schema's)."""

from typing import Any, assert_never

from connectors.base import PromptSpec, ResourceSpec, ToolSpec
from connectors.results import (
    Audio,
    Content,
    EmbeddedResource,
    Image,
    PromptMessage,
    ResourceContents,
    ResourceEntry,
    ResourceLink,
    Text,
    ToolResult,
)

Json = dict[str, Any]


def tool(name: str, spec: ToolSpec, icon: str = "") -> Json:
    """A row of ``tools/list``; ``icon`` is the address of an SVG, for people: models are not shown it."""
    hints = spec.hints
    row: Json = {
        "name": name,
        "title": spec.title,
        "description": spec.description,
        "inputSchema": spec.input_schema,
        "annotations": {
            "title": spec.title,
            "readOnlyHint": hints.read_only,
            "destructiveHint": hints.destructive,
            "idempotentHint": hints.idempotent,
            "openWorldHint": hints.open_world,
        },
    }
    if spec.output_schema is not None:
        row["outputSchema"] = spec.output_schema
    if icon:
        row["icons"] = [{"src": icon, "mimeType": "image/svg+xml", "sizes": ["any"]}]
    return row


def tool_result(result: ToolResult, *, modern: bool) -> Json:
    """The result of ``tools/call``.

    Before 2026-07-28 structured content is an object or nothing; the text has it all.
    """
    made: Json = {
        "content": [content(part) for part in result.content],
        "isError": result.is_error,
        "resultType": "complete",
    }
    structured = result.structured
    if structured is not None and (modern or isinstance(structured, dict)):
        made["structuredContent"] = structured
    if result.meta:
        made["_meta"] = {key: value for key, value in result.meta.items() if value is not None}
    return made


def content(part: Content) -> Json:
    """A content block."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        return {"type": "image", "data": part.data, "mimeType": part.mime_type}
    if isinstance(part, Audio):
        return {"type": "audio", "data": part.data, "mimeType": part.mime_type}
    if isinstance(part, ResourceLink):
        return {"type": "resource_link", **_described(part)}
    if isinstance(part, EmbeddedResource):
        return {"type": "resource", "resource": resource_contents(part.contents)}
    assert_never(part)


def resource(entry: ResourceEntry) -> Json:
    """A row of ``resources/list``."""
    row = _described(entry)
    if entry.meta:
        row["_meta"] = entry.meta
    return row


def _described(part: ResourceLink | ResourceEntry) -> Json:
    row: Json = {"uri": part.uri, "name": part.name}
    if part.title:
        row["title"] = part.title
    if part.description:
        row["description"] = part.description
    if part.mime_type:
        row["mimeType"] = part.mime_type
    if part.size is not None:
        row["size"] = part.size
    return row


def template(uri: str, spec: ResourceSpec) -> Json:
    """A row of ``resources/templates/list``."""
    return {
        "uriTemplate": uri,
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "mimeType": spec.mime_type,
    }


def resource_contents(contents: ResourceContents) -> Json:
    """What ``resources/read`` gives of one resource."""
    made: Json = {"uri": contents.uri, "mimeType": contents.mime_type}
    if contents.blob is not None:
        made["blob"] = contents.blob
    else:
        made["text"] = contents.text or ""
    if contents.meta:
        made["_meta"] = contents.meta
    return made


def prompt(name: str, spec: PromptSpec) -> Json:
    """A row of ``prompts/list``."""
    return {
        "name": name,
        "title": spec.title,
        "description": spec.description,
        "arguments": [
            {"name": argument.name, "description": argument.description, "required": argument.required}
            for argument in spec.arguments
        ],
    }


def prompt_message(message: PromptMessage) -> Json:
    """A message of ``prompts/get``."""
    return {"role": message.role, "content": content(message.content)}
