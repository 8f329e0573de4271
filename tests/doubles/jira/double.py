"""Jira's issues: made, read, changed, moved through the workflow, commented."""

from collections.abc import Collection
from typing import Any

from tests.doubles.atlassian import adf, is_adf, refuse
from tests.doubles.double import Refused, route
from tests.doubles.jira import records
from tests.doubles.jira.store import Store
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import atlassian, now

READ, WRITE, PEOPLE = ("read:jira-work",), ("write:jira-work",), ("read:jira-user",)
ISSUE = "/rest/api/3/issue/{issueIdOrKey}"


class Issues(Store):
    """Issues and what hangs on them."""

    @route("GET", ISSUE, scopes=READ)
    def get_issue(self, request: Request) -> Any:
        row = self.issue(request)
        fields = request.one("fields").split(",") if request.one("fields") else None
        expand = request.one("expand").split(",")
        told = self.expanded(request, row, fields, expand)
        if "names" in expand:
            told["names"] = self.field_names([told])
        return told

    def expanded(
        self, request: Request, row: dict[str, Any], fields: list[str] | None, expand: Collection[str]
    ) -> dict[str, Any]:
        """An issue with what is told on demand."""
        told = self.told(request, row, fields)
        if "transitions" in expand:
            told["transitions"] = self._transitions(request.base_url, row)
        if "changelog" in expand:
            total = len(row["history"])
            told["changelog"] = {
                "startAt": 0,
                "maxResults": total,
                "total": total,
                "histories": list(row["history"]),
            }
        return told

    def field_names(self, told: list[dict[str, Any]]) -> dict[str, str]:
        """The names of the fields that issues have."""
        ids = {id for row in told for id in row.get("fields", ())}
        return {id: name for id, (name, _, _) in records.FIELDS.items() if id in ids}

    # Writing

    @route("POST", "/rest/api/3/issue", scopes=WRITE)
    def create_issue(self, request: Request) -> Answer:
        return Answer(201, self.created(request, request.json))

    @route("POST", "/rest/api/3/issue/bulk", scopes=WRITE)
    def create_issues(self, request: Request) -> Answer:
        made: list[Any] = []
        refused: list[Any] = []
        for place, one in enumerate(request.json["issueUpdates"]):
            try:
                made.append(self.created(request, one))
            except Refused as error:
                told = {"status": error.answer.status, "elementErrors": error.answer.json}
                refused.append({**told, "failedElementNumber": place})
        return Answer(201 if made else 400, {"issues": made, "errors": refused})

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
        row = self.make(project, self.values_of(fields)) | {"creator": request.account.id}
        self.issues[row["id"]] = row
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

    @route("GET", ISSUE + "/editmeta", scopes=READ, spare=True)
    def editable_fields(self, request: Request) -> Any:
        self.issue(request)
        return {
            "fields": {
                id: {"key": id, "name": name, "required": False, "schema": records.field_of(id)["schema"],
                     "operations": ["set"]}
                for id, (name, _, _) in records.FIELDS.items() if id in records.SETTABLE
            }
        }  # fmt: skip

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
