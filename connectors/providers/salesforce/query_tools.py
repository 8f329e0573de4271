"""Queries in the caller's own words: SOQL, search, aggregates, and what a query would cost."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput, NotFound, NotPermitted
from connectors.kit.cursors import page_of
from connectors.kit.tables import Format
from connectors.kit.tidy import small, untrusted
from connectors.providers.salesforce import trim
from connectors.providers.salesforce.base import shaped
from connectors.providers.salesforce.paging import PagedBase, told, with_note
from connectors.providers.salesforce.queries import (
    advice,
    aggregate,
    demand_query,
    escaped_words,
    names,
    nothing_found,
    once,
    ordered_totals,
    query_of,
)
from connectors.providers.salesforce.soql import condition, counts, demand_reading, selected
from connectors.providers.salesforce.types import MAX_ROWS, NAME, Next, ObjectName, Paths, Soql, Where
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

MAX_SEARCHED = 20
SEARCHED = ("Account", "Contact", "Lead", "Opportunity", "Case")
# What stands for a name where an object has none.
NAMED = {
    "case": ("CaseNumber", "Subject", "Status"),
    "task": ("Subject", "Status", "ActivityDate"),
    "event": ("Subject", "ActivityDate"),
    "contact": ("Name", "Email"),
    "lead": ("Name", "Company", "Email"),
    "contentversion": ("Title",),
    "contentdocument": ("Title",),
}  # fmt: skip


class SearchIn(BaseModel):
    """An object to search in."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=NAME)]
    fields: Paths = ()
    where: Annotated[str, Field(max_length=2000)] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 20


