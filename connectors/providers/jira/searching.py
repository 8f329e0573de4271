"""Finding issues: by JQL, by plain arguments, one's own."""

from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import Cursor, Page, next_cursor, page_of, position_of
from connectors.kit.tidy import untrusted
from connectors.providers.jira import queries, trim, types
from connectors.providers.jira.base import API, MYSELF, JiraBase, hinting
from connectors.providers.jira.issues import included

Jql = Annotated[str, Field(max_length=queries.MAX_JQL, description="JQL, may end with ORDER BY.")]
NEWEST = "updated DESC"


class SearchTools(JiraBase):
    """Search, counted and built."""

    @tool(
        title="Search issues",
        hint="R",
        toolset="issues",
        open_world=True,
        required=True,
        cache="S",
        tags=("jira:issues",),
    )
    async def jira_search_issues(
        self,
        ctx: Context,
        jql: Jql,
        max_results: types.Limit = 10,
        fields: types.FieldNames = None,
        cursor: Cursor = None,
        start_at: Annotated[int | None, Field(ge=0, description="Data Center.")] = None,
        expand: list[Literal["names", "changelog", "transitions"]] | None = None,
    ) -> Annotated[ToolResult, Page]:
        """Issues that a JQL query finds, without their descriptions unless fields names them.

        Text: summary ~ "words". Me: assignee = currentUser(). Open: statusCategory != Done.
        """
        bounded = queries.bounded(jql, self.allowed, order=NEWEST)
        query = {"jql": jql, "fields": fields, "expand": expand}
        token = position_of(ctx, "jira_search_issues", query, cursor)
        if start_at and await self.is_cloud(ctx):
            raise InvalidInput(
                "Jira Cloud pages by cursor alone.", hint="Give the next_cursor of the answer before."
            )
        wanted = await self.field_ids(ctx, fields) if fields else trim.SEARCHED
        with hinting(invalid=partial(queries.jql_hint, jql)):
            found = await self.found(
                ctx, bounded, limit=max_results, fields=wanted, expand=expand or (),
                token=token or (str(start_at) if start_at else None),
            )  # fmt: skip
        items = [self.told(row) | included(row, {}, expand or []) for row in found.rows]
        page = page_of(items, next_cursor(ctx, "jira_search_issues", query, found.after), found.total)
        if not found.names:
            return untrusted(page)
        shown = {name for row in items for name in row}
        return untrusted({**page, "names": {id: name for id, name in found.names.items() if id in shown}})

    @tool(
        title="Count issues",
        hint="R",
        toolset="issues",
        open_world=True,
        cache="S",
        tags=("jira:issues",),
        default_on=False,
    )
    async def jira_count_issues(self, ctx: Context, jql: Jql) -> dict[str, int]:
        """About how many issues a JQL query finds."""
        condition, _ = queries.split(jql)
        with hinting(invalid=partial(queries.jql_hint, jql)):
            body = {"jql": queries.bounded(condition, self.allowed)}
            told = await self.ask(ctx, f"{API}/search/approximate-count", body)
        return {"count": int(told["count"])}

    @tool(title="My issues", hint="R", toolset="issues",
          open_world=True, required=True, cache="S", tags=("jira:issues",),
          aliases=("get-my-assigned-issues",))  # fmt: skip
    async def jira_get_my_issues(
        self,
        ctx: Context,
        max_results: types.Limit = 25,
        include_done: bool = False,
        fields: types.FieldNames = None,
        cursor: Cursor = None,
    ) -> Annotated[ToolResult, Page]:
        """Issues assigned to the connection's account, the last changed first."""
        conditions = ["assignee = currentUser()", "" if include_done else "statusCategory != Done"]
        jql = queries.bounded(queries.joined(conditions, NEWEST), self.allowed)
        query = {"include_done": include_done, "fields": fields}
        token = position_of(ctx, "jira_get_my_issues", query, cursor)
        wanted = await self.field_ids(ctx, fields) if fields else trim.SEARCHED
        found = await self.found(ctx, jql, limit=max_results, fields=wanted, token=token)
        more = next_cursor(ctx, "jira_get_my_issues", query, found.after)
        return untrusted(page_of([self.told(row) for row in found.rows], more, found.total))

    @tool(title="Build a query", hint="R", toolset="issues", open_world=True, required=True)
    async def jira_build_jql(
        self,
        ctx: Context,
        project: types.ProjectKey = None,
        status: list[str] | None = None,
        assignee: Annotated[str | None, Field(description="Account id, e-mail, 'me' or 'none'.")] = None,
        issue_type: list[str] | None = None,
        labels: list[str] | None = None,
        text: str | None = None,
        sprint: Annotated[str | None, Field(description="Id, name, 'active' or 'future'.")] = None,
        updated_since: Annotated[
            str | None, Field(pattern=r"^(-\d{1,4}[wdhm]|\d{4}-\d\d-\d\d)$", description="-7d or a date.")
        ] = None,
        order_by: Annotated[
            str,
            Field(pattern=r"^[A-Za-z]{2,30}( (ASC|DESC|asc|desc))?$", description="Such as updated DESC."),
        ] = NEWEST,
    ) -> dict[str, str]:
        """A JQL query from plain arguments, quoted and checked by Jira; for jira_search_issues."""
        if project:
            queries.demand_project(project, self.allowed)
        conditions = [
            f"project = {queries.quoted(project)}" if project else "",
            f"status in {queries.listed(status)}" if status else "",
            await self._assigned(ctx, assignee) if assignee else "",
            f"issuetype in {queries.listed(issue_type)}" if issue_type else "",
            f"labels in {queries.listed(labels)}" if labels else "",
            f"text ~ {queries.quoted(words)}" if (words := queries.words(text or "")) else "",
            _sprint(sprint) if sprint else "",
            f"updated >= {queries.quoted(updated_since)}" if updated_since else "",
        ]
        if not any(conditions) and not self.allowed:
            raise InvalidInput(
                "Jira searches no query without a condition.",
                code="bad_jql",
                hint="Give project, assignee, text, or updated_since='-30d'.",
            )
        jql = queries.joined(conditions, order_by)
        await self._parsed(ctx, jql)
        return {"jql": jql}

    async def _assigned(self, ctx: Context, who: str) -> str:
        if who.strip().lower() in MYSELF:
            return "assignee = currentUser()"
        account = await self.account_id(ctx, who)
        return f"assignee = {queries.quoted(account)}" if account else "assignee IS EMPTY"

    async def _parsed(self, ctx: Context, jql: str) -> None:
        """Raise InvalidInput with Jira's words for a query that it cannot read."""
        problems = await self._problems(ctx, jql, "strict")
        if problems:
            raise InvalidInput(" ".join(problems), code="bad_jql", hint=queries.jql_hint(jql, problems[0]))

    async def _problems(self, ctx: Context, jql: str, validation: Literal["strict", "warn"]) -> list[str]:
        path = f"{API}/jql/parse?validation={validation}"
        told = await self.ask(ctx, path, {"queries": [jql]})
        return [str(text) for text in told["queries"][0].get("errors") or []]

    @tool(title="Check a query", hint="R", toolset="issues", open_world=True, default_on=False)
    async def jira_validate_jql(self, ctx: Context, jql: Jql) -> types.Values:
        """Whether Jira can read a JQL query, and what is wrong with it."""
        queries.split(jql)
        problems = await self._problems(ctx, jql, "strict")
        return {"valid": not problems} | (
            {"problems": problems, "hint": queries.jql_hint(jql, problems[0])} if problems else {}
        )


def _sprint(name: str) -> str:
    functions = {"active": "sprint in openSprints()", "future": "sprint in futureSprints()"}
    return functions.get(
        name, f"sprint = {name if name.isascii() and name.isdecimal() else queries.quoted(name)}"
    )
