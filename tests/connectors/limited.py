"""A connector whose calls can be limited in every way, with a system that only counts."""

from typing import Any, ClassVar

from connectors.base import CheckResult, Connector, Context, prompt, resource, tool
from connectors.errors import CircuitOpen, RateLimited
from connectors.results import ResourceEntry


class Limited(Connector):
    slug = "limited"
    title = "Limited"
    description = "Tools for tests of limits."

    executed: ClassVar[dict[Any, int]] = {}  # by tenant

    def _count(self) -> int:
        tenant = self.connection.tenant_id
        self.executed[tenant] = self.executed.get(tenant, 0) + 1
        return self.executed[tenant]

    @tool(title="Light", hint="R")
    async def limited_light(self, ctx: Context, number: int = 0) -> dict[str, Any]:
        """A call that weighs one."""
        return {"executed": self._count()}

    @tool(title="Heavy", hint="R", weight=5)
    async def limited_heavy(self, ctx: Context) -> dict[str, Any]:
        """A call that weighs five."""
        return {"executed": self._count()}

    @tool(title="Own", hint="R", limit="3/300")
    async def limited_own(self, ctx: Context) -> dict[str, Any]:
        """Three times in five minutes."""
        return {"executed": self._count()}

    @tool(title="Write", hint="W")
    async def limited_write(self, ctx: Context) -> dict[str, Any]:
        """A call that writes."""
        return {"executed": self._count()}

    @tool(title="Ask", hint="R")
    async def limited_ask(self, ctx: Context) -> dict[str, Any]:
        """A call that asks first."""
        answer = await ctx.elicit("Really?", {"type": "object", "properties": {}})
        return {"executed": self._count(), "said": answer.action}

    @tool(title="Kept", hint="R", cache="M")
    async def limited_kept(self, ctx: Context) -> dict[str, Any]:
        """A call whose result is kept."""
        return {"executed": self._count()}

    @tool(title="Paused", hint="R")
    async def limited_paused(self, ctx: Context, sent: bool) -> dict[str, Any]:
        """A call whose system asks to be left alone, before or after a first request."""
        ctx.sent = sent
        raise RateLimited("The system asked to be left alone.", retry_after=5)

    @resource("limited://paused", title="Paused", mime_type="text/plain")
    async def paused(self, ctx: Context) -> str:
        """A thing that rests."""
        raise CircuitOpen("The system rests.", retry_after=5)

    @resource("limited://thing", title="Thing", mime_type="text/plain")
    async def thing(self, ctx: Context) -> str:
        """A thing."""
        return str(self._count())

    async def check(self, ctx: Context) -> CheckResult:
        """Ask the system."""
        self._count()
        return CheckResult(True, "Fine.")

    @resource(
        "limited://rows/{number}", title="Row", mime_type="text/plain", lister="rows",
        complete={"number": "complete_number"},
    )  # fmt: skip
    async def row(self, ctx: Context, number: str) -> str:
        """A row."""
        return str(self._count())

    async def rows(self, ctx: Context) -> list[ResourceEntry]:
        """All rows."""
        return [ResourceEntry(f"limited://rows/{self._count()}", "a row")]

    async def complete_number(self, ctx: Context, value: str, arguments: dict[str, str]) -> list[str]:
        """The numbers of rows."""
        return [str(self._count())]

    @prompt("limited-greet", title="Greet")
    async def greet(self, ctx: Context) -> str:
        """Greet."""
        return f"hello {self._count()}"