class QueryTools(PagedBase):
    """SOQL and SOSL."""

    @tool(title="Query with SOQL", hint="R", open_world=True, required=True, cache="S")
    async def salesforce_query(
        self,
        ctx: Context,
        query: Soql,
        limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 200,
        cursor: Next = "",
        include_deleted: bool = False,
        format: Format = "json",
    ) -> ToolResult:
        """Run a SOQL SELECT, such as: SELECT Id, Name, Owner.Name FROM Account WHERE Name LIKE '%acme%'.

        Name the fields (no *), texts in single quotes, dates without, custom names end with __c.
        """
        query = demand_query(query)
        await self._demand_query(ctx, query)
        page = await self._batched(
            ctx, "salesforce_query", {"q": query, "deleted": include_deleted},
            ("queryAll" if include_deleted else "query", {"q": query}),
            limit=limit, cursor=cursor, advise=lambda said: advice(query, said), format=format,
        )  # fmt: skip
        if counts(query):
            number = page.get("total", 0)
            note = nothing_found(query) if not number else ""
            return told({**page_of([{"count": number}]), **({"hint": note} if note else {})}, format)
        return told(with_note(page, query), format, selected=selected(query))

    @tool(
        title="Search all objects", hint="R", open_world=True, required=True, cache="S",
        aliases=("salesforce_sosl_search",),
    )  # fmt: skip
    async def salesforce_search(
        self,
        ctx: Context,
        text: Annotated[str, Field(max_length=200, description="Words; * at the end")] = "",
        objects: Annotated[Sequence[SearchIn], Field(max_length=MAX_SEARCHED)] = (),
        in_fields: Literal["ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR"] = "ALL",
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
        sosl: Annotated[str, Field(max_length=10_000, description="instead of text")] = "",
    ) -> ToolResult:
        """Find records by words in any field, in several objects at once (SOSL).

        If truncated, raise limit or narrow down. id_prefixes tells whose ids begin so.
        """
        most: dict[str, int] = {}
        if sosl.strip():
            found, instance = await self._raw_search(ctx, sosl)
        else:
            wanted = objects or await self._usual(ctx, limit)
            most = {one.name.lower(): min(one.limit, limit) for one in wanted}
            found, instance = await self._search(ctx, text.strip(), wanted, in_fields, limit)
        rows: list[dict[str, Any]] = []
        counted: Counter[str] = Counter()
        hits = [row for row in found.get("searchRecords") or () if self._may_show(row)]
        for row in hits:
            kind = trim.kind_of(row).lower()
            counted[kind] += 1
            if len(rows) < limit and counted[kind] <= most.get(kind, limit):
                rows.append(row)
        items, kinds = trim.of_kinds(rows)
        items = items[: trim.fitting(items)]
        if len(items) == len(hits):
            return untrusted(trim.listed(page_of(items, None, len(items)), instance, kinds))
        page = {**page_of(items), "truncated": True}
        return untrusted(trim.listed(page, instance, kinds))

    def _may_show(self, row: dict[str, Any]) -> bool:
        return not self.allowed or self.allowed.has(trim.kind_of(row))

    async def _usual(self, ctx: Context, limit: int) -> Sequence[SearchIn]:
        """Where to search if nobody says it: in the usual objects, or in those of the connection that can be."""
        if not self.allowed:
            return [SearchIn(name=name, limit=limit) for name in SEARCHED]
        found: list[SearchIn] = []
        for name in self.allowed.names():
            try:
                links = await self._links(ctx, name)
            except (NotFound, NotPermitted):  # the settings name what the user does not see
                continue
            if links.searchable and len(found) < MAX_SEARCHED:
                fields = NAMED.get(name.lower()) or ((links.title,) if links.title else ("Id",))
                found.append(SearchIn(name=name, fields=fields, limit=limit))
        if not found:
            raise InvalidInput(
                "None of this connection's objects can be searched.", code="not_searchable",
                hint="Find records with salesforce_query.",
            )  # fmt: skip
        return found

    async def _raw_search(self, ctx: Context, sosl: str) -> tuple[Any, str]:
        if self.allowed:
            raise NotPermitted(
                "This connection is for some objects alone, and takes no SOSL.",
                code="sosl_not_allowed",
                hint="Use text and objects instead.",
            )
        hint = (
            "Such as: FIND {acme} IN ALL FIELDS RETURNING Account(Id, Name), Contact(Id, Name). Within the braces "
            "? & | ! ( ) [ ] ^ ~ * : \" ' + - stand behind a backslash."
        )
        if not sosl.strip().upper().startswith("FIND"):
            raise InvalidInput("SOSL begins with FIND.", code="MALFORMED_SEARCH", hint=hint)
        demand_reading(re.sub(r"\{(?:[^}\\]|\\.)*\}", " ", sosl))
        return await self._get(
            ctx, "search", {"q": sosl.strip()}, advise=lambda said: advice("", said) or hint
        )

    async def _search(
        self, ctx: Context, text: str, objects: Sequence[SearchIn], in_fields: str, limit: int
    ) -> tuple[Any, str]:
        if len(text.replace("*", "")) < 2:
            raise InvalidInput("Search for words of two characters or more.", code="MALFORMED_SEARCH")
        sobjects = []
        for one in objects:
            fields = once(["Id", *(names(one.fields) or NAMED.get(one.name.lower(), ("Name",)))])
            await self._demand_paths(ctx, one.name, fields)
            asked: dict[str, Any] = {"name": one.name, "fields": fields, "limit": min(one.limit, limit) + 1}
            if one.where:
                asked["where"] = condition(one.where)
                await self._demand_query(ctx, query_of(one.name, ["Id"], [asked["where"]]))
            sobjects.append(asked)
        body = {"q": text, "in": in_fields, "sobjects": sobjects, "overallLimit": limit + len(sobjects)}
        request = Request("POST", "parameterizedSearch", Kind.READ, json=body)
        plain = escaped_words(text)
        try:
            answer, instance = await self._send(ctx, request, advise=lambda said: advice("", said))
        except InvalidInput as error:
            if error.code != "MALFORMED_SEARCH" or plain == text:
                raise
            # Characters that mean something in SOSL, but were meant as they are: a hyphen in a name.
            request = replace(request, json={**body, "q": plain})
            answer, instance = await self._send(ctx, request, advise=lambda said: advice("", said))
        return shaped(answer), instance

    @tool(title="Count and sum", hint="R", open_world=True, cache="S", default_on=False)
    async def salesforce_aggregate_query(
        self,
        ctx: Context,
        object: ObjectName,
        aggregates: Annotated[
            list[Annotated[str, Field(max_length=200)]],
            Field(
                min_length=1,
                max_length=20,
                description="COUNT(Id) n, SUM(Amount) total, AVG(x), MIN(x), MAX(x)",
            ),
        ],
        group_by: Paths = (),
        where: Where = "",
        having: Annotated[str, Field(max_length=1000)] = "",
        order_by: Annotated[
            str, Field(max_length=300, description="A grouped field, or: COUNT(Id) DESC")
        ] = "",
        limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 200,
        format: Format = "json",
    ) -> ToolResult:
        """Totals over an object's records, by group where asked."""
        groups = names(group_by)
        if (groups or len(aggregates) > 1) and any(one.strip().upper() == "COUNT()" for one in aggregates):
            raise InvalidInput("COUNT() stands alone.", code="bad_aggregate", hint="Write COUNT(Id) n.")
        fields = [*groups, *(aggregate(one) for one in aggregates)]
        alone = [field.upper() for field in fields] == ["COUNT()"]
        query = query_of(
            object, fields, [condition(where)] if where else [], group_by=groups, having=having,
            order_by=ordered_totals(order_by, aggregates) if order_by else "", limit=limit + 1 if groups else 0,
        )  # fmt: skip
        await self._demand_query(ctx, query)
        needs = ("records", "totalSize") if alone else ("records",)
        found, _ = await self._get(
            ctx, "query", {"q": query}, advise=lambda said: advice(query, said), needs=needs
        )
        if alone:
            return told(page_of([{"count": found["totalSize"]}]), format)
        rows = trim.records(found["records"][:limit])
        if len(found["records"]) > limit or not found.get("done", True):
            raise InvalidInput(
                f"There are more than {limit} groups.",
                code="too_many_groups",
                hint="Raise limit, or narrow the groups down with where or having.",
            )
        if trim.fitting(rows, format) < len(rows):
            raise InvalidInput(
                f"The totals of {len(rows)} groups are too long for one answer.",
                code="too_many_groups",
                hint="Lower limit with order_by, or narrow the groups down with where or having.",
            )
        return told(page_of(rows), format, selected=selected(query))

    @tool(title="Validate a query", hint="R", open_world=True, default_on=False)
    async def salesforce_validate_query(self, ctx: Context, query: Soql) -> dict[str, Any]:
        """Whether a SOQL query is valid, and what it would cost, without running it."""
        try:
            query = demand_query(query)
            await self._demand_query(ctx, query)
            found, _ = await self._get(
                ctx, "query", {"explain": query}, advise=lambda said: advice(query, said)
            )
        except InvalidInput as error:
            return small(valid=False, error=error.message, code=error.code, hint=error.hint)
        plans = [
            small(
                kind=plan.get("leadingOperationType"), rows=plan.get("cardinality"), of=plan.get("sobjectCardinality"),
                relative_cost=plan.get("relativeCost"),
                notes=[note.get("description") for note in plan.get("notes") or ()],
            )
            for plan in found.get("plans") or ()
        ]  # fmt: skip
        return {"valid": True, "plans": plans}
