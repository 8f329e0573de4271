"""Who this connection is at GitHub, what it may do there, and how much of its limit is left."""

import json
from datetime import UTC, date, datetime
from typing import Any, Final

from connectors.base import CheckResult, Context, tool
from connectors.kit.tidy import small
from connectors.providers.github.answers import JSON
from connectors.providers.github.auth import Bearer, assertion
from connectors.providers.github.base import GitHubBase
from connectors.upstream.answers import Answer
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind
from connectors.upstream.tokens import TokenAuth

SOON_DAYS: Final = 14
# What a right of a GitHub App's installation, or a classic token's scope, is needed for.
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "contents:write": (
        "github_create_branch", "github_create_or_update_file", "github_commit_multiple_files",
        "github_delete_file", "github_merge_pull_request",
    ),
    "contents:read": (
        "github_get_file_content", "github_get_directory_tree", "github_list_branches", "github_get_branch_info",
        "github_list_commits", "github_get_commit", "github_compare_commits", "github_search_code",
    ),
    "issues:write": ("github_create_issue", "github_update_issue", "github_add_issue_comment"),
    "issues:read": ("github_list_issues", "github_get_issue", "github_list_labels"),
    "pull_requests:write": ("github_create_pull_request", "github_update_pull_request"),
    "pull_requests:read": ("github_list_pull_requests", "github_get_pull_request"),
}  # fmt: skip
_LEVELS: Final = {"read": 1, "write": 2, "admin": 3}


class AccountTools(GitHubBase):
    """The connection itself."""

    @tool(title="About this connection", hint="R", name="github_connection_info", open_world=True)
    async def connection_info(self, ctx: Context) -> dict[str, Any]:
        """Who this connection is, its rights, expiry, limits and repositories."""
        return await self.about(ctx)

    @tool(title="Who am I", hint="R", name="github_get_me", open_world=True, cache="M", tags=("me",))
    async def get_me(self, ctx: Context) -> dict[str, Any]:
        """The account of this connection's credential."""
        if await self.is_app(ctx):
            return await self._app(ctx)
        row = (await self.ask(ctx, "user")).json()
        names = ("login", "name", "type", "company", "location", "bio", "public_repos")
        return small(**{name: row.get(name) for name in names}, url=row.get("html_url"))

    async def about(self, ctx: Context) -> dict[str, Any]:
        """What the test of a connection tells."""
        credential = await ctx.credential()
        method = str(credential.get("method", "app"))
        made: dict[str, Any] = {"method": method, "api": self.settings.url}
        if method == "app":
            rights = await self._app_rights(ctx, made)
        else:
            answer = await self.ask(ctx, "user")
            rights = _token_rights(answer, made, str(credential.get("token", "")))
            made |= small(expires_at=_expiry(answer, credential))
        made["limits"] = await self._limits(ctx)
        hidden = [
            tool
            for need, tools in NEEDS.items()
            if rights is not None and need not in rights
            for tool in tools
        ]
        return small(**made, repositories=list(self.settings.repositories), hidden_tools=sorted(hidden))

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
            said.append(f"{len(hidden)} tools lack a right and will be refused.")
        message = " ".join([*said, *warnings])
        return CheckResult(True, message, {**found, **({"warnings": warnings} if warnings else {})})

    async def is_app(self, ctx: Context) -> bool:
        """Whether a GitHub App signs in, which is nobody's account."""
        return (await ctx.credential()).get("method", "app") == "app"

    async def _app(self, ctx: Context) -> dict[str, Any]:
        """The app, asked for with its own signed word: an installation token may not ask."""
        signed = Bearer(assertion(await ctx.credential()))
        request = Request("GET", "app", Kind.READ, headers=self.headers(JSON))
        row = (await client_of(self.connection, self.settings.url).send(ctx, request, signed)).json()
        owner = row.get("owner") or {}
        return small(
            login=f"{row.get('slug', 'app')}[bot]", name=row.get("name"), type="App", owner=owner.get("login"),
            url=row.get("html_url"),
        )  # fmt: skip

    async def _app_rights(self, ctx: Context, made: dict[str, Any]) -> set[str] | None:
        auth = TokenAuth(ctx, self.token_source())
        extra = (await auth.token()).extra
        permissions = json.loads(extra.get("permissions") or "{}")
        made |= await self._app(ctx)
        made |= small(permissions=permissions, repository_selection=extra.get("repository_selection"))
        return {
            need
            for need in NEEDS
            if _LEVELS.get(permissions.get(need.partition(":")[0]), 0) >= _LEVELS[need.partition(":")[2]]
        }

    async def _limits(self, ctx: Context) -> dict[str, Any]:
        said = await self.object(ctx, "rate_limit")
        rows = said.get("resources") or {}
        return {
            name: {
                "limit": rows[name].get("limit"),
                "remaining": rows[name].get("remaining"),
                "resets_at": _moment(rows[name].get("reset")),
            }
            for name in ("core", "search", "code_search")
            if isinstance(rows.get(name), dict)
        }


def _token_rights(answer: Answer, made: dict[str, Any], token: str) -> set[str] | None:
    """What a personal token may do; None where GitHub does not say it (fine-grained ones)."""
    row = answer.json()
    made |= small(login=row.get("login"), name=row.get("name"), url=row.get("html_url"))
    if warning := _warned(made["method"], token):
        made["warnings"] = [warning]
    header = answer.headers.get("x-oauth-scopes")
    if made["method"] != "classic" or header is None:
        return None
    scopes = [scope.strip() for scope in header.split(",") if scope.strip()]
    made["scopes"] = scopes
    if "repo" in scopes:
        return set(NEEDS)
    reading = {need for need in NEEDS if need.endswith(":read")}
    return set(NEEDS) if "public_repo" in scopes else reading


def _warned(method: str, token: str) -> str:
    """A token of an unknown form may still work: GitHub may have a new one."""
    known = {"fine_grained": ("github_pat_",), "classic": ("ghp_",)}.get(method, ())
    if token.startswith(known):
        return ""
    return (
        f"The token does not begin with {known[0]}, as {method.replace('_', '-')} ones do." if known else ""
    )


def _expiry(answer: Answer, credential: Any) -> str | None:
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
