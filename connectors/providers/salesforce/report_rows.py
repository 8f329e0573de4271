"""What a report's answer means: rows, groups and totals out of its fact map.

Reports and Dashboards REST API, "Decode the Fact Map": a key is ``down!across``, each a path of
places in the groupings (``0_1``) or ``T`` for their total.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.kit.tidy import small
from connectors.providers.salesforce.trim import moment

TOTAL: Final = "T"
Found = Mapping[str, Any]


def narrowed(metadata: Found, filters: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The metadata that adds filters to a report's own: all of them must hold."""
    own = list(metadata.get("reportFilters") or ())
    made: dict[str, Any] = {"reportFilters": [*own, *map(dict, filters)]}
    if logic := metadata.get("reportBooleanFilter"):
        places = range(len(own) + 1, len(own) + len(filters) + 1)
        made["reportBooleanFilter"] = " AND ".join([f"({logic})", *map(str, places)])
    return made


class Facts:
    """A report's answer, read."""

    def __init__(self, found: Found) -> None:
        self.metadata: Found = found.get("reportMetadata") or {}
        self._about: Found = found.get("reportExtendedMetadata") or {}
        self._facts: Found = found.get("factMap") or {}
        self._down = _paths((found.get("groupingsDown") or {}).get("groupings"))
        self._across = _paths((found.get("groupingsAcross") or {}).get("groupings"))
        self._grouped = {
            kind: self._labels_of(
                [one.get("name") for one in self.metadata.get(kind) or ()], "groupingColumnInfo"
            )
            for kind in ("groupingsDown", "groupingsAcross")
        }
        self._columns = self._names("detailColumns", "detailColumnInfo")
        self._aggregates = self._names("aggregates", "aggregateColumnInfo")

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows, each with the groups that it stands in."""
        for key, fact in self._facts.items():
            for row in fact.get("rows") or ():
                cells = map(_value, row.get("dataCells") or ())
                yield small(**self._groups_of(key) | dict(zip(self._columns, cells, strict=False)))

    def columns(self) -> list[str]:
        """What a row may have, in the report's order: its groups first."""
        groups: list[str] = []
        for kind in self._grouped.values():
            groups += [name if title in groups else title for name, title in kind]
        return [*groups, *self._columns]

    def groups(self) -> list[dict[str, Any]]:
        """The totals of each group and of the groups in it, outer ones first."""
        keys = sorted((key for key in self._facts if key != f"{TOTAL}!{TOTAL}"), key=_place)
        return [{**self._groups_of(key), **self._totals_of(key)} for key in keys]

    def totals(self) -> dict[str, Any]:
        """The totals of the whole report."""
        return self._totals_of(f"{TOTAL}!{TOTAL}")

    def _totals_of(self, key: str) -> dict[str, Any]:
        cells = (self._facts.get(key) or {}).get("aggregates") or ()
        return small(**dict(zip(self._aggregates, map(_value, cells), strict=False)))

    def _groups_of(self, key: str) -> dict[str, Any]:
        down, _, across = key.partition("!")
        made: dict[str, Any] = {}
        for path, labels, kind in (
            (down, self._down, "groupingsDown"),
            (across, self._across, "groupingsAcross"),
        ):
            for (name, title), label in zip(self._grouped[kind], labels.get(path, ()), strict=False):
                made[name if title in made else title] = label
        return made

    def _names(self, kind: str, info: str) -> list[str]:
        """The labels of columns; the API name where two have the same, or a group has it."""
        found = self._labels_of(self.metadata.get(kind) or (), info)
        labels = [label for _, label in found]
        groups = {label for grouped in self._grouped.values() for _, label in grouped}
        return [name if labels.count(label) > 1 or label in groups else label for name, label in found]

    def _labels_of(self, names: Iterable[Any], info: str) -> list[tuple[str, str]]:
        """API names with their labels."""
        about = self._about.get(info) or {}
        return [(str(name), str((about.get(name) or {}).get("label") or name)) for name in names]


def _paths(groupings: Any, before: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """The labels on the way to each grouping, by its key."""
    made: dict[str, tuple[str, ...]] = {}
    for one in groupings or ():
        labels = (*before, str(one.get("label") or one.get("value") or "-"))
        made[str(one["key"])] = labels
        made.update(_paths(one.get("groupings"), labels))
    return made


def _place(key: str) -> list[list[int]]:
    """Where a key stands: totals before their parts, groups in the report's order."""
    return [[-1 if step == TOTAL else int(step) for step in path.split("_")] for path in key.split("!")]


def _value(cell: Found) -> Any:
    """A cell as data: numbers and truth values as such, money as its amount, the rest as people read it."""
    value, label = cell.get("value"), cell.get("label")
    if value is None:
        return None
    if isinstance(value, Mapping):  # {"amount": 1200.0, "currency": "EUR"}
        return value.get("amount", label)
    if isinstance(value, bool | int | float):
        return value
    return moment(str(value)) if moment(str(value)) != value else label or value
