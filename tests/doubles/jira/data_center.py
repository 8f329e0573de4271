"""Jira Data Center, as far as a connector uses it: version 2 of the API over the same records.

Its own document says which operations there are. People have names in place of account ids, texts
are wiki text, searches are paged by their rows, boards do not say whose they are.
"""

import json
import re
from dataclasses import replace
from typing import Any

from tests.doubles.accounts import Account, Door
from tests.doubles.atlassian import adf, refuse, text_of
from tests.doubles.documents import Document, Operation, own_document
from tests.doubles.double import Refused, route
from tests.doubles.jira import Jira, records
from tests.doubles.jira.agile import BOARDS
from tests.doubles.jira.double import PEOPLE, READ
from tests.doubles.messages import Answer, Request
from tests.doubles.routing import Route

RIGHTS = ("BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "DELETE_ISSUES", "ASSIGN_ISSUES", "TRANSITION_ISSUES",
          "ADD_COMMENTS", "CREATE_ATTACHMENTS", "ADMINISTER_PROJECTS", "SCHEDULE_ISSUES")  # fmt: skip
_KEYS = re.compile(r"issuekey in \(([^)]*)\)")
_TEXTS = frozenset({"description", "environment", "body", "comment", "customfield_10030"})


class JiraDataCenter(Jira):
    """The same two projects behind a firewall. Personal access tokens, or names with passwords."""

    vendor = "jira_data_center"
    title = "Jira Data Center"
    documents = ()

    def fill(self) -> None:
        super().fill()
        ada, bo = self.people.values()
        self.locked = False  # whether it tells strangers what it is
        self.names = {ada.id: "ada", bo.id: "bo"}
        self.door = Door(
            tokens={"sandbox-jira-pat": ada, "sandbox-jira-pat-reader": bo},
            pairs={("ada", "sandbox-jira-password"): ada},
        )

    # Which operation a request is, and in whose words

    def located(self, request: Request) -> Answer | None:
        if request.path.startswith(("/rest/api/3/", "/ex/", "/_edge/", "/media/")):
            return Answer(404, headers={"content-type": "text/html"}, body=b"<h1>Oops</h1>")
        return None

    def _find(self, request: Request) -> Route | None:
        path = request.path
        found = super()._find(request)
        if found is None:
            request.path = path.replace("/rest/api/2/", "/rest/api/3/", 1)
            found = super()._find(request)
            request.path = path
        return found if found and self._documents_of(found) else None

    def _documents_of(self, found: Route) -> list[tuple[Document, Operation]]:
        own = own_document(self.vendor)
        operation = own.operation(found.method, found.template.replace("/rest/api/3/", "/rest/api/2/", 1))
        return [(own, operation)] if operation is not None else []

    def unauthorized(self, request: Request) -> Answer:
        return self.said(401, "You are not authenticated. Authentication required to perform this operation.")

    def scope_missing(self, route: Route, account: Account) -> Answer:
        return self.said(403, "You do not have the permission to do this.")

    def _answer(self, found: Route, request: Request) -> Answer:
        inner = request
        if request.json is not None:
            try:
                inner = replace(request, body=json.dumps(self._inward(request.json)).encode())
            except Refused as error:
                return error.answer
        answer = super()._answer(found, inner)
        request.account = inner.account
        if answer.json is not None and 200 <= answer.status < 300:
            answer.json = self._outward(answer.json)
            if "/createmeta/" in found.template:
                name = "issueTypes" if "issueTypes" in answer.json else "fields"
                answer.json["values"] = answer.json.pop(name)
        return answer

    def _inward(self, value: Any, name: str = "") -> Any:
        """A request's body as Cloud's would be."""
        if isinstance(value, list):
            return [self._inward(one) for one in value]
        if isinstance(value, dict):
            if name in ("assignee", "reporter"):
                return {"accountId": self._id(value.get("name"), name)}
            return {key: self._inward(one, key) for key, one in value.items()}
        return adf(value) if name in _TEXTS and isinstance(value, str) else value

    def _id(self, who: str | None, field: str) -> str | None:
        """The id of somebody by name."""
        if who is None:
            return None
        for id, name in self.names.items():
            if name == who:
                return id
        raise refuse(400, **{field: f"User '{who}' does not exist."})

    def _outward(self, value: Any) -> Any:
        """An answer's body as a Data Center's would be."""
        if isinstance(value, list):
            return [self._outward(one) for one in value]
        if not isinstance(value, dict):
            return value.replace("/rest/api/3/", "/rest/api/2/") if isinstance(value, str) else value
        if value.get("type") == "doc":
            return text_of(value)
        if "accountId" in value:
            kept = {key: one for key, one in value.items() if key not in ("accountId", "accountType")}
            name = self.names[value["accountId"]]
            return {**kept, "name": name, "key": f"JIRAUSER{len(name)}"}
        made = {key: self._outward(one) for key, one in value.items() if key != "location"}
        if isinstance(made.get(records.SPRINT), list):
            made[records.SPRINT] = [_sprint(one) for one in made[records.SPRINT]]
        if "changelog" in made:
            made["changelog"]["histories"].reverse()
        return made

    # What is otherwise than in Cloud

    @route("GET", "/rest/api/2/serverInfo", anonymous=True)
    def server(self, request: Request) -> Any:
        if self.locked and request.account is None:
            raise Refused(self.unauthorized(request))
        return {**super().server(request), "version": "9.12.4", "deploymentType": "Server"}

    @route("POST", "/rest/api/2/search", scopes=READ)
    def search_rows(self, request: Request) -> Any:
        body = request.json
        if body.get("validateQuery", True):
            for key in ",".join(_KEYS.findall(body["jql"])).replace('"', "").split(","):
                if key.strip() and not any(row["key"] == key.strip() for row in self.issues.values()):
                    raise refuse(
                        400, f"An issue with key '{key.strip()}' does not exist for field 'issuekey'."
                    )
        rows = self.found(request, body["jql"], bounded=False)
        start, most = body.get("startAt", 0), body.get("maxResults", 50)
        part = rows[start : start + most]
        told = [self.expanded(request, row, body.get("fields"), body.get("expand") or []) for row in part]
        names = {"names": self.field_names(told)} if "names" in (body.get("expand") or []) else {}
        return {
            "expand": "schema,names",
            "startAt": start,
            "maxResults": most,
            "total": len(rows),
            "issues": told,
            **names,
        }

    def _values(self, row: dict[str, Any]) -> dict[str, Any]:
        found = super()._values(row)
        for name in ("assignee", "reporter"):
            found[name] = [*found[name], *([self.names[row[name]]] if row[name] else [])]
        return found

    def values_of(self, fields: dict[str, Any]) -> dict[str, Any]:
        values = super().values_of(fields)
        kind = values.get("issuetype")
        if values.get("parent") and kind is not None and not records.TYPES[kind][1]:
            raise refuse(400, parent="Issue type is not a sub-task but a parent is specified.")
        return values

    @route("GET", "/rest/api/2/project", scopes=READ)
    def all_projects(self, request: Request) -> Any:
        return [records.project(request.base_url, row) for row in self.projects.values()]

    @route("GET", "/rest/api/2/filter/favourite", scopes=READ)
    def favourites(self, request: Request) -> Any:
        return [
            {"id": row["id"], "name": row["name"], "jql": row["jql"], "description": row["description"],
             "viewUrl": f"{self.url}/issues/?filter={row['id']}", "favourite": True, "sharePermissions": [
                {"id": 1, "type": "project", "project": {"id": self.projects[key]["id"], "key": key}} for key in row["shared"]
             ]}
            for row in self.filters.values()
        ]  # fmt: skip

    @route("GET", "/rest/api/2/mypermissions", scopes=READ)
    def permissions(self, request: Request) -> Any:
        writes = request.account.scopes is None
        told = {key: {"id": str(number), "key": key, "name": key, "havePermission": writes or key == "BROWSE_PROJECTS"}
                for number, key in enumerate(RIGHTS)}  # fmt: skip
        return {"permissions": told}

    @route("GET", "/rest/api/2/user/search", scopes=PEOPLE)
    def users(self, request: Request) -> Any:
        words, start = request.one("username").lower(), request.number("startAt", 0)
        found = [
            records.person(request.base_url, one) for one in self.people.values()
            if words in f"{self.names[one.id]} {one.name} {one.email}".lower()
        ]  # fmt: skip
        return found[start : start + request.number("maxResults", 50)]

    @route("GET", "/rest/api/2/user/assignable/search", scopes=PEOPLE)
    def assignable(self, request: Request) -> Any:
        return self.users(request)

    @route("PUT", "/rest/api/2/issue/{issueIdOrKey}/assignee", scopes=("write:jira-work",))
    def assign(self, request: Request) -> Answer:
        row = self.issue(request)
        self.change(request, row, {"assignee": self._id(request.json.get("name"), "assignee")})
        return Answer(204)

    @route("POST", "/rest/api/2/issue/{issueIdOrKey}/watchers", scopes=("write:jira-work",))
    def watch(self, request: Request) -> Answer:
        row, id = self.issue(request), self._id(request.json, "username")
        row["watchers"] = [*dict.fromkeys([*row["watchers"], id])]
        return Answer(204)

    @route("DELETE", "/rest/api/2/issue/{issueIdOrKey}/watchers", scopes=("write:jira-work",))
    def unwatch(self, request: Request) -> Answer:
        row, id = self.issue(request), self._id(request.one("username"), "username")
        row["watchers"] = [one for one in row["watchers"] if one != id]
        return Answer(204)

    @route("GET", "/rest/agile/1.0/board/{boardId}/project", scopes=BOARDS)
    def board_projects(self, request: Request) -> Any:
        row = self.projects[self._board(request)["project"]]
        return records.page([{"id": row["id"], "key": row["key"], "name": row["name"]}], 0, 50)

    @route("GET", "/secure/attachment/{id}/{name}", scopes=READ)
    def open_file(self, request: Request) -> Answer:
        row = self._file(request)
        return Answer(200, headers={"content-type": row["type"]}, body=row["data"])

    def _told_file(self, base: str, row: dict[str, Any]) -> dict[str, Any]:
        return {
            **super()._told_file(base, row),
            "content": f"{base}/secure/attachment/{row['id']}/{row['name']}",
        }


def _sprint(value: dict[str, Any]) -> str:
    """A sprint as issues have it: what a class of the server prints."""
    said = {
        "id": value["id"],
        "rapidViewId": value["boardId"],
        "state": value["state"].upper(),
        "name": value["name"],
    }
    told = ",".join(f"{name}={one}" for name, one in said.items())
    return f"com.atlassian.greenhopper.service.sprint.Sprint@1b2c3d[{told}]"
