"""Jira's search: by JQL, counted, in bulk, in pages with a token."""

import base64
import json
from collections.abc import Collection
from typing import Any

from tests.doubles import clauses
from tests.doubles.atlassian import refuse, text_of
from tests.doubles.double import route
from tests.doubles.jira import records
from tests.doubles.jira.double import READ, Issues
from tests.doubles.messages import Answer, Request

_NAMES = {
    "project", "status", "statuscategory", "assignee", "reporter", "creator", "issuetype", "type", "priority", "labels",
    "summary", "description", "text", "key", "issue", "issuekey", "id", "created", "updated", "parent",
    "sprint", "duedate", "due", "resolution", "comment", "rank",
}  # fmt: skip


class Searching(Issues):
    """Search."""

    def found(self, request: Request, text: str, *, bounded: bool = True) -> list[dict[str, Any]]:
        """The issues that a query matches, in its order. Refuses in Jira's words."""
        try:
            query = clauses.parse(text, _NAMES, me=request.account.id, sprints=self.open_sprints)
        except clauses.ClauseError as error:
            raise refuse(400, str(error)) from error
        if bounded and not query.bounded:
            raise refuse(
                400,
                "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.",
            )
        rows = [row for row in self.issues.values() if query.matches(self._values(row))]
        for field, descending in reversed(query.order or [("created", True)]):
            rows.sort(key=lambda row: _sortable(self._values(row).get(field)), reverse=descending)
        return rows

    def open_sprints(self) -> list[str]:
        """The ids of sprints that run."""
        return []

    def _values(self, row: dict[str, Any]) -> dict[str, Any]:
        project, (status, category) = self.projects[row["project"]], records.STATUSES[row["status"]]
        said = [text_of(comment["body"]) for comment in row["comments"]]
        people = {
            name: [found.id, found.name, found.email]
            if (found := self.people.get(row.get(name) or ""))
            else []
            for name in ("assignee", "reporter", "creator")
        }
        key, parent = [row["key"], row["id"]], self.issues.get(row["parent"] or "")
        kind = [records.TYPES[row["issuetype"]][0], row["issuetype"]]
        return {
            **row, **people, "project": [project["key"], project["id"], project["name"]],
            "status": [status, row["status"]], "statuscategory": [records.CATEGORIES[category][1], category],
            "issuetype": kind, "type": kind, "priority": [records.PRIORITIES[row["priority"]], row["priority"]],
            "key": key, "issue": key, "issuekey": key, "parent": [parent["key"], parent["id"]] if parent else [],
            "description": text_of(row["description"]), "comment": said,
            "text": [row["summary"], text_of(row["description"]), *said], "rank": int(row["id"]),
            "resolution": ["Done"] if row["status"] == "10011" else [], "due": row.get("duedate"),
        }  # fmt: skip

    @route("POST", "/rest/api/3/search/jql", scopes=READ)
    def search(self, request: Request) -> Any:
        body = request.json
        return self._page(
            request,
            body.get("jql", ""),
            body.get("fields"),
            body.get("maxResults", 50),
            body.get("nextPageToken"),
            str(body.get("expand") or "").split(","),
        )

    @route("GET", "/rest/api/3/search/jql", scopes=READ, spare=True)
    def search_by_url(self, request: Request) -> Any:
        fields = [name for text in request.query.get("fields", []) for name in text.split(",")] or None
        most = request.number("maxResults", 50)
        return self._page(request, request.one("jql"), fields, most, request.one("nextPageToken"))

    def _page(
        self,
        request: Request,
        text: str,
        fields: list[str] | None,
        most: int,
        token: str | None,
        expand: Collection[str] = (),
    ) -> dict[str, Any]:
        rows = self.found(request, text)
        start = 0
        if token:
            try:
                of, start = json.loads(base64.urlsafe_b64decode(token))
            except ValueError as error:
                raise refuse(400, "Invalid nextPageToken.") from error
            if of != text:
                raise refuse(400, "The nextPageToken belongs to another query.")
        most = max(1, min(most, 100))
        part = rows[start : start + most]
        last = start + most >= len(rows)
        # Without fields the vendor tells ids alone.
        told = [self.expanded(request, row, fields, expand) if fields else {"id": row["id"]} for row in part]
        page: dict[str, Any] = {"issues": told, "isLast": last}
        if "names" in expand:
            page["names"] = self.field_names(told)
        if not last:
            page["nextPageToken"] = base64.urlsafe_b64encode(
                json.dumps([text, start + most]).encode()
            ).decode()
        return page

    @route("POST", "/rest/api/3/search/approximate-count", scopes=READ)
    def count(self, request: Request) -> Any:
        return {"count": len(self.found(request, request.json.get("jql", "")))}

    @route("POST", "/rest/api/3/issue/bulkfetch", scopes=READ)
    def bulk_fetch(self, request: Request) -> Any:
        body, wanted = request.json, [name.upper() for name in request.json["issueIdsOrKeys"]]
        rows = [row for row in self.issues.values() if {row["id"], row["key"]} & set(wanted)]
        # What does not exist, or may not be seen, is left out without a word.
        return {"issues": [self.told(request, row, body.get("fields")) for row in rows], "issueErrors": []}

    @route("POST", "/rest/api/3/jql/parse", scopes=READ)
    def parse(self, request: Request) -> Answer:
        told = []
        for text in request.json["queries"]:
            try:
                clauses.parse(text, _NAMES, me="", sprints=list)
                told.append({"query": text, "structure": {}})
            except clauses.ClauseError as error:
                told.append({"query": text, "errors": [str(error)]})
        return Answer(200, {"queries": told})


def _sortable(value: Any) -> tuple[bool, Any]:
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str) and first.rpartition("-")[2].isdigit():
        head, _, tail = first.rpartition("-")
        return True, f"{head}{int(tail):012d}"
    return (True, first) if first not in (None, []) else (False, "")
