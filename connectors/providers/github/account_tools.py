"""Who this connection is at GitHub, what it may do there, and how much of its limit is left."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from connectors.base import CheckResult, Context, ToolResult, tool
from connectors.errors import NotPermitted
from connectors.kit.tidy import small, untrusted
from connectors.providers.github.answers import JSON, explained
from connectors.providers.github.auth import Bearer, assertion
from connectors.providers.github.base import GitHubBase
from connectors.providers.github.rights import (
    REFUSED,
    TRIED,
    hidden_tools,
    lacking_of_app,
    lacking_of_scopes,
    role_of,
)
from connectors.upstream.answers import Answer
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind
from connectors.upstream.tokens import TokenAuth

SOON_DAYS: Final = 14
LOOKED_AT: Final = 10  # repositories of the allow-list that a test asks for
UNTOLD: Final = (
    "GitHub does not tell what a fine-grained token may write; a refused call names the missing permission."
)
_GONE: Final = frozenset({403, 404, 410, 451})


class AccountTools(GitHubBase):
    """The connection itself."""

    @classmethod
    def credential_warnings(cls, credential: Mapping[str, Any]) -> list[str]:
        """A token of an unknown form."""
        method = str(credential.get("method"))
        warning = _warned(method, str(credential.get("token") or ""), method == "classic")
        return [warning] if warning else []

    @tool(title="About this connection", hint="R", name="github_connection_info", open_world=True)
    async def connection_info(self, ctx: Context) -> ToolResult:
        """Who this connection is, its rights, expiry, limits and repositories."""
        return ToolResult(structured=await self.about(ctx))

    @tool(title="Who am I", hint="R", name="github_get_me", open_world=True, cache="M", tags=("me",))
    async def get_me(self, ctx: Context) -> ToolResult:
        """The account of this connection's credential."""
        if await self.is_app(ctx):
            return untrusted(await self._app(ctx))
        row = await self.object(ctx, "user")
        names = ("login", "name", "type", "company", "location", "bio", "public_repos")
        return untrusted(small(**{name: row.get(name) for name in names}, url=row.get("html_url")))

    async def about(self, ctx: Context) -> dict[str, Any]:
        """What the test of a connection tells."""
        credential = await ctx.credential()
        method = str(credential.get("method", "app"))
        made: dict[str, Any] = {"method": method, "api": self.settings.url, "warnings": []}
        if method == "app":
            lacking = await self._app_rights(ctx, made)
        else:
            lacking = await self._token_rights(ctx, made, credential)
        made["limits"] = await self._limits(ctx)
        return small(
            **made, repositories=list(self.settings.repositories), hidden_tools=hidden_tools(lacking)
        )

    async def check(self, ctx: Context) -> CheckResult:
        """Sign in, and say who we are, what we may do, until when, and how much is left."""
        found = await self.about(ctx)
        said = [f"Signed in as {found.get('login', 'somebody')} ({found['method']})."]
        warnings = list(found.get("warnings", ()))
        if "expires_at" in found:
            said.append(f"The token is good until {found['expires_at']}.")
            if (left := _days_until(str(found["expires_at"]))) is not None and left <= SOON_DAYS:
                warnings.append(f"It expires in {max(left, 0)} days: store a new one.")
        core = found.get("limits", {}).get("core", {})
        if core:
            said.append(f"{core.get('remaining')} of {core.get('limit')} requests are left this hour.")
        if hidden := found.get("hidden_tools"):
            said.append(f"{len(hidden)} tools lack a right and are hidden.")
        if unknown := found.get("unknown_rights"):
            said.append(unknown)
        message = " ".join([*said, *warnings])
        return CheckResult(True, message, {**found, **({"warnings": warnings} if warnings else {})})

    async def is_app(self, ctx: Context) -> bool:
        """Whether a GitHub App signs in, which is nobody's account."""
        return (await ctx.credential()).get("method", "app") == "app"

    async def _app(self, ctx: Context) -> dict[str, Any]:
        """The app, asked for with its own signed word: an installation token may not ask."""
        signed = Bearer(assertion(await ctx.credential()))
        request = Request("GET", "app", Kind.READ, headers=self.headers(JSON), explain=explained)
        said = (await client_of(self.connection, self.settings.url).send(ctx, request, signed)).json()
        row = said if isinstance(said, dict) else {}
        owner = row.get("owner") or {}
        return small(
            login=f"{row.get('slug', 'app')}[bot]", name=row.get("name"), type="App",
            owner=owner.get("login") or owner.get("slug"), url=row.get("html_url"),
        )  # fmt: skip

    async def _app_rights(self, ctx: Context, made: dict[str, Any]) -> set[str]:
        auth = TokenAuth(ctx, self.token_source())
        extra = (await auth.token()).extra
        permissions = json.loads(extra.get("permissions") or "{}")
        made |= await self._app(ctx)
        made |= small(permissions=permissions, repository_selection=extra.get("repository_selection"))
        installed = await self.object(ctx, "installation/repositories", {"per_page": 1})
        made |= small(repositories_seen=installed.get("total_count"))
        await self._reached(ctx, made)
        return lacking_of_app(permissions)

    async def _token_rights(
        self, ctx: Context, made: dict[str, Any], credential: Mapping[str, Any]
    ) -> set[str]:
        """What a personal token certainly may not do."""
        answer = await self.ask(ctx, "user")
        row = answer.json()
        row = row if isinstance(row, dict) else {}
        made |= small(
            login=row.get("login"), name=row.get("name"), url=row.get("html_url"),
            expires_at=_expiry(answer, credential),
            enterprise_version=answer.headers.get("x-github-enterprise-version"),
        )  # fmt: skip
        header = answer.headers.get("x-oauth-scopes")
        classic = made["method"] == "classic" or bool(header)
        if warning := _warned(made["method"], str(credential.get("token", "")), classic):
            made["warnings"].append(warning)
        seen = await self._reached(ctx, made)
        roles = {name: role_of(one) for name, one in seen.items()}
        made |= small(roles=roles)
        lacking: set[str] = set()
        if classic and header is not None:
            made["scopes"] = [scope.strip() for scope in header.split(",") if scope.strip()]
            lacking = lacking_of_scopes(made["scopes"])
        elif not classic:
            made["unknown_rights"] = UNTOLD
            lacking = await self._tried(ctx, made, seen)
        if roles and set(roles.values()) <= {"pull", "triage"} and not self._sees_more():
            lacking.add("contents:write")
        return lacking

    def _sees_more(self) -> bool:
        """Whether there may be repositories beside those that were looked at."""
        return not 0 < len(self.scope.repositories) <= LOOKED_AT or bool(self.scope.owners)

    async def _reached(self, ctx: Context, made: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The first repositories of the allow-list as GitHub tells them; what is not as it should be is a warning."""
        names = sorted(self.scope.repositories)[:LOOKED_AT]
        asked = [self._looked_at(ctx, name) for name in names]
        seen: dict[str, dict[str, Any]] = {}
        for name, answer in zip(names, await asyncio.gather(*asked), strict=True):
            if isinstance(answer, str):
                made["warnings"].append(answer)
                continue
            row = answer.json() if answer.ok else None
            if not isinstance(row, dict):
                why = "the credential does not see it" if answer.status == 404 else explained(answer)
                made["warnings"].append(f"{name}: {why}.")
                continue
            seen[name] = row
            if (now := str(row.get("full_name") or name)).lower() != name:
                made["warnings"].append(f"{name} is called {now} now: change the allowed repositories.")
            if row.get("archived"):
                made["warnings"].append(f"{name} is archived: it can only be read.")
        return seen

    async def _looked_at(self, ctx: Context, name: str) -> Answer | str:
        """What GitHub says of an allowed repository, or in words that it has moved away."""
        try:
            return await self.ask(ctx, self.scope.demand(name), accept=_GONE)
        except NotPermitted as error:
            if error.code != "repository_moved":
                raise
            return f"{error.message} {error.hint}"

    async def _tried(
        self, ctx: Context, made: dict[str, Any], seen: Mapping[str, dict[str, Any]]
    ) -> set[str]:
        """Rights that a fine-grained token was refused; in public repositories everybody may read."""
        rows = list(seen.values())
        if not self.scope.repositories:
            said = (await self.ask(ctx, "user/repos", {"sort": "pushed", "per_page": 30})).json()
            rows = [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []
        private = (str(row.get("full_name")) for row in rows if row.get("private"))
        name = next((name for name in private if self.scope.has(name)), None)
        if name is None:
            return set()
        place = self.scope.demand(name)
        asked = [self.ask(ctx, f"{place}/{path}", {"per_page": 1}, accept=_GONE) for path in TRIED.values()]
        answers = dict(zip(TRIED, await asyncio.gather(*asked), strict=True))
        refused = {
            area
            for area, answer in answers.items()
            if answer.status == 403 and REFUSED in explained(answer).lower()
        }
        made["may_read"] = [area for area, answer in answers.items() if answer.ok]
        return {f"{area}:{level}" for area in refused for level in ("read", "write")}

    async def _limits(self, ctx: Context) -> dict[str, Any]:
        """What is left; nothing where an Enterprise Server has no limits, which it says with 404."""
        answer = await self.ask(ctx, "rate_limit", accept=frozenset({404}))
        said = answer.json() if answer.ok else {}
        rows = (said.get("resources") if isinstance(said, dict) else None) or {}
        return {
            name: {
                "limit": rows[name].get("limit"),
                "remaining": rows[name].get("remaining"),
                "resets_at": _moment(rows[name].get("reset")),
            }
            for name in ("core", "search", "code_search")
            if isinstance(rows.get(name), dict)
        }


def _warned(method: str, token: str, classic: bool) -> str:
    """A token of an unknown form may still work: GitHub may have a new one."""
    if method == "fine_grained" and classic:
        return "GitHub says that this is a classic token: store it with that method."
    known = {"fine_grained": "github_pat_", "classic": "ghp_"}.get(method, "")
    if token.startswith(known):
        return ""
    return f"The token does not begin with {known}, as {method.replace('_', '-')} ones do."


def _expiry(answer: Answer, credential: Mapping[str, Any]) -> str | None:
    """When a token ends: GitHub says it in a header, else what the admin wrote."""
    told = answer.headers.get("github-authentication-token-expiration")
    stored = credential.get("expires_at")
    return str(told or stored) if told or stored else None


def _days_until(text: str) -> int | None:
    try:
        return (date.fromisoformat(text[:10]) - datetime.now(UTC).date()).days
    except ValueError:
        return None


def _moment(seconds: Any) -> str | None:
    if not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
