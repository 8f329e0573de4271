"""What Jira's projects are divided into, and saved queries: versions, components, filters."""

from typing import Any

from tests.doubles.atlassian import ADA, refuse
from tests.doubles.double import route
from tests.doubles.jira import records
from tests.doubles.jira.around import Around
from tests.doubles.jira.double import READ
from tests.doubles.messages import Answer, Request

MANAGE = ("manage:jira-project",)
_EXPANDED = ("description", "owner", "jql", "viewUrl")


class Releases(Around):
    """PROJ has a version that is out, one to come, and two components; there are filters of both projects."""

    def fill(self) -> None:
        super().fill()
        self.versions: dict[str, dict[str, Any]] = {}
        for name, out, more in (
            ("1.0", True, {"releaseDate": "2026-01-15", "description": "The first one"}),
            ("1.1", False, {"startDate": "2026-01-16", "releaseDate": "2026-03-01", "overdue": False}),
        ):
            self._version({"name": name, "projectId": 10_000, "released": out, **more})
        self.components = {
            id: {"id": id, "name": name, "project": project, "description": said, "lead": lead}
            for id, name, project, said, lead in (
                ("10100", "Shop", "PROJ", "What customers see", ADA),
                ("10101", "Billing", "PROJ", "", ""),
                ("10102", "Hosting", "OPS", "", ""),
            )
        }
        self.filters = {
            id: {"id": id, "name": name, "jql": jql, "description": "", "owner": ADA, "shared": shared}
            for id, name, jql, shared in (
                ("10200", "Open bugs", "project = PROJ AND type = Bug AND statusCategory != Done", ["PROJ"]),
                ("10201", "Everything", "project in (PROJ, OPS) ORDER BY created", ["PROJ", "OPS"]),
                ("10202", "Mine", "assignee = currentUser()", []),
                ("10203", "Outages", "project = OPS", ["OPS"]),
            )
        }

    def _version(self, values: dict[str, Any]) -> dict[str, Any]:
        row = {"id": self.fresh_id(), "archived": False, "released": False, **values}
        self.versions[row["id"]] = row
        return row

    def _told_version(self, base: str, row: dict[str, Any]) -> dict[str, Any]:
        return {"self": f"{base}/rest/api/3/version/{row['id']}", **row}

    def versions_of(self, base: str, project: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            self._told_version(base, row)
            for row in self.versions.values()
            if row["projectId"] == int(project["id"])
        ]

    def components_of(self, base: str, project: dict[str, Any]) -> list[dict[str, Any]]:
        told = []
        for row in self.components.values():
            if row["project"] == project["key"]:
                lead = {"lead": records.person(base, self.people[row["lead"]])} if row["lead"] else {}
                told.append(
                    {"self": f"{base}/rest/api/3/component/{row['id']}", "id": row["id"], "name": row["name"],
                     "description": row["description"], "assigneeType": "PROJECT_DEFAULT", "isAssigneeTypeValid": True,
                     "project": project["key"], "projectId": int(project["id"]), **lead}
                )  # fmt: skip
        return told

    @route("GET", "/rest/api/3/project/{projectIdOrKey}/versions", scopes=READ)
    def list_versions(self, request: Request) -> Any:
        return self.versions_of(request.base_url, self.project(request))

    @route("POST", "/rest/api/3/version", scopes=MANAGE)
    def create_version(self, request: Request) -> Answer:
        body = request.json
        if str(body["projectId"]) not in {row["id"] for row in self.projects.values()}:
            raise refuse(404, "You must specify a valid project to create a version.")
        if any(
            (row["projectId"], row["name"]) == (body["projectId"], body["name"])
            for row in self.versions.values()
        ):
            raise refuse(400, name="A version with this name already exists in this project.")
        if body.get("startDate", "") > body.get("releaseDate", "9999"):
            raise refuse(400, startDate="The start date must be before the release date.")
        return Answer(201, self._told_version(request.base_url, self._version(body)))

    @route("GET", "/rest/api/3/project/{projectIdOrKey}/components", scopes=READ)
    def list_components(self, request: Request) -> Any:
        return self.components_of(request.base_url, self.project(request))

    @route("GET", "/rest/api/3/filter/search", scopes=READ)
    def search_filters(self, request: Request) -> Any:
        name, expand = request.one("filterName").lower(), request.one("expand").split(",")
        keys = {row["key"] for row in self.projects.values() if row["id"] == request.one("projectId")}
        base, found = request.base_url, []
        for row in sorted(self.filters.values(), key=lambda one: str(one["name"])):
            if name not in row["name"].lower() or (
                request.one("projectId") and not keys & set(row["shared"])
            ):
                continue
            whole = {**row, "owner": records.person(base, self.people[row["owner"]]),
                     "viewUrl": f"{self.url}/issues/?filter={row['id']}"}  # fmt: skip
            more = {field: whole[field] for field in _EXPANDED if field in expand}
            found.append(
                {
                    "self": f"{base}/rest/api/3/filter/{row['id']}",
                    "id": row["id"],
                    "name": row["name"],
                    "expand": "",
                    **more,
                }
            )
        told = records.page(found, request.number("startAt", 0), min(request.number("maxResults", 50), 100))
        return {"self": f"{base}{request.path}", **told}
