"""Saved queries."""

import re
from typing import Annotated, Any, Final

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.kit.cursors import Cursor, Page, next_cursor, offset_after, page_of, position_of
from connectors.kit.fields import pick_each
from connectors.kit.tidy import person, small, untrusted
from connectors.providers.jira import queries, trim, types
from connectors.providers.jira.base import API, hinting
from connectors.providers.jira.projects import NO_PROJECT, ProjectTools

_WHOLE: Final = "description,owner,jql,viewUrl"
_STRING: Final = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'(),=!~<>]+)"""
# A condition on projects, with the one value or the list of values that it names; of a list
# without an end all that follows.
_PROJECT: Final = re.compile(
    rf"""["']?\bproject\b["']?\s*(?:!?=|(?:not\s+)?in\b)\s*"""
    rf"""(?P<values>\((?:[^()"']|{_STRING})*\)|\(.*|{_STRING})""",
    re.I | re.S,
)
_VALUE: Final = re.compile(_STRING)
_ISSUE: Final = re.compile(r"\b([A-Za-z][A-Za-z0-9_]+)-[1-9][0-9]*\b")


class FilterTools(ProjectTools):
    """Filters, whose JQL goes into jira_search_issues."""

    @tool(
        title="List filters",
        hint="R",
        toolset="projects",
        open_world=True,
        cache="M",
        tags=("jira:filters",),
        default_on=False,
    )
    async def jira_list_filters(
        self,
        ctx: Context,
        name: Annotated[str | None, Field(max_length=100, description="Part of its name.")] = None,
        project_key: Annotated[
            str | None, Field(pattern=queries.PROJECT_KEY, description="Only those shared with it.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 25,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """Saved queries that the account sees, with their JQL."""
        key = self.project_key(project_key) if project_key or self.allowed else None
        project = int((await self._project(ctx, key))["id"]) if key else None
        asked = {"name": name, "project_key": key}
        start = position_of(ctx, "jira_list_filters", asked, cursor) or 0
        with hinting(not_found=NO_PROJECT, invalid=NO_PROJECT):
            told = await self.read(
                ctx, f"{API}/filter/search", filterName=name, projectId=project, expand=_WHOLE, orderBy="name",
                startAt=start, maxResults=limit,
            )  # fmt: skip
        rows = told.get("values") or []
        kept = [row for row in rows if within(str(row.get("jql") or ""), self.allowed)]
        after = None if told.get("isLast") else offset_after(start, len(rows), told.get("total"), limit=limit)
        more = next_cursor(ctx, "jira_list_filters", asked, after)
        total = told.get("total") if not self.allowed else None
        return untrusted(page_of(pick_each([self._filter(row) for row in kept], fields), more, total))

    def _filter(self, row: dict[str, Any]) -> types.Values:
        return small(
            id=row.get("id"), name=row.get("name"), jql=row.get("jql"), description=trim.value(row.get("description")),
            owner=person(row.get("owner")), url=f"{self.site.url}/issues/?filter={row.get('id')}",
        )  # fmt: skip


def within(jql: str, allowed: list[str]) -> bool:
    """Whether a saved query names no project and no issue beyond the list; in doubt it does.

    What it would find does not matter: each search is kept within the list. Its words are
    what must not tell of others. Projects may be named by key, name or id; keys are known.
    """
    if not allowed:
        return True
    known = {key.lower() for key in allowed}
    named = [
        value.strip("\"'").lower()
        for found in _PROJECT.finditer(jql)
        for value in _VALUE.findall(found["values"])
    ]
    named += [key.lower() for key in _ISSUE.findall(jql)]
    return set(named) <= known
