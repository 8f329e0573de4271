"""Projects, and what may be made in them."""

from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import Cursor, Page, next_cursor, offset_after, page_of, part_of, position_of
from connectors.kit.fields import pick, pick_each
from connectors.kit.tidy import untrusted
from connectors.providers.jira import trim, types
from connectors.providers.jira.base import API, JiraBase, hinting

NO_PROJECT = "jira_get_projects lists the projects."
AT_ONCE = 50  # what createmeta gives per request


class ProjectTools(JiraBase):
    """Projects, issue types, fields."""

    @tool(
        title="List projects",
        hint="R",
        toolset="projects",
        open_world=True,
        required=True,
        cache="L",
        tags=("jira:projects",),
    )
    async def jira_get_projects(
        self,
        ctx: Context,
        query: Annotated[str | None, Field(max_length=100, description="Part of a name or key.")] = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 25,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """Projects that the account sees and the connection may reach."""
        asked = {"query": query}
        start = position_of(ctx, "jira_get_projects", asked, cursor) or 0
        told = await self.read(
            ctx, f"{API}/project/search", query=query, startAt=start, maxResults=limit, orderBy="key",
            keys=self.allowed or None,
        )  # fmt: skip
        rows = told.get("values") or []
        kept = [row for row in rows if not self.allowed or row.get("key") in self.allowed]
        after = None if told.get("isLast") else offset_after(start, len(rows), told.get("total"), limit=limit)
        more = next_cursor(ctx, "jira_get_projects", asked, after)
        items = pick_each([trim.project(self.site.url, row) for row in kept], fields)
        return untrusted(page_of(items, more, told.get("total")))

    @tool(
        title="Get a project",
        hint="R",
        toolset="projects",
        open_world=True,
        cache="L",
        tags=("jira:projects",),
        default_on=False,
    )
    async def jira_get_project(
        self, ctx: Context, project_key: types.ProjectKey = None, fields: types.Only = None
    ) -> Annotated[ToolResult, types.Record]:
        """A project with its issue types, components and versions."""
        row = await self._project(ctx, self.project_key(project_key))
        told = trim.project(self.site.url, row)
        for name in ("issueTypes", "components", "versions"):
            if row.get(name):
                told[{"issueTypes": "issue_types"}.get(name, name)] = [trim.value(each) for each in row[name]]
        return untrusted(pick(told, fields))

    async def _project(self, ctx: Context, key: str) -> dict[str, Any]:
        with hinting(not_found=NO_PROJECT):
            row: dict[str, Any] = await self.read(ctx, f"{API}/project/{quote(key, safe='')}")
        if self.allowed and row.get("key") not in self.allowed:  # the key was another project's before
            self.project_key(str(row.get("key")))
        return row

    @tool(title="Get a project's issue types", hint="R", toolset="projects", open_world=True, required=True, cache="L",
          tags=("jira:projects",), default_on=False)  # fmt: skip
    async def jira_get_project_issue_types(
        self, ctx: Context, project_key: types.ProjectKey = None
    ) -> Annotated[ToolResult, Page]:
        """All issue types of a project, also those that the account may not make."""
        row = await self._project(ctx, self.project_key(project_key))
        return untrusted(page_of([trim.issue_type(each) for each in row.get("issueTypes") or []]))

    @tool(
        title="Get issue types",
        hint="R",
        toolset="projects",
        open_world=True,
        required=True,
        cache="L",
        tags=("jira:projects",),
    )
    async def jira_get_issue_types(
        self, ctx: Context, project_key: types.ProjectKey = None, fields: types.Only = None
    ) -> Annotated[ToolResult, Page]:
        """Issue types that can be made in a project, with the ids that jira_get_create_metadata takes."""
        told = [trim.issue_type(row) for row in await self.creatable(ctx, project_key)]
        return untrusted(page_of(pick_each(told, fields)))

    @tool(title="Get creatable issue types", hint="R", toolset="projects", open_world=True, required=True, cache="L",
          tags=("jira:projects",), default_on=False)  # fmt: skip
    async def jira_get_creatable_issue_types(
        self, ctx: Context, project_key: types.ProjectKey = None
    ) -> Annotated[ToolResult, Page]:
        """The same as jira_get_issue_types."""
        return untrusted(page_of([trim.issue_type(row) for row in await self.creatable(ctx, project_key)]))

    async def creatable(self, ctx: Context, project_key: str | None) -> list[dict[str, Any]]:
        """The issue types that the account may make in a project."""
        path = f"{API}/issue/createmeta/{quote(self.project_key(project_key), safe='')}/issuetypes"
        return await self._all(ctx, path, ("issueTypes", "values"))

    async def creation_fields(
        self, ctx: Context, project_key: str | None, type_id: str
    ) -> list[dict[str, Any]]:
        """The fields that a new issue of a type may have."""
        key = quote(self.project_key(project_key), safe="")
        path = f"{API}/issue/createmeta/{key}/issuetypes/{quote(type_id, safe='')}"
        return await self._all(ctx, path, ("fields", "values"))

    async def _all(self, ctx: Context, path: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            with hinting(not_found="jira_get_issue_types lists the types, jira_get_projects the projects."):
                told = await self.read(ctx, path, startAt=len(rows), maxResults=AT_ONCE)
            part: list[dict[str, Any]] = next((told[name] for name in names if name in told), [])
            rows += part
            if not part or len(rows) >= (told.get("total") or 0):
                return rows

    @tool(
        title="Get fields for creation",
        hint="R",
        toolset="projects",
        open_world=True,
        required=True,
        cache="L",
        tags=("jira:projects",),
    )
    async def jira_get_create_metadata(
        self,
        ctx: Context,
        issue_type_id: Annotated[
            str, Field(pattern=r"^[0-9]{1,18}$", description="From jira_get_issue_types.")
        ],
        project_key: types.ProjectKey = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """Fields of a new issue of this type: which are required, and their allowed values."""
        rows = await self.creation_fields(ctx, project_key, issue_type_id)
        made = [trim.create_field(row) for row in rows if row.get("fieldId") not in ("project", "issuetype")]
        told = sorted(made, key=lambda row: not row.get("required"))
        return untrusted(page_of(pick_each(told, fields)))

    @tool(title="Check story points", hint="R", toolset="projects",
          open_world=True, required=True, cache="L", tags=("jira:projects",),
          default_on=False)  # fmt: skip
    async def jira_check_story_points_requirement(
        self, ctx: Context, project_key: types.ProjectKey = None, issue_type: str = "Story"
    ) -> types.Values:
        """Whether new issues of a type have a field for story points, and whether it is required."""
        kinds = await self.creatable(ctx, project_key)
        kind = next(
            (row for row in kinds if issue_type.lower() in (str(row.get("name")).lower(), row.get("id"))),
            None,
        )
        if kind is None:
            names = [str(row.get("name")) for row in kinds]
            return {"issue_type": issue_type, "exists": False, "issue_types": names}
        try:
            known = await self.points_fields(ctx)
        except InvalidInput:
            known = []
        fields = await self.creation_fields(ctx, project_key, str(kind["id"]))
        found = next((row for row in fields if row.get("fieldId") in known), None)
        told: types.Values = {"issue_type": kind["name"], "available": found is not None}
        if found is not None:
            told |= {
                "required": bool(found.get("required")),
                "field": found["fieldId"],
                "name": found.get("name"),
            }
        return told

    @tool(
        title="List fields",
        hint="R",
        toolset="projects",
        open_world=True,
        cache="L",
        tags=("jira:fields",),
        default_on=False,
    )
    async def jira_list_fields(
        self,
        ctx: Context,
        search: Annotated[str | None, Field(max_length=100)] = None,
        custom_only: bool = False,
        limit: Annotated[int, Field(ge=1, le=500)] = 100,
        cursor: Cursor = None,
    ) -> Annotated[ToolResult, Page]:
        """The site's fields, with the names that JQL knows them by."""
        words = (search or "").lower()
        rows = [
            trim.field(row)
            for row in await self.fields_known(ctx)
            if words in f"{row['id']} {row.get('name', '')}".lower() and (row.get("custom") or not custom_only)
        ]  # fmt: skip
        asked = {"search": search, "custom_only": custom_only}
        return untrusted(part_of(ctx, "jira_list_fields", asked, rows, cursor, limit))
