"""What the org has: its objects, their fields, its limits; and who we are there."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.base import Context, tool
from connectors.errors import ConnectorError, InvalidInput, NotFound, NotPermitted
from connectors.kit.cursors import next_cursor, page_of, position_of
from connectors.kit.tidy import small
from connectors.providers.salesforce import trim
from connectors.providers.salesforce.base import SalesforceBase, part
from connectors.providers.salesforce.base import record_id as id_of
from connectors.providers.salesforce.credentials import SOAP_ENDS
from connectors.providers.salesforce.faults import unknown
from connectors.providers.salesforce.types import Next, ObjectName, OptionalId
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

MAX_PICKLIST = 50
SCHEMA = ("sf:schema",)  # what records' changes do not end
Only = Literal["updateable", "required", "custom", "all"]


class ObjectTools(SalesforceBase):
    """The org's own description of itself."""

    @tool(title="List objects", hint="R", open_world=True, cache="L", tags=SCHEMA)
    async def salesforce_list_objects(
        self,
        ctx: Context,
        search: Annotated[str, Field(max_length=80, description="Part of a name")] = "",
        custom_only: bool = False,
        limit: Annotated[int, Field(ge=1, le=500)] = 50,
        cursor: Next = "",
    ) -> dict[str, Any]:
        """The objects of the org with their API names."""
        found, _ = await self._get(ctx, "sobjects", needs=("sobjects",))
        word = search.strip().lower()
        rows = [
            row
            for row in found["sobjects"]
            if self.allowed.has(row["name"])
            and (row.get("custom") or not custom_only)
            and (word in row["name"].lower() or word in str(row.get("label", "")).lower())
            and (row.get("queryable") or row.get("createable"))
        ]
        key = {"search": word, "custom": custom_only}
        start = int(position_of(ctx, "salesforce_list_objects", key, cursor) or 0)
        items = [
            small(
                name=row["name"], label=row.get("label"), custom=row.get("custom") or None,
                read_only=None if row.get("createable") or row.get("updateable") else True,
            )
            for row in rows[start : start + limit]
        ]  # fmt: skip
        following = start + limit if start + limit < len(rows) else None
        return dict(page_of(items, next_cursor(ctx, "salesforce_list_objects", key, following), len(rows)))

    @tool(
        title="Get an object's fields", hint="R", open_world=True, required=True, cache="L",
        tags=(*SCHEMA, "sf:{sobject_type}"),  # a record's values may be in it
        aliases=("salesforce_describe_object",),
    )  # fmt: skip
    async def salesforce_get_record_fields(
        self,
        ctx: Context,
        sobject_type: ObjectName,
        record_id: Annotated[OptionalId, Field(description="to see its values, an hour old at most")] = "",
        only: Only = "all",
        include_picklists: bool = True,
    ) -> dict[str, Any]:
        """An object's fields: API names, types, which are required, picklist values, relationships."""
        self.allowed.demand(sobject_type)
        path = f"sobjects/{part(sobject_type)}"
        if record_id:
            await self._demand_one(ctx, sobject_type, id_of(record_id))
        found, instance = await self._get(
            ctx, f"{path}/describe", advise=unknown(sobject_type), needs=("name", "fields")
        )
        values: dict[str, Any] = {}
        if record_id:
            row, instance = await self._get(
                ctx, f"{path}/{part(record_id)}", advise=unknown(sobject_type, record_id)
            )
            values = trim.linked(row, instance)
        fields = [
            _field(field, values.get(field["name"]), picklists=include_picklists)
            for field in found["fields"]
            if _is_wanted(field, only)
        ]
        children = {
            child["relationshipName"]: child["childSObject"]
            for child in found.get("childRelationships") or ()
            if child.get("relationshipName") and self.allowed.has(child["childSObject"])
        }
        names = [field["name"] for field in fields]
        beside = len(str(children)) + sum(map(len, names)) + 3 * len(names)
        shown = fields[: trim.fitting(fields, beside=beside)]
        return small(
            object=found["name"], label=found.get("label"), fields=shown, count=len(shown),
            more_fields=names[len(shown) :], hint=_NARROW if len(shown) < len(fields) else None,
            child_relationships=children if only == "all" else None, url=values.get("url"),
        )  # fmt: skip

    @tool(title="Get limits", hint="R", open_world=True, default_on=False)
    async def salesforce_get_limits(
        self,
        ctx: Context,
        only: Annotated[
            Sequence[Annotated[str, Field(max_length=80)]],
            Field(max_length=100, description="Such as DailyApiRequests"),
        ] = (),
    ) -> dict[str, Any]:
        """What is left of the org's limits."""
        found, _ = await self._get(ctx, "limits")
        wanted = {name.lower() for name in only}
        limits = {
            name: {"max": row["Max"], "remaining": row["Remaining"]}
            for name, row in sorted(found.items())
            if isinstance(row, dict) and (name.lower() in wanted if wanted else row.get("Max"))
        }
        if wanted and not limits:
            raise NotFound(
                "The org has no such limit.",
                code="no_limit",
                hint=f"Such as: {', '.join(sorted(found)[:20])}.",
            )
        return {"limits": limits}

    @tool(
        title="About the connection", hint="R", open_world=True, required=True, aliases=("salesforce_health",)
    )
    async def salesforce_connection_info(self, ctx: Context) -> dict[str, Any]:
        """Who the connection signs in as, in which org, and how many requests are left."""
        return await self.about(ctx)

    async def about(self, ctx: Context) -> dict[str, Any]:
        """Who, where, with what, and what is left; also for the connection's test."""
        credential = await ctx.credential()
        method = str(credential.get("method", ""))
        who, instance = await self._who(ctx)
        requests = await self._requests_left(ctx)
        soap = method == "password" and not credential.get("client_id")
        return small(
            **who, url=instance, method=method, api_version=self.settings.api_version,
            objects=self.allowed.names(),
            requests=requests,
            session_ends="when Salesforce says so" + (" (about two hours)" if method == "access_token" else ""),
            login_ends=SOAP_ENDS if soap else None,
        )  # fmt: skip

    async def _requests_left(self, ctx: Context) -> dict[str, Any]:
        """What is left of the org's requests; by what each answer says where the user may not see the limits."""
        try:
            limits, _ = await self._get(ctx, "limits")
        except (NotPermitted, NotFound):
            answer, _ = await self._send(ctx, Request("GET", "", Kind.READ))
            left = answer.quota
            return small(limit=left.limit, remaining=left.remaining) if left else {}
        requests = limits.get("DailyApiRequests") or {}
        return small(limit=requests.get("Max"), remaining=requests.get("Remaining"))

    async def _who(self, ctx: Context) -> tuple[dict[str, Any], str]:
        """The user of the session; where the app's scopes hide it, by the ids that the API's root tells."""
        try:
            answer, instance = await self._get(ctx, "services/oauth2/userinfo", data=False)
            return small(
                user=answer.get("preferred_username"), name=answer.get("name"), user_id=answer.get("user_id"),
                organization_id=answer.get("organization_id"), time_zone=answer.get("zoneinfo"),
            ), instance  # fmt: skip
        except (NotPermitted, NotFound):
            root, instance = await self._get(ctx, "")
        org, _, user = str(root.get("identity", "")).rpartition("/id/")[2].partition("/")
        try:
            row, _ = (
                await self._get(ctx, f"sobjects/User/{part(user)}", {"fields": "Name,Username"})
                if user
                else ({}, "")
            )
        except (NotPermitted, NotFound, InvalidInput):  # then it has no name here
            row = {}
        return small(
            user=row.get("Username"), name=row.get("Name"), user_id=user, organization_id=org
        ), instance  # fmt: skip

    async def missing_rights(self, ctx: Context) -> dict[str, list[str]]:
        """Tools that will not work for want of a right, with the object that is missing; empty if unknown."""
        try:
            found, _ = await self._get(ctx, "sobjects", needs=("sobjects",))
        except ConnectorError:
            return {}
        rights = {row["name"]: row for row in found["sobjects"]}
        missing: dict[str, list[str]] = {}
        for tool_name, needs in _NEEDS.items():
            lacking = [
                f"{object}: {right}"
                for object, right in needs
                if not self.allowed.has(object) or not rights.get(object, {}).get(right)
            ]
            if len(lacking) == len(needs) or (lacking and tool_name not in _ONE_IS_ENOUGH):
                missing[tool_name] = lacking
        if self.allowed:
            missing |= {name: ["all objects"] for name in _NEED_ALL}
        return missing


