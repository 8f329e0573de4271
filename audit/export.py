"""Handing the audit out as JSONL or CSV, streamed: memory stays constant at any size."""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import orjson
from django.http import HttpRequest, StreamingHttpResponse

from audit.models import AuditEvent, from_us
from audit.rows import NUMBERS, TEXTS
from audit.selectors import events_of
from common.db import in_db

FORMATS = ("jsonl", "csv")
PAGE = 1_000
FIELDS = ("seq", "at", *NUMBERS, *TEXTS, "arguments", "arguments_digest", "key_ring_id", "schema", "hash")
_READ = tuple(field for field in FIELDS if field != "at")
# What a spreadsheet takes for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class UnknownFormatError(ValueError):
    """The format is neither ``jsonl`` nor ``csv``."""


def export_rows(tenant: Any, format: str, filters: Mapping[str, Any] | None = None) -> Iterator[bytes]:
    """A tenant's events, oldest first, in pieces of about a thousand.

    ``tenant`` is an instance or an id; ``filters`` are the keywords of
    :func:`audit.selectors.events_of`. Raises :class:`UnknownFormatError` at once.
    """
    if format not in FORMATS:
        raise UnknownFormatError(f"{format!r} is no export format; choose {' or '.join(FORMATS)}.")
    events = events_of(tenant, **(filters or {}))
    return _jsonl(events) if format == "jsonl" else _csv(events)


def content_type(format: str) -> str:
    """The media type of an export."""
    return "application/x-ndjson" if format == "jsonl" else "text/csv; charset=utf-8"


def _pages(events: Any) -> Iterator[list[dict[str, Any]]]:
    rows = events.order_by("seq").values(*_READ)
    after = 0
    while page := list(rows.filter(seq__gt=after)[:PAGE]):
        yield page
        after = page[-1]["seq"]


def as_dict(event: AuditEvent | Mapping[str, Any]) -> dict[str, Any]:
    """One event as the export and the API show it: ``at`` in ISO 8601 beside ``at_us``."""
    values = event if isinstance(event, Mapping) else {field: getattr(event, field) for field in _READ}
    at = from_us(values["at_us"]).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {field: at if field == "at" else values[field] for field in FIELDS}


def _jsonl(events: Any) -> Iterator[bytes]:
    for page in _pages(events):
        yield b"".join(orjson.dumps(as_dict(row)) + b"\n" for row in page)


def _csv(events: Any) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(FIELDS)
    for page in _pages(events):
        writer.writerows([neutral(value) for value in as_dict(row).values()] for row in page)
        yield _drain(buffer)
    if rest := _drain(buffer):
        yield rest


def _drain(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return data


def neutral(value: Any) -> Any:
    """A cell that no spreadsheet runs as a formula; numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


async def stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces of an export for a streamed response of the event loop; reads happen in the pool.

    Under ASGI Django would collect a plain iterator whole before it sends the first byte.
    """
    while (piece := await in_db(next, pieces, None)) is not None:
        yield piece


def streamed(
    request: HttpRequest, tenant: Any, slug: str, format: str, **filters: Any
) -> StreamingHttpResponse:
    """An export as a download that starts at once, under ASGI and WSGI alike."""
    pieces = export_rows(tenant, format, filters)
    body = stream(pieces) if hasattr(request, "scope") else pieces
    response = StreamingHttpResponse(body, content_type=content_type(format))
    response["Content-Disposition"] = f'attachment; filename="audit-{slug}.{format}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
