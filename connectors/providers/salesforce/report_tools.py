"""Reports that people made in the org: found, and run as they are or narrowed down."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.base import Context, ToolResult, tool
from connectors.errors import InvalidInput
from connectors.kit.cursors import page_of, part_of
from connectors.kit.tables import Format
from connectors.kit.tidy import small, untrusted, visible
from connectors.providers.salesforce import trim
from connectors.providers.salesforce.base import part, shaped
from connectors.providers.salesforce.paging import PagedBase, told
from connectors.providers.salesforce.queries import containing
from connectors.providers.salesforce.report_rows import Facts, narrowed
from connectors.providers.salesforce.types import MAX_ROWS, Few, Next, RecordId
from connectors.upstream.client import Request
from connectors.upstream.retry import Kind

PATH: Final = "analytics/reports"
# A report may be of any object, and its answer does not say which: no list of objects can hold it.
NEEDS_ALL: Final = "reports show whatever they were made of"
_LIST: Final = "salesforce_list_reports"
_FIELDS: Final = ("Id", "Name", "FolderName", "Format", "LastRunDate")
Operator = Literal[
    "equals", "notEqual", "lessThan", "greaterThan", "lessOrEqual", "greaterOrEqual", "contains", "notContain",
    "startsWith", "includes", "excludes", "within",
]  # fmt: skip


class ReportFilter(BaseModel):
    """A condition on a column of a report."""

    model_config = ConfigDict(extra="forbid")

    column: Annotated[str, Field(min_length=1, max_length=200, description="API name, such as ACCOUNT.NAME")]
    operator: Operator = "equals"
    value: Annotated[str, Field(max_length=1000)]


class ReportTools(PagedBase):
    """The org's reports."""

    @tool(title="List reports", hint="R", open_world=True, default_on=False, cache="L")
    async def salesforce_list_reports(
        self,
        ctx: Context,
        search: Annotated[
            str, Field(max_length=200, description="Part of a name; else the latest seen")
        ] = "",
        limit: Few = 25,
        cursor: Next = "",
    ) -> ToolResult:
        """Reports with their ids."""
        self.allowed.demand_none(NEEDS_ALL)
        if search.strip():
            page, _ = await self._page(
                ctx, _LIST, "Report", _FIELDS, [f"Name LIKE {containing(search.strip())}"],
                order_by="Name, Id", limit=limit, cursor=cursor,
            )  # fmt: skip
            return untrusted(page)
        found, instance = await self._get(ctx, PATH, kind=list)
        rows = [small(Id=row["id"], Name=row.get("name")) for row in found]
        return untrusted(trim.listed(part_of(ctx, _LIST, {"search": ""}, rows, cursor, limit), instance))

    @tool(title="Run a report", hint="R", open_world=True, default_on=False, cache="S")
    async def salesforce_run_report(
        self,
        ctx: Context,
        report_id: RecordId,
        filters: Annotated[Sequence[ReportFilter], Field(max_length=20, description="beside its own")] = (),
        include_rows: bool = True,
        limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 100,
        format: Format = "json",
    ) -> ToolResult:
        """Run a report: its rows, groups and totals. Salesforce gives 2,000 rows at most."""
        self.allowed.demand_none(NEEDS_ALL)
        path = f"{PATH}/{part(report_id)}"
        params = {"includeDetails": "true" if include_rows else "false"}
        if filters:
            about, _ = await self._get(ctx, f"{path}/describe", advise=_advice, needs=("reportMetadata",))
            added = [{"column": one.column, "operator": one.operator, "value": one.value} for one in filters]
            body = {"reportMetadata": narrowed(about["reportMetadata"], added)}
            request = Request("POST", path, Kind.READ, params=params, json=body)
            answer, instance = await self._send(ctx, request, advise=lambda said: _advice(said, about))
            found = shaped(answer)
        else:
            found, instance = await self._get(ctx, path, params, advise=_advice)
        return _shown(found, f"{instance}/{report_id}", limit=limit, format=format)


def _shown(
    found: dict[str, Any], url: str, *, limit: int, format: Literal["json", "csv", "markdown"]
) -> ToolResult:
    facts = Facts(found)
    kind = str(facts.metadata.get("reportFormat", "")).lower()
    if kind == "multi_block":
        raise InvalidInput(
            "This report is put together of several; they cannot be read as one table.",
            code="joined_report", hint=f"Run one of them by itself, or open {url}.",
        )  # fmt: skip
    rows = list(facts.rows())
    about = small(
        name=visible(str(facts.metadata.get("name", ""))), report_format=kind, groups=facts.groups(),
        totals=facts.totals(), url=url,
    )  # fmt: skip
    shown = rows[:limit]
    shown = shown[: trim.fitting(shown, format, beside=len(json.dumps(about)))]
    all_told = len(shown) == len(rows) and bool(found.get("allData", True))
    page: Any = {**page_of(shown), **about}
    if not all_told:
        page |= {"truncated": True, "hint": "Not all rows are shown: raise limit, or add filters."}
    return told(page, format, selected=facts.columns() if shown else ())


def _advice(said: str, about: dict[str, Any] | None = None) -> str:
    """What helps where Salesforce did not run a report."""
    if "NOT_FOUND" in said:
        return "salesforce_list_reports(search=...) finds reports."
    if "FORBIDDEN" in said and "60 minutes" not in said:
        return "The user of the connection lacks the right Run Reports, or access to the report's folder."
    columns = list((about or {}).get("reportMetadata", {}).get("detailColumns") or ())
    return f"Columns of this report: {', '.join(map(str, columns[:30]))}." if columns else ""