_NEEDS: dict[str, tuple[tuple[str, str], ...]] = {
    **{
        f"salesforce_query_{name}": ((object, "queryable"),)
        for name, object in (
            ("accounts", "Account"),
            ("contacts", "Contact"),
            ("opportunities", "Opportunity"),
            ("cases", "Case"),
            ("leads", "Lead"),
        )
    },
    "salesforce_query_activities": (("Task", "queryable"), ("Event", "queryable")),
    "salesforce_create_activity": (("Task", "createable"), ("Event", "createable")),
    "salesforce_delete_activity": (("Task", "deletable"), ("Event", "deletable")),
    "salesforce_upload_file": (("ContentVersion", "createable"),),
    "salesforce_list_reports": (("Report", "queryable"),),
    "salesforce_run_report": (("Report", "queryable"),),
}
# They work with tasks, or with events, alone.
_ONE_IS_ENOUGH = ("salesforce_query_activities", "salesforce_create_activity", "salesforce_delete_activity")
_NEED_ALL = ("salesforce_list_reports", "salesforce_run_report", "salesforce_run_flow")


_NARROW = (
    "more_fields are names alone: only='required' or 'custom' and include_picklists=false show more of each."
)


def _is_wanted(field: dict[str, Any], only: str) -> bool:
    if only == "updateable":
        return bool(field.get("updateable") or field.get("createable"))
    if only == "required":
        return _is_required(field)
    return only == "all" or bool(field.get("custom"))


def _is_required(field: dict[str, Any]) -> bool:
    return bool(
        not field.get("nillable") and not field.get("defaultedOnCreate") and field.get("createable")
        and field.get("type") != "boolean"
    )  # fmt: skip


def _field(field: dict[str, Any], value: Any, *, picklists: bool) -> dict[str, Any]:
    values = [one["value"] for one in field.get("picklistValues") or () if one.get("active", True)]
    return small(
        name=field["name"],
        label=field.get("label") if field.get("label") != field["name"] else None,
        type=field.get("type"),
        required=_is_required(field) or None,
        read_only=None if field.get("updateable") or field.get("createable") else True,
        external_id=field.get("externalId") or None,
        references=field.get("referenceTo"),
        relationship=field.get("relationshipName"),
        picklist=values[:MAX_PICKLIST] if picklists else None,
        more_values=len(values) - MAX_PICKLIST if picklists and len(values) > MAX_PICKLIST else None,
        value=value,
    )
