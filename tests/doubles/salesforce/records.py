"""Salesforce's records: described, made, read, changed, upserted, deleted."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tests.doubles.double import Refused, route
from tests.doubles.messages import Answer, Request
from tests.doubles.salesforce.double import BATCH, DATA, Org, refuse, stamp
from tests.doubles.salesforce.objects import (
    EXTERNAL,
    OBJECTS,
    PREFIXES,
    REFERENCES,
    brief,
    described,
    reference,
    relationship,
)


class Records(Org):
    """An org with its records."""

    def _row(self, request: Request) -> tuple[str, dict[str, Any]]:
        kind, id = self._kind(request.parameters["sobject"]), request.parameters["id"]
        for full, row in self.rows[kind].items():
            if id in (full, full[:15]):
                if row["IsDeleted"]:
                    raise refuse(404, "ENTITY_IS_DELETED", "entity is deleted")
                return kind, row
        raise refuse(404, "NOT_FOUND", "The requested resource does not exist")

    def _checked(self, kind: str, values: dict[str, Any], *, whole: bool) -> dict[str, Any]:
        fields = OBJECTS[kind]
        for name in values:
            if name not in fields:
                raise refuse(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind}")
            if not fields[name][1]:
                raise refuse(
                    400, "INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {name}.", name
                )
        missing = [
            name
            for name, (_, _, required) in fields.items()
            if required and (whole or name in values) and not values.get(name)
        ]
        if missing:
            raise refuse(
                400,
                "REQUIRED_FIELD_MISSING",
                f"Required fields are missing: [{', '.join(missing)}]",
                *missing,
            )
        return values

    @route("GET", DATA + "/sobjects")
    def list_objects(self, request: Request) -> Any:
        base = f"/services/data/{request.parameters['version']}/sobjects"
        return {
            "encoding": "UTF-8",
            "maxBatchSize": BATCH,
            "sobjects": [brief(base, name) for name in OBJECTS],
        }

    @route("GET", DATA + "/sobjects/{sobject}/describe")
    def describe(self, request: Request) -> Any:
        kind = self._kind(request.parameters["sobject"])
        return described(f"/services/data/{request.parameters['version']}/sobjects", kind)

    @route("POST", DATA + "/sobjects/{sobject}")
    def create(self, request: Request) -> Answer:
        kind = self._kind(request.parameters["sobject"])
        id = self.make(kind, self._checked(kind, request.json, whole=True))
        return Answer(201, {"id": id, "success": True, "errors": []})

    @route("POST", DATA + "/sobjects/ContentVersion")
    def upload(self, request: Request) -> Answer:
        request.parameters["sobject"] = "ContentVersion"
        place = request.json.get("FirstPublishLocationId", "")
        if not any(place in (id, id[:15]) for rows in self.rows.values() for id in rows):
            raise refuse(
                400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", "FirstPublishLocationId"
            )
        return self.create(request)

    @route("GET", DATA + "/sobjects/{sobject}/{id}")
    def read(self, request: Request) -> Any:
        kind, row = self._row(request)
        fields = [field for field in request.one("fields").split(",") if field]
        for field in fields:
            self._known(kind, field)
        return self._told(request, kind, row, ["Id", *fields] if fields else None)

    @route("PATCH", DATA + "/sobjects/{sobject}/{id}")
    def update(self, request: Request) -> Answer:
        kind, row = self._row(request)
        self._demand_unchanged(request, row)
        row |= self._checked(kind, request.json, whole=False)
        row["LastModifiedDate"] = row["SystemModstamp"] = stamp()
        return Answer(204)

    @route("DELETE", DATA + "/sobjects/{sobject}/{id}")
    def delete(self, request: Request) -> Answer:
        self._row(request)[1]["IsDeleted"] = True
        return Answer(204)

    @route("PATCH", DATA + "/sobjects/{sobject}/{field}/{value}")
    def upsert(self, request: Request) -> Answer:
        kind, field = self._kind(request.parameters["sobject"]), request.parameters["field"]
        if field[:3] == PREFIXES[kind] and request.parameters["value"] in map(relationship, OBJECTS[kind]):
            return self._change_parent(request, kind, field)
        if EXTERNAL.get(kind) != field:
            raise refuse(
                404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}"
            )
        known = [
            row
            for row in self.rows[kind].values()
            if row.get(field) == request.parameters["value"] and not row["IsDeleted"]
        ]
        if len(known) > 1:
            base = f"/services/data/{request.parameters['version']}/sobjects/{kind}"
            return Answer(300, [f"{base}/{row['Id']}" for row in known])
        if not known and request.one("updateOnly") == "true":
            raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
        values = self._checked(kind, request.json, whole=not known)
        if known:
            known[0].update(values)
            return Answer(200, {"id": known[0]["Id"], "success": True, "created": False, "errors": []})
        id = self.make(kind, {**values, field: request.parameters["value"]})
        return Answer(201, {"id": id, "success": True, "created": True, "errors": []})

    def _change_parent(self, request: Request, kind: str, id: str) -> Answer:
        """The same path with an id and a relationship leads to the record's parent."""
        field = reference(request.parameters["value"])
        for target in REFERENCES.get(field, []):
            if parent := self.rows[target].get(self.rows[kind][id].get(field) or ""):
                parent.update(self._checked(target, request.json, whole=False))
                return Answer(204)
        raise refuse(404, "NOT_FOUND", "The requested resource does not exist")

    def _demand_unchanged(self, request: Request, row: dict[str, Any]) -> None:
        since = request.headers.get("if-unmodified-since")
        changed = datetime.fromisoformat(row["LastModifiedDate"]).replace(microsecond=0)
        if since and changed > parsedate_to_datetime(since):
            raise Refused(
                Answer(412, [{"errorCode": "PRECONDITION_FAILED", "message": "The record was modified."}])
            )

    @route("GET", DATA + "/limits")
    def limits(self, request: Request) -> Any:
        left = self.quota.left(request.account)
        return {
            "DailyApiRequests": {"Max": self.quota.limit, "Remaining": left},
            "DataStorageMB": {"Max": 1024, "Remaining": 1000},
        }
