"""A system whose tokens are got with a credential: a real server that exchanges, expires and refuses them."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

FIRST = "planted-refresh-0"
SECRET = "planted-client-secret"


@dataclass
class TokenServer:
    """``/token`` exchanges a refresh token (each is good once) or mints for a client's secret.

    ``/things`` takes a valid access token alone; ``/barrier`` answers when two have come, and
    ``/working`` opens the gate of the tokens when two have.
    """

    url: str = ""
    lives: float | None = 3600
    script: list[tuple[int, dict[str, Any]]] = field(default_factory=list)  # what it says instead
    refresh: dict[str, str] = field(default_factory=dict)  # the good refresh token by client
    valid: set[str] = field(default_factory=set)
    fetches: Counter[str] = field(default_factory=Counter)  # by client
    used: list[str] = field(default_factory=list)  # access tokens that came to /things, good ones
    refused: int = 0
    down: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    on_use: Callable[[str], Awaitable[None]] | None = None
    came: int = 0
    working: int = 0
    both: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def count(self) -> int:
        """How many tokens were asked for."""
        return sum(self.fetches.values())

    def revoke(self) -> None:
        """Forget every access token, so that the next use of one is refused."""
        self.valid.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status, said = await self.answer(first.split(" ")[1], headers, body)
                text = json.dumps(said).encode()
                writer.write(
                    f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n"
                    f"content-length: {len(text)}\r\n\r\n".encode()
                    + text
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        if self.down:
            return 503, {}
        if path == "/barrier":
            self.came += 1
            if self.came >= 2:
                self.both.set()
            await self.both.wait()
            return 200, {}
        if path == "/working":
            self.working += 1
            if self.working >= 2:
                self.gate.set()
            return 200, {}
        if path == "/token":
            return await self.token(dict(parse_qsl(body.decode())))
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.valid:
            self.refused += 1
            return 401, {"error": f"unknown token {token}"}
        self.used.append(token)
        if self.on_use is not None:
            await self.on_use(token)
        return 200, {"client": token.split("-")[2]}

    async def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        client = form["client_id"]
        self.fetches[client] += 1
        number = self.fetches[client]
        rotates = form["grant_type"] == "refresh_token"
        if self.script:
            return self.script.pop(0)
        if rotates and form["refresh_token"] != self.refresh.get(client, FIRST):
            said = f"{form['refresh_token']} was used before"
            return 400, {"error": "invalid_grant", "error_description": said}
        if not rotates and form["client_secret"] != SECRET:
            return 401, {"error": "invalid_client", "error_description": f"not {form['client_secret']}"}
        # From here on the former one is of no use, whether or not the answer arrives.
        made: dict[str, Any] = {"access_token": f"planted-access-{client}-{number}-{len(self.valid)}"}
        self.valid.add(made["access_token"])
        if rotates:
            made["refresh_token"] = self.refresh[client] = f"planted-refresh-{client}-{number}"
        if self.lives is not None:
            made["expires_in"] = self.lives
        self.asked.set()
        await self.gate.wait()
        return 200, {**made, "instance": "eu1"}


@asynccontextmanager
async def token_server() -> AsyncIterator[TokenServer]:
    """A running server; its gate is open."""
    made = TokenServer()
    made.gate.set()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        made.gate.set()
        made.both.set()
        server.close()
