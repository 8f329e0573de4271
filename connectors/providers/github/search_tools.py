"""Searching repositories, issues and code; never beyond the connection's repositories."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.kit.cursors import Cursor, Page
from connectors.kit.fields import Fields, pick_each
from connectors.kit.tidy import cut, small, untrusted, visible
from connectors.providers.github import trim
from connectors.providers.github.answers import JSON
from connectors.providers.github.base import GitHubBase
from connectors.providers.github.types import Limit

SEARCH: Final = "search"  # GitHub's own word for the limit that searches count against
CODE: Final = "code_search"
FRAGMENT: Final = 300
_RESULT: Final = ("repo", "number", "path", "url")
TEXT_MATCH: Final = "application/vnd.github.text-match+json"
Query = Annotated[str, Field(min_length=1)]
OneRepo = Annotated[str | None, Field(description="owner/name: only there.")]


class SearchTools(GitHubBase):
    """GitHub's searches."""

    @tool(
        title="Search repositories", hint="R", name="github_search_repositories", open_world=True, cache="S"
    )
    async def search_repositories(
        self,
        ctx: Context,
        query: Query,
        sort: Literal["stars", "forks", "help-wanted-issues", "updated"] | None = None,
        limit: Limit = 10,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Repositories by words and qualifiers such as language:python stars:>10."""
        return await self._found(
            ctx, "github_search_repositories", "search/repositories", query, None, sort, limit, cursor, fields
        )

    @tool(title="Search issues", hint="R", name="github_search_issues", open_world=True, cache="S")
    async def search_issues(
        self,
        ctx: Context,
        query: Query,
        repo: OneRepo = None,
        sort: Literal["comments", "reactions", "interactions", "created", "updated"] | None = None,
        limit: Limit = 10,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Issues and pull requests by words and qualifiers such as is:pr is:open label:bug author:ada."""
        return await self._found(
            ctx, "github_search_issues", "search/issues", query, repo, sort, limit, cursor, fields
        )

    @tool(title="Search code", hint="R", name="github_search_code", open_world=True, cache="S")
    async def search_code(
        self,
        ctx: Context,
        query: Query,
        repo: OneRepo = None,
        limit: Limit = 10,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Code of default branches by words and qualifiers such as path:src extension:py."""
        return await self._found(
            ctx, "github_search_code", "search/code", query, repo, None, limit, cursor, fields
        )

    async def _found(
        self,
        ctx: Context,
        tool: str,
        path: str,
        query: str,
        repo: str | None,
        sort: str | None,
        limit: int,
        cursor: str | None,
        fields: list[str] | None,
    ) -> ToolResult:
        repo = repo or None
        query = self.scope.query(query, repo, either=path.endswith("/issues"))
        params = {"q": query, "sort": sort}
        bucket = CODE if path.endswith("/code") else SEARCH
        rows, turn, beside = await self.page(
            ctx,
            tool,
            path,
            params,
            limit,
            cursor,
            rows_in="items",
            bucket=bucket,
            media=TEXT_MATCH if bucket == CODE else JSON,
        )
        wanted = repo.strip().lower() if repo else ""
        items = []
        for row in rows:
            made = (
                _code(row)
                if bucket == CODE
                else trim.issue(row)
                if path.endswith("/issues")
                else trim.repository(row)
            )
            where = str(made.get("repo") or "").lower()
            # The query is held to the allow-list; what came all the same is not handed out.
            if not (self.scope.has(where) and where == (wanted or where)):
                continue
            items.append(made)
        # Where something was left out, the number would tell of it.
        total = beside.get("total_count") if len(items) == len(rows) else None
        number = total if isinstance(total, int) else None
        answer: dict[str, Any] = {**turn.page(ctx, pick_each(items, fields, always=_RESULT), number)}
        if beside.get("incomplete_results"):
            answer["truncated"] = True
        return untrusted(answer)


def _code(row: dict[str, Any]) -> dict[str, Any]:
    """A file in which something was found."""
    where = row.get("repository")
    matches = row.get("text_matches")
    fragments = (
        [cut(visible(str(one.get("fragment", ""))), FRAGMENT) for one in matches]
        if isinstance(matches, list)
        else []
    )
    return small(
        repo=where.get("full_name") if isinstance(where, dict) else None,
        path=row.get("path"),
        sha=row.get("sha"),
        fragments=fragments,
        url=row.get("html_url"),
    )
