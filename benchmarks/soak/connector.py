"""A connector to a system of the soak and of the benchmarks: one request for each call."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from connectors.base import Connector, Context, tool
from connectors.errors import AuthenticationFailed
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind


class _Bearer:
    def __init__(self, token: str) -> None:
        self._headers = {"authorization": f"Bearer {token}"}

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        if renewed:
            raise AuthenticationFailed("The system refused the token.", code="token_refused")
        return self._headers


class Remote(Connector):
    """Reads things of a system over HTTP, with and without keeping them."""

    slug = "remote"
    title = "Remote"
    description = "A system over HTTP."

    class Settings(BaseModel):
        url: str

    class Credentials(BaseModel):
        token: SecretStr

    async def _get(self, ctx: Context, path: str) -> dict[str, Any]:
        auth = _Bearer((await ctx.credential())["token"])
        client = client_of(self.connection, self.settings.url)
        return {"thing": (await client.send(ctx, Request("GET", path, Kind.READ), auth)).json()}

    @tool(title="Read a thing", hint="R", open_world=True)
    async def remote_read(self, ctx: Context, number: int) -> dict[str, Any]:
        """A thing by its number, asked of the system each time."""
        return await self._get(ctx, f"things/{number}")

    @tool(title="Read a kept thing", hint="R", open_world=True, cache="M")
    async def remote_kept(self, ctx: Context, number: int) -> dict[str, Any]:
        """A thing by its number, kept for a while."""
        return await self._get(ctx, f"things/{number}")
