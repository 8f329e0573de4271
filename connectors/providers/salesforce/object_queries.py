"""Queries of the usual objects, without SOQL: accounts, contacts, opportunities, cases, leads, activities."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import NotPermitted
from connectors.kit.cursors import next_cursor, page_of, position_of
from connectors.kit.tidy import untrusted
from connectors.providers.salesforce import trim
from connectors.providers.salesforce.base import record_id
from connectors.providers.salesforce.paging import PagedBase, ended, with_note
from connectors.providers.salesforce.queries import containing, day, names, once, ordered, query_of, quoted
from connectors.providers.salesforce.soql import condition
from connectors.providers.salesforce.types import (
    ID,
    MAX_OFFSET,
    ActivityKind,
    Day,
    Few,
    Next,
    OptionalId,
    OrderBy,
    Paths,
    Where,
    Word,
)

NEWEST = "LastModifiedDate DESC, Id"
ACCOUNT = ("Id", "Name", "Type", "Industry", "Phone", "Website", "BillingCity", "Owner.Name")
CONTACT = ("Id", "Name", "Title", "Email", "Phone", "AccountId", "Account.Name")
OPPORTUNITY = (
    "Id", "Name", "StageName", "Amount", "Probability", "CloseDate", "AccountId", "Account.Name", "Owner.Name",
)  # fmt: skip
CASE = (
    "Id", "CaseNumber", "Subject", "Status", "Priority", "AccountId", "Account.Name", "Owner.Name", "CreatedDate",
)  # fmt: skip
LEAD = ("Id", "Name", "Company", "Title", "Email", "Status", "LeadSource", "IsConverted", "CreatedDate")
TASK = (
    "Id", "Subject", "Status", "Priority", "ActivityDate", "IsClosed", "WhoId", "Who.Name", "WhatId", "What.Name",
    "Owner.Name",
)  # fmt: skip
EVENT = (
    "Id", "Subject", "StartDateTime", "DurationInMinutes", "ActivityDate", "WhoId", "Who.Name", "WhatId", "What.Name",
    "Owner.Name",
)  # fmt: skip
PEOPLE_PREFIXES = ("003", "00Q")  # ids of contacts and leads: what Who refers to
OWNER_PREFIXES = ("005", "00G")  # of users and queues

NameContains = Annotated[str, Field(max_length=200)]


class ObjectQueries(PagedBase):
    """One tool for each of the usual objects."""

    @tool(title="Query accounts", hint="R", open_world=True, required=True, cache="S")
    async def salesforce_query_accounts(
        self, ctx: Context, limit: Few = 10, where_clause: Where = "", name_contains: NameContains = "",
        fields: Paths = (), order_by: OrderBy = "", cursor: Next = "",
    ) -> ToolResult:  # fmt: skip
        """Accounts: companies and organisations."""
        return await self._listed(
            ctx, "salesforce_query_accounts", "Account", fields, ACCOUNT,
            [_contains("Name", name_contains), _own(where_clause)], order_by, limit, cursor,
        )  # fmt: skip

    @tool(title="Query contacts", hint="R", open_world=True, required=True, cache="S")
    async def salesforce_query_contacts(
        self, ctx: Context, limit: Few = 10, where_clause: Where = "", name_contains: NameContains = "",
        account_id: OptionalId = "", email: Word = "", fields: Paths = (), order_by: OrderBy = "",
        cursor: Next = "",
    ) -> ToolResult:  # fmt: skip
        """Contacts: people at accounts."""
        return await self._listed(
            ctx, "salesforce_query_contacts", "Contact", fields, CONTACT,
            [
                _contains("Name", name_contains), _is("AccountId", _id(account_id)), _is("Email", email),
                _own(where_clause),
            ], order_by, limit, cursor,
        )  # fmt: skip

    @tool(title="Query opportunities", hint="R", open_world=True, required=True, cache="S")
    async def salesforce_query_opportunities(
        self, ctx: Context, limit: Few = 10, where_clause: Where = "", name_contains: NameContains = "",
        stage: Word = "", min_amount: float | None = None, close_before: Day = "", close_after: Day = "",
        fields: Paths = (), order_by: OrderBy = "", cursor: Next = "",
    ) -> ToolResult:  # fmt: skip
        """Opportunities: deals, by the date they are to close."""
        conditions = [
            _contains("Name", name_contains), _is("StageName", stage),
            f"Amount >= {min_amount:.2f}" if min_amount is not None else "",
            f"CloseDate < {day(close_before)}" if close_before else "",
            f"CloseDate > {day(close_after)}" if close_after else "",
            _own(where_clause),
        ]  # fmt: skip
        return await self._listed(
            ctx, "salesforce_query_opportunities", "Opportunity", fields, OPPORTUNITY, conditions,
            order_by or "CloseDate DESC, Id", limit, cursor,
        )  # fmt: skip

    @tool(title="Query cases", hint="R", open_world=True, required=True, cache="S")
    async def salesforce_query_cases(
        self, ctx: Context, limit: Few = 10, where_clause: Where = "", status: Word = "", priority: Word = "",
        is_closed: bool | None = None, fields: Paths = (), order_by: OrderBy = "", cursor: Next = "",
    ) -> ToolResult:  # fmt: skip
        """Cases: customers' requests and problems."""
        return await self._listed(
            ctx, "salesforce_query_cases", "Case", fields, CASE,
            [_is("Status", status), _is("Priority", priority), _flag("IsClosed", is_closed), _own(where_clause)],
            order_by, limit, cursor,
        )  # fmt: skip

    @tool(title="Query leads", hint="R", open_world=True, cache="S")
    async def salesforce_query_leads(
        self, ctx: Context, limit: Few = 10, where_clause: Where = "", name_contains: NameContains = "",
        email: Word = "", status: Word = "", is_converted: bool | None = None, fields: Paths = (),
        order_by: OrderBy = "", cursor: Next = "",
    ) -> ToolResult:  # fmt: skip
        """Leads: people who may become customers."""
        conditions = [
            _contains("Name", name_contains), _is("Email", email), _is("Status", status),
            _flag("IsConverted", is_converted), _own(where_clause),
        ]  # fmt: skip
        return await self._listed(
            ctx, "salesforce_query_leads", "Lead", fields, LEAD, conditions, order_by, limit, cursor
        )

    @tool(title="Query activities", hint="R", open_world=True, required=True, cache="S")
    async def salesforce_query_activities(
        self, ctx: Context, limit: Few = 10, kind: ActivityKind = "both",
        related_to: Annotated[OptionalId, Field(description="Id of what it is about.")] = "",
        owner: Annotated[Word, Field(description="Id or full name.")] = "",
        where_clause: Where = "", fields: Paths = (), cursor: Next = "",
    ) -> ToolResult:  # fmt: skip
        """Tasks and events, the latest first."""
        link = "WhoId" if related_to and related_to.startswith(PEOPLE_PREFIXES) else "WhatId"
        own = ""
        if owner:
            own = _is(
                "OwnerId" if re.fullmatch(ID, owner) and owner.startswith(OWNER_PREFIXES) else "Owner.Name",
                owner,
            )
        conditions = [part for part in (_is(link, _id(related_to)), own, _own(where_clause)) if part]
        kinds = ["Task", "Event"] if kind == "both" else [kind.title()]
        if len(kinds) == 2 and any(map(self.allowed.has, kinds)):
            kinds = [name for name in kinds if self.allowed.has(name)]
        own_fields = once(["Id", "ActivityDate", *names(fields)]) if fields else []
        key = {"kind": kind, "where": conditions, "fields": own_fields}
        offsets = position_of(ctx, "salesforce_query_activities", key, cursor) or [0] * len(kinds)
        found: list[tuple[str, int, dict[str, Any]]] = []
        instance = ""
        for place, name in enumerate(kinds):
            self.allowed.demand(name)
            usual = TASK if name == "Task" else EVENT
            wanted = own_fields or await self._shown(ctx, name, usual)
            query = query_of(
                name, wanted, conditions, order_by="ActivityDate DESC NULLS LAST, Id", limit=limit + 1,
                offset=offsets[place],
            )  # fmt: skip
            rows, instance = await self._rows(ctx, query)
            found += [(str(row.get("ActivityDate") or ""), place, row) for row in rows]
        found.sort(key=lambda one: one[0], reverse=True)  # stable: each kind stays in Salesforce's order
        items = [
            {"kind": kinds[place].lower(), **trim.record(row, text_limit=1000)}
            for _, place, row in found[:limit]
        ]
        items = items[: trim.fitting(items)]
        after = [
            offset + sum(place == n for _, place, _ in found[: len(items)])
            for n, offset in enumerate(offsets)
        ]
        if len(found) <= len(items):
            page: Mapping[str, Any] = page_of(items)
        elif max(after) > MAX_OFFSET:
            page = ended(page_of(items))
        else:
            page = page_of(items, next_cursor(ctx, "salesforce_query_activities", key, after))
        return untrusted(trim.listed(page, instance))

    async def _listed(
        self, ctx: Context, tool: str, object: str, fields: Sequence[str], usual: Sequence[str],
        conditions: Sequence[str], order_by: str, limit: int, cursor: str,
    ) -> ToolResult:  # fmt: skip
        self.allowed.demand(object)
        own = once(["Id", *names(fields)])
        wanted = own if fields else await self._shown(ctx, object, usual)
        page, query = await self._page(
            ctx, tool, object, wanted, [part for part in conditions if part],
            order_by=_settled(ordered(order_by)) if order_by else NEWEST, limit=limit, cursor=cursor,
        )  # fmt: skip
        return untrusted(with_note(page, query))

    async def _shown(self, ctx: Context, object: str, fields: Sequence[str]) -> list[str]:
        """The usual fields without those of objects that this connection is not for."""
        if not self.allowed:
            return list(fields)
        shown = []
        for field in fields:
            try:
                if "." in field:
                    await self.allowed.demand_path(object, field, lambda name: self._links(ctx, name))
                shown.append(field)
            except NotPermitted:
                continue
        return shown


def _settled(order: str) -> str:
    """An order that leaves no two records alike: pages by offset would show some twice and others never."""
    return order if re.search(r"(?i)(?:^|,)\s*Id\b(?!\.)", order) else f"{order}, Id"


def _is(field: str, value: str) -> str:
    return f"{field} = {quoted(value)}" if value else ""


def _id(text: str) -> str:
    return record_id(text) if text else ""


def _contains(field: str, value: str) -> str:
    return f"{field} LIKE {containing(value)}" if value else ""


def _flag(field: str, value: bool | None) -> str:
    return "" if value is None else f"{field} = {'true' if value else 'false'}"


def _own(where: str) -> str:
    return condition(where) if where.strip() else ""
