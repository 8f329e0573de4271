"""Single records, what hangs on them, and what was looked at lately."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import page_of
from connectors.kit.tidy import untrusted
from connectors.providers.salesforce import trim
from connectors.providers.salesforce.base import part, several_records, shaped
from connectors.providers.salesforce.faults import unknown
from connectors.providers.salesforce.paging import PagedBase
from connectors.providers.salesforce.queries import names, once
from connectors.providers.salesforce.types import NAME, Few, FieldName, Names, Next, ObjectName, RecordId
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

Fields = Annotated[Names, Field(description="else all")]


class RecordTools(PagedBase):
    """Reading single records."""

    @tool(title="Get a record", hint="R", open_world=True, cache="S")
    async def salesforce_get_record(
        self, ctx: Context, sobject_type: ObjectName, record_id: RecordId, fields: Fields = ()
    ) -> ToolResult:
        """A record of any object by its id."""
        await self._demand_one(ctx, sobject_type, record_id)
        path = f"sobjects/{part(sobject_type)}/{part(record_id)}"
        return await self._record(ctx, path, fields, unknown(sobject_type, record_id))

    @tool(title="Get a record by external id", hint="R", open_world=True, cache="S", default_on=False)
    async def salesforce_get_record_by_external_id(
        self, ctx: Context, sobject_type: ObjectName, field: FieldName,
        value: Annotated[str, Field(min_length=1, max_length=255)], fields: Fields = (),
    ) -> ToolResult:  # fmt: skip
        """A record by the value of a field that is marked as external id."""
        await self._demand_key(ctx, sobject_type, field)
        path = f"sobjects/{part(sobject_type)}/{part(field)}/{part(value)}"
        return await self._record(ctx, path, fields, unknown(sobject_type))

    async def _record(
        self, ctx: Context, path: str, fields: Sequence[str], advise: Callable[[str], str]
    ) -> ToolResult:
        params = {"fields": ",".join(once(["Id", *names(fields, dotted=False)]))} if fields else None
        request = Request("GET", path, Kind.READ, params=params, accept=frozenset({300}))
        answer, instance = await self._send(ctx, request, advise=advise)
        if answer.status == 300:
            raise several_records(answer)
        found = shaped(answer)
        made = trim.linked(found, instance, text_limit=20_000) if fields else trim.whole(found, instance)
        return untrusted(made)

    @tool(title="Get related records", hint="R", open_world=True, cache="S")
    async def salesforce_get_related_records(
        self, ctx: Context, sobject_type: ObjectName, record_id: RecordId,
        relationship: Annotated[str, Field(pattern=NAME, description="Such as Contacts, Parent.")],
        fields: Fields = (), limit: Few = 25, cursor: Next = "",
    ) -> ToolResult:  # fmt: skip
        """The records that a relationship of a record leads to."""
        await self._demand_one(ctx, sobject_type, record_id)
        await self._demand_relationship(ctx, sobject_type, relationship)
        path = f"sobjects/{part(sobject_type)}/{part(record_id)}/{part(relationship)}"
        wanted = {"fields": ",".join(once(["Id", *names(fields, dotted=False)]))} if fields else {}
        page = await self._batched(
            ctx, "salesforce_get_related_records", {"path": path, **wanted}, (path, wanted), limit=limit,
            cursor=cursor,
            advise=lambda _: f"salesforce_get_record_fields(sobject_type='{sobject_type}') lists its relationships; "
            "one to a parent that is not set leads nowhere.",
        )  # fmt: skip
        return untrusted(page)

    async def _demand_relationship(self, ctx: Context, object: str, relationship: str) -> None:
        """Hold a relationship, of children or of a parent, against the allow-list."""
        if not self.allowed:
            return
        links = await self._links(ctx, object)
        targets = links.parents.get(relationship.lower())
        if targets is None:
            await self.allowed.child(object, relationship, lambda name: self._links(ctx, name))
        for target in targets or ():
            self.allowed.demand(target)

    @tool(title="List recent records", hint="R", open_world=True, default_on=False)
    async def salesforce_list_recent(
        self, ctx: Context, sobject_type: Annotated[str, Field(max_length=80)] = "", limit: Few = 25
    ) -> ToolResult:
        """What the connection's user looked at lately."""
        if sobject_type:
            if not re.fullmatch(NAME, sobject_type):
                raise InvalidInput(
                    f"{sobject_type!r} is no object's name.", code="INVALID_TYPE",
                    hint="salesforce_list_objects lists their API names.",
                )  # fmt: skip
            self.allowed.demand(sobject_type)
            found, instance = await self._get(
                ctx, f"sobjects/{part(sobject_type)}", advise=unknown(sobject_type)
            )
            rows: list[dict[str, Any]] = list(found.get("recentItems") or ())
        else:
            rows, instance = await self._get(
                ctx, "recent", {"limit": 200 if self.allowed else limit}, kind=list
            )
        shown = [row for row in rows if self.allowed.has(trim.kind_of(row))][:limit]
        items, kinds = trim.of_kinds(shown)
        return untrusted(trim.listed(page_of(items), instance, kinds))
