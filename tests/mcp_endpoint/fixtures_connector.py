"""What the official conformance suite expects a server to offer; names and texts are the suite's."""

import asyncio
from typing import Annotated

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


class Fixtures(Connector):
    slug = "fixtures"
    title = "Fixtures"
    description = "What the conformance suite calls."
    built_in = True

    @tool(title="Text", hint="R")
    async def test_simple_text(self, ctx: Context) -> str:
        """A text."""
        return "This is a simple text response for testing."

    @tool(title="Image", hint="R")
    async def test_image_content(self, ctx: Context) -> ToolResult:
        """An image."""
        return ToolResult(content=(Image(PNG, "image/png"),))

    @tool(title="Audio", hint="R")
    async def test_audio_content(self, ctx: Context) -> ToolResult:
        """A sound."""
        return ToolResult(content=(Audio(WAV, "audio/wav"),))

    @tool(title="Resource", hint="R")
    async def test_embedded_resource(self, ctx: Context) -> ToolResult:
        """An embedded resource."""
        contents = ResourceContents(
            "test://embedded-resource", "text/plain", text="This is an embedded resource."
        )
        return ToolResult(content=(EmbeddedResource(contents),))

    @tool(title="Mixed", hint="R")
    async def test_multiple_content_types(self, ctx: Context) -> ToolResult:
        """Several kinds at once."""
        contents = ResourceContents(
            "test://mixed-content-resource", "application/json", text='{"test":"data"}'
        )
        return ToolResult(content=(Text("Multiple content types test:"), Image(PNG, "image/png"),
                                   EmbeddedResource(contents)))  # fmt: skip

    @tool(title="Error", hint="R")
    async def test_error_handling(self, ctx: Context) -> str:
        """Always fails."""
        raise Conflict("This tool intentionally returns an error for testing")

    @tool(title="Progress", hint="R")
    async def test_tool_with_progress(self, ctx: Context) -> str:
        """Tells progress."""
        for done in (0, 50, 100):
            await ctx.progress(done, 100, f"{done} of 100")
            await asyncio.sleep(0.01)
        return "done"

    @tool(title="Logging", hint="R")
    async def test_tool_with_logging(self, ctx: Context) -> str:
        """Sends log lines."""
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.log("info", line)
            await asyncio.sleep(0.01)
        return "done"

    @tool(title="Logging", hint="R")
    async def test_logging_tool(self, ctx: Context) -> str:
        """Sends a log line."""
        await ctx.log("info", "a line")
        return "done"

    @tool(title="Elicitation", hint="R")
    async def test_streaming_elicitation(self, ctx: Context) -> str:
        """Tells progress, then answers."""
        await ctx.progress(1, 1, "asking")
        return "done"

    @tool(title="Header", hint="R")
    async def test_x_mcp_header(
        self, ctx: Context, region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]
    ) -> str:
        """Mirrors its argument into a header."""
        return region

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

    @prompt("test_simple_prompt", title="Simple")
    async def simple(self, ctx: Context) -> str:
        """No arguments."""
        return "This is a simple prompt for testing."

    @prompt("test_prompt_with_arguments", title="Arguments")
    async def with_arguments(self, ctx: Context, arg1: str, arg2: str) -> str:
        """Two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @prompt("test_prompt_with_embedded_resource", title="Resource")
    async def with_resource(self, ctx: Context, resourceUri: str) -> list[PromptMessage]:
        """An embedded resource."""
        contents = ResourceContents(resourceUri, "text/plain", text="Embedded resource content for testing.")
        return [PromptMessage("user", EmbeddedResource(contents)), PromptMessage("user", Text("Process it."))]

    @prompt("test_prompt_with_image", title="Image")
    async def with_image(self, ctx: Context) -> list[PromptMessage]:
        """An image."""
        return [PromptMessage("user", Image(PNG, "image/png")), PromptMessage("user", Text("Analyze it."))]
