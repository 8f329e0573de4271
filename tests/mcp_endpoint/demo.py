"""A connector for the endpoint's tests: every kind of content, progress, waiting, headers, many rows."""

import asyncio
from typing import Annotated, Any

from pydantic import BaseModel, Field

from connectors.base import Connector, Context, prompt, resource, tool
from connectors.results import (
    Audio,
    EmbeddedResource,
    Image,
    PromptMessage,
    ResourceContents,
    ResourceEntry,
    ResourceLink,
    Text,
    ToolResult,
)

PIXEL = "iVBORw0KGgo="
# What became of waiting calls, by their word: started, cancelled or done.
waits: dict[str, str] = {}


class Sum(BaseModel):
    """A sum."""

    total: int


class Demo(Connector):
    slug = "demo"
    title = "Demo"
    description = "Tools for tests of the endpoint."
    instructions = "Add before you shout."
    built_in = True

    @tool(title="Add", hint="R")
    async def demo_add(self, ctx: Context, a: int, b: int = 1) -> Sum:
        """Add two numbers."""
        return Sum(total=a + b)

    @tool(title="Route", hint="R")
    async def demo_route(
        self,
        ctx: Context,
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "north",
    ) -> dict[str, Any]:
        """Work in a region."""
        return {"region": region}

    @tool(title="Everything", hint="R")
    async def demo_everything(self, ctx: Context) -> ToolResult:
        """Every kind of content."""
        return ToolResult(
            structured={"none": None, "nested": {"list": [1, None, "ü"]}},
            content=(
                Text("text with ü and \u2028"),
                Image(PIXEL, "image/png"),
                Audio("UklGRg==", "audio/wav"),
                ResourceLink("demo://rows/1", "one", "One", "The first", "text/plain", 3),
                EmbeddedResource(ResourceContents("demo://rows/2", "text/plain", text="two")),
                EmbeddedResource(ResourceContents("demo://rows/3", "image/png", blob=PIXEL, meta={"k": 1})),
            ),
            meta={"demo": {"cost": 1}},
        )

    @tool(title="Rows", hint="R")
    async def demo_rows(self, ctx: Context) -> list[int]:
        """A list at the top."""
        return [1, 2, 3]

    @tool(title="Tell", hint="R")
    async def demo_tell(self, ctx: Context, steps: int = 3) -> str:
        """Tell progress and log lines."""
        for step in range(steps):
            await ctx.progress(step + 1, steps, f"step {step + 1}")
            await ctx.progress(step, steps, "backwards")
            await ctx.log("info", f"line {step + 1}")
        await ctx.log("debug", "quiet")
        return "told"

    @tool(title="Wait", hint="R")
    async def demo_wait(self, ctx: Context, word: str, tell: bool = False) -> str:
        """Wait until somebody gives up."""
        waits[word] = "started"
        try:
            if tell:
                await ctx.progress(1, 2, "waiting")
            for _ in range(200):
                if waits[word] == "released":
                    break
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            waits[word] = "cancelled"
            raise
        waits[word] = "done"
        return "waited"

    @resource("demo://rows/{number}", title="Row", mime_type="text/plain", lister="list_rows")
    async def row(self, ctx: Context, number: str) -> ResourceContents | str:
        """A row by number."""
        if number == "7":
            return ResourceContents("demo://rows/7", "image/png", blob=PIXEL)
        return f"row {number} of {self.connection.tenant_id}"

    async def list_rows(self, ctx: Context) -> list[ResourceEntry]:
        return [ResourceEntry(f"demo://rows/{n}", f"row {n}", size=n) for n in range(1, 8)]

    @prompt("demo-ask", title="Ask", complete={"topic": "complete_topic"})
    async def ask(self, ctx: Context, topic: str, tone: str = "plain") -> list[PromptMessage]:
        """Ask about a topic."""
        return [
            PromptMessage("user", Text(f"Tell me about {topic}, {tone}.")),
            PromptMessage("assistant", EmbeddedResource(ResourceContents("demo://rows/1", text="one"))),
        ]

    async def complete_topic(self, ctx: Context, value: str, arguments: dict[str, str]) -> list[str]:
        return [topic for topic in ("soup", "soil", "sand") if topic.startswith(value)]
