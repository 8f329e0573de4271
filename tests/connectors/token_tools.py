"""A connector for the tests of callers' tokens: tells which credential it was given, by its end."""

from typing import Any

from pydantic import BaseModel, SecretStr

from connectors.base import Connector, Context, prompt, resource, tool
from connectors.errors import Conflict


class Vendor(Connector):
    slug = "vendor"
    title = "Vendor"
    description = "A system with tokens."

    class Credentials(BaseModel):
        user: str = ""
        api_token: SecretStr

    async def _used(self, ctx: Context) -> str:
        """The last four characters of the credential: enough to tell two apart."""
        return str((await ctx.credential()).get("api_token", ""))[-4:]

    @tool(title="Who", hint="R")
    async def vendor_who(self, ctx: Context) -> dict[str, Any]:
        """Which credential a call uses."""
        return {"used": await self._used(ctx)}

    @tool(title="Fail", hint="R")
    async def vendor_fail(self, ctx: Context, how: str = "said") -> str:
        """Fail with the credential in the message, as a careless author might."""
        secret = (await ctx.credential())["api_token"]
        if how == "said":
            raise Conflict(f"The system refused {secret}.", hint=f"Not {secret}.", details={"sent": [secret]})
        raise RuntimeError(f"crashed with {secret}")

    @tool(title="Long", hint="R", task="may")
    async def vendor_long(self, ctx: Context) -> dict[str, Any]:
        """May become a task."""
        return {"used": await self._used(ctx)}

    @tool(title="Write", hint="W", toolset="write")
    async def vendor_write(self, ctx: Context) -> dict[str, Any]:
        """Pretend to write."""
        return {"used": await self._used(ctx)}

    @resource("vendor://who", title="Who", mime_type="text/plain")
    async def who(self, ctx: Context) -> str:
        """Which credential a read uses."""
        return await self._used(ctx)

    @prompt("vendor-who", title="Who", complete={"word": "complete_word"})
    async def ask(self, ctx: Context, word: str = "") -> str:
        """Which credential a prompt uses."""
        return f"used {await self._used(ctx)}"

    async def complete_word(self, ctx: Context, value: str, arguments: dict[str, str]) -> list[str]:
        return [await self._used(ctx)]
