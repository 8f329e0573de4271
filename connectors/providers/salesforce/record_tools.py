"""Single records, what hangs on them, and what was looked at lately."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import Conflict
from connectors.kit.cursors import page_of
from connectors.kit.tidy import untrusted
from connectors.providers.salesforce import trim
from connectors.providers.salesforce.base import part
from connectors.providers.salesforce.paging import PagedBase
from connectors.providers.salesforce.queries import names
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
        return await self._record(ctx, f"sobjects/{part(sobject_type)}/{part(record_id)}", fields)

    @tool(title="Get a record by external id", hint="R", open_world=True, cache="S", default_on=False)
    async def salesforce_get_record_by_external_id(
        self, ctx: Context, sobject_type: ObjectName, field: FieldName,
        value: Annotated[str, Field(min_length=1, max_length=255)], fields: Fields = (),
    ) -> ToolResult:  # fmt: skip
        """A record by the value of a field that is marked as external id."""
        await self._demand_key(ctx, sobject_type, field)
        return await self._record(ctx, f"sobjects/{part(sobject_type)}/{part(field)}/{part(value)}", fields)

    async def _record(self, ctx: Context, path: str, fields: Sequence[str]) -> ToolResult:
        params = {"fields": ",".join(dict.fromkeys(["Id", *names(fields, dotted=False)]))} if fields else None
        request = Request("GET", path, Kind.READ, params=params, accept=frozenset({300}))
        answer, instance = await self._send(ctx, request)
        found = answer.json()
        if answer.status == 300:
            ids = [str(url).rpartition("/")[2] for url in found][:20] if isinstance(found, list) else []
            raise Conflict(
                "Several records have this value.", code="several_records", details={"ids": ids},
                hint="Read one of them with salesforce_get_record.",
            )  # fmt: skip
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
        wanted = {"fields": ",".join(dict.fromkeys(["Id", *names(fields, dotted=False)]))} if fields else {}
        page = await self._batched(
            ctx, "salesforce_get_related_records", {"path": path, **wanted}, (path, wanted), limit=limit,
            cursor=cursor,
            advise=lambda _: f"salesforce_get_record_fields(sobject_type='{sobject_type}') lists its relationships.",
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
            self.allowed.demand(sobject_type)
            [name] = names([sobject_type], dotted=False)
            found, instance = await self._get(ctx, f"sobjects/{part(name)}")
            rows: list[dict[str, Any]] = list(found.get("recentItems") or ())
        else:
            rows, instance = await self._get(ctx, "recent", {"limit": 200 if self.allowed else limit})
        shown = [row for row in rows if self.allowed.has(trim.kind_of(row))][:limit]
        items, kinds = trim.of_kinds(shown)
        return untrusted(trim.listed(page_of(items), instance, kinds))
