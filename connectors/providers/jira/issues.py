"""Reading issues: one, many, their history."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import NotPermitted
from connectors.kit.cursors import Cursor, Page, next_cursor, offset_after, page_of, position_of
from connectors.kit.fields import pick_each
from connectors.kit.tidy import people, untrusted
from connectors.providers.jira import queries, trim, types
from connectors.providers.jira.base import API, NO_ISSUE, JiraBase, hinting, issue_path

MOST_INCLUDED = 20  # comments, changes and worklogs that come with an issue
_PARTS = {"comments": "comment", "links": "issuelinks", "attachments": "attachment", "worklogs": "worklog"}


class IssueTools(JiraBase):
    """Issues as they are."""

    @tool(title="Get an issue", hint="R", toolset="issues", open_world=True, required=True, cache="S",
          tags=("jira:issue:{issue_key}", "jira:issues"), aliases=("get-jira-issue",))  # fmt: skip
    async def jira_get_issue(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        fields: types.FieldNames = None,
        include: list[types.Include] | None = None,
        raw: types.Raw = False,
    ) -> Annotated[ToolResult, types.Record]:
        """An issue with its description as Markdown. include adds what hangs on it."""
        return untrusted(await self.whole(ctx, issue_key, fields, include or [], raw))

    async def whole(
        self,
        ctx: Context,
        key: str,
        fields: list[str] | None,
        include: list[types.Include],
        raw: bool = False,
    ) -> types.Values:
        """An issue and what hangs on it."""
        if self.allowed:
            queries.demand_project(queries.project_of(key), self.allowed)
        wanted = await self.field_ids(ctx, fields) if fields else list(trim.USUAL)
        asked = list(
            dict.fromkeys([*wanted, "project", *(_PARTS[part] for part in include if part in _PARTS)])
        )
        expand: list[str] = [name for name in ("transitions", "changelog") if name in include]
        if "transitions" in include:
            expand.append("transitions.fields")
        with hinting(not_found=NO_ISSUE):
            row = self.checked(
                await self.read(ctx, issue_path(key), fields=",".join(asked), expand=",".join(expand) or None)
            )
        parts = row.get("fields") or {}
        own = {name: value for name, value in parts.items() if name in wanted or "*all" in wanted}
        told = (
            self.told({**row, "fields": own}, raw)
            | included(row, parts, include)
            | await self._said(ctx, key, parts, include, raw)
        )
        if "links" in include:
            told["links"] = [trim.link(each) for each in self._reachable(parts.get("issuelinks") or [])]
        if "watchers" in include:
            watching = await self.read(ctx, issue_path(key, "/watchers"))
            told["watchers"] = people(watching.get("watchers"))
        return told

    async def _said(
        self, ctx: Context, key: str, parts: dict[str, Any], include: Sequence[str], raw: bool
    ) -> types.Values:
        """What people wrote at an issue. A field has the oldest of it alone, the latest are asked for."""
        told: types.Values = {}
        for name, field, make in (
            ("comments", "comment", self.comment),
            ("worklogs", "worklog", self.worklog),
        ):
            if name in include:
                part = parts.get(field) or {}
                rows = part.get(name) or []
                total = int(part.get("total") or 0)
                if total > len(rows):
                    start = max(0, total - MOST_INCLUDED)
                    path = issue_path(key, f"/{field}")
                    rows = (await self.read(ctx, path, startAt=start, maxResults=MOST_INCLUDED)).get(
                        name
                    ) or []
                shown = [make(each, raw) for each in rows[-MOST_INCLUDED:]]
                told |= _last(name, shown, max(total, len(rows)))
        return told

    @tool(title="Get many issues", hint="R", toolset="issues",
          open_world=True, cache="S", tags=("jira:issue:{issue_keys}", "jira:issues"),
          default_on=False)  # fmt: skip
    async def jira_get_issues_bulk(
        self,
        ctx: Context,
        issue_keys: Annotated[list[types.IssueKey], Field(min_length=1, max_length=100)],
        fields: types.FieldNames = None,
    ) -> ToolResult:
        """Issues by key; those that do not exist, or may not be seen, come under missing."""
        for key in issue_keys:
            queries.demand_project(queries.project_of(key), self.allowed)
        wanted = await self.field_ids(ctx, fields) if fields else list(trim.SEARCHED)
        body = {"issueIdsOrKeys": list(dict.fromkeys(issue_keys)), "fields": wanted}
        told = await self.ask(ctx, f"{API}/issue/bulkfetch", body)
        rows = [row for row in told.get("issues") or [] if self._within(row)]
        items = [self.told(row) for row in rows]
        found = {row["key"] for row in items}
        missing = [key for key in issue_keys if key not in found]
        return untrusted({"items": items, "count": len(items), **({"missing": missing} if missing else {})})

    @tool(title="Summarize an issue", hint="R", toolset="issues", open_world=True, required=True, cache="S",
          tags=("jira:issue:{issue_key}", "jira:issues"), aliases=("summarize-jira-issue",))  # fmt: skip
    async def jira_summarize_issue(
        self, ctx: Context, issue_key: types.IssueKey
    ) -> Annotated[ToolResult, types.Record]:
        """What a summary needs at once: the issue, its last comments and changes, its links, links elsewhere."""
        told = await self.whole(ctx, issue_key, None, ["comments", "changelog", "links"])
        try:
            remote = await self.read(ctx, issue_path(issue_key, "/remotelink"))
        except NotPermitted:  # links are switched off, or beyond the token's scopes: the rest is still told
            remote = None
        if remote:
            told["remote_links"] = [trim.remote_link(row) for row in remote]
        told["comments"] = told.get("comments", [])[-10:]
        told["changelog"] = told.get("changelog", [])[:10]
        return untrusted(told)

    @tool(title="Get an issue's history", hint="R", toolset="issues",
          open_world=True, cache="S", tags=("jira:issue:{issue_key}",),
          default_on=False)  # fmt: skip
    async def jira_get_changelog(
        self,
        ctx: Context,
        issue_key: types.IssueKey,
        limit: types.Limit = 25,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """Who changed what of an issue and when, the oldest first."""
        await self.demand_issue(ctx, issue_key)
        query = {"issue_key": issue_key}
        start = position_of(ctx, "jira_get_changelog", query, cursor) or 0
        with hinting(not_found=NO_ISSUE):
            told = await self.read(ctx, issue_path(issue_key, "/changelog"), startAt=start, maxResults=limit)
        rows = told.get("values") or []
        after = offset_after(start, len(rows), told.get("total"), limit=limit)
        more = next_cursor(ctx, "jira_get_changelog", query, after)
        items = pick_each([trim.change(row) for row in rows], fields)
        return untrusted(page_of(items, more, told.get("total")))


def included(row: dict[str, Any], parts: dict[str, Any], include: Sequence[str]) -> types.Values:
    """What was asked for beside the fields; the last ones of long lists, and how many there are."""
    told: types.Values = {}
    if "attachments" in include:
        told["attachments"] = [trim.attachment(each) for each in parts.get("attachment") or []]
    if "transitions" in include:
        told["transitions"] = [trim.transition(each) for each in row.get("transitions") or []]
    if "changelog" in include:
        log = row.get("changelog") or {}
        rows = log.get("histories") or []
        total = max(len(rows), int(log.get("total") or 0))
        told |= _last("changelog", [trim.change(each) for each in rows[:MOST_INCLUDED]], total)
    return told


def _last(name: str, items: list[types.Values], total: int) -> types.Values:
    return {name: items} | ({f"{name}_total": total} if total > len(items) else {})
