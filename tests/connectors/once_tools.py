"""A connector whose one tool counts what it did, and ends as it is told."""

import asyncio
from collections import Counter
from typing import Any

from connectors import errors
from connectors.base import Connector, Context, tool
from connectors.results import Image, ToolResult

DONE: Counter[tuple[str, str]] = Counter()  # by tenant and text
GATES: dict[str, asyncio.Event] = {}

ENDINGS: dict[str, errors.ConnectorError] = {
    "limited": errors.RateLimited("Too many.", retryable=True, retry_after=3),
    "refused": errors.NotPermitted("No."),
    "unsent": errors.ConnectionFailed("It cannot be reached.", retryable=True),
    "lost": errors.ConnectionFailed("The connection broke.", hint="Look for the record."),
    "late": errors.TimedOut("No answer."),
    "failed": errors.UpstreamError("The system answered with HTTP 500.", retryable=True, upstream_status=500),
}


class Once(Connector):
    slug = "once"
    title = "Once"
    description = "Counts what it did."
    built_in = True

    @tool(title="Do", hint="W")
    async def once_do(self, ctx: Context, text: str, end: str = "", word: str = "") -> Any:
        """Do it once more."""
        DONE[str(ctx.connection.tenant_id), text] += 1
        if end in ENDINGS:
            raise ENDINGS[end]
        if end == "gate":
            await GATES[text].wait()
        if end == "crash":
            raise RuntimeError("the inside")
        if end == "large":
            return ToolResult(content=(Image("A" * 300_000, "image/png"),))
        if end == "business":
            return ToolResult(structured={"no": text}, is_error=True)
        if end == "ask":
            answer = await ctx.elicit(
                "Really?", {"type": "object", "properties": {"ok": {"type": "boolean"}}}
            )
            return {"said": answer.content}
        return {"did": text, "times": DONE[str(ctx.connection.tenant_id), text]}

    @tool(title="Read", hint="R")
    async def once_read(self, ctx: Context, text: str) -> dict[str, Any]:
        """Look."""
        DONE[str(ctx.connection.tenant_id), text] += 1
        return {"times": DONE[str(ctx.connection.tenant_id), text]}

    @tool(title="Begin", hint="W", task="may")
    async def once_begin(self, ctx: Context, text: str) -> dict[str, Any]:
        """May become a task."""
        DONE[str(ctx.connection.tenant_id), text] += 1
        return {"times": DONE[str(ctx.connection.tenant_id), text]}


def times(tenant: Any, text: str) -> int:
    """How often a tenant's call with this text ran in this process."""
    return DONE[str(tenant.pk), text]
