"""A connector whose reading tools' results are kept, over a system on the network."""

import asyncio
import json
from typing import Annotated, Any

from django.conf import settings
from pydantic import BaseModel, Field, SecretStr

from common.redis import tenant_key
from connectors.base import Connector, Context, ToolResult, tool
from connectors.call_info import CallInfo
from connectors.pipeline import call_tool
from connectors.results import Text as ToolText
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind
from tests.factories import make_caller, make_connection, make_tenant
from tests.upstream.faulty import answer
from tests.upstream.things import Bearer

ENTRY = "kept=tests.upstream.kept:Kept"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)
TOKEN = "kept-planted-token"
QUICK = {"type": "object", "properties": {"sure": {"type": "boolean"}}}


class Kept(Connector):
    slug = "kept"
    title = "Kept"
    description = "A system whose answers are kept."

    class Settings(BaseModel):
        url: str

    class Credentials(BaseModel):
        token: SecretStr

    async def _send(self, ctx: Context, method: str, path: str, kind: Kind = Kind.READ) -> Any:
        stored = await ctx.credential()
        auth = Bearer(stored["token"]) if stored else None
        client = client_of(self.connection, self.settings.url)
        return (await client.send(ctx, Request(method, path, kind), auth)).json()

    @tool(title="Get an item", hint="R", cache="M", tags=("item:{number}",))
    async def kept_item(self, ctx: Context, number: int, fields: str = "all") -> dict[str, Any]:
        """An item by its number."""
        return {"item": await self._send(ctx, "GET", f"items/{number}")}

    @tool(title="List items", hint="R", cache="S")
    async def kept_list(
        self, ctx: Context, limit: Annotated[float, Field(ge=1)] = 10, words: list[str] | None = None
    ) -> dict[str, Any]:
        """All items; has no tag."""
        return {"items": await self._send(ctx, "GET", "items")}

    @tool(title="Get the fields", hint="R", cache="L", tags=("fields",))
    async def kept_fields(self, ctx: Context) -> dict[str, Any]:
        """What items have; rarely changes."""
        return {"fields": await self._send(ctx, "GET", "fields")}

    @tool(title="Get the newest", hint="R")
    async def kept_newest(self, ctx: Context) -> dict[str, Any]:
        """Never kept."""
        return {"item": await self._send(ctx, "GET", "newest")}

    @tool(title="Look up a secret", hint="R", cache="M", secret_arguments=("password",))
    async def kept_secret(self, ctx: Context, password: str) -> dict[str, Any]:
        """Has a secret among its arguments."""
        return {"item": await self._send(ctx, "GET", "secret")}

    @tool(title="Say it is wrong", hint="R", cache="M")
    async def kept_wrong(self, ctx: Context) -> ToolResult:
        """An answer that is an error."""
        return ToolResult({"said": await self._send(ctx, "GET", "wrong")}, is_error=True)

    @tool(title="Ask first", hint="R", cache="M")
    async def kept_asks(self, ctx: Context, number: int) -> dict[str, Any]:
        """Asks the person, then the system."""
        answer = await ctx.elicit("Sure?", QUICK)
        return {"item": await self._send(ctx, "GET", f"asked/{number}"), "sure": answer.content.get("sure")}

    @tool(title="Be limited", hint="R", cache="M", limit="1/60")
    async def kept_limited(self, ctx: Context, number: int) -> dict[str, Any]:
        """Once a minute per caller."""
        return {"item": await self._send(ctx, "GET", f"limited/{number}")}

    @tool(title="Be confirmed", hint="R", cache="M", confirm=True)
    async def kept_confirmed(self, ctx: Context) -> dict[str, Any]:
        """Agreed to by the person, each time."""
        return {"item": await self._send(ctx, "GET", "confirmed")}

    @tool(title="Be large", hint="R", cache="M")
    async def kept_large(self, ctx: Context) -> ToolResult:
        """More than is kept of one result."""
        await self._send(ctx, "GET", "large")
        return ToolResult(content=(ToolText("x" * 1_100_000),))

    @tool(title="Change an item", hint="I", tags=("item:{number}",))
    async def kept_change(
        self, ctx: Context, number: int, name: str = "", remember: bool = False
    ) -> dict[str, Any]:
        """Change an item; the answer is the item."""
        item = await self._send(ctx, "PUT", f"items/{number}", Kind.REPEATABLE)
        if remember:
            ctx.remember("kept_item", {"number": number}, {"item": item})
        return {"item": item}

    @tool(title="Make an item", hint="W")
    async def kept_make(self, ctx: Context) -> dict[str, Any]:
        """Has no tag: anything may have changed."""
        return {"item": await self._send(ctx, "POST", "items", Kind.ONCE)}

    @tool(title="Trivial", hint="R")
    async def kept_trivial(self, ctx: Context, number: int, fields: str = "all") -> dict[str, Any]:
        """What a call without a system costs."""
        return {"item": {"ok": True, "number": number}}


def numbered(number: int) -> bytes:
    """An answer that differs from the others."""
    return answer(200, json.dumps({"n": number}).encode())


class Place:
    """A tenant with a connection to the double, and a caller."""

    def __init__(self, url: str, **fields: Any) -> None:
        self.tenant = make_tenant()
        fields.setdefault("credential", {"token": TOKEN})
        if fields.get("credential_mode") == "principal":
            fields.pop("credential")
        self.row = make_connection(self.tenant, "kept", settings={"url": url}, **fields)
        self.caller = make_caller(self.tenant, "operator")

    async def call(self, tool: str, caller: Any = None, info: Any = None, **arguments: Any) -> Any:
        return await call_tool(caller or self.caller, tool, arguments, info=info or CallInfo())

    @property
    def base(self) -> str:
        return tenant_key(self.tenant.pk, "cache")


async def until(check: Any, seconds: float = 10.0) -> Any:
    """Ask until there is a true answer, and give it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        if found := check():
            return found
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(0.01)
