"""A connector with tokens, as its author would write it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from connectors.base import Connector, Context, tool
from connectors.upstream.client import Request, client_of
from connectors.upstream.oauth import oauth_token
from connectors.upstream.retry import Kind
from connectors.upstream.token_values import Token
from connectors.upstream.tokens import TokenAuth


class Grants:
    """Tokens by exchange where there is a refresh token, else for the client's own secret."""

    def __init__(self, connector: "Rotating") -> None:
        self._connector = connector

    async def fetch(self, ctx: Context, credential: Mapping[str, Any], former: Token | None) -> Token:
        """One request to the token endpoint."""
        settings = self._connector.settings
        client = client_of(self._connector.connection, settings.url)
        fields = {"client_id": credential.get("client") or "brought", "grant_type": "client_credentials"}
        if credential.get("refresh"):
            refresh = former.refresh if former and former.refresh else SecretStr(credential["refresh"])
            fields |= {"grant_type": "refresh_token", "refresh_token": refresh.get_secret_value()}
        else:
            fields["client_secret"] = credential["token"]
        return await oauth_token(ctx, client, "token", fields, former=former, extra=("instance",))


class Rotating(Connector):
    slug = "rotating"
    title = "Rotating"
    description = "A system whose tokens last an hour."

    class Settings(BaseModel):
        url: str

    class Credentials(BaseModel):
        client: str = ""
        refresh: SecretStr = SecretStr("")
        token: SecretStr = SecretStr("")

    def token_source(self) -> Grants:
        """Who gets its tokens."""
        return Grants(self)

    @tool(title="Get", hint="R", open_world=True)
    async def rotating_get(self, ctx: Context) -> dict[str, Any]:
        """Which client the system takes the caller for."""
        auth = TokenAuth(ctx, self.token_source())
        request = Request("GET", "things", Kind.READ)
        answer = await client_of(self.connection, self.settings.url).send(ctx, request, auth)
        return {"client": answer.json()["client"], "instance": (await auth.token()).extra["instance"]}
