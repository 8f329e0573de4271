"""Jira's issues: made, read, changed, moved through the workflow, commented."""

from typing import Any

from tests.doubles.atlassian import ADA, Atlassian, adf, is_adf, refuse
from tests.doubles.double import route
from tests.doubles.examples import DOCUMENTS
from tests.doubles.jira import records
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import atlassian, now

READ, WRITE, PEOPLE = ("read:jira-work",), ("write:jira-work",), ("read:jira-user",)
ISSUE = "/rest/api/3/issue/{issueIdOrKey}"
_NO_ISSUE = "Issue does not exist or you do not have permission to see it."


class Issues(Atlassian):
    """Issues and what hangs on them; ``issues`` by id, ``projects`` by key."""

    documents = DOCUMENTS["jira"]
    read_scopes = frozenset({"read:jira-work", "read:jira-user"})

    def fill(self) -> None:
        super().fill()
        self.projects = {
            key: {"id": id, "key": key, "name": name, "count": 0}
            for id, key, name in (("10000", "PROJ", "Example project"), ("10001", "OPS", "Operations"))
        }
        self.issues: dict[str, dict[str, Any]] = {}
        self.ids = 10_000
        for key, summary, kind, state in (
            ("PROJ", "Order flow breaks when a supplier is chosen", "10003", "10000"),
            ("PROJ", "Show the invoice in the customer's language", "10002", "3"),
            ("PROJ", "Write the release notes", "10001", "10011"),
            ("OPS", "Renew the certificate", "10001", "10000"),
        ):
            row = self.make(self.projects[key], {"summary": summary, "issuetype": kind, "reporter": ADA})
            row["status"] = state

    def fresh_id(self) -> str:
        """An id that no other record has."""
        self.ids += 1
        return str(self.ids)

    def make(self, project: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """A new issue, with values as the state keeps them (ids of people, types, priorities)."""
        project["count"] += 1
        moment = now()
        row = {
            "id": self.fresh_id(), "key": f"{project['key']}-{project['count']}", "project": project["key"],
            "status": "10000", "priority": "3", "assignee": None, "labels": [], "description": None,
            "parent": None, "created": moment, "updated": moment, "comments": [], "worklogs": [],
            "watchers": [], "remote": [], "history": [], "sprint": None, **values,
        }  # fmt: skip
        self.issues[row["id"]] = row
        return row

    # Reading

    def issue(self, request: Request) -> dict[str, Any]:
        """The issue that the path names."""
        return self.issue_by(request.parameters["issueIdOrKey"])

    def issue_by(self, name: str) -> dict[str, Any]:
        """The issue of an id or a key. Refuses with 404."""
        for row in self.issues.values():
            if name.upper() in (row["id"], row["key"]):
                return row
        raise refuse(404, _NO_ISSUE)

    def told(self, request: Request, row: dict[str, Any], fields: list[str] | None = None) -> dict[str, Any]:
        """An issue as Jira tells it, with these fields (None: all)."""
        base = request.base_url
        whole = self.all_fields(base, row)
        wanted = whole if fields is None or {"*all", "*navigable"} & set(fields) else {
            name: value for name, value in whole.items() if name in fields
        }  # fmt: skip
        wanted = {name: value for name, value in wanted.items() if f"-{name}" not in (fields or ())}
        place = f"{base}/rest/api/3/issue/{row['id']}"
        return {"id": row["id"], "key": row["key"], "self": place, "expand": "", "fields": wanted}

    def all_fields(self, base: str, row: dict[str, Any]) -> dict[str, Any]:
        """Every field of an issue."""
        done = row["status"] == "10011"
        parent = self.issues.get(row["parent"] or "")
        return {
            "summary": row["summary"],
            "description": row["description"],
            "project": records.project(base, self.projects[row["project"]]),
            "issuetype": records.issue_type(base, row["issuetype"]),
            "status": records.status(base, row["status"]),
            "priority": records.priority(base, row["priority"]),
            "assignee": records.person(base, self.people[row["assignee"]]) if row["assignee"] else None,
            "reporter": records.person(base, self.people[row["reporter"]]),
            "labels": row["labels"],
            "components": row.get("components", []),
            "fixVersions": row.get("fixVersions", []),
            "duedate": row.get("duedate"),
            "parent": self.short(base, parent) if parent else None,
            "subtasks": [self.short(base, r) for r in self.issues.values() if r["parent"] == row["id"]],
            "created": atlassian(row["created"]),
            "updated": atlassian(row["updated"]),
            "resolution": {"id": "10000", "name": "Done"} if done else None,
            "resolutiondate": atlassian(row["updated"]) if done else None,
            "issuelinks": self.links_of(base, row),
            "attachment": [],
            "comment": {
                "comments": row["comments"], "self": f"{base}/rest/api/3/issue/{row['id']}/comment",
                "maxResults": len(row["comments"]), "total": len(row["comments"]), "startAt": 0,
            },
            records.POINTS: row.get(records.POINTS),
            records.SPRINT: [self.sprint_value(row["sprint"])] if row["sprint"] else None,
        }  # fmt: skip

    def short(self, base: str, row: dict[str, Any]) -> dict[str, Any]:
        """An issue as others mention it."""
        fields = {"summary": row["summary"], "status": records.status(base, row["status"]),
                  "priority": records.priority(base, row["priority"]),
                  "issuetype": records.issue_type(base, row["issuetype"])}  # fmt: skip
        place = f"{base}/rest/api/3/issue/{row['id']}"
        return {"id": row["id"], "key": row["key"], "self": place, "fields": fields}

    def links_of(self, base: str, row: dict[str, Any]) -> list[dict[str, Any]]:
        """An issue's links."""
        return []

    def sprint_value(self, id: int) -> dict[str, Any]:
        """A sprint as an issue's field has it."""
        return {"id": id}

    @route("GET", ISSUE, scopes=READ)
    def get_issue(self, request: Request) -> Any:
        row = self.issue(request)
        fields = request.one("fields").split(",") if request.one("fields") else None
        told = self.told(request, row, fields)
        expand = request.one("expand").split(",")
        if "transitions" in expand:
            told["transitions"] = self._transitions(request.base_url, row)
        if "changelog" in expand:
            total = len(row["history"])
            told["changelog"] = {
                "startAt": 0,
                "maxResults": total,
                "total": total,
                "histories": row["history"],
            }
        if "names" in expand:
            told["names"] = {id: name for id, (name, _, _) in records.FIELDS.items() if id in told["fields"]}
        return told

    # Writing

    @route("POST", "/rest/api/3/issue", scopes=WRITE)
    def create_issue(self, request: Request) -> Answer:
        return Answer(201, self.created(request, request.json))

    @route("POST", "/rest/api/3/issue/bulk", scopes=WRITE)
    def create_issues(self, request: Request) -> Answer:
        return Answer(
            201,
            {"issues": [self.created(request, one) for one in request.json["issueUpdates"]], "errors": []},
        )

    def created(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Make the issue that a request describes."""
        fields = dict(body.get("fields") or {})
        wanted = fields.get("project") or {}
        named = (wanted.get("key"), wanted.get("id"))
        project = next(
            (p for p in self.projects.values() if p["key"] == named[0] or p["id"] == named[1]), None
        )
        if project is None:
            raise refuse(400, project="Specify a valid project ID or key")
        fields.setdefault("reporter", {"accountId": request.account.id})
        if not fields.get("summary"):
            raise refuse(400, summary="You must specify a summary of the issue.")
        if not fields.get("issuetype"):
            raise refuse(400, issuetype="Specify an issue type")
        row = self.make(project, self.values_of(fields))
        place = f"{request.base_url}/rest/api/3/issue/{row['id']}"
        return {"id": row["id"], "key": row["key"], "self": place}

    def values_of(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Fields of a request as the state keeps them. Refuses with Jira's error by field."""
        values: dict[str, Any] = {}
        for name, value in fields.items():
            if name not in records.SETTABLE:
                raise refuse(
                    400,
                    **{
                        name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
                    },
                )
            match name:
                case "project":
                    continue
                case "summary" if not isinstance(value, str) or len(value) > 255 or "\n" in value:
                    raise refuse(
                        400,
                        summary="The summary is invalid because it contains newline characters or is longer than 255 characters.",
                    )
                case "description" if value is not None and not is_adf(value):
                    raise refuse(
                        400,
                        description="Operation value must be an Atlassian Document (see the Atlassian Document Format)",
                    )
                case "issuetype":
                    values[name] = _named(
                        value,
                        {i: n for i, (n, _) in records.TYPES.items()},
                        name,
                        "Specify a valid issue type",
                    )
                case "priority":
                    values[name] = _named(
                        value, records.PRIORITIES, name, "Specify a valid 'id' or 'name' for Priority"
                    )
                case "assignee" | "reporter":
                    values[name] = self._person(name, value)
                case "parent":
                    values[name] = (
                        self.issue_by(str(value.get("key") or value.get("id")))["id"] if value else None
                    )
                case "labels" if any(" " in str(label) for label in value):
                    raise refuse(400, labels="The label contains spaces which is invalid.")
                case _:
                    values[name] = value
        return values

    def _person(self, field: str, value: Any) -> str | None:
        id = (value or {}).get("accountId") or (value or {}).get("id")
        if id is not None and id not in self.people:
            raise refuse(400, **{field: "Specify a valid value for " + field})
        return id

    @route("PUT", ISSUE, scopes=WRITE)
    def edit_issue(self, request: Request) -> Answer:
        row, body = self.issue(request), request.json
        values = self.values_of(body.get("fields") or {})
        for name, operations in (body.get("update") or {}).items():
            if name != "labels":
                raise refuse(400, **{name: f"Field '{name}' cannot be set by 'update' in this double."})
            labels = list(row["labels"])
            for operation in operations:
                labels = list(operation.get("set", labels))
                labels += [operation["add"]] if "add" in operation else []
                labels = [label for label in labels if label != operation.get("remove")]
            values["labels"] = labels
        self.change(request, row, values)
        return Answer(200, self.told(request, row)) if request.one("returnIssue") == "true" else Answer(204)

    def change(self, request: Request, row: dict[str, Any], values: dict[str, Any]) -> None:
        """Change an issue and write down what was there."""
        items = [
            {"field": name, "fieldtype": "jira", "fieldId": name, "fromString": str(row.get(name) or ""),
             "toString": str(value or "")}
            for name, value in values.items() if row.get(name) != value
        ]  # fmt: skip
        row |= values
        row["updated"] = now()
        if items:
            author = records.person(request.base_url, request.account)
            row["history"].insert(
                0,
                {
                    "id": self.fresh_id(),
                    "author": author,
                    "created": atlassian(row["updated"]),
                    "items": items,
                },
            )

    @route("DELETE", ISSUE, scopes=WRITE)
    def delete_issue(self, request: Request) -> Answer:
        row = self.issue(request)
        below = [r["id"] for r in self.issues.values() if r["parent"] == row["id"]]
        if below and request.one("deleteSubtasks") != "true":
            raise refuse(400, "The issue has subtasks. Set deleteSubtasks to delete them with it.")
        for id in (row["id"], *below):
            del self.issues[id]
        return Answer(204)

    @route("PUT", ISSUE + "/assignee", scopes=WRITE)
    def assign(self, request: Request) -> Answer:
        row, id = self.issue(request), (request.json or {}).get("accountId")
        self.change(request, row, {"assignee": self._person("assignee", {"accountId": id})})
        return Answer(204)

    # The workflow

    def _transitions(self, base: str, row: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"id": id, "name": records.STATUSES[to][0], "to": records.status(base, to), "hasScreen": False,
             "isGlobal": True, "isInitial": False, "isAvailable": True, "isConditional": False, "fields": {}}
            for id, to in records.TRANSITIONS.items() if to != row["status"]
        ]  # fmt: skip

    @route("GET", ISSUE + "/transitions", scopes=READ)
    def transitions(self, request: Request) -> Any:
        return {
            "expand": "transitions",
            "transitions": self._transitions(request.base_url, self.issue(request)),
        }

    @route("POST", ISSUE + "/transitions", scopes=WRITE)
    def transition(self, request: Request) -> Answer:
        row, body = self.issue(request), request.json
        id = str((body.get("transition") or {}).get("id", ""))
        to = records.TRANSITIONS.get(id)
        if to is None or to == row["status"]:
            raise refuse(400, f"Transition id '{id}' is not valid for this issue.")
        for operation in (body.get("update") or {}).get("comment", []):
            self.add_comment_to(request, row, operation["add"]["body"])
        self.change(request, row, {"status": to, **self.values_of(body.get("fields") or {})})
        return Answer(204)

    def add_comment_to(self, request: Request, row: dict[str, Any], body: Any) -> dict[str, Any]:
        """A new comment."""
        if not is_adf(body) or body == adf(""):
            raise refuse(400, comment="Comment body is not valid!")
        id, moment = self.fresh_id(), atlassian(now())
        author = records.person(request.base_url, request.account)
        comment = {
            "self": f"{request.base_url}/rest/api/3/issue/{row['id']}/comment/{id}", "id": id,
            "author": author, "updateAuthor": author, "body": body, "created": moment, "updated": moment,
            "jsdPublic": True,
        }  # fmt: skip
        row["comments"].append(comment)
        row["updated"] = now()
        return comment


def _named(value: Any, known: dict[str, str], field: str, message: str) -> str:
    """The id of what a request names by id or name."""
    value = value if isinstance(value, dict) else {}
    for id, name in known.items():
        if value.get("id") == id or ("id" not in value and str(value.get("name")).lower() == name.lower()):
            return id
    raise refuse(400, **{field: message})
