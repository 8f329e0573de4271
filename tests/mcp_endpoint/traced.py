"""A connector that tells what it would send to its system of the caller's trace."""

from connectors.base import Connector, Context, tool
from connectors.errors import InvalidInput


class Traced(Connector):
    slug = "traced"
    title = "Traced"
    description = "Tools for tests of tracing."
    built_in = True

    @tool(title="Onward", hint="R")
    async def traced_onward(self, ctx: Context, note: str = "") -> dict[str, str]:
        """The headers that go on, asked for twice."""
        assert ctx.trace_headers() == ctx.trace_headers()
        return dict(ctx.trace_headers())

    @tool(title="Fail", hint="R")
    async def traced_fail(self, ctx: Context, note: str = "") -> str:
        """Fail with a text that quotes the caller."""
        raise InvalidInput(f"No: {note}")
