"""SOQL read closely enough to know of which objects a query is: tokens, scopes, conditions.

What the allow-list of a connection rests on. A query that cannot be read with certainty is
refused there, not guessed at. (SOQL and SOSL Reference, "SOQL SELECT Syntax".)
"""

import itertools
import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from connectors.errors import InvalidInput

_TOKEN: Final = re.compile(
    r"""[ \t\r\n\f]+
    |(?P<text>'(?:[^'\\]|\\.)*')
    |(?P<number>[+\-]?[0-9]+(?:-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+\-][0-9:]+)?)?|\.[0-9]+)?(?![A-Za-z0-9_.]))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?::[0-9]+)?)
    |(?P<op><=|>=|!=|<>|[=<>(),])""",
    re.VERBOSE | re.DOTALL,
)
# What ends a condition, or has no place in one.
_CLAUSES: Final = frozenset(
    {
        "select", "from", "where", "group", "having", "order", "limit", "offset", "for", "with", "using", "update",
        "all", "typeof",
    }
)  # fmt: skip
_AFTER_FROM: Final = frozenset(
    {"where", "group", "having", "order", "limit", "offset", "for", "with", "using", "update", "all"}
)
_CONTINUED: Final = {
    "group": ("by",), "order": ("by",), "for": ("view", "reference", "update"), "update": ("tracking", "viewstat"),
    "all": ("rows",), "using": ("scope",),
}  # fmt: skip
_CHANGING: Final = frozenset({"view", "reference", "update"})
MAX_DEPTH: Final = 20


class Word(NamedTuple):
    """A token: ``kind`` is text, number, word or op."""

    kind: str
    text: str

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these words (lowercase)."""
        return self.kind == "word" and self.text.lower() in words


@dataclass(slots=True)
class Scope:
    """A query or subquery: what stands after its FROM, and the dotted names in it."""

    kind: str  # "top", "child" (of its parent's FROM: a relationship), "semi" (in a condition: an object)
    parent: "Scope | None" = None
    object: str = ""
    paths: list[str] = field(default_factory=list)


def _malformed(said: str, hint: str = "") -> InvalidInput:
    return InvalidInput(said, code="MALFORMED_QUERY", hint=hint)


def tokens_of(text: str) -> list[Word]:
    """The tokens of SOQL. Raises InvalidInput for what SOQL does not have: comments, semicolons, double quotes."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _malformed(
                f"Character {at + 1} of the query has no meaning in SOQL: {text[at : at + 20]!r}.",
                "Texts stand in single quotes, with \\' for a quote inside; there are no comments and no semicolons.",
            )
        at = match.end()
        if match.lastgroup is not None:
            found.append(Word(match.lastgroup, match.group()))
    return found


def _is_clause(word: Word, beyond: Word | None) -> bool:
    """Whether a clause begins here: most of their words are not reserved, and may be aliases as well."""
    if not word.is_word(*_AFTER_FROM) or beyond is None:
        return False
    wanted = _CONTINUED.get(word.text.lower())
    if wanted is not None:
        return beyond.is_word(*wanted)
    return (
        beyond.kind == "number"
        if word.is_word("limit", "offset")
        else beyond.kind == "word" or beyond.text == "("
    )


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = tokens_of(text)
        self.at = 0
        self.scopes: list[Scope] = []

    def whole(self) -> list[Scope]:
        if not self.tokens or not self.tokens[0].is_word("select"):
            raise _malformed("A query begins with SELECT.")
        self.scope(Scope("top"), 0)
        if self.at < len(self.tokens):
            raise _malformed("The query's parentheses do not match.")
        return self.scopes

    def scope(self, scope: Scope, depth: int) -> None:
        """Read from SELECT to the end, or to the parenthesis that closes it."""
        if depth > MAX_DEPTH:
            raise _malformed("The query is nested too deeply.")
        self.scopes.append(scope)
        self.at += 1
        inside = 0
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.text == "(" and token.kind == "op":
                self.at += 1
                if self.at < len(self.tokens) and self.tokens[self.at].is_word("select"):
                    self.scope(Scope("semi" if scope.object else "child", scope), depth + 1)
                    if self.at >= len(self.tokens):
                        raise _malformed("The query's parentheses do not match.")
                    self.at += 1  # its closing parenthesis
                else:
                    inside += 1
                continue
            if token.text == ")" and token.kind == "op":
                if inside == 0:
                    break
                inside -= 1
            elif token.is_word("select"):
                raise _malformed("A subquery stands in parentheses.")
            elif token.is_word("from"):
                self._from(scope, inside)
                continue
            elif token.is_word("typeof"):
                raise _malformed(
                    "TYPEOF is not understood here.", "Ask for each object with a query of its own."
                )
            elif token.kind == "word" and "." in token.text:
                scope.paths.append(token.text)
            self.at += 1
        if inside or (depth == 0 and self.at < len(self.tokens)) or (depth and self.at >= len(self.tokens)):
            raise _malformed("The query's parentheses do not match.")
        if not scope.object:
            raise _malformed("The query says not from which object: FROM is missing.")

    def _from(self, scope: Scope, inside: int) -> None:
        if inside or scope.object:
            raise _malformed("The query has a FROM too many.")
        self.at += 1
        name = self.tokens[self.at] if self.at < len(self.tokens) else Word("op", "")
        if name.kind != "word" or "." in name.text or ":" in name.text:
            raise _malformed("After FROM stands the API name of one object.")
        scope.object = name.text
        self.at += 1
        following, beyond = [*self.tokens[self.at : self.at + 2], None, None][:2]
        if following is not None and following.text != ")" and not _is_clause(following, beyond):
            raise _malformed(
                f"After FROM {name.text} stands {following.text!r}.",
                "Write the query of one object and without an alias.",
            )


