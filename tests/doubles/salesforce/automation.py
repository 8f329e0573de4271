"""Salesforce's reports (Reports and Dashboards REST API) and flows (Actions), as far as a connector uses them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.doubles.double import route
from tests.doubles.messages import Answer, Request
from tests.doubles.salesforce.double import DATA, refuse
from tests.doubles.salesforce.records import Records

MOST_ROWS: Final = 2000
_COMPARE: Final[dict[str, Callable[[str, str], bool]]] = {
    "equals": lambda one, other: one == other,
    "notEqual": lambda one, other: one != other,
    "contains": lambda one, other: other in one,
    "greaterThan": lambda one, other: float(one or 0) > float(other),
}


@dataclass(frozen=True)
class Layout:
    """What a report is of: its object, its columns (API name: field, label), what it groups by and sums up."""

    object: str
    columns: dict[str, tuple[str, str]]
    down: str = ""
    across: str = ""
    sums: str = ""


class Automation(Records):
    """An org with two reports and a flow; ``flows`` are called with their inputs and give their outputs."""

    def fill(self) -> None:
        super().fill()
        tabular, matrix = (
            self.make("Report", {"Name": name, "FolderName": "Sales", "Format": kind})
            for name, kind in (("All accounts", "Tabular"), ("Pipeline by stage", "Matrix"))
        )
        self.layouts = {
            tabular: Layout("Account", {"ACCOUNT.NAME": ("Name", "Account Name"), "INDUSTRY": ("Industry", "Industry")}),
            matrix: Layout(
                "Opportunity", {"OPPORTUNITY_NAME": ("Name", "Opportunity Name"), "AMOUNT": ("Amount", "Amount")},
                down="StageName", across="CloseDate", sums="AMOUNT",
            ),
        }  # fmt: skip
        self.filters: dict[str, list[dict[str, Any]]] = {id: [] for id in self.layouts}
        self.logic: dict[str, str] = {}
        self.flows: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "Close_Old_Deals": self._close_deals
        }

    # Reports

    @route("GET", DATA + "/analytics/reports")
    def recent_reports(self, request: Request) -> Any:
        base = request.path
        return [
            {"id": id, "name": row["Name"], "url": f"{base}/{id}", "describeUrl": f"{base}/{id}/describe",
             "fieldsUrl": f"{base}/{id}/fields", "instancesUrl": f"{base}/{id}/instances"}
            for id, row in self.rows["Report"].items()
        ]  # fmt: skip

    @route("GET", DATA + "/analytics/reports/{id}/describe")
    def describe_report(self, request: Request) -> Any:
        id, layout = self._layout(request)
        return {"reportMetadata": self._metadata(id, layout), "reportExtendedMetadata": _labels(layout),
                "reportTypeMetadata": {"categories": []}}  # fmt: skip

    @route("GET", DATA + "/analytics/reports/{id}")
    def run_report(self, request: Request) -> Any:
        return self._run(request, {})

    @route("POST", DATA + "/analytics/reports/{id}")
    def run_report_filtered(self, request: Request) -> Any:
        return self._run(request, request.json["reportMetadata"])

    def _layout(self, request: Request) -> tuple[str, Layout]:
        id = request.parameters["id"]
        found = next((one for one in self.layouts if id in (one, one[:15])), None)
        if found is None:
            raise refuse(404, "NOT_FOUND", "The data you're trying to access is unavailable.")
        return found, self.layouts[found]

    def _metadata(self, id: str, layout: Layout) -> dict[str, Any]:
        row = self.rows["Report"][id]
        return {
            "id": id, "name": row["Name"], "reportFormat": row["Format"].upper(), "detailColumns": list(layout.columns),
            "aggregates": [*([f"s!{layout.sums}"] if layout.sums else []), "RowCount"],
            "groupingsDown": [{"name": layout.down, "sortOrder": "Asc"}] if layout.down else [],
            "groupingsAcross": [{"name": layout.across, "sortOrder": "Asc"}] if layout.across else [],
            "reportFilters": self.filters[id], "reportBooleanFilter": self.logic.get(id),
        }  # fmt: skip

    def _run(self, request: Request, asked: dict[str, Any]) -> Any:
        id, layout = self._layout(request)
        metadata = {**self._metadata(id, layout), **asked}
        rows = [row for row in self.rows[layout.object].values() if not row["IsDeleted"]]
        for one in metadata["reportFilters"]:
            if one["column"] not in layout.columns:
                raise refuse(400, "BAD_REQUEST", f"The filter column {one['column']} is unknown.")
            field, compare = layout.columns[one["column"]][0], _COMPARE[one["operator"]]
            rows = [row for row in rows if compare(str(row.get(field) or ""), one["value"])]
        detailed = request.one("includeDetails") == "true"
        down = sorted({str(row[layout.down]) for row in rows}) if layout.down else []
        across = sorted({str(row[layout.across]) for row in rows}) if layout.across else []
        facts = {"T!T": self._fact(layout, rows, detailed=detailed and not layout.down)}
        for n, stage in enumerate(down):
            own = [row for row in rows if row[layout.down] == stage]
            facts[f"{n}!T"] = self._fact(layout, own, detailed=False)
            for m, date in enumerate(across):
                cell = [row for row in own if row[layout.across] == date]
                facts[f"{n}!{m}"] = self._fact(layout, cell, detailed=detailed)
        for m, date in enumerate(across):
            facts[f"T!{m}"] = self._fact(
                layout, [r for r in rows if r[layout.across] == date], detailed=False
            )
        return {
            "attributes": {"type": "Report", "reportId": id, "reportName": metadata["name"]},
            "allData": len(rows) <= MOST_ROWS, "hasDetailRows": detailed, "factMap": facts,
            "groupingsDown": {"groupings": _groupings(down)}, "groupingsAcross": {"groupings": _groupings(across)},
            "reportMetadata": metadata, "reportExtendedMetadata": _labels(layout),
        }  # fmt: skip

    def _fact(self, layout: Layout, rows: list[dict[str, Any]], *, detailed: bool) -> dict[str, Any]:
        cells: list[dict[str, Any]] = [{"label": str(len(rows)), "value": len(rows)}]
        if layout.sums:
            total = sum(row[layout.columns[layout.sums][0]] or 0 for row in rows)
            cells.insert(0, {"label": f"€{total:,.2f}", "value": total})
        fact: dict[str, Any] = {"aggregates": cells}
        if detailed:
            shown = rows[:MOST_ROWS]
            fact["rows"] = [
                {"dataCells": [_cell(row, field) for field, _ in layout.columns.values()]} for row in shown
            ]
        return fact

    # Flows

    @route("POST", DATA + "/actions/custom/flow/{name}")
    def run_flow(self, request: Request) -> Any:
        name = request.parameters["name"]
        if name not in self.flows:
            raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
        told = []
        for values in request.json["inputs"]:
            try:
                outputs, errors = {**self.flows[name](values), "Flow__InterviewStatus": "Finished"}, None
            except ValueError as error:
                wrong = {"statusCode": "INVALID_API_INPUT", "message": str(error), "fields": []}
                outputs, errors = None, [wrong]
            told.append(
                {"actionName": name, "errors": errors, "isSuccess": not errors, "outputValues": outputs}
            )
        return Answer(400 if any(not one["isSuccess"] for one in told) else 200, told)

    def _close_deals(self, values: dict[str, Any]) -> dict[str, Any]:
        if set(values) != {"before"}:
            raise ValueError("Missing or unknown input parameter; the flow takes before.")
        old = [row for row in self.rows["Opportunity"].values() if row["CloseDate"] < values["before"]]
        for row in old:
            row["StageName"] = "Closed Lost"
        return {"closed": len(old)}


def _groupings(labels: list[str]) -> list[dict[str, Any]]:
    return [
        {"key": str(n), "label": label, "value": label, "groupings": [], "dategroupings": None}
        for n, label in enumerate(labels)
    ]


def _cell(row: dict[str, Any], field: str) -> dict[str, Any]:
    value = row.get(field)
    if isinstance(value, float):
        return {"label": f"€{value:,.2f}", "value": {"amount": value, "currency": None}}
    if field == "Name":
        return {"label": value, "value": row["Id"]}
    return {"label": value or "-", "value": value}


def _labels(layout: Layout) -> dict[str, Any]:
    def info(label: str, kind: str = "string") -> dict[str, str]:
        return {"label": label, "dataType": kind}

    sums = (
        {f"s!{layout.sums}": info(f"Sum of {layout.columns[layout.sums][1]}", "currency")}
        if layout.sums
        else {}
    )
    return {
        "detailColumnInfo": {name: info(label) for name, (_, label) in layout.columns.items()},
        "aggregateColumnInfo": {**sums, "RowCount": info("Record Count", "int")},
        "groupingColumnInfo": {name: info(name) for name in (layout.down, layout.across) if name},
    }
