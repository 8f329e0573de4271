"""What stands around Jira's issues: the server, people, projects, comments, links, watchers, worklogs."""

from typing import Any

from tests.doubles.atlassian import refuse
from tests.doubles.double import route
from tests.doubles.jira import records
from tests.doubles.jira.double import ISSUE, PEOPLE, READ, WRITE, Issues
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import atlassian, now

_UNITS = {"w": 144_000, "d": 28_800, "h": 3600, "m": 60}


class Around(Issues):
    """Everything but issues, search and boards."""

    def fill(self) -> None:
        super().fill()
        self.links: dict[str, dict[str, str]] = {}

    @route("GET", "/rest/api/3/serverInfo", anonymous=True)
    @route("GET", "/rest/api/2/serverInfo", anonymous=True, undocumented=True)
    def server(self, request: Request) -> Any:
        return {
            "baseUrl": self.url, "version": "1001.0.0-SNAPSHOT", "versionNumbers": [1001, 0, 0],
            "deploymentType": "Cloud", "buildNumber": 100_290, "buildDate": "2026-07-01T00:00:00.000+0000",
            "serverTime": atlassian(now()), "scmInfo": "0", "serverTitle": "Jira",
        }  # fmt: skip

    @route("GET", "/rest/api/3/myself", scopes=PEOPLE)
    def myself(self, request: Request) -> Any:
        return records.person(request.base_url, request.account)

    @route("GET", "/rest/api/3/mypermissions", scopes=READ)
    def permissions(self, request: Request) -> Any:
        if not request.one("permissions"):
            raise refuse(400, "The 'permissions' query parameter is required.")
        writes = request.account.may(WRITE)
        return {
            "permissions": {
                key: {"id": str(number), "key": key, "name": key.replace("_", " ").capitalize(), "type": "PROJECT",
                      "description": "", "havePermission": writes or key == "BROWSE_PROJECTS"}
                for number, key in enumerate(request.one("permissions").split(","), 1)
            }
        }  # fmt: skip

    @route("GET", "/rest/api/3/user/search", scopes=PEOPLE)
    def users(self, request: Request) -> Any:
        if not request.one("query") and not request.one("accountId"):
            raise refuse(400, "The query parameter 'query' or 'accountId' is required.")
        return self._people(request)

    @route("GET", "/rest/api/3/user/assignable/search", scopes=PEOPLE)
    def assignable(self, request: Request) -> Any:
        # A page of all people, and of them those who can be assigned: fewer than were asked for.
        start = request.number("startAt", 0)
        page = [one.id for one in self.people.values()][start : start + request.number("maxResults", 50)]
        return [row for row in self._people(request, start=0, most=1000) if row["accountId"] in page]

    def _people(
        self, request: Request, start: int | None = None, most: int | None = None
    ) -> list[dict[str, Any]]:
        words, id = request.one("query").lower(), request.one("accountId")
        start = request.number("startAt", 0) if start is None else start
        found = [
            records.person(request.base_url, one) for one in self.people.values()
            if words in f"{one.name} {one.email}".lower() and id in ("", one.id)
        ]  # fmt: skip
        return found[start : start + (most or request.number("maxResults", 50))]

    # Projects and what may be made in them

    def project(self, request: Request) -> dict[str, Any]:
        """The project that the path names."""
        name = request.parameters["projectIdOrKey"].upper()
        for row in self.projects.values():
            if name in (row["id"], row["key"]):
                return row
        raise refuse(404, f"No project could be found with key '{name}'.")

    @route("GET", "/rest/api/3/project/search", scopes=READ)
    def search_projects(self, request: Request) -> Any:
        words, keys = request.one("query").lower(), request.query.get("keys", [])
        found = [
            records.project(request.base_url, row) for row in self.projects.values()
            if words in f"{row['key']} {row['name']}".lower() and (not keys or row["key"] in keys)
        ]  # fmt: skip
        told = records.page(found, request.number("startAt", 0), min(request.number("maxResults", 50), 100))
        return {"self": f"{request.base_url}{request.path}", **told}

    @route("GET", "/rest/api/3/project/{projectIdOrKey}", scopes=READ)
    def get_project(self, request: Request) -> Any:
        row, base = self.project(request), request.base_url
        lead = next(iter(self.people.values()))
        types = [records.issue_type(base, id) for id in records.TYPES]
        parts = {"components": self.components_of(base, row), "versions": self.versions_of(base, row)}
        more = {"issueTypes": types, **parts, "roles": {}, "description": ""}
        return {**records.project(base, row), "lead": records.person(base, lead), **more}

    @route("GET", "/rest/api/3/issue/createmeta/{projectIdOrKey}/issuetypes", scopes=READ)
    def creatable(self, request: Request) -> Any:
        self.project(request)
        types = [records.issue_type(request.base_url, id) for id in records.TYPES]
        return _metadata(types, request, "issueTypes")

    @route("GET", "/rest/api/3/issue/createmeta/{projectIdOrKey}/issuetypes/{issueTypeId}", scopes=READ)
    def creatable_fields(self, request: Request) -> Any:
        self.project(request)
        if request.parameters["issueTypeId"] not in records.TYPES:
            raise refuse(404, "Issue type not found.")
        required = {"summary", "issuetype", "project", "reporter"}
        fields = [
            {"fieldId": id, "key": id, "name": name, "required": id in required, "hasDefaultValue": id == "reporter",
             "schema": records.field_of(id)["schema"], "operations": ["set"]}
            for id, (name, _, _) in records.FIELDS.items() if id in records.SETTABLE
        ]  # fmt: skip
        return _metadata(fields, request, "fields")

    @route("GET", "/rest/api/3/field", scopes=READ)
    def fields(self, request: Request) -> Any:
        return [records.field_of(id) for id in records.FIELDS]

    def versions_of(self, base: str, project: dict[str, Any]) -> list[dict[str, Any]]:
        """A project's versions."""
        return []

    def components_of(self, base: str, project: dict[str, Any]) -> list[dict[str, Any]]:
        """A project's components."""
        return []

    # Comments

    @route("GET", ISSUE + "/comment", scopes=READ)
    def comments(self, request: Request) -> Any:
        rows = list(self.issue(request)["comments"])
        if request.one("orderBy").startswith("-"):
            rows.reverse()
        told = records.page(rows, request.number("startAt", 0), request.number("maxResults", 100), "comments")
        del told["isLast"]
        return told

    @route("POST", ISSUE + "/comment", scopes=WRITE)
    def add_comment(self, request: Request) -> Answer:
        return Answer(201, self.add_comment_to(request, self.issue(request), request.json.get("body")))

    def _comment(self, request: Request) -> dict[str, Any]:
        for comment in self.issue(request)["comments"]:
            if comment["id"] == request.parameters["id"]:
                return comment
        raise refuse(404, f"Can not find a comment for the id: {request.parameters['id']}.")

    @route("GET", ISSUE + "/comment/{id}", scopes=READ, spare=True)
    def get_comment(self, request: Request) -> Any:
        return self._comment(request)

    @route("PUT", ISSUE + "/comment/{id}", scopes=WRITE)
    def update_comment(self, request: Request) -> Any:
        comment = self._comment(request)
        comment |= {"body": request.json.get("body"), "updated": atlassian(now())}
        return comment

    @route("DELETE", ISSUE + "/comment/{id}", scopes=WRITE)
    def delete_comment(self, request: Request) -> Answer:
        self.issue(request)["comments"].remove(self._comment(request))
        return Answer(204)

    # Links, watchers, worklogs, history

    @route("GET", "/rest/api/3/issueLinkType", scopes=READ)
    def link_types(self, request: Request) -> Any:
        return {"issueLinkTypes": [records.link_type(request.base_url, id) for id in records.LINK_TYPES]}

    @route("POST", "/rest/api/3/issueLink", scopes=WRITE)
    def link(self, request: Request) -> Answer:
        body = request.json
        name = str(body["type"].get("name", "")).lower()
        kinds = [
            id
            for id, words in records.LINK_TYPES.items()
            if name == words[0].lower() or id == body["type"].get("id")
        ]
        if not kinds:
            raise refuse(404, f"No issue link type with name '{body['type'].get('name')}' found.")
        inward, outward = (
            self.issue_by(str(body[side].get("key") or body[side].get("id")))
            for side in ("inwardIssue", "outwardIssue")
        )
        made = {"type": kinds[0], "inward": inward["id"], "outward": outward["id"]}
        if made not in self.links.values():
            self.links[self.fresh_id()] = made
        return Answer(201)

    @route("GET", "/rest/api/3/issueLink/{linkId}", scopes=READ)
    def get_link(self, request: Request) -> Any:
        id, base = request.parameters["linkId"], request.base_url
        if (link := self.links.get(id)) is None:
            raise refuse(404, f"No issue link with id '{id}' exists.")
        issues = {f"{side}Issue": self.short(base, self.issues[link[side]]) for side in ("inward", "outward")}
        place = f"{base}/rest/api/3/issueLink/{id}"
        return {"id": id, "self": place, "type": records.link_type(base, link["type"]), **issues}

    @route("DELETE", "/rest/api/3/issueLink/{linkId}", scopes=WRITE)
    def unlink(self, request: Request) -> Answer:
        if self.links.pop(request.parameters["linkId"], None) is None:
            raise refuse(404, f"No issue link with id '{request.parameters['linkId']}' exists.")
        return Answer(204)

    def links_of(self, base: str, row: dict[str, Any]) -> list[dict[str, Any]]:
        told = []
        for id, link in self.links.items():
            for side, other in (("inward", "outward"), ("outward", "inward")):
                if link[side] == row["id"] and link[other] in self.issues:
                    issue = self.short(base, self.issues[link[other]])
                    kind = records.link_type(base, link["type"])
                    told.append(
                        {
                            "id": id,
                            "self": f"{base}/rest/api/3/issueLink/{id}",
                            "type": kind,
                            f"{other}Issue": issue,
                        }
                    )
        return told

    @route("GET", ISSUE + "/remotelink", scopes=READ)
    def remote_links(self, request: Request) -> Any:
        return self.issue(request)["remote"]

    @route("POST", ISSUE + "/remotelink", scopes=WRITE)
    def add_remote_link(self, request: Request) -> Answer:
        row, body = self.issue(request), request.json
        known = [
            link for link in row["remote"] if body.get("globalId") and link["globalId"] == body["globalId"]
        ]
        id = known[0]["id"] if known else int(self.fresh_id())
        place = f"{request.base_url}/rest/api/3/issue/{row['key']}/remotelink/{id}"
        link = {"id": id, "self": place, "globalId": body.get("globalId", ""), "object": body["object"]}
        row["remote"] = [one for one in row["remote"] if one["id"] != id] + [link]
        return Answer(200 if known else 201, {"id": id, "self": place})

    @route("GET", ISSUE + "/watchers", scopes=READ)
    def watchers(self, request: Request) -> Any:
        row = self.issue(request)
        found = [records.person(request.base_url, self.people[id]) for id in row["watchers"]]
        place = f"{request.base_url}/rest/api/3/issue/{row['key']}/watchers"
        mine = request.account.id in row["watchers"]
        return {"self": place, "isWatching": mine, "watchCount": len(found), "watchers": found}

    @route("POST", ISSUE + "/watchers", scopes=WRITE)
    def watch(self, request: Request) -> Answer:
        row, id = self.issue(request), request.json or request.account.id
        if id not in self.people:
            raise refuse(404, "The user does not exist.")
        row["watchers"] = [*dict.fromkeys([*row["watchers"], id])]
        return Answer(204)

    @route("DELETE", ISSUE + "/watchers", scopes=WRITE)
    def unwatch(self, request: Request) -> Answer:
        row = self.issue(request)
        row["watchers"] = [id for id in row["watchers"] if id != request.one("accountId")]
        return Answer(204)

    @route("GET", ISSUE + "/worklog", scopes=READ)
    def worklogs(self, request: Request) -> Any:
        told = records.page(self.issue(request)["worklogs"], request.number("startAt", 0), 5000, "worklogs")
        del told["isLast"]
        return told

    @route("POST", ISSUE + "/worklog", scopes=WRITE)
    def add_worklog(self, request: Request) -> Answer:
        row, body, id = self.issue(request), request.json, self.fresh_id()
        parts = str(body.get("timeSpent", "")).split()
        if not body.get("timeSpentSeconds") and not all(p[-1] in _UNITS and p[:-1].isdigit() for p in parts):
            raise refuse(400, timeLogged="Invalid time duration entered")
        seconds = body.get("timeSpentSeconds") or sum(int(p[:-1]) * _UNITS[p[-1]] for p in parts)
        if not seconds:
            raise refuse(400, timeLogged="You must indicate the time spent working.")
        author, moment = records.person(request.base_url, request.account), atlassian(now())
        worklog = {
            "self": f"{request.base_url}/rest/api/3/issue/{row['id']}/worklog/{id}", "id": id, "issueId": row["id"],
            "author": author, "updateAuthor": author, "created": moment, "updated": moment,
            "started": body.get("started", moment), "timeSpent": body.get("timeSpent", f"{seconds // 60}m"),
            "timeSpentSeconds": seconds, **({"comment": body["comment"]} if body.get("comment") else {}),
        }  # fmt: skip
        row["worklogs"].append(worklog)
        return Answer(201, worklog)

    @route("GET", ISSUE + "/changelog", scopes=READ)
    def changelog(self, request: Request) -> Any:
        rows = self.issue(request)["history"][::-1]
        return records.page(rows, request.number("startAt", 0), min(request.number("maxResults", 100), 100))


def _metadata(rows: list[dict[str, Any]], request: Request, name: str) -> dict[str, Any]:
    told = records.page(rows, request.number("startAt", 0), request.number("maxResults", 50), name)
    del told["isLast"]
    return told
