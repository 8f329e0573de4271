"""Jira's issues as the double keeps them, and as Jira tells them."""

from typing import Any

from tests.doubles.atlassian import ADA, Atlassian, refuse
from tests.doubles.examples import DOCUMENTS
from tests.doubles.jira import records
from tests.doubles.messages import Request
from tests.doubles.moments import atlassian, now

_NO_ISSUE = "Issue does not exist or you do not have permission to see it."


class Store(Atlassian):
    """The state: ``issues`` by id, ``projects`` by key."""

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
            "attachment": self.attachments_of(base, row),
            "comment": {
                "comments": row["comments"], "self": f"{base}/rest/api/3/issue/{row['id']}/comment",
                "maxResults": len(row["comments"]), "total": len(row["comments"]), "startAt": 0,
            },
            "worklog": {
                "startAt": 0, "maxResults": 20, "total": len(row["worklogs"]), "worklogs": row["worklogs"][:20],
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

    def attachments_of(self, base: str, issue: dict[str, Any]) -> list[dict[str, Any]]:
        """An issue's files."""
        return []

    def sprint_value(self, id: int) -> dict[str, Any]:
        """A sprint as an issue's field has it."""
        return {"id": id}
