"""Pages of records with signed cursors, chosen fields and the text as JSON, CSV or a table."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from common.signing import BadToken, seal, unseal
from connectors.base import ConnectionRef
from connectors.errors import InvalidInput
from connectors.results import Text, ToolResult

PURPOSE = "restaurant-page"


def page(
    connection: ConnectionRef,
    tool: str,
    chosen: dict[str, Any],
    rows: QuerySet[Any],
    record: Callable[[list[Any]], list[dict[str, Any]]],
    *,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """One page of a queryset. A cursor holds for this connection, tool and choice of rows only.

    Raises InvalidInput for a cursor that was not given out for exactly this list.
    """
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True, default=str).encode()).hexdigest()[:16]
    bind = f"{connection.tenant_id}:{connection.id}:{tool}:{digest}"
    start = 0
    if cursor:
        try:
            start = int(unseal(PURPOSE, cursor, bind=bind))
        except (BadToken, TypeError, ValueError):
            raise InvalidInput(
                _("The cursor does not belong to this list."),
                hint=_("Repeat the call with the same arguments as the page before, or without a cursor."),
            ) from None
    found = list(rows[start : start + limit + 1])
    items = record(found[:limit])
    answer: dict[str, Any] = {"items": items, "count": len(items), "total": rows.count()}
    if len(found) > limit:
        answer["next_cursor"] = seal(PURPOSE, start + limit, bind=bind, max_age=24 * 3600)
    return answer


def only(record: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
    """The chosen fields of a record. Raises InvalidInput naming those that exist."""
    if not fields:
        return record
    if unknown := sorted(set(fields) - set(record)):
        raise InvalidInput(
            _("Unknown fields: %s.") % ", ".join(unknown)[:200],
            hint=_("Choose from %s.") % ", ".join(record),
        )
    return {name: record[name] for name in record if name in fields}


def table(answer: dict[str, Any], fields: list[str] | None, form: str) -> ToolResult:
    """A page as the tool's result: the records, and the same as JSON, CSV or Markdown text."""
    items = [only(item, fields) for item in answer["items"]]
    answer = {**answer, "items": items}
    if form == "json":
        return ToolResult(structured=answer)
    columns = list(dict.fromkeys(name for item in items for name in item))
    rows = [[_cell(item.get(name)) for name in columns] for item in items]
    text = _csv(columns, rows) if form == "csv" else _markdown(columns, rows)
    if "next_cursor" in answer:
        text += "\n" + _("More follows; next_cursor: %s") % answer["next_cursor"]
    return ToolResult(structured=answer, content=(Text(text),))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)


def _csv(columns: list[str], rows: list[list[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    # A spreadsheet must not take a name for a formula.
    writer.writerows(
        [["'" + cell if cell[:1] in "=+-@\t" and cell[1:2] else cell for cell in row] for row in rows]
    )
    return out.getvalue()


def _markdown(columns: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    lines += ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join(lines) + "\n"
