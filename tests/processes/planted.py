"""A connector whose tools handle secrets badly on purpose: they crash while they hold one."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr

from connectors.base import Connector, Context, tool
from connectors.errors import ConnectionFailed


class Planted(Connector):
    slug = "planted"
    title = "Planted"
    description = "For tests: tools that fail with a secret in their hands."
    built_in = True

    class Credentials(BaseModel):
        token: SecretStr = Field(description="The secret.")

    @tool(title="Crash", hint="R")
    async def planted_crash(self, ctx: Context) -> str:
        """Crash with the credential in a local variable."""
        credential = await ctx.credential()
        return str(1 // (len(credential["token"]) * 0))

    @tool(title="Crash with a URL", hint="R")
    async def planted_crash_url(self, ctx: Context) -> str:
        """Crash with a message like a driver's."""
        credential = await ctx.credential()
        raise RuntimeError(f"cannot connect to postgres://user:{credential['token']}@db.example.com/x")

    @tool(title="Crash with a header", hint="R")
    async def planted_crash_header(self, ctx: Context) -> str:
        """Crash with a message like an HTTP client's."""
        credential = await ctx.credential()
        raise RuntimeError(f"sent {{'Authorization': 'Bearer {credential['token']}'}} and got 500")

    @tool(title="Refuse", hint="R")
    async def planted_refuse(self, ctx: Context) -> str:
        """Fail as a connector should."""
        await ctx.credential()
        raise ConnectionFailed("The system refused the credential.")

    @tool(title="Sign in", hint="W", toolset="write")
    async def planted_login(self, ctx: Context, user: str, password: str, options: dict[str, Any] | None = None) -> str:  # fmt: skip
        """Take a password by its name alone."""
        return "welcome"

    @tool(title="Keep", hint="W", toolset="write", secret_arguments=("word",))
    async def planted_keep(self, ctx: Context, word: Annotated[str, Field(max_length=40)]) -> str:
        """Take what is declared secret."""
        return "kept"
