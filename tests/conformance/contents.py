"""The suite's tools, resources and prompts that only answer. Names and texts are the suite's."""

import asyncio
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Connector, Context, prompt, resource, tool
from connectors.errors import Conflict
from connectors.results import (
    Audio,
    EmbeddedResource,
    Image,
    PromptMessage,
    ResourceContents,
    Text,
    ToolResult,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
STEP_S = 0.05  # between two notifications of one call, as the suite describes it

# What the suite looks for in a listed schema, word for word (SEP-1613, SEP-2106).
JSON_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


class Contents(Connector):
    """Every kind of content, progress, log lines, mirrored headers."""

    @tool(title="Text", hint="R")
    async def test_simple_text(self, ctx: Context) -> str:
        """Answers with a text."""
        return "This is a simple text response for testing."

    @tool(title="Image", hint="R")
    async def test_image_content(self, ctx: Context) -> ToolResult:
        """Answers with an image."""
        return ToolResult(content=(Image(PNG, "image/png"),))

    @tool(title="Audio", hint="R")
    async def test_audio_content(self, ctx: Context) -> ToolResult:
        """Answers with a sound."""
        return ToolResult(content=(Audio(WAV, "audio/wav"),))

    @tool(title="Embedded resource", hint="R")
    async def test_embedded_resource(self, ctx: Context) -> ToolResult:
        """Answers with an embedded resource."""
        contents = ResourceContents(
            "test://embedded-resource", "text/plain", text="This is an embedded resource content."
        )
        return ToolResult(content=(EmbeddedResource(contents),))

    @tool(title="Mixed", hint="R")
    async def test_multiple_content_types(self, ctx: Context) -> ToolResult:
        """Answers with a text, an image and a resource."""
        contents = ResourceContents(
            "test://mixed-content-resource", "application/json", text='{"test":"data","value":123}'
        )
        return ToolResult(content=(Text("Multiple content types test:"), Image(PNG, "image/png"),
                                   EmbeddedResource(contents)))  # fmt: skip

    @tool(title="Error", hint="R")
    async def test_error_handling(self, ctx: Context) -> str:
        """Always fails."""
        raise Conflict("This tool intentionally returns an error for testing")

    @tool(title="Progress", hint="R")
    async def test_tool_with_progress(self, ctx: Context) -> str:
        """Tells its progress."""
        for done in (0, 50, 100):
            await ctx.progress(done, 100, f"Completed step {done} of 100")
            await asyncio.sleep(STEP_S)
        return "Tool with progress executed successfully"

    @tool(title="Log lines", hint="R")
    async def test_tool_with_logging(self, ctx: Context) -> str:
        """Sends log lines."""
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.log("info", line)
            await asyncio.sleep(STEP_S)
        return "Tool with logging executed successfully"

    @tool(title="Log line", hint="R")
    async def test_logging_tool(self, ctx: Context) -> str:
        """Sends a log line to whoever asked for some."""
        await ctx.log("info", "A log line of test_logging_tool")
        return "Tool with logging executed successfully"

    @tool(title="Reconnection", hint="R")
    async def test_reconnection(self, ctx: Context) -> str:
        """Answers at once: streams of a request are not resumed here, so none is closed in the middle."""
        return "Reconnection test completed"

    @tool(title="Mirrored header", hint="R")
    async def test_x_mcp_header(
        self, ctx: Context, region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]
    ) -> str:
        """Mirrors its argument into a header."""
        return f"region={region}"

    @tool(title="JSON Schema", hint="R", input_schema=JSON_SCHEMA)
    async def json_schema_2020_12_tool(
        self,
        ctx: Context,
        name: str = "",
        address: dict[str, Any] | None = None,
        contactMethod: str = "",
        phone: str = "",
        email: str = "",
    ) -> str:
        """Has a schema with many words of 2020-12."""
        return "json_schema_2020_12_tool"

    @resource("test://static-text", title="Text", mime_type="text/plain")
    async def static_text(self, ctx: Context) -> str:
        """A text."""
        return "This is the content of the static text resource."

    @resource("test://static-binary", title="Binary", mime_type="image/png")
    async def static_binary(self, ctx: Context) -> ResourceContents:
        """An image."""
        return ResourceContents("test://static-binary", "image/png", blob=PNG)

    @resource("test://template/{id}/data", title="Template")
    async def template(self, ctx: Context, id: str) -> dict[str, object]:
        """Data by id."""
        return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}

    @resource("test://watched-resource", title="Watched", mime_type="text/plain", subscribable=True)
    async def watched(self, ctx: Context) -> str:
        """A text that clients may watch."""
        return "Watched resource content"

    @prompt("test_simple_prompt", title="Simple")
    async def simple(self, ctx: Context) -> str:
        """A prompt without arguments."""
        return "This is a simple prompt for testing."

    @prompt("test_prompt_with_arguments", title="Arguments")
    async def with_arguments(self, ctx: Context, arg1: str, arg2: str) -> str:
        """A prompt with two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @prompt("test_prompt_with_embedded_resource", title="Resource")
    async def with_resource(self, ctx: Context, resourceUri: str) -> list[PromptMessage]:
        """A prompt with an embedded resource."""
        contents = ResourceContents(resourceUri, "text/plain", text="Embedded resource content for testing.")
        return [
            PromptMessage("user", EmbeddedResource(contents)),
            PromptMessage("user", Text("Please process the embedded resource above.")),
        ]

    @prompt("test_prompt_with_image", title="Image")
    async def with_image(self, ctx: Context) -> list[PromptMessage]:
        """A prompt with an image."""
        return [
            PromptMessage("user", Image(PNG, "image/png")),
            PromptMessage("user", Text("Please analyze the image above.")),
        ]
