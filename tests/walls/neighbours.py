"""Two tenants at one system, with equal settings and equal arguments: what belongs to which of them."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from pydantic import BaseModel, SecretStr

from connectors.base import Connector, Context, tool
from connectors.upstream.client import Request, client_of
from connectors.upstream.oauth import oauth_token
from connectors.upstream.retry import Kind
from connectors.upstream.token_values import Token
from connectors.upstream.tokens import TokenAuth

ENTRY = "neighbour=tests.walls.neighbours:Neighbour"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


class Neighbour(Connector):
    """Gets a token with its credential, then reads with it."""

    slug = "neighbour"
    title = "Neighbour"
    description = "A system that knows who asks."

    class Settings(BaseModel):
        url: str

    class Credentials(BaseModel):
        client: SecretStr

    async def fetch(self, ctx: Context, credential: Mapping[str, Any], former: Token | None) -> Token:
        fields = {"grant_type": "client_credentials", "client_id": credential["client"]}
        return await oauth_token(
            ctx, client_of(self.connection, self.settings.url), "token", fields, kind=Kind.READ
        )

    async def _get(self, ctx: Context, path: str) -> Any:
        client = client_of(self.connection, self.settings.url)
        return (await client.send(ctx, Request("GET", path, Kind.READ), TokenAuth(ctx, self))).json()

    @tool(title="Read", hint="R", open_world=True, cache="M")
    async def neighbour_kept(self, ctx: Context, number: int) -> dict[str, Any]:
        """A thing, kept."""
        return {"thing": await self._get(ctx, f"things/{number}")}

    @tool(title="Ask", hint="R", open_world=True)
    async def neighbour_read(self, ctx: Context, number: int) -> dict[str, Any]:
        """A thing, asked for."""
        return {"thing": await self._get(ctx, f"things/{number}")}


class System:
    """Gives each client tokens of its own, says who asked, sets a cookie, and fails for ``broken``."""

    def __init__(self) -> None:
        self.tokens: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.cookies: list[str] = []
        self.broken: set[str] = set()

    async def serve(self, reader: Any, writer: Any) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                lower = head.lower()
                length = lower.partition("content-length:")[2].split("\r\n")[0].strip()
                body = (await reader.readexactly(int(length or 0))).decode()
                if "\r\ncookie:" in lower:
                    self.cookies.append(head)
                status, said, client = self.answer(head, body)
                text = json.dumps(said)
                writer.write(
                    f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n"
                    f"set-cookie: session=of-{client}; Path=/\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode()
                )
                await writer.drain()
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, head: str, body: str) -> tuple[int, dict[str, Any], str]:
        if head.startswith("POST /token"):
            client = body.rpartition("client_id=")[2].partition("&")[0]
            self.tokens[client] += 1
            return (
                200,
                {"access_token": f"token-{client}", "token_type": "Bearer", "expires_in": 3600},
                client,
            )
        client = head.partition("authorization: Bearer token-")[2].split("\r\n")[0]
        self.reads[client] += 1
        if client in self.broken:
            return 500, {"error": "broken"}, client
        return 200, {"of": client, "number": self.reads[client]}, client
