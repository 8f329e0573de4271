"""Salesforce's records made small: no attributes, no nulls, people as {id, name}.

A record by itself has its ``url``; a list says once how an id becomes an address.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from connectors.kit.tables import flat
from connectors.kit.tidy import person, tidy

RECORD_URL: Final = "record_url"
ROOM: Final = 54_000  # characters for the rows of an answer, which has 60,000 at most
OBJECTS: Final = "id_prefixes"
_PEOPLE: Final = frozenset({"Owner", "CreatedBy", "LastModifiedBy"})
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.000\+0000")
# What a whole record has that nobody asked for: pictures, stamps of the system's own or of the one who looks.
_NOISE: Final = frozenset({"PhotoUrl", "SystemModstamp", "LastViewedDate", "LastReferencedDate"})


def record(row: Mapping[str, Any], *, text_limit: int = 4000) -> dict[str, Any]:
    """A record of a list, its parents and children inside it."""
    return dict(tidy(_plain(row), keep=tuple(row), text_limit=text_limit))


def linked(row: Mapping[str, Any], instance: str, *, text_limit: int = 4000) -> dict[str, Any]:
    """A record by itself; ``url`` where its id is known."""
    made = record(row, text_limit=text_limit)
    if isinstance(id := row.get("Id"), str):
        made["url"] = f"{instance}/{id}"
    return made


def listed(page: Mapping[str, Any], instance: str, kinds: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A page of records; said once, not in each: their addresses' pattern, and ``kinds`` of :func:`of_kinds`."""
    made = {**page, **({OBJECTS: dict(kinds)} if kinds else {})}
    if any("Id" in row for row in page["items"]):
        made[RECORD_URL] = f"{instance}/{{Id}}"
    return made


def of_kinds(
    rows: Iterable[Mapping[str, Any]], *, text_limit: int = 1000
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Records of several objects, and of which: an object by how its ids begin.

    Only a record whose id begins like those of another object says its object itself.
    """
    made, kinds = [], dict[str, str]()
    for row in rows:
        object, id = kind_of(row), str(row.get("Id") or "")
        one = record(row, text_limit=text_limit)
        known = bool(id) and kinds.setdefault(id[:3], object) == object
        made.append(one if known else {"object": object, **one})
    return made, kinds


def kind_of(row: Mapping[str, Any]) -> str:
    """The object that a record is of."""
    return str((row.get("attributes") or {}).get("type", ""))


def whole(row: Mapping[str, Any], instance: str, *, text_limit: int = 20_000) -> dict[str, Any]:
    """A record of which nobody said what to read: what stands in it twice is left out."""
    shown = {
        name: value
        for name, value in row.items()
        if name not in _NOISE
        and not (name == "IsDeleted" and value is False)
        and not _is_address(row, name, value)
    }
    return linked(shown, instance, text_limit=text_limit)


def fitting(rows: Sequence[Mapping[str, Any]], format: str = "json", *, beside: int = 0) -> int:
    """How many of the rows fit into one answer, at least one; ``beside`` characters stand beside them.

    A page ends where its answer is full, with a cursor to the rest: what is cut off later is lost.
    """
    room = ROOM - beside
    for place, row in enumerate(rows):
        if format == "json":
            room -= len(orjson.dumps(row, default=str)) + 1
        else:
            room -= sum(len(orjson.dumps(str(cell))) + 3 for cell in flat(row).values())
        if room < 0 and place:
            return place
    return len(rows)


def moment(text: str) -> str:
    """A moment of Salesforce's as SOQL takes it, without the thousandths that it never has."""
    return _MOMENT.sub(r"\1Z", text) if len(text) == 28 else text


def _is_address(row: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether this is an address whose parts stand beside it."""
    return isinstance(value, Mapping) and name.endswith("Address") and f"{name[:-7]}City" in row


def records(rows: Iterable[Mapping[str, Any]], *, text_limit: int = 1000) -> list[dict[str, Any]]:
    """The records of a list; long texts are cut there."""
    return [record(row, text_limit=text_limit) for row in rows]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in row.items():
        if name == "attributes":
            continue
        if isinstance(value, Mapping):
            value = _inner(name, value)
        elif isinstance(value, str):
            value = moment(value)
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
