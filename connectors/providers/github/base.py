"""How all tools of GitHub ask: who signs in, which repositories, pages, ETags, the pace of writes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from connectors.base import Connector, Context
from connectors.errors import ConnectorError, UpstreamError
from connectors.providers.github.answers import (
    HEADERS,
    JSON,
    explained,
    is_haste,
    mended,
    next_position,
    right_wanted,
    wished,
)
from connectors.providers.github.auth import AppTokens, Bearer
from connectors.providers.github.etags import etags
from connectors.providers.github.moves import beyond, landed_at, repository_of
from connectors.providers.github.pacing import take_turn
from connectors.providers.github.paging import Turn, begun
from connectors.providers.github.scope import Scope, branch_of
from connectors.providers.github.settings import GitHubCredentials, GitHubSettings, uploads_of
from connectors.upstream.answers import Answer
from connectors.upstream.client import Auth, Request, client_of
from connectors.upstream.retry import Kind
from connectors.upstream.tokens import TokenAuth

UNCHANGED: Final = 304
MOST_TURNED: Final = 10  # pages that one call looks through for rows that it may or wants to show


class GitHubBase(Connector):
    """What the classes of tools share; each instance serves one connection."""

    Settings = GitHubSettings
    Credentials = GitHubCredentials

    @cached_property
    def scope(self) -> Scope:
        """Which repositories this connection reaches."""
        return Scope(self.settings.repositories)

    def token_source(self) -> AppTokens:
        """Who mints installation tokens, where the credential is a GitHub App's."""
        return AppTokens(self.connection, self.settings)

    @classmethod
    def token_credential(cls, token: str) -> dict[str, Any]:
        """A caller's own token is a personal access token."""
        return {"method": "fine_grained", "token": token}

    async def auth(self, ctx: Context) -> Auth:
        """Who signs in for this call."""
        credential = await ctx.credential()
        if credential.get("method", "app") == "app":
            return TokenAuth(ctx, self.token_source())
        return Bearer(str(credential["token"]))

    async def ask(
        self,
        ctx: Context,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        media: str = JSON,
        bucket: str = "",
        missing: str = "",
        accept: frozenset[int] = frozenset(),
        max_bytes: int = 10_000_000,
    ) -> Answer:
        """Read; what GitHub knows to be unchanged costs nothing of its limit."""
        asked = {name: value for name, value in (params or {}).items() if value is not None}
        what = f"{self.settings.url}/{path}?{urlencode(asked, doseq=True)} {media}"
        key = (ctx.connection.tenant_id, ctx.connection.id, ctx.identity, what)
        known = etags.get(key)
        request = Request(
            "GET",
            path,
            Kind.READ,
            params=asked or None,
            headers=self.headers(media, known[0] if known else ""),
            accept=accept | {UNCHANGED} if known else accept,
            bucket=bucket,
            max_bytes=max_bytes,
        )
        answer = await self._send(ctx, request, missing)
        if self.scope.bounded:
            await self._demand_stayed(ctx, path, answer)
        if answer.status == UNCHANGED and known is not None:
            # Its quota is of now, its links and body are those that still hold.
            return replace(known[1], headers={**known[1].headers, **answer.headers})
        if answer.status == 200:
            etags.put(key, answer)
        return answer

    async def _demand_stayed(self, ctx: Context, path: str, answer: Answer) -> None:
        """Refuse what GitHub redirected out of the allow-list. Raises NotPermitted."""
        asked, landed = repository_of(path), landed_at(answer.url, self.settings.url)
        if not asked or landed is None or not (answer.ok or answer.status == UNCHANGED):
            return  # no repository's, or a file that GitHub keeps elsewhere
        if landed == asked or ("/" in landed and self.scope.has(landed)):
            return
        if path.count("/") > 2:  # below a repository: an issue may have gone alone
            row = await self.object(ctx, f"repos/{asked}")
            if not landed or str(row.get("id")) != landed:
                raise beyond(asked)
        elif answer.status != UNCHANGED and not self.scope.has(
            now := str(record_of(answer).get("full_name"))
        ):
            raise beyond(asked, now)

    async def write(
        self,
        ctx: Context,
        method: str,
        path: str,
        json: Any = None,
        *,
        kind: Kind = Kind.ONCE,
        look_first: str = "",
        missing: str = "",
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """Change something, a second after this credential's last change."""
        await take_turn(ctx)
        request = Request(
            method, path, kind, json=json, headers=self.headers(JSON), look_first=look_first, accept=accept
        )
        return await self._send(ctx, request, missing)

    async def upload(
        self,
        ctx: Context,
        path: str,
        params: Mapping[str, Any],
        data: bytes,
        *,
        look_first: str,
        missing: str = "",
    ) -> Answer:
        """Send a file to where GitHub takes files, in turn with the writes."""
        await take_turn(ctx)
        headers = {**self.headers(JSON), "content-type": "application/octet-stream"}
        request = Request(
            "POST", path, Kind.ONCE, params=params, content=data, headers=headers, look_first=look_first
        )
        return await self._send(ctx, request, missing, uploads_of(self.settings.url))

    async def object(
        self, ctx: Context, path: str, params: Mapping[str, Any] | None = None, **more: Any
    ) -> Any:
        """Read one record. Raises UpstreamError where GitHub answers with something else."""
        return record_of(await self.ask(ctx, path, params, **more))

    async def page(
        self,
        ctx: Context,
        tool: str,
        path: str,
        params: Mapping[str, Any],
        limit: int,
        cursor: str | None,
        *,
        rows_in: str = "",
        media: str = JSON,
        bucket: str = "",
        missing: str = "",
        keep: Callable[[dict[str, Any]], bool] | None = None,
    ) -> tuple[list[dict[str, Any]], Turn, dict[str, Any]]:
        """One page of a list: its rows, where it stands, and what stands beside the rows.

        Of rows that ``keep`` does not take, pages may be full: they are turned until there is one
        to show, so that an empty page is (nearly always) the end of the list.
        """
        query = {**params, "path": path, "limit": limit}
        position, skip = begun(ctx, tool, query, cursor)
        for _ in range(MOST_TURNED):
            here = position
            turned = position if isinstance(position, dict) else {"page": position}
            asked = {**params, "per_page": limit, **turned}
            answer = await self.ask(ctx, path, asked, media=media, bucket=bucket, missing=missing)
            said = answer.json()
            beside = said if isinstance(said, dict) else {}
            rows = beside.get(rows_in, []) if rows_in else said
            if not isinstance(rows, list):
                raise UpstreamError(
                    "GitHub answered with something else than a list.", code="unexpected_answer"
                )
            records = [row for row in rows if isinstance(row, dict) and (keep is None or keep(row))]
            position = next_position(answer)
            if records or keep is None or position is None:
                break
        return records[skip:], Turn(tool, query, here, skip, position), beside

    def branch(self, name: str | None) -> str | None:
        """The branch that a call names, else the connection's; None for the repository's own."""
        chosen = name or self.settings.default_branch
        return branch_of(chosen) if chosen else None

    async def branch_or_default(self, ctx: Context, repo: str, name: str | None) -> str:
        """A branch's name, asked for where neither the call nor the connection says it."""
        if (chosen := self.branch(name)) is not None:
            return chosen
        return str((await self.object(ctx, self.scope.demand(repo)))["default_branch"])

    async def _send(self, ctx: Context, request: Request, missing: str, base: str = "") -> Answer:
        told: dict[str, str] = {}

        def explain(answer: Answer) -> str:
            told["right"] = right_wanted(answer)
            return explained(answer)

        request = replace(request, explain=explain, wish=wished, before_commit=is_haste)
        try:
            client = client_of(self.connection, base or self.settings.url)
            return await client.send(ctx, request, await self.auth(ctx))
        except ConnectorError as error:
            better = mended(error, missing, told.get("right", ""))
            if better is error:
                raise
            raise better from error

    def headers(self, media: str, tag: str = "") -> dict[str, str]:
        """The headers of every request."""
        headers = {**HEADERS, "accept": media, "x-github-api-version": self.settings.api_version}
        return {**headers, "if-none-match": tag} if tag else headers


def record_of(answer: Answer) -> dict[str, Any]:
    """An answer that is one record. Raises UpstreamError for anything else."""
    said = answer.json()
    if not isinstance(said, dict):
        raise UpstreamError("GitHub answered with something else than a record.", code="unexpected_answer")
    return said
