"""The tables of the restaurant as a Markdown page, written from the models themselves."""

from typing import Any

from django.db import models
from django.utils.text import camel_case_to_spaces

from connectors.providers.restaurant.models import TABLES

_KINDS: tuple[tuple[type[Any], str], ...] = (
    (models.UUIDField, "uuid"),
    (models.DecimalField, "decimal"),
    (models.DateTimeField, "timestamp (UTC)"),
    (models.DateField, "date"),
    (models.IntegerField, "integer"),
    (models.TextField, "text"),
    (models.CharField, "text"),
)


def database_schema() -> str:
    """One section per table: what it holds, its columns, types and rules."""
    parts = [
        "# Restaurant database",
        "Every row belongs to one tenant and one connection (columns `tenant_id`, `connection_id`, "
        "not repeated below). Amounts are in the connection's currency; `business_date` is the day in "
        "the tenant's time zone.",
    ]
    for model in TABLES:
        meta = model._meta
        parts.append(f"## {meta.db_table}\n\n{(model.__doc__ or '').strip()}")
        rows = ["| column | type | notes |", "| --- | --- | --- |"]
        rows += [
            f"| {field.column} | {_kind(field)} | {_notes(field)} |"
            for field in meta.concrete_fields
            if field.name not in ("tenant", "connection")
        ]
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _kind(field: Any) -> str:
    if isinstance(field, models.ForeignKey):
        return "uuid"
    if isinstance(field, models.DecimalField):
        return f"decimal({field.max_digits},{field.decimal_places})"
    name = next((name for kind, name in _KINDS if isinstance(field, kind)), field.get_internal_type())
    return f"{name}({field.max_length})" if name == "text" and field.max_length else name


def _notes(field: Any) -> str:
    notes = []
    if field.primary_key:
        notes.append("primary key")
    if isinstance(field, models.ForeignKey):
        one = "one to one with" if field.one_to_one else "points to"
        notes.append(f"{one} {field.related_model._meta.db_table}, a {_words(field.related_model)}")
    if field.choices:
        notes.append("one of " + ", ".join(str(value) for value, _label in field.choices))
    if field.help_text:
        notes.append(str(field.help_text))
    return "; ".join(notes)


def _words(model: Any) -> str:
    return camel_case_to_spaces(model.__name__)
