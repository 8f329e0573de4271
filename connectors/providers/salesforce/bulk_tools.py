"""Up to 200 records of one object in one request (REST API, "sObject Collections")."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from connectors.base import Context, tool
from connectors.errors import ConnectorError, InvalidInput, UpstreamError
from connectors.providers.salesforce.base import record_id, shaped
from connectors.providers.salesforce.faults import error_for, said_of, unknown
from connectors.providers.salesforce.types import ID, MAX_BULK, ObjectName, Values
from connectors.providers.salesforce.write_tools import CHANGED, WriteTools, look_for
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

Records = Annotated[list[Values], Field(min_length=1, max_length=MAX_BULK)]
Ids = Annotated[list[Annotated[str, Field(pattern=ID)]], Field(min_length=1, max_length=MAX_BULK)]
_PATH = "composite/sobjects"
# What Salesforce says of records that were fine, and undone because of another.
_ROLLED_BACK = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
_WITH_OTHERS = (_ROLLED_BACK, "PROCESSING_HALTED")


class OneDone(TypedDict):
    """What became of one record, in the order given."""

    success: bool
    id: NotRequired[str]
    error: NotRequired[str]


class Done(TypedDict):
    """What became of all of them."""

    object: str
    done: int
    failed: int
    results: list[OneDone]


class BulkTools(WriteTools):
    """Several records at once."""

    @tool(title="Create records", hint="W", open_world=True, toolset="bulk", default_on=False, tags=CHANGED)
    async def salesforce_create_records(
        self, ctx: Context, sobject_type: ObjectName, records: Records, all_or_none: bool = True
    ) -> Done:
        """Create up to 200 records of an object."""
        rows = []
        for place, values in enumerate(records):
            await self._demand_row(ctx, sobject_type, place, values)
            rows.append({"attributes": {"type": sobject_type}, **values})
        look = f"Check with {look_for('Id, CreatedDate', sobject_type)} before trying again."
        request = Request(
            "POST", _PATH, Kind.ONCE, json={"allOrNone": all_or_none, "records": rows}, look_first=look
        )
        return await self._done(ctx, sobject_type, request, all_or_none=all_or_none)

    @tool(title="Update records", hint="I", open_world=True, toolset="bulk", default_on=False, tags=CHANGED)
    async def salesforce_update_records(
        self,
        ctx: Context,
        sobject_type: ObjectName,
        records: Annotated[Records, Field(description="Each with its Id and the fields to change.")],
        all_or_none: bool = True,
    ) -> Done:
        """Change up to 200 records of an object."""
        rows = []
        for place, values in enumerate(records):
            ids = [str(value) for name, value in values.items() if name.lower() == "id"]
            if len(ids) != 1 or len(values) < 2:
                raise InvalidInput(
                    f"Record {place} (from 0) lacks its Id, or a field to change.", code="MISSING_ARGUMENT"
                )
            rest = {name: value for name, value in values.items() if name.lower() != "id"}
            await self._demand_row(ctx, sobject_type, place, rest)
            rows.append({"attributes": {"type": sobject_type}, "id": record_id(ids[0]), **rest})
        await self._demand_own(ctx, sobject_type, [row["id"] for row in rows])
        request = Request("PATCH", _PATH, Kind.REPEATABLE, json={"allOrNone": all_or_none, "records": rows})
        return await self._done(ctx, sobject_type, request, all_or_none=all_or_none)

    @tool(title="Delete records", hint="DI", open_world=True, toolset="bulk", default_on=False, tags=CHANGED)
    async def salesforce_delete_records(
        self, ctx: Context, sobject_type: ObjectName, record_ids: Ids, all_or_none: bool = True
    ) -> Done:
        """Move up to 200 records of an object to the recycle bin."""
        self.allowed.demand(sobject_type)
        # The request names no object: Salesforce goes by the ids alone.
        await self._demand_own(ctx, sobject_type, record_ids)
        params = {"ids": ",".join(record_ids), "allOrNone": "true" if all_or_none else "false"}
        return await self._done(
            ctx,
            sobject_type,
            Request("DELETE", _PATH, Kind.REPEATABLE, params=params),
            all_or_none=all_or_none,
        )

    async def _demand_row(self, ctx: Context, object: str, place: int, values: dict[str, Any]) -> None:
        try:
            await self._demand_values(ctx, object, values)
        except InvalidInput as error:
            error.message = f"Record {place} (from 0): {error.message}"
            raise

    async def _done(self, ctx: Context, object: str, request: Request, *, all_or_none: bool) -> Done:
        answer, _ = await self._send(ctx, request, advise=unknown(object))
        look = f"The request may have succeeded. {request.look_first}".strip()
        rows = shaped(answer, kind=list, look=look)
        sent = request.json["records"] if request.json else str((request.params or {})["ids"]).split(",")
        if len(rows) != len(sent) or not all(isinstance(row, dict) for row in rows):
            raise UpstreamError(
                "Salesforce did not say of each record what became of it.",
                code="unexpected_answer",
                hint=look,
            )
        if request.method == "DELETE" and answer.attempts > 1:
            # The first request, whose answer was lost, has done it.
            rows = [
                {"id": id, "success": True} if _is_gone(row) else row
                for id, row in zip(sent, rows, strict=True)
            ]
        results = [_result(row) for row in rows]
        failed = sum(not one["success"] for one in results)
        if failed and all_or_none:
            raise _undone(rows)
        return {"object": object, "done": len(results) - failed, "failed": failed, "results": results}


def _is_gone(row: dict[str, Any]) -> bool:
    errors = row.get("errors") or ()
    return bool(errors) and all(error.get("statusCode") == "ENTITY_IS_DELETED" for error in errors)


def _result(row: dict[str, Any]) -> OneDone:
    made: OneDone = {"success": bool(row.get("success"))}
    if row.get("id"):
        made["id"] = str(row["id"])
    if errors := row.get("errors"):
        made["error"] = "; ".join(said_of(error) for error in errors[:5])
    return made


def _undone(rows: list[dict[str, Any]]) -> ConnectorError:
    """The error of a request that changed nothing, since one record could not be changed."""
    wrong = [
        (place, error)
        for place, row in enumerate(rows)
        for error in row.get("errors") or ()
        if (error.get("statusCode") or error.get("errorCode")) not in _WITH_OTHERS
    ]
    if not wrong:
        return InvalidInput("Salesforce changed nothing.", code=_ROLLED_BACK)
    place, first = wrong[0]
    error = error_for(
        str(first.get("statusCode") or first.get("errorCode") or ""),
        f"Nothing was changed; record {place} (from 0) failed: {said_of(first)}",
    )
    error.details = {"problems": [{"record": at, "error": said_of(one)} for at, one in wrong[:20]]}
    return error
