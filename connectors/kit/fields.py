"""``fields``: the caller names what it wants of a record, and gets that alone."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final

from pydantic import Field

from connectors.errors import InvalidInput

Fields = Annotated[
    list[str] | None,
    Field(max_length=100, description="Only these fields; a.b for one inside another."),
]
"""The argument type of tools that get or list records."""

ALWAYS: Final = ("id", "key", "url")
"""What a record keeps whatever was asked for: it is of no use without its name."""


def demand_known(fields: Collection[str] | None, known: Collection[str]) -> None:
    """Refuse fields that no record can have. Raises InvalidInput that says which are near or known."""
    for field in fields or ():
        if field in known or field.partition(".")[0] in known:
            continue
        near = get_close_matches(field, list(known), n=3)
        listed = ", ".join(sorted(known)[:40])
        raise InvalidInput(
            f"There is no field {field!r}.",
            code="unknown_field",
            hint=f"Did you mean {' or '.join(near)}?" if near else f"Fields are: {listed}.",
        )


def pick(
    record: Mapping[str, Any], fields: Collection[str] | None, *, always: Collection[str] = ALWAYS
) -> dict[str, Any]:
    """The record with the named fields alone, in its own order; all of it where none are named.

    ``a.b`` takes ``b`` of ``a``, also of each element where ``a`` is a list. What a record
    does not have is missing from the result.
    """
    if not fields:
        return dict(record)
    wanted: dict[str, set[str]] = {}
    for field in (*always, *fields):
        name, _, rest = field.partition(".") if field not in record else (field, "", "")
        wanted.setdefault(name, set()).add(rest)
    return {
        name: value if "" in wanted[name] else _within(value, wanted[name])
        for name, value in record.items()
        if name in wanted
    }


def _within(value: Any, fields: set[str]) -> Any:
    if isinstance(value, Mapping):
        return pick(value, fields, always=())
    if isinstance(value, list):
        return [_within(part, fields) for part in value]
    return value


def pick_each(
    records: list[dict[str, Any]], fields: Collection[str] | None, *, always: Collection[str] = ALWAYS
) -> list[dict[str, Any]]:
    """:func:`pick` for each record of a list."""
    return [pick(record, fields, always=always) for record in records] if fields else records
