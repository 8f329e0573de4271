"""Salesforce's records made small: no attributes, no nulls, a link to each, people as {id, name}."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.kit.tidy import person, tidy

_PEOPLE: Final = frozenset({"Owner", "CreatedBy", "LastModifiedBy"})


def record(row: Mapping[str, Any], instance: str, *, text_limit: int = 4000) -> dict[str, Any]:
    """A record, its parents and children inside it; ``url`` where its id is known."""
    made = tidy(_plain(row), keep=tuple(row), text_limit=text_limit)
    if isinstance(id := row.get("Id"), str):
        made["url"] = f"{instance}/{id}"
    return dict(made)


def records(
    rows: Iterable[Mapping[str, Any]], instance: str, *, text_limit: int = 1000
) -> list[dict[str, Any]]:
    """The records of a list; long texts are cut there."""
    return [record(row, instance, text_limit=text_limit) for row in rows]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in row.items():
        if name == "attributes":
            continue
        if isinstance(value, Mapping):
            value = _inner(name, value)
        made[name] = value
    return made


def _inner(name: str, value: Mapping[str, Any]) -> Any:
    if isinstance(value.get("records"), list):  # children: a result of their own
        rows = [_plain(row) for row in value["records"] if isinstance(row, Mapping)]
        total = value.get("totalSize")
        return rows if total in (None, len(rows)) else {"records": rows, "total": total}
    plain = _plain(value)
    if name in _PEOPLE and set(plain) <= {"Id", "Name"}:
        return person(plain)
    return plain
