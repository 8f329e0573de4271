"""Around Salesforce's records: relationships, search, what was looked at, and collections of records."""

import re
from typing import Any

from tests.doubles.double import Refused, route
from tests.doubles.messages import Answer, Request
from tests.doubles.salesforce.automation import Automation
from tests.doubles.salesforce.double import DATA, refuse
from tests.doubles.salesforce.objects import (
    CHILDREN,
    EXTERNAL,
    OBJECTS,
    PREFIXES,
    REFERENCES,
    brief,
    reference,
)

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_RESERVED = re.compile(r"""(?<!\\)[?&|!{}\[\]()^~:"'+\-]""")
_RETURNING = re.compile(r"(\w+)\s*\(([^()]*)\)")


class Salesforce(Automation):
    """Salesforce, as far as a connector uses it; with ``strict_search`` it refuses what SOSL reserves."""

    strict_search = False

    @route("GET", DATA + "/sobjects/{sobject}")
    def basic(self, request: Request) -> Any:
        kind = self._kind(request.parameters["sobject"])
        rows = [row for row in self.rows[kind].values() if not row["IsDeleted"]]
        recent = [self._told(request, kind, row, ["Id", "Name"]) for row in rows[-5:]]
        base = f"/services/data/{request.parameters['version']}/sobjects"
        return {"objectDescribe": brief(base, kind), "recentItems": recent}

    @route("GET", DATA + "/recent")
    def recent(self, request: Request) -> Any:
        found = [
            self._told(request, kind, row, ["Id", "Name"])
            for kind in OBJECTS
            for row in self.rows[kind].values()
            if not row["IsDeleted"]
        ]
        return found[: request.number("limit", 200)]

    @route("GET", DATA + "/sobjects/{sobject}/{field}/{value}")
    def beside(self, request: Request) -> Any:
        """A record by an external id; or what a record's relationship leads to."""
        first, second = request.parameters["field"], request.parameters["value"]
        kind = self._kind(request.parameters["sobject"])
        fields = [field for field in request.one("fields").split(",") if field] or None
        if EXTERNAL.get(kind) == first:
            rows = [
                row for row in self.rows[kind].values() if row.get(first) == second and not row["IsDeleted"]
            ]
            if len(rows) > 1:
                base = f"/services/data/{request.parameters['version']}/sobjects/{kind}"
                return Answer(300, [f"{base}/{row['Id']}" for row in rows])
            if rows:
                return self._told(request, kind, rows[0], fields)
        request.parameters["id"] = first
        if not _ID.fullmatch(first):
            raise refuse(
                404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {first}"
            )
        _, row = self._row(request)
        if second in CHILDREN.get(kind, {}):
            child, back = CHILDREN[kind][second]
            found = [
                one
                for one in self.rows[child].values()
                if one.get(back) == row["Id"] and not one["IsDeleted"]
            ]
            told = [self._told(request, child, one, fields) for one in found]
            return self._batch(request, told, 0, len(told))
        for target in REFERENCES.get(reference(second), []):
            if parent := self.rows[target].get(row.get(reference(second)) or ""):
                return self._told(request, target, parent, fields)
        raise refuse(404, "NOT_FOUND", "The requested resource does not exist")

    # Search

    def _hits(self, kind: str, text: str) -> list[dict[str, Any]]:
        if self.strict_search and _RESERVED.search(text):
            raise refuse(400, "MALFORMED_SEARCH", "line 1:9 mismatched character, expecting '}'")
        words = [word.strip("*").replace("\\", "").lower() for word in text.split()]
        return [
            row
            for row in self.rows[kind].values()
            if not row["IsDeleted"]
            and all(word in " ".join(map(str, row.values())).lower() for word in words)
        ]

    @route("POST", DATA + "/parameterizedSearch")
    def parameterized_search(self, request: Request) -> Any:
        asked, found = request.json, []
        for one in asked["sobjects"]:
            kind = self._kind(one["name"], "INVALID_TYPE")
            if kind == "Report":
                raise refuse(400, "INVALID_TYPE", f"entity type {kind} does not support search")
            for field in one["fields"]:
                self._known(kind, field)
            where = f" WHERE {one['where']}" if one.get("where") else ""
            _, query, _ = self._parsed(f"SELECT Id FROM {kind}{where}")
            hits = [row for row in self._hits(kind, asked["q"]) if query.matches(row)]
            found += [self._told(request, kind, row, one["fields"]) for row in hits[: one.get("limit")]]
        return {"searchRecords": found[: asked.get("overallLimit")]}

    @route("GET", DATA + "/search")
    def search(self, request: Request) -> Any:
        match = re.fullmatch(
            r"\s*FIND\s*\{(.*?)\}(?:.*?RETURNING\s+(.*))?", request.one("q"), re.IGNORECASE | re.DOTALL
        )
        if match is None:
            raise refuse(400, "MALFORMED_SEARCH", "line 1:0 no viable alternative")
        found = []
        for name, fields in _RETURNING.findall(match[2] or "Account(Id, Name)"):
            kind = self._kind(name, "INVALID_TYPE")
            names = [field.strip() for field in fields.split(",")]
            found += [self._told(request, kind, row, names) for row in self._hits(kind, match[1])]
        return {"searchRecords": found}

    # Collections

    def _each(self, request: Request, works: list[Any], *, whole: bool) -> Answer:
        """Do each piece of work; where one fails and ``whole`` is asked for, none of it."""
        before = {kind: {id: dict(row) for id, row in rows.items()} for kind, rows in self.rows.items()}
        told: list[dict[str, Any]] = []
        for work in works:
            try:
                told.append({"id": work(), "success": True, "errors": []})
            except Refused as refused:
                fault = refused.answer.json[0]
                error = {
                    "statusCode": fault["errorCode"],
                    "message": fault["message"],
                    "fields": fault.get("fields", []),
                }
                told.append({"success": False, "errors": [error]})
        if whole and not all(one["success"] for one in told):
            self.rows = before
            undone = {
                "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "message": "Record rolled back",
                "fields": [],
            }
            told = [{"success": False, "errors": one["errors"] or [undone]} for one in told]
        return Answer(200, told)

    def _by_id(self, id: str) -> tuple[str, dict[str, Any]]:
        for kind, prefix in PREFIXES.items():
            if id.startswith(prefix) and id in self.rows[kind]:
                if self.rows[kind][id]["IsDeleted"]:
                    raise refuse(404, "ENTITY_IS_DELETED", "entity is deleted")
                return kind, self.rows[kind][id]
        raise refuse(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")

    @route("POST", DATA + "/composite/sobjects")
    def create_many(self, request: Request) -> Answer:
        def make(row: dict[str, Any]) -> str:
            values = dict(row)
            kind = self._kind(values.pop("attributes")["type"])
            return self.make(kind, self._checked(kind, values, whole=True))

        works = [lambda row=row: make(row) for row in request.json["records"]]
        return self._each(request, works, whole=request.json.get("allOrNone", False))

    @route("PATCH", DATA + "/composite/sobjects")
    def update_many(self, request: Request) -> Answer:
        def change(row: dict[str, Any]) -> str:
            values = {name: value for name, value in row.items() if name not in ("attributes", "id")}
            kind, found = self._by_id(row["id"])
            found.update(self._checked(kind, values, whole=False))
            return str(row["id"])

        works = [lambda row=row: change(row) for row in request.json["records"]]
        return self._each(request, works, whole=request.json.get("allOrNone", False))

    @route("DELETE", DATA + "/composite/sobjects")
    def delete_many(self, request: Request) -> Answer:
        def remove(id: str) -> str:
            self._by_id(id)[1]["IsDeleted"] = True
            return id

        works = [lambda id=id: remove(id) for id in request.one("ids").split(",")]
        return self._each(request, works, whole=request.one("allOrNone") == "true")
