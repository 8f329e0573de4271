"""A connector for tests: one tool of each kind, with nothing behind it."""

import asyncio
from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr

from connectors.base import CheckResult, Connector, Context, prompt, resource, tool
from connectors.errors import Conflict, ConnectionFailed
from connectors.results import PromptMessage, ResourceEntry, Text


class Echoed(BaseModel):
    """What was said."""

    said: str


class Probe(Connector):
    slug = "probe"
    title = "Probe"
    description = "Tools for tests."
    built_in = True

    class Settings(BaseModel):
        greeting: str = Field("hello", description="What to say first.", max_length=40)
        count: int = Field(1, ge=1, le=5, description="How often.")

    class Credentials(BaseModel):
        user: str = Field("", description="Who signs in.")
        token: SecretStr = Field(description="The secret.")

    async def check(self, ctx: Context) -> CheckResult:
        credential = await ctx.credential()
        if not credential.get("token"):
            raise ConnectionFailed("No token.")
        return CheckResult(True, "The token is there.", {"user": credential["user"]})

    @tool(title="Echo", hint="R", aliases=("probe_say",))
    async def probe_echo(self, ctx: Context, text: Annotated[str, Field(max_length=20_000_000)]) -> Echoed:
        """Say it again."""
        return Echoed(said=text)

    @tool(title="Write", hint="W", toolset="write")
    async def probe_write(self, ctx: Context, text: str) -> dict[str, Any]:
        """Pretend to write."""
        return {"written": text}

    @tool(title="Delete", hint="DI", toolset="delete", default_on=False)
    async def probe_delete(self, ctx: Context) -> str:
        """Pretend to delete."""
        return "deleted"

    @tool(title="Number", hint="R")
    async def probe_number(
        self, ctx: Context, number: Annotated[int, Field(ge=1, le=10)], flag: bool = False
    ) -> dict[str, Any]:
        """Take a number in a range."""
        return {"number": number, "flag": flag}

    @tool(title="Fail", hint="R")
    async def probe_fail(self, ctx: Context, how: str = "crash") -> str:
        """Fail in a chosen way."""
        if how == "conflict":
            raise Conflict("Somebody was faster.", hint="Read it again.")
        raise RuntimeError("the inside, with s3cret-in-traceback")

    @tool(title="Odd", hint="R")
    async def probe_odd(self, ctx: Context) -> Any:
        """Return what JSON does not know."""
        return {"thing": object()}

    @tool(title="Slow", hint="R", timeout=0.05)
    async def probe_slow(self, ctx: Context) -> str:
        """Take longer than allowed."""
        await asyncio.sleep(5)
        return "late"

    @tool(title="Wait", hint="R")
    async def probe_wait(self, ctx: Context, seconds: float = 1.0) -> str:
        """Wait, telling progress."""
        for step in range(3):
            await ctx.progress(step + 1, 3, f"step {step + 1}")
            await asyncio.sleep(seconds / 3)
        return "waited"

    @tool(title="Limited", hint="R", limit="2/60")
    async def probe_limited(self, ctx: Context) -> str:
        """Twice a minute."""
        return "granted"

    @tool(title="Long", hint="R")
    async def probe_rows(self, ctx: Context, rows: int = 10) -> dict[str, Any]:
        """Many rows."""
        return {"items": [{"number": n, "text": "x" * 100} for n in range(rows)]}

    @tool(title="Secret", hint="W", secret_arguments=("word",))
    async def probe_secret(self, ctx: Context, word: Annotated[str, Field(max_length=40)]) -> str:
        """Take a secret word."""
        return "kept"

    @tool(title="Credential", hint="R")
    async def probe_credential(self, ctx: Context) -> dict[str, Any]:
        """Whether there is a credential, and its length."""
        credential = await ctx.credential()
        return {"user": credential.get("user", ""), "length": len(credential.get("token", ""))}

    @tool(title="File", hint="R")
    async def probe_file(self, ctx: Context, text: str = "hello") -> dict[str, Any]:
        """Make a file."""
        saved = await ctx.save_file("note.txt", "text/plain", text.encode())
        return {"uri": saved.uri, "url": saved.url, "size": saved.size}

    @resource("probe://motto", title="Motto", mime_type="text/plain")
    async def motto(self, ctx: Context) -> str:
        """A sentence."""
        return f"motto of {self.connection.slug}"

    @resource(
        "probe://things/{name}", title="Thing", lister="list_things", complete={"name": "complete_thing"}
    )
    async def thing(self, ctx: Context, name: str) -> dict[str, str]:
        """A thing by name."""
        return {"thing": name, "tenant": str(self.connection.tenant_id)}

    async def list_things(self, ctx: Context) -> list[ResourceEntry]:
        return [ResourceEntry("probe://things/lamp", "lamp"), ResourceEntry("probe://things/chair", "chair")]

    async def complete_thing(self, ctx: Context, value: str, arguments: dict[str, str]) -> list[str]:
        return [name for name in ("lamp", "ladder", "chair") if name.startswith(value)]

    @prompt("probe-greet", title="Greet")
    async def greet(self, ctx: Context, who: str, how: str = "kindly") -> list[PromptMessage]:
        """Greet somebody."""
        return [PromptMessage("user", Text(f"Greet {who} {how}."))]
