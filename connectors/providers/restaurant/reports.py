"""A report as a file: PDF, Excel or JSON."""

import io
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from reportlab.graphics.charts.barcharts import VerticalBarChart
from reportlab.graphics.shapes import Drawing
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as PDFTable

from connectors.providers.restaurant.report_data import MONEY, TEXT, Report, Table

ACCENT = "#7c2d12"
Renderer = Callable[[Report, datetime], bytes]


def file_name(report: Report, extension: str) -> str:
    """Such as ``sales-2026-01-01-2026-12-31.pdf``."""
    return f"{report.report_type}-{report.period[0]}-{report.period[1]}.{extension}"


def as_json(report: Report, made_at: datetime) -> bytes:
    """The report as one JSON object; each table is a list of records."""
    document = {
        "report_type": report.report_type,
        "title": report.title,
        "period": {"start_date": str(report.period[0]), "end_date": str(report.period[1])},
        "currency": report.currency,
        "filters": report.filters,
        "generated_at": made_at.isoformat(),
        "summary": report.summary,
        "tables": {
            table.title: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            for table in report.tables
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def as_excel(report: Report, made_at: datetime) -> bytes:
    """A workbook: a summary sheet, then one sheet per table with frozen, filterable headings."""
    book = Workbook()
    first = book.active
    first.title = _("Summary")
    first.append([report.title])
    first["A1"].font = Font(bold=True, size=14)
    for name, value in _facts(report, made_at):
        first.append([name, value])
    first.append([])
    for name, value in report.summary.items():
        first.append([_label(name), value])
    _plain_text(first)
    first.column_dimensions["A"].width, first.column_dimensions["B"].width = 30, 34
    for table in report.tables:
        _sheet(book, table)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(book: Any, table: Table) -> None:
    sheet = book.create_sheet(table.title[:31])
    sheet.append(table.columns)
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor=ACCENT[1:])
    for row in table.rows:
        sheet.append(row)
    _plain_text(sheet)
    for index, kind in enumerate(table.kinds, start=1):
        letter = get_column_letter(index)
        sheet.column_dimensions[letter].width = 30 if kind == TEXT and index <= 2 else 15
        if kind == MONEY:
            for cell in sheet[letter][1:]:
                cell.number_format = "#,##0.00"
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _plain_text(sheet: Any) -> None:
    """A name that begins with ``=`` is a name, never a formula."""
    for row in sheet.iter_rows():
        for cell in row:
            if cell.data_type == "f":
                cell.data_type = "s"


def as_pdf(report: Report, made_at: datetime) -> bytes:
    """An A4 document with facts, a chart, the tables and page numbers.

    PDF's built-in fonts know Western European letters; others appear as boxes.
    """
    styles = getSampleStyleSheet()
    styles["Title"].alignment = 0
    styles["Title"].textColor = styles["Heading2"].textColor = colors.HexColor(ACCENT)
    story: list[Any] = [Paragraph(escape(report.title), styles["Title"])]
    facts = _facts(report, made_at) + [(_label(name), value) for name, value in report.summary.items()]
    story.append(_pdf_table([[name, _show(value)] for name, value in facts], heading=False))
    if report.chart:
        story += [Spacer(1, 6 * mm), Paragraph(escape(report.chart_title), styles["Heading2"])]
        story.append(_chart(report.chart))
    for table in report.tables:
        story += [Spacer(1, 5 * mm), Paragraph(escape(table.title), styles["Heading2"])]
        rows = [[_show(value) for value in row] for row in table.rows]
        story.append(_pdf_table([table.columns, *rows], right=[kind != TEXT for kind in table.kinds]))
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, title=report.title, author="Portico",
        leftMargin=18 * mm, rightMargin=18 * mm, topMargin=16 * mm, bottomMargin=18 * mm,
    )  # fmt: skip
    document.build(story, onFirstPage=_page_number, onLaterPages=_page_number)
    return out.getvalue()


def _pdf_table(rows: list[list[str]], *, heading: bool = True, right: list[bool] | None = None) -> Any:
    style: list[tuple[Any, ...]] = [
        ("FONTSIZE", (0, 0), (-1, -1), 8.5),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.HexColor("#d6d3d1")),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if heading:
        style += [
            ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor(ACCENT)),
            ("TEXTCOLOR", (0, 0), (-1, 0), colors.white),
            ("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold"),
        ]
    style += [("ALIGN", (n, 0), (n, -1), "RIGHT") for n, yes in enumerate(right or []) if yes]
    return PDFTable(rows, style=style, repeatRows=int(heading), hAlign="LEFT")


def _chart(points: list[tuple[str, float]]) -> Any:
    drawing = Drawing(170 * mm, 62 * mm)
    chart = VerticalBarChart()
    chart.x, chart.y, chart.width, chart.height = 14 * mm, 18 * mm, 152 * mm, 40 * mm
    chart.data = [[value for _label_, value in points]]
    chart.categoryAxis.categoryNames = [label[:18] for label, _value in points]
    chart.categoryAxis.labels.angle = 40
    chart.categoryAxis.labels.boxAnchor = "ne"
    chart.categoryAxis.labels.fontSize = chart.valueAxis.labels.fontSize = 7
    chart.valueAxis.valueMin = 0
    chart.valueAxis.labelTextFormat = lambda value: f"{value:,.10g}"
    chart.bars[0].fillColor, chart.bars[0].strokeColor = colors.HexColor("#c2410c"), None
    drawing.add(chart)
    return drawing


def _page_number(canvas: Any, document: Any) -> None:
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(colors.grey)
    canvas.drawRightString(A4[0] - 18 * mm, 10 * mm, str(document.page))


def _facts(report: Report, made_at: datetime) -> list[tuple[str, Any]]:
    facts = [
        (_("Period"), f"{report.period[0]} to {report.period[1]}"),
        (_("Generated"), f"{made_at:%Y-%m-%d %H:%M}"),
        (_("Currency"), report.currency),
    ]
    return facts + [(_label(name), value) for name, value in report.filters.items()]


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _show(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value) if len(str(value)) <= 60 else f"{str(value)[:59]}…"


#: format -> extension, MIME type, renderer
FORMATS: dict[str, tuple[str, str, Renderer]] = {
    "pdf": ("pdf", "application/pdf", as_pdf),
    "excel": ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_excel),
    "json": ("json", "application/json", as_json),
}
