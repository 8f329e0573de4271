"""The part of SOQL that the double understands, and Salesforce's own codes for the rest.

``SELECT fields | COUNT() FROM object [WHERE …] [ORDER BY …] [LIMIT n] [OFFSET n]``; conditions with
``= != < <= > >= LIKE, IN, NOT IN``, ``AND``, ``OR``, ``NOT``, brackets; texts in single quotes,
numbers, ``true``, ``false``, ``null``, dates, ``TODAY``, ``LAST_N_DAYS:n``; parents by one dot.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.doubles.moments import now

_SHAPE = re.compile(
    r"\s*SELECT\s+(?P<fields>.+?)\s+FROM\s+(?P<object>\w+)(?:\s+WHERE\s+(?P<where>.+?))?"
    r"(?:\s+GROUP\s+BY\s+(?P<group>.+?))?(?:\s+HAVING\s+(?P<having>.+?))?"
    r"(?:\s+ORDER\s+BY\s+(?P<order>.+?))?(?:\s+LIMIT\s+(?P<limit>\d+))?(?:\s+OFFSET\s+(?P<offset>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_TOKEN = re.compile(
    r"\s*(?:'(?P<text>(?:[^'\\]|\\.)*)'|(?P<op><=|>=|!=|<>|=|<|>|\(|\)|,)|(?P<word>[^\s()=!<>,']+))"
)
_ORDER = re.compile(
    r"(?P<field>[\w.]+(?:\([\w.]*\))?)(?:\s+(?P<way>ASC|DESC))?(?:\s+NULLS\s+(?:FIRST|LAST))?", re.IGNORECASE
)
_OPERATORS = {"=", "!=", "<>", "<", "<=", ">", ">=", "like"}

Row = dict[str, Any]
Value = Callable[[Row, str], Any]


class SoqlError(Exception):
    """The query is none; ``code`` is Salesforce's."""

    def __init__(self, message: str, code: str = "MALFORMED_QUERY") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    """A parsed query; ``count`` where it asks for the number alone."""

    object: str
    fields: list[str]
    matches: Callable[[Row], bool]
    order: list[tuple[str, bool]]
    limit: int | None
    offset: int
    count: bool
    groups: list[str]
    having: str

    @property
    def aggregates(self) -> bool:
        """Whether it asks for groups or totals."""
        return bool(self.groups) or any("(" in field for field in self.fields)


def spelled_out(text: str, objects: Mapping[str, Iterable[str]]) -> str:
    """The query with the names of all its object's fields for ``FIELDS(STANDARD)`` or ``FIELDS(ALL)``."""
    found = re.search(r"\bFROM\s+(\w+)", _blanked(text), re.IGNORECASE)
    names = next(
        (", ".join(own) for name, own in objects.items() if found and name.lower() == found[1].lower()), ""
    )
    return re.sub(r"(?i)\bFIELDS\(\s*(STANDARD|ALL)\s*\)", names, text, count=1) if names else text


def lifted(text: str) -> tuple[str, list[str]]:
    """The query with ``@0``, ``@1`` for its subqueries, and those."""
    found: list[str] = []
    while match := re.search(r"\(\s*SELECT\b", _blanked(text), re.IGNORECASE):
        blank, depth, at = _blanked(text), 1, match.start() + 1
        while depth:
            if at >= len(text):
                raise SoqlError("unexpected token: '<EOF>'")
            depth += {"(": 1, ")": -1}.get(blank[at], 0)
            at += 1
        found.append(text[match.start() + 1 : at - 1].strip())
        text = f"{text[: match.start()]}@{len(found) - 1}{text[at:]}"
    return text, found


def _blanked(text: str) -> str:
    return re.sub(r"'(?:[^'\\]|\\.)*'", lambda match: "_" * len(match[0]), text)


def argument(field: str) -> str:
    """The field of an aggregate; a plain field as it is; empty for COUNT() and names of totals."""
    match = re.fullmatch(r"(?i)(count|count_distinct|sum|avg|min|max)\(\s*([\w.]*)\s*\)(\s+\w+)?", field)
    return match[2] if match else field


