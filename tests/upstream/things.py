"""A connector to a system over HTTP, as its author would write it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from connectors.base import Connector, Context, tool
from connectors.errors import AuthenticationFailed
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind


class Bearer:
    """A token that cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The token as a header."""
        if renewed:
            raise AuthenticationFailed("The system refused the token.", code="token_refused")
        return {"authorization": f"Bearer {self._token}"}


class Things(Connector):
    slug = "things"
    title = "Things"
    description = "A system over HTTP."

    class Settings(BaseModel):
        url: str

    class Credentials(BaseModel):
        token: SecretStr

    async def _send(self, ctx: Context, request: Request) -> Any:
        auth = Bearer((await ctx.credential())["token"])
        return (await client_of(self.connection, self.settings.url).send(ctx, request, auth)).json()

    @tool(title="Get a thing", hint="R", open_world=True)
    async def things_get(self, ctx: Context, number: int) -> dict[str, Any]:
        """A thing by its number."""
        return {"thing": await self._send(ctx, Request("GET", f"things/{number}", Kind.READ))}

    @tool(title="Make a thing", hint="W", open_world=True)
    async def things_make(self, ctx: Context, name: str) -> dict[str, Any]:
        """A new thing."""
        request = Request("POST", "things", Kind.ONCE, json={"name": name})
        return {"thing": await self._send(ctx, request)}
