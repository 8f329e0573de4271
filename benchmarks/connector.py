"""Connectors that exist for measuring: one trivial tool, and two hundred of them to list."""

from typing import Any

from connectors.base import Connector, Context, tool

LISTED = 200


class Trivial(Connector):
    """One tool that does nothing."""

    slug = "trivial"
    title = "Trivial"
    description = "One tool that answers what it was asked."
    built_in = True

    @tool(title="Echo", hint="R")
    async def bench_echo(self, ctx: Context, text: str, times: int = 1) -> dict[str, Any]:
        """Answer the text."""
        return {"text": text, "times": times}


def _numbered(number: int) -> Any:
    @tool(title=f"Tool {number}", hint="R", name=f"bench_tool_{number:03d}")
    async def run(
        self: Connector, ctx: Context, query: str, limit: int = 10, fields: list[str] | None = None
    ) -> dict[str, Any]:
        """Search the records of the system by a query and return at most so many of them."""
        return {"query": query, "limit": limit}

    return run


Listed = type(
    "Listed",
    (Connector,),
    {
        "__doc__": "Two hundred tools.",
        "__module__": __name__,
        "slug": "listed",
        "title": "Listed",
        "description": "Two hundred tools to list.",
        "built_in": True,
        **{f"tool_{number}": _numbered(number) for number in range(LISTED)},
    },
)
