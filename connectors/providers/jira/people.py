"""People around issues: watchers, logged work, and who can be found."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import Cursor, Page, next_cursor, offset_after, page_of, part_of, position_of
from connectors.kit.fields import pick_each
from connectors.kit.tidy import people, small, untrusted
from connectors.providers.jira import types
from connectors.providers.jira.base import API, NO_ISSUE, JiraBase, hinting, issue_path
from connectors.providers.jira.texts import Written
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

DURATION = r"^\s*\d+(\.\d+)?[wdhm](\s*\d+(\.\d+)?[wdhm])*\s*$"
MOST_ASSIGNABLE = 1000


class PeopleTools(JiraBase):
    """Watchers, worklogs, users."""

    @tool(
        title="Search people",
        hint="R",
        toolset="users",
        open_world=True,
        cache="M",
        tags=("jira:people",),
        default_on=False,
    )
    async def jira_search_users(
        self,
        ctx: Context,
        query: Annotated[
            str, Field(min_length=1, max_length=200, description="Part of a name or an e-mail.")
        ],
        project_key: types.ProjectKey = None,
        issue_key: types.IssueKey | None = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """People with their account ids; with a project or issue, those who can be assigned there."""
        if issue_key:
            await self.demand_issue(ctx, issue_key)
        asked = self.project_key(project_key) if project_key else None
        listed = {"query": query, "project_key": asked, "issue_key": issue_key}
        if asked or issue_key:
            # Jira takes a page of all people and tells those of it who can be assigned: only of one
            # page with everybody it can be known when there are no more.
            rows = await self.read(
                ctx, f"{API}/user/assignable/search", query=query, project=asked, issueKey=issue_key,
                maxResults=MOST_ASSIGNABLE,
            )  # fmt: skip
            told = pick_each(_people(rows), fields)
            return untrusted(part_of(ctx, "jira_search_users", listed, told, cursor, limit))
        start = position_of(ctx, "jira_search_users", listed, cursor) or 0
        rows = await self.read(
            ctx, f"{API}/user/search", query=query, startAt=start or None, maxResults=limit
        )
        items = _people(rows)
        after = offset_after(start, len(rows), None, limit=limit)
        more = next_cursor(ctx, "jira_search_users", listed, after)
        return untrusted(page_of(pick_each(items, fields), more))

    @tool(title="Get watchers", hint="R", toolset="users", open_world=True, required=True, cache="S", default_on=False,
          tags=("jira:issue:{issue_key}",))  # fmt: skip
    async def jira_get_watchers(self, ctx: Context, issue_key: types.IssueKey) -> Annotated[ToolResult, Page]:
        """Who watches an issue."""
        await self.demand_issue(ctx, issue_key)
        with hinting(not_found=NO_ISSUE):
            told = await self.read(ctx, issue_path(issue_key, "/watchers"))
        items: list[dict[str, Any]] = [*people(told.get("watchers"))]
        return untrusted(page_of(items, total=told.get("watchCount")))

    @tool(title="Add a watcher", hint="I", toolset="users", open_world=True, required=True, default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_add_watcher(
        self, ctx: Context, issue_key: types.IssueKey, account_id: types.Who = "me"
    ) -> types.Values:
        """Have somebody told of an issue's changes."""
        await self.demand_issue(ctx, issue_key)
        who = await self._somebody(ctx, account_id)
        request = Request("POST", issue_path(issue_key, "/watchers"), Kind.REPEATABLE, json=who)
        with hinting(not_found=f"{NO_ISSUE} jira_search_users finds people."):
            await self._send(ctx, request)
        return {"key": issue_key, "account_id": who}

    @tool(title="Remove a watcher", hint="DI", toolset="delete", open_world=True, default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_remove_watcher(
        self, ctx: Context, issue_key: types.IssueKey, account_id: types.Who
    ) -> types.Values:
        """Have somebody not told of an issue's changes any more."""
        await self.demand_issue(ctx, issue_key)
        who = await self._somebody(ctx, account_id)
        path = issue_path(issue_key, "/watchers")
        with hinting(not_found=NO_ISSUE):
            await self._send(ctx, Request("DELETE", path, Kind.REPEATABLE, params={"accountId": who}))
        return {"key": issue_key, "account_id": who}

    async def _somebody(self, ctx: Context, who: str) -> str:
        account = await self.account_id(ctx, who)
        if account is None:
            raise InvalidInput(
                "Who? Give an account id, an e-mail or 'me'.", hint="jira_search_users finds people."
            )
        return account

    @tool(title="Get logged work", hint="R", toolset="worklog",
          open_world=True, cache="S", tags=("jira:issue:{issue_key}",),
          default_on=False)  # fmt: skip
    async def jira_get_worklogs(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        limit: types.Limit = 25,
        cursor: Cursor = None,
        fields: types.Only = None,
        raw: types.Raw = False,
    ) -> Annotated[ToolResult, Page]:
        """Work logged on an issue, the last first."""
        await self.demand_issue(ctx, issue_key)
        with hinting(not_found=NO_ISSUE):
            told = await self.read(ctx, issue_path(issue_key, "/worklog"))
        rows = sorted(told.get("worklogs") or [], key=lambda row: str(row.get("started")), reverse=True)
        items = pick_each([self.worklog(row, raw) for row in rows], fields)
        asked = {"issue_key": issue_key, "fields": fields, "raw": raw}
        return untrusted(part_of(ctx, "jira_get_worklogs", asked, items, cursor, limit))

    @tool(title="Log work", hint="W", toolset="worklog", open_world=True, default_on=False,
          tags=("jira:issue:{issue_key}", "jira:issues"))  # fmt: skip
    async def jira_add_worklog(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        time_spent: Annotated[str, Field(pattern=DURATION, description="3h 30m")],
        started: Annotated[str | None, Field(max_length=40, description="ISO 8601; default: now.")] = None,
        comment: types.Markdown | None = None,
        adjust_estimate: Literal["leave", "auto"] = "leave",
        format: Written = "markdown",
    ) -> types.Values:
        """Log time spent on an issue."""
        await self.demand_issue(ctx, issue_key)
        spent = " ".join(re.findall(r"[\d.]+[wdhm]", time_spent))
        at = _moment(started, ZoneInfo(self.connection.time_zone))
        body: dict[str, Any] = {"timeSpent": spent, "started": at}
        if comment:
            body["comment"] = await self.comment_text(ctx, comment, format)
        request = Request(
            "POST", issue_path(issue_key, "/worklog"), Kind.ONCE, json=body,
            params={"adjustEstimate": adjust_estimate},
            look_first=f"Look with jira_get_worklogs(issue_key='{issue_key}').",
        )  # fmt: skip
        with hinting(not_found=NO_ISSUE):
            made = await self._json(ctx, request)
        return {"id": str(made["id"]), "key": issue_key, "time_spent": made.get("timeSpent")}


def _people(rows: list[dict[str, Any]]) -> list[types.Values]:
    return [
        small(id=row.get("accountId"), name=row.get("displayName"), email=row.get("emailAddress"))
        for row in rows
        if row.get("active", True) and row.get("accountType", "atlassian") != "app"
    ]


def _moment(text: str | None, zone: ZoneInfo) -> str:
    """A moment as Jira takes it: with milliseconds, and an offset without a colon.

    One without an offset is in the connection's time zone.
    """
    try:
        at = datetime.fromisoformat(text) if text else datetime.now(UTC)
    except ValueError:
        raise InvalidInput(f"{text!r} is no moment.", hint="Such as 2026-01-31T09:00:00+01:00.") from None
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    offset = at.strftime("%z")
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}{re.sub(r'[^0-9+-]', '', offset)[:5]}"
