"""Issues, their comments and labels."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import Cursor, Page
from connectors.kit.fields import Fields, pick, pick_each
from connectors.kit.tidy import small, untrusted
from connectors.providers.github import trim
from connectors.providers.github.answers import next_page
from connectors.providers.github.base import GitHubBase
from connectors.providers.github.moments import moment
from connectors.providers.github.types import (
    Body,
    Comment,
    Limit,
    Names,
    Number,
    OpenState,
    Repo,
    Since,
    Text,
)
from connectors.upstream.retry import Kind

MAX_COMMENTS: Final = 100
_MISSING: Final = "github_list_issues or github_search_issues finds the number."
_RESULT: Final = ("number", "url")


class IssueTools(GitHubBase):
    """Issues of a repository."""

    @tool(
        title="List issues",
        hint="R",
        name="github_list_issues",
        aliases=("list_issues",),
        open_world=True,
        required=True,
        cache="S",
    )
    async def list_issues(
        self,
        ctx: Context,
        repo: Repo,
        state: OpenState = "open",
        labels: Names = None,
        assignee: Annotated[str | None, Field(description="A login, none or *.")] = None,
        since: Since = None,
        limit: Limit = 25,
        cursor: Cursor = None,
        fields: Fields = None,
    ) -> Annotated[ToolResult, Page]:
        """Issues, newest first, without pull requests."""
        if any("," in label for label in labels or ()):
            raise InvalidInput("A label has no comma.", code="bad_label")
        params = {
            "state": state,
            "labels": ",".join(filter(None, labels or ())) or None,
            "assignee": assignee or None,
            "since": moment(since),
        }
        path = f"{self.scope.demand(repo)}/issues"
        rows, turn, _ = await self.page(
            ctx,
            "github_list_issues",
            path,
            params,
            limit,
            cursor,
            keep=lambda row: not row.get("pull_request"),
        )
        items = [trim.issue(row) for row in rows]
        return untrusted(turn.page(ctx, pick_each(_without_repo(items), fields, always=_RESULT)))

    @tool(
        title="Get an issue",
        hint="R",
        name="github_get_issue",
        open_world=True,
        cache="S",
        tags=("number:{issue_number}",),
    )
    async def get_issue(
        self,
        ctx: Context,
        repo: Repo,
        issue_number: Number,
        include_comments: bool = False,
        fields: Fields = None,
    ) -> ToolResult:
        """An issue with its text."""
        path = f"{self.scope.demand(repo)}/issues/{issue_number}"
        row = await self.object(ctx, path, missing=_MISSING)
        made = pick(trim.issue(row, whole=True), fields, always=_RESULT)
        if include_comments:
            answer = await self.ask(ctx, f"{path}/comments", {"per_page": MAX_COMMENTS})
            said = answer.json()
            rows = said if isinstance(said, list) else []
            made["comment_list"] = [trim.comment(one) for one in rows if isinstance(one, dict)]
            if next_page(answer):  # the first hundred of them
                made["truncated"] = True
        return untrusted(made)

    @tool(
        title="Create an issue",
        hint="W",
        name="github_create_issue",
        aliases=("create_issue",),
        toolset="write",
        open_world=True,
        required=True,
        tags=("issues", "labels", "repositories"),
    )
    async def create_issue(
        self,
        ctx: Context,
        repo: Repo,
        title: Text,
        body: Body = None,
        labels: Names = None,
        assignees: Names = None,
    ) -> ToolResult:
        """A new issue."""
        path = f"{self.scope.demand(repo)}/issues"
        sent = small_body(title=title, body=body, labels=labels, assignees=assignees)
        look = "Check with github_list_issues before trying again."
        said = (await self.write(ctx, "POST", path, sent, look_first=look)).json()
        return untrusted(small(number=said.get("number"), title=said.get("title"), url=said.get("html_url")))

    @tool(
        title="Change an issue",
        hint="I",
        name="github_update_issue",
        toolset="write",
        open_world=True,
        tags=("number:{issue_number}", "labels", "repositories"),
    )
    async def update_issue(
        self,
        ctx: Context,
        repo: Repo,
        issue_number: Number,
        title: Text | None = None,
        body: Body = None,
        state: Literal["open", "closed"] | None = None,
        state_reason: Literal["completed", "not_planned", "duplicate", "reopened"] | None = None,
        labels: Annotated[Names, Field(description="All of them: they replace the present ones.")] = None,
        assignees: Annotated[Names, Field(description="Logins; they replace the present ones.")] = None,
    ) -> ToolResult:
        """Change, close or reopen an issue; what is left out stays."""
        sent = small_body(
            title=title, body=body, state=state, state_reason=state_reason, labels=labels, assignees=assignees
        )
        if not sent:
            raise InvalidInput(
                "Nothing is to be changed.", code="nothing_to_do", hint="Name at least one field."
            )
        path = f"{self.scope.demand(repo)}/issues/{issue_number}"
        said = (await self.write(ctx, "PATCH", path, sent, kind=Kind.REPEATABLE, missing=_MISSING)).json()
        return untrusted(_without_body(trim.issue(said)))

    @tool(
        title="Comment on an issue",
        hint="W",
        name="github_add_issue_comment",
        toolset="write",
        open_world=True,
        tags=("number:{issue_number}",),
    )
    async def add_issue_comment(
        self, ctx: Context, repo: Repo, issue_number: Number, body: Comment
    ) -> ToolResult:
        """A comment on an issue or a pull request."""
        path = f"{self.scope.demand(repo)}/issues/{issue_number}/comments"
        look = f"Check with github_get_issue(issue_number={issue_number}, include_comments=true) before trying again."
        said = (await self.write(ctx, "POST", path, {"body": body}, look_first=look, missing=_MISSING)).json()
        made = small(id=said.get("id"), issue_number=issue_number, url=said.get("html_url"))
        return ToolResult(structured=made)

    @tool(
        title="List labels",
        hint="R",
        name="github_list_labels",
        open_world=True,
        default_on=False,
        cache="L",
        tags=("labels",),
    )
    async def list_labels(
        self, ctx: Context, repo: Repo, limit: Limit = 100, cursor: Cursor = None, fields: Fields = None
    ) -> Annotated[ToolResult, Page]:
        """A repository's labels."""
        path = f"{self.scope.demand(repo)}/labels"
        rows, turn, _ = await self.page(ctx, "github_list_labels", path, {}, limit, cursor)
        items = [small(name=row.get("name"), description=row.get("description")) for row in rows]
        return untrusted(turn.page(ctx, pick_each(items, fields, always=("name",))))


def small_body(**members: Any) -> dict[str, Any]:
    """A request's members that were named; an empty list or text is a value."""
    return {name: value for name, value in members.items() if value is not None}


def _without_repo(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in item.items() if name != "repo"} for item in items]


def _without_body(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "body"}
