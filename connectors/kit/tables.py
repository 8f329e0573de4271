"""Rows as CSV or Markdown: fewer tokens than JSON for a model, and a file for a spreadsheet.

CSV for a model is the plain data. CSV that a person will open in a spreadsheet is a file with
every cell neutral, since spreadsheets run cells as formulas (OWASP, "CSV Injection").
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from audit.export import neutral
from connectors.kit.cursors import Page
from connectors.results import Text, ToolResult

Format = Annotated[Literal["json", "csv", "markdown"], Field(description="How rows are written.")]
"""The argument type of tools whose rows are a table."""

Row = Mapping[str, Any]
_BOM = "\ufeff"  # tells Excel that the file is UTF-8


def flat(row: Row, prefix: str = "") -> dict[str, Any]:
    """The row with objects taken apart (``Account.Name``) and lists as JSON text."""
    made: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            made.update(flat(value, f"{prefix}{name}."))
        else:
            made[f"{prefix}{name}"] = value
    return made


def columns_of(rows: Iterable[Row]) -> list[str]:
    """All columns of flat rows, in the order in which they first occur."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _table(rows: Iterable[Row], columns: Sequence[str] | None) -> tuple[list[str], list[list[Any]]]:
    whole = [flat(row) for row in rows]
    names = list(columns) if columns else columns_of(whole)
    return names, [[_cell(row.get(name)) for name in names] for row in whole]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        simple = all(isinstance(part, str | int | float) for part in value)
        return "; ".join(str(part) for part in value) if simple else orjson.dumps(value, default=str).decode()
    return value


def csv_text(rows: Iterable[Row], columns: Sequence[str] | None = None) -> str:
    """The rows as CSV (RFC 4180, lines end in LF) for a model: cells as they are."""
    return _written(*_table(rows, columns), end="\n")


def csv_file(rows: Iterable[Row], columns: Sequence[str] | None = None) -> bytes:
    """The rows as a CSV file for people: UTF-8 with a mark, no cell or heading runs as a formula."""
    names, cells = _table(rows, columns)
    safe = [[neutral(cell) for cell in row] for row in cells]
    return (_BOM + _written([neutral(name) for name in names], safe, end="\r\n")).encode()


def _written(names: Sequence[str], cells: Iterable[Sequence[Any]], end: str) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator=end)
    writer.writerow(names)
    writer.writerows(cells)
    return buffer.getvalue()


def markdown_table(rows: Iterable[Row], columns: Sequence[str] | None = None) -> str:
    """The rows as a Markdown table; no cell can end its column or row."""
    names, cells = _table(rows, columns)
    if not names:
        return ""
    lines = [names, ["---"] * len(names), *cells]
    head, rule, *rest = (
        [str(cell) if place == 1 else _escaped(cell) for cell in line] for place, line in enumerate(lines)
    )
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *rest))


def _escaped(cell: Any) -> str:
    text = str(cell).replace("\\", "\\\\").replace("|", "\\|")
    return "<br>".join(part.strip() for part in text.splitlines()) if text else ""


def as_table(page: Page, format: str, *, columns: Sequence[str] | None = None) -> ToolResult:
    """A page in the format that the caller asked for, with what is left said beside the rows.

    For csv and markdown the structured content is ``{format, data, count, next_cursor, total?}``.
    """
    if format == "json":
        return ToolResult(structured=page)
    rows = page["items"]
    data = csv_text(rows, columns) if format == "csv" else markdown_table(rows, columns)
    about = {name: value for name, value in page.items() if name != "items"}
    return ToolResult(
        structured={"format": format, "data": data, **about}, content=(Text(data), *_left(page))
    )


def _left(page: Page) -> tuple[Text, ...]:
    """What a reader of the table alone must know: that there is more, and how to get it."""
    if page["next_cursor"] is None:
        return ()
    of = f" of {page['total']:,}" if "total" in page else ""
    return (Text(f"{page['count']:,}{of} rows; call again with cursor={page['next_cursor']}"),)