def scopes_of(query: str) -> list[Scope]:
    """The query and its subqueries, outer ones first. Raises InvalidInput for what cannot be read."""
    return _Reader(query).whole()


def counts(query: str) -> bool:
    """Whether a query asks for a number alone, which Salesforce gives instead of rows."""
    return re.match(r"(?i)\s*SELECT\s+COUNT\(\s*\)\s+FROM\b", query) is not None


def selected(query: str) -> list[str]:
    """What a query's rows have, by the names that they have there; none for a query that cannot be read."""
    try:
        tokens = tokens_of(query)[1:]
    except InvalidInput:
        return []
    parts: list[list[Word]] = [[]]
    depth = 0
    for token in tokens:
        if depth == 0 and token.is_word("from"):
            break
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "op" else 0
        if depth == 0 and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    grouped = any(one.is_word("group") for one in tokens)
    names = [_name_of(part) for part in parts if part]
    return list(dict.fromkeys(name.rpartition(".")[2] if grouped else name for name in names if name))


def _name_of(part: list[Word]) -> str:
    """The name of a field, an alias or a subquery's relationship; empty where it is Salesforce's to say."""
    if part[0].text == "(":
        origin = [place for place, token in enumerate(part) if token.is_word("from")]
        return part[origin[-1] + 1].text if len(origin) == 1 and origin[0] + 1 < len(part) else ""
    if part[0].is_word("typeof"):
        return part[1].text if len(part) > 1 else ""
    return part[-1].text if part[-1].kind == "word" else ""


def demand_reading(query: str) -> None:
    """Refuse what would change something: FOR VIEW, FOR REFERENCE, FOR UPDATE, UPDATE TRACKING or VIEWSTAT.

    Raises InvalidInput. A query that is no SOQL passes: Salesforce says better what is wrong with it.
    """
    try:
        tokens = tokens_of(query)
    except InvalidInput:
        tokens = [
            Word("word", word) for word in re.findall(r"[A-Za-z]+", re.sub(r"'(?:[^'\\]|\\.)*'", "", query))
        ]
    for one, other in itertools.pairwise(tokens):
        if (one.is_word("for") and other.is_word(*_CHANGING)) or (
            one.is_word("update") and other.is_word("tracking", "viewstat")
        ):
            raise InvalidInput(
                f"{one.text} {other.text} would change something; this tool reads alone.",
                code="not_reading",
                hint="Leave it out.",
            )


def condition(text: str) -> str:
    """A condition in parentheses, which nothing within can leave. Raises InvalidInput for anything else."""
    text = re.sub(r"(?i)^\s*where\b", "", text).strip()
    tokens, depth = tokens_of(text), 0
    subqueries: list[int] = []  # depths at which a semi-join began: its clauses are its own
    for place, token in enumerate(tokens):
        if token.kind == "op" and token.text == "(":
            depth += 1
        elif token.kind == "op" and token.text == ")":
            depth -= 1
            if subqueries and depth < subqueries[-1]:
                subqueries.pop()
            if depth < 0:
                break
        elif token.is_word("select") and place and tokens[place - 1].text == "(":
            subqueries.append(depth)
        elif token.is_word(*_CLAUSES) and not subqueries:
            raise InvalidInput(
                f"A condition has no {token.text.upper()}.",
                code="bad_condition",
                hint="Give the condition alone; order, limit and fields have arguments of their own. "
                "salesforce_query takes a whole query.",
            )
    if depth != 0:
        raise InvalidInput("The parentheses of the condition do not match.", code="bad_condition")
    if not tokens:
        raise InvalidInput("The condition is empty.", code="bad_condition")
    return f"({text})"