def grouped(rows: list[Row], query: Query, value: Value) -> list[Row]:
    """The totals of a query's groups."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(value(row, field) for field in query.groups), []).append(row)
    if not query.groups and not groups:
        groups[()] = []
    told = []
    for key, members in groups.items():
        made: Row = {"attributes": {"type": "AggregateResult"}}
        made.update({field.rpartition(".")[2]: part for field, part in zip(query.groups, key, strict=True)})
        for place, field in enumerate(one for one in query.fields if "(" in one):
            call, _, alias = field.partition(")")
            made[alias.strip() or f"expr{place}"] = _total(call, members, value)
        told.append((members, made))
    if query.having:
        match = re.fullmatch(r"\(?\s*(\w+\([\w.]*)\)\s*(<=|>=|=|<|>)\s*([\d.]+)\s*\)?", query.having)
        if match is None:
            raise SoqlError(f"unexpected token: '{query.having}'")
        told = [one for one in told if _compare(_total(match[1], one[0], value), match[2], float(match[3]))]
    return [made for _, made in told]


def _total(call: str, rows: list[Row], value: Value) -> Any:
    name, _, field = call.partition("(")
    found = [value(row, field.strip()) for row in rows] if field.strip() else rows
    known = [one for one in found if one is not None]
    match name.strip().lower():
        case "count":
            return len(known)
        case "count_distinct":
            return len(set(known))
        case "sum":
            return sum(known) if known else None
        case "avg":
            return sum(known) / len(known) if known else None
        case "min":
            return min(known, default=None)
        case _:
            return max(known, default=None)


def parse(text: str, value: Value, inner: Callable[[int], list[Any]] = lambda place: []) -> Query:
    """Parse SOQL; ``value`` reads a field of a row, ``inner`` the values of a semi-join. Raises SoqlError."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise SoqlError(f"unexpected token: '{(text.split() or ['<EOF>'])[0]}'")
    fields = [field.strip() for field in match["fields"].split(",")]
    if "*" in fields:
        raise SoqlError("unexpected token: '*'")
    order = []
    for part in (match["order"] or "").split(","):
        if part.strip():
            found = _ORDER.fullmatch(part.strip())
            if found is None:
                raise SoqlError(f"unexpected token: '{part.strip()}'")
            order.append((found["field"], (found["way"] or "").upper() == "DESC"))
    where = _Where(match["where"], value, inner).whole() if match["where"] else lambda row: True
    limit = int(match["limit"]) if match["limit"] else None
    counts = [field.upper() for field in fields] == ["COUNT()"]
    groups = [field.strip() for field in (match["group"] or "").split(",") if field.strip()]
    return Query(
        match["object"],
        fields,
        where,
        order,
        limit,
        int(match["offset"] or 0),
        counts,
        groups,
        match["having"] or "",
    )


class _Where:
    def __init__(self, text: str, value: Value, inner: Callable[[int], list[Any]]) -> None:
        self.value, self.inner, self.at, position = value, inner, 0, 0
        self.tokens: list[tuple[str, str]] = []
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise SoqlError("line 1: no viable alternative at character '''")
            position, kind = match.end(), str(match.lastgroup)
            self.tokens.append((kind, match[kind]))

    def whole(self) -> Callable[[Row], bool]:
        found = self._any()
        if self.at < len(self.tokens):
            raise SoqlError(f"unexpected token: '{self.tokens[self.at][1]}'")
        return found

    def _take(self, *words: str) -> bool:
        following = self.tokens[self.at : self.at + len(words)]
        if [text.lower() for kind, text in following if kind != "text"] == list(words):
            self.at += len(words)
            return True
        return False

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise SoqlError("unexpected token: '<EOF>'")
        self.at += 1
        return self.tokens[self.at - 1]

    def _any(self) -> Callable[[Row], bool]:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return lambda row: any(part(row) for part in parts)

    def _all(self) -> Callable[[Row], bool]:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return lambda row: all(part(row) for part in parts)

    def _one(self) -> Callable[[Row], bool]:
        if self._take("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._take("("):
            inner = self._any()
            if not self._take(")"):
                raise SoqlError("unexpected token: '<EOF>'")
            return inner
        kind, field = self._next()
        if kind != "word":
            raise SoqlError(f"unexpected token: '{field}'")
        outside = self._take("not", "in")
        if outside or self._take("in"):
            wanted = self._list()
            return lambda row: any(_same(self.value(row, field), one) for one in wanted) is not outside
        _, operator = self._next()
        if operator.lower() not in _OPERATORS:
            raise SoqlError(f"unexpected token: '{operator}'")
        like = operator.lower() == "like"
        if like and self.at < len(self.tokens) and self.tokens[self.at][0] == "text":
            pattern = _pattern(self._next()[1])
            return lambda row: pattern.fullmatch(str(self.value(row, field) or "")) is not None
        operand = self._literal()
        return lambda row: _compare(self.value(row, field), operator.lower(), operand)

    def _list(self) -> list[Any]:
        if self.at < len(self.tokens) and self.tokens[self.at][1].startswith("@"):
            return self.inner(int(self._next()[1][1:]))
        if not self._take("("):
            raise SoqlError("unexpected token: 'in'")
        found = [self._literal()]
        while self._take(","):
            found.append(self._literal())
        if not self._take(")"):
            raise SoqlError("unexpected token: '<EOF>'")
        return found

    def _literal(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text)
        lower = text.lower()
        if lower in ("null", "true", "false"):
            return {"null": None, "true": True, "false": False}[lower]
        if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return float(text)
        if lower == "today":
            return now().strftime("%Y-%m-%d")
        if match := re.fullmatch(r"last_n_days:(\d+)", lower):
            return (now() - timedelta(days=int(match[1]))).strftime("%Y-%m-%d")
        if re.match(r"\d{4}-\d\d-\d\d", text):
            return text
        raise SoqlError(f"Bind variables only allowed in Apex code, or '{text}' lacks its quotes")


def _pattern(text: str) -> re.Pattern[str]:
    """What a LIKE finds: % and _ stand for others, unless a backslash is in front."""
    parts = re.findall(r"\\.|.", text, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile(
        "".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.IGNORECASE | re.DOTALL
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return bool(one == other)


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    if operator in ("=", "!=", "<>"):
        return _same(value, wanted) is (operator == "=")
    try:
        order = (value > wanted) - (value < wanted)
    except TypeError:
        return False
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]
