"""Records made, changed, upserted and deleted, one at a time."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, tool
from connectors.errors import InvalidInput
from connectors.providers.salesforce.base import SalesforceBase, part, several_records, shaped
from connectors.providers.salesforce.faults import unknown
from connectors.providers.salesforce.queries import query_of
from connectors.providers.salesforce.types import (
    NAME,
    Deleted,
    FieldName,
    Made,
    ObjectName,
    RecordId,
    Upserted,
    Values,
)
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

# Automations of the org change records beside the one that is written, so lists have no tags and
# every write ends them; what it leaves alone is the description of the org and its other objects.
CHANGED = ("sf:{sobject_type}",)


class WriteTools(SalesforceBase):
    """Changing records."""

    @tool(
        title="Create a record", hint="W", open_world=True, toolset="write", required=True, tags=CHANGED,
        aliases=("salesforce_create",),
    )  # fmt: skip
    async def salesforce_create_record(
        self,
        ctx: Context,
        sobject_type: ObjectName,
        data: Values,
        assignment_rule: Annotated[bool | None, Field(description="for leads and cases")] = None,
    ) -> Made:
        """Create a record of any object."""
        headers = (
            {"sforce-auto-assign": str(assignment_rule).upper()} if assignment_rule is not None else None
        )
        return await self._create(ctx, sobject_type, data, headers)

    async def _create(
        self, ctx: Context, object: str, data: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Made:
        """Make a record, never twice."""
        await self._demand_values(ctx, object, data)
        request = Request(
            "POST", f"sobjects/{part(object)}", Kind.ONCE, json=data, headers=headers,
            look_first=f"Check with {look_for('Id, CreatedDate', object)} before trying again.",
        )  # fmt: skip
        answer, instance = await self._send(ctx, request, advise=unknown(object))
        look = f"The request may have succeeded. {request.look_first}"
        id = str(shaped(answer, "id", look=look)["id"])
        return {"id": id, "object": object, "url": f"{instance}/{id}"}

    @tool(title="Update a record", hint="I", open_world=True, toolset="write", required=True, tags=CHANGED)
    async def salesforce_update_record(
        self,
        ctx: Context,
        sobject_type: ObjectName,
        record_id: RecordId,
        data: Values,
        if_unmodified_since: Annotated[
            str, Field(max_length=40, description="LastModifiedDate as read; refused if changed since")
        ] = "",
    ) -> Made:
        """Change fields of a record; null empties one."""
        await self._demand_one(ctx, sobject_type, record_id)
        await self._demand_values(ctx, sobject_type, data)
        path = f"sobjects/{part(sobject_type)}/{part(record_id)}"
        request = Request("PATCH", path, Kind.REPEATABLE, json=data)
        if if_unmodified_since:  # sent again after a lost answer, it would meet its own change
            look = f"Read it with salesforce_get_record(sobject_type='{sobject_type}', record_id='{record_id}') first."
            headers = {"if-unmodified-since": _moment(if_unmodified_since)}
            request = replace(request, kind=Kind.ONCE, headers=headers, look_first=look)
        _, instance = await self._send(ctx, request, advise=unknown(sobject_type, record_id))
        return {"id": record_id, "object": sobject_type, "url": f"{instance}/{record_id}"}

    @tool(title="Upsert a record", hint="I", open_world=True, toolset="write", default_on=False, tags=CHANGED)
    async def salesforce_upsert_record(
        self,
        ctx: Context,
        sobject_type: ObjectName,
        external_id_field: FieldName,
        external_id: Annotated[str, Field(min_length=1, max_length=255)],
        data: Values,
        update_only: bool = False,
    ) -> Upserted:
        """Change the record with this external id, or create it: safe to repeat."""
        await self._demand_key(ctx, sobject_type, external_id_field)
        await self._demand_values(ctx, sobject_type, data)
        if external_id_field.lower() in {name.lower() for name in data}:
            raise InvalidInput(
                f"{external_id_field} is given by external_id; leave it out of data.", code="INVALID_FIELD"
            )
        path = f"sobjects/{part(sobject_type)}/{part(external_id_field)}/{part(external_id)}"
        params = {"updateOnly": "true"} if update_only else None
        accept = frozenset({300})
        request = Request("PATCH", path, Kind.REPEATABLE, params=params, json=data, accept=accept)
        answer, instance = await self._send(ctx, request, advise=unknown(sobject_type))
        if answer.status == 300:
            raise several_records(answer)
        said = shaped(answer) if answer.body else {}
        id = str(said.get("id", ""))
        if not id:  # older versions answer 204 to a change
            found, _ = await self._get(ctx, path, {"fields": "Id"}, needs=("Id",))
            id = str(found["Id"])
        created = bool(said.get("created", answer.status == 201))
        return {"id": id, "object": sobject_type, "url": f"{instance}/{id}", "created": created}

    @tool(
        title="Delete a record", hint="DI", open_world=True, toolset="delete", default_on=False, tags=CHANGED
    )
    async def salesforce_delete_record(
        self, ctx: Context, sobject_type: ObjectName, record_id: RecordId
    ) -> Deleted:
        """Move a record to the recycle bin."""
        return await self._delete(ctx, sobject_type, record_id)

    async def _delete(self, ctx: Context, object: str, id: str) -> Deleted:
        await self._demand_one(ctx, object, id)
        request = Request("DELETE", f"sobjects/{part(object)}/{part(id)}", Kind.REPEATABLE)
        await self._send(ctx, request, advise=unknown(object, id))
        return {"id": id, "object": object, "deleted": True}

    async def _demand_values(self, ctx: Context, object: str, data: dict[str, Any]) -> None:
        """Hold what is to be written against the allow-list. Raises InvalidInput for what is no field."""
        self.allowed.demand(object)
        for name, value in data.items():
            if not re.fullmatch(NAME, name) or name.lower() == "attributes":
                raise InvalidInput(
                    f"{name[:80]!r} is no field name.", code="INVALID_FIELD",
                    hint="salesforce_get_record_fields lists the API names.",
                )  # fmt: skip
            if name.lower() == "id":
                raise InvalidInput(
                    "Id is not set; it names the record.", code="INVALID_FIELD", hint="Leave it out."
                )
            if isinstance(value, dict):
                await self._demand_reference(ctx, object, name, value)
            elif isinstance(value, list):
                raise InvalidInput(
                    f"{name} takes no list.", code="INVALID_FIELD",
                    hint="Several values of a multi-select picklist are one text: 'A;B'.",
                )  # fmt: skip

    async def _demand_reference(self, ctx: Context, object: str, name: str, value: dict[str, Any]) -> None:
        """A parent named by its external id: ``{"Account": {"AccountNumber": "A-1"}}``."""
        fields = [field for field in value if field != "type"]
        whole = len(fields) == 1 and re.fullmatch(NAME, fields[0]) and fields[0].lower() != "attributes"
        if not whole or not isinstance(value[fields[0]], str | int | float):
            raise InvalidInput(
                f"{name} takes a plain value, or a parent by its external id.", code="INVALID_FIELD",
                hint='Such as "Account": {"AccountNumber": "A-1"}.',
            )  # fmt: skip
        await self._demand_paths(ctx, object, [f"{name}.{fields[0]}"])


def _moment(text: str) -> str:
    """A moment of Salesforce's (ISO 8601) as HTTP has it, to the second."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(
            f"{text[:40]!r} is no moment.", code="bad_moment", hint="Such as 2030-01-31T09:30:00.000+0000."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def look_for(fields: str, object: str) -> str:
    """The call that finds what was made of an object today."""
    query = query_of(object, [fields], ["CreatedDate = TODAY"], order_by="CreatedDate DESC", limit=5)
    return f'salesforce_query(query="{query}")'
