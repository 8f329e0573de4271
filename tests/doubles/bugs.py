"""A small connector to GitHub, as its author would write it: what a test on a double looks like."""

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
            raise AuthenticationFailed("GitHub refused the token.", code="token_refused")
        return {"authorization": f"Bearer {self._token}"}


class Bugs(Connector):
    slug = "bugs"
    title = "Bugs"
    description = "Issues of a repository."

    class Settings(BaseModel):
        url: str

    class Credentials(BaseModel):
        token: SecretStr

    async def _send(self, ctx: Context, request: Request) -> Any:
        auth = Bearer((await ctx.credential())["token"])
        return (await client_of(self.connection, self.settings.url).send(ctx, request, auth)).json()

    @tool(title="Get a bug", hint="R", open_world=True)
    async def bugs_get(self, ctx: Context, repo: str, number: int) -> dict[str, Any]:
        """A bug by its number."""
        bug = await self._send(ctx, Request("GET", f"repos/{repo}/issues/{number}", Kind.READ))
        return {"title": bug["title"], "state": bug["state"]}

    @tool(title="Report a bug", hint="W", open_world=True)
    async def bugs_report(self, ctx: Context, repo: str, title: str) -> dict[str, Any]:
        """A new bug."""
        request = Request("POST", f"repos/{repo}/issues", Kind.ONCE, json={"title": title})
        return {"number": (await self._send(ctx, request))["number"]}
