"""What a project is divided into: versions and components."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import Cursor, Page, part_of
from connectors.kit.fields import pick_each
from connectors.kit.tidy import person, small, untrusted
from connectors.providers.jira import trim, types
from connectors.providers.jira.base import API, hinting
from connectors.providers.jira.projects import NO_PROJECT, ProjectTools
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

MOST_WORDS: Final = 16_000  # of a version's description


class ReleaseTools(ProjectTools):
    """Versions and components."""

    @tool(
        title="List versions",
        hint="R",
        toolset="projects",
        open_world=True,
        cache="L",
        tags=("jira:projects",),
        default_on=False,
    )
    async def jira_list_versions(
        self,
        ctx: Context,
        project_key: types.ProjectKey = None,
        state: Literal["unreleased", "released", "archived"] | None = None,
        limit: types.Limit = 25,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """A project's versions (releases), the latest first; their names go into fix_versions."""
        key, name = await self._named_project(ctx, project_key)
        with hinting(not_found=NO_PROJECT):
            rows = await self.read(ctx, f"{API}/project/{quote(name, safe='')}/versions")
        told = [self._version(key, row) for row in reversed(rows or []) if state in (None, _state(row))]
        asked = {"project_key": key, "state": state}
        return untrusted(part_of(ctx, "jira_list_versions", asked, pick_each(told, fields), cursor, limit))

    @tool(title="Create a version", hint="W", toolset="projects", open_world=True, default_on=False,
          tags=("jira:projects",))  # fmt: skip
    async def jira_create_version(
        self,
        ctx: Context,
        name: Annotated[str, Field(min_length=1, max_length=255)],
        project_key: types.ProjectKey = None,
        description: Annotated[str | None, Field(max_length=MOST_WORDS)] = None,
        start_date: date | None = None,
        release_date: date | None = None,
        released: bool = False,
    ) -> types.Values:
        """Make a version of a project, such as 2.4.0; issues name it in fix_versions."""
        if start_date and release_date and release_date < start_date:
            raise InvalidInput("The version would be released before it is begun.")
        project = await self._project(ctx, self.project_key(project_key))
        body = small(
            name=name, projectId=int(project["id"]), description=description, released=released,
            startDate=start_date and start_date.isoformat(), releaseDate=release_date and release_date.isoformat(),
        )  # fmt: skip
        key = str(project["key"])
        look = f"jira_list_versions(project_key='{key}')"
        request = Request("POST", f"{API}/version", Kind.ONCE, json=body, look_first=f"Look with {look}.")
        with hinting(not_found=NO_PROJECT, invalid=f"{look} lists the versions that there are."):
            made = await self._json(ctx, request)
        return self._version(key, made)

    @tool(
        title="List components",
        hint="R",
        toolset="projects",
        open_world=True,
        cache="L",
        tags=("jira:projects",),
        default_on=False,
    )
    async def jira_list_components(
        self,
        ctx: Context,
        project_key: types.ProjectKey = None,
        limit: types.Limit = 50,
        cursor: Cursor = None,
        fields: types.Only = None,
    ) -> Annotated[ToolResult, Page]:
        """A project's components and who leads them; their names go into an issue's components."""
        key, name = await self._named_project(ctx, project_key)
        with hinting(not_found=NO_PROJECT):
            rows = await self.read(ctx, f"{API}/project/{quote(name, safe='')}/components")
        told = [self._component(key, row) for row in rows or []]
        asked = {"project_key": key}
        return untrusted(part_of(ctx, "jira_list_components", asked, pick_each(told, fields), cursor, limit))

    async def _named_project(self, ctx: Context, project_key: str | None) -> tuple[str, str]:
        """A project's key, and what to call it in a path: with a list of projects its id.

        A key may have been another project's before, which Jira then answers with.
        """
        key = self.project_key(project_key)
        if not self.allowed:
            return key, key
        return key, str((await self._project(ctx, key))["id"])

    def _version(self, key: str, row: dict[str, Any]) -> types.Values:
        return small(
            id=row.get("id"), name=row.get("name"), state=_state(row), description=trim.value(row.get("description")),
            start=_day(row.get("startDate")), release=_day(row.get("releaseDate")), overdue=row.get("overdue") or None,
            url=f"{self.site.url}/projects/{key}/versions/{row.get('id')}",
        )  # fmt: skip

    def _component(self, key: str, row: dict[str, Any]) -> types.Values:
        query = quote(f'project = "{key}" AND component = {row.get("id")}', safe="")
        return small(
            id=row.get("id"), name=row.get("name"), description=trim.value(row.get("description")),
            lead=person(row.get("lead")), assignee=person(row.get("assignee")),
            url=f"{self.site.url}/issues/?jql={query}",
        )  # fmt: skip


def _state(row: dict[str, Any]) -> str:
    return "archived" if row.get("archived") else "released" if row.get("released") else "unreleased"


def _day(value: Any) -> str | None:
    """A date; old answers have milliseconds since 1970."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC).date().isoformat()
    return value or None
