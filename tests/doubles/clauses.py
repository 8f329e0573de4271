"""The part of JQL (and CQL, its sister) that the doubles understand, and Jira's own words for the rest.

Clauses ``field op value`` with ``= != ~ !~ < <= > >= in, not in, is, is not``; ``AND``, ``OR``,
``NOT``, brackets; ``ORDER BY``; ``currentUser()``, ``openSprints()``, ``now()``, ``startOfDay()``;
times like ``-7d`` and ``"2026-01-31"``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.doubles.moments import now

_TOKEN = re.compile(
    r"""\s*(?:(?P<op><=|>=|!=|!~|=|~|<|>|\(|\)|,)|"(?P<dq>(?:[^"\\]|\\.)*)"|'(?P<sq>(?:[^'\\]|\\.)*)'"""
    r"""|(?P<word>[^\s()=!<>~,"']+))"""
)
_SPAN = re.compile(r"-?\d+[wdhm]")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_COMPARED = {"<", "<=", ">", ">="}


class ClauseError(Exception):
    """The query is none; the message is Jira's."""


@dataclass(frozen=True)
class Query:
    """A parsed query: which issues (given as their searchable values), and in which order."""

    matches: Callable[[dict[str, Any]], bool]
    order: list[tuple[str, bool]]  # field, descending
    bounded: bool


def parse(text: str, fields: set[str], *, me: str, sprints: Callable[[], list[str]]) -> Query:
    """Parse JQL over ``fields`` (lowercase names). Raises ClauseError."""
    return _Parser(text, fields, me, sprints).query()


class _Parser:
    def __init__(self, text: str, fields: set[str], me: str, sprints: Callable[[], list[str]]) -> None:
        self.fields, self.me, self.sprints, self.at = fields, me, sprints, 0
        self.tokens: list[tuple[str, bool]] = []  # text, quoted
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ClauseError(
                    f"Error in the JQL Query: The quoted string '{text[position:]}' has not been completed."
                )
            position = match.end()
            kind = str(match.lastgroup)
            found = str(match[kind])
            self.tokens.append(
                (re.sub(r"\\(.)", r"\1", found) if kind in ("dq", "sq") else found, kind in ("dq", "sq"))
            )

    def query(self) -> Query:
        bounded = bool(self.tokens) and not self._is("order")
        matches = self._any() if bounded else lambda values: True
        order = self._order()
        if self.at < len(self.tokens):
            raise ClauseError(
                f"Error in the JQL Query: Expecting operator but got '{self.tokens[self.at][0]}'."
            )
        return Query(matches, order, bounded)

    def _is(self, *words: str) -> bool:
        following = self.tokens[self.at : self.at + len(words)]
        return len(following) == len(words) and all(
            not quoted and found.lower() == word
            for (found, quoted), word in zip(following, words, strict=True)
        )

    def _take(self, *words: str) -> bool:
        if self._is(*words):
            self.at += len(words)
            return True
        return False

    def _next(self, expected: str) -> str:
        if self.at >= len(self.tokens):
            raise ClauseError(f"Error in the JQL Query: Expecting {expected} before the end of the query.")
        self.at += 1
        return self.tokens[self.at - 1][0]

    def _any(self) -> Callable[[dict[str, Any]], bool]:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return lambda values: any(part(values) for part in parts)

    def _all(self) -> Callable[[dict[str, Any]], bool]:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return lambda values: all(part(values) for part in parts)

    def _one(self) -> Callable[[dict[str, Any]], bool]:
        if self._take("not"):
            inner = self._one()
            return lambda values: not inner(values)
        if self._take("("):
            inner = self._any()
            if not self._take(")"):
                raise ClauseError("Error in the JQL Query: Expecting ')' before the end of the query.")
            return inner
        return self._clause()

    def _field(self) -> str:
        name = self._next("a field name")
        if name.lower() not in self.fields:
            raise ClauseError(f"Field '{name}' does not exist or you do not have permission to view it.")
        return name.lower()

    def _clause(self) -> Callable[[dict[str, Any]], bool]:
        field = self._field()
        if self._take("is", "not"):
            self._next("EMPTY")
            return lambda values: bool(values.get(field))
        if self._take("is"):
            self._next("EMPTY")
            return lambda values: not values.get(field)
        wanted_not = self._take("not", "in")
        if wanted_not or self._take("in"):
            found = self._values(field)
            return lambda values: _among(values.get(field), found) is not wanted_not
        operator = self._next("an operator")
        if operator not in {"=", "!=", "~", "!~", *_COMPARED}:
            raise ClauseError(f"Error in the JQL Query: Expecting operator but got '{operator}'.")
        wanted = self._value(field)
        return lambda values: _compare(values.get(field), operator, wanted)

    def _values(self, field: str) -> list[Any]:
        if not self._take("("):  # a function that gives a list
            found = self._value(field)
            return found if isinstance(found, list) else [found]
        found = []
        while True:
            one = self._value(field)
            found += one if isinstance(one, list) else [one]
            if self._take(")"):
                return found
            if not self._take(","):
                raise ClauseError("Error in the JQL Query: Expecting ')' before the end of the query.")

    def _value(self, field: str) -> Any:
        if (
            self.at < len(self.tokens)
            and self.tokens[self.at][0] in {"=", "~", ")", ","}
            and not self.tokens[self.at][1]
        ):
            raise ClauseError(
                f"Error in the JQL Query: Expecting either a value, list or function but got '{self.tokens[self.at][0]}'."
            )
        text = self._next("a value")
        if self._take("(", ")"):
            return self._function(text)
        if _SPAN.fullmatch(text):
            return now() + timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        if field in ("created", "updated", "lastmodified", "duedate") and re.match(
            r"\d{4}[-/]\d\d?[-/]\d\d?", text
        ):
            return datetime.fromisoformat(
                text.replace("/", "-") + ("+00:00" if ":" in text else " 00:00+00:00")
            )
        return text

    def _function(self, name: str) -> Any:
        match name.lower():
            case "currentuser":
                return self.me
            case "opensprints":
                return self.sprints()
            case "now":
                return now()
            case "startofday":
                return now().replace(hour=0, minute=0, second=0, microsecond=0)
        raise ClauseError(f"Unable to find JQL function '{name}()'.")

    def _order(self) -> list[tuple[str, bool]]:
        found: list[tuple[str, bool]] = []
        if self._take("order", "by"):
            while True:
                field = self._field()
                descending = self._take("desc")
                if not descending:
                    self._take("asc")
                found.append((field, descending))
                if not self._take(","):
                    break
        return found


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, datetime) or isinstance(other, datetime):
        return bool(one == other)
    return str(one).lower() == str(other).lower()


def _among(value: Any, wanted: list[Any]) -> bool:
    return any(_same(one, other) for one in _each(value) for other in wanted)


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    if str(wanted).upper() == "EMPTY":
        return bool(value) is (operator == "!=")
    if operator in ("=", "!="):
        return _among(value, _each(wanted)) is (operator == "=")
    if operator in ("~", "!~"):
        words = str(wanted).lower().replace("*", "").replace('"', "").split()
        text = " ".join(map(str, _each(value))).lower()
        return all(word in text for word in words) is (operator == "~")
    for one in _each(value):
        try:
            order = (one > wanted) - (one < wanted)
        except TypeError:
            return False
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]
    return False
