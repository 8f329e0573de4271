"""JQL made safe: values quoted, and a caller's query kept within the connection's projects.

The lexical rules are Jira's own: quotes of either kind with backslash escapes, brackets, no
comments; a backslash may also stand outside of quotes, where it takes a quote's meaning away.
That is refused here, and with it every text that Jira could read otherwise than we do.
https://support.atlassian.com/jira-software-cloud/docs/what-is-advanced-search-in-jira-cloud/
"""

import re
from collections.abc import Iterable
from typing import Final

from connectors.errors import InvalidInput, NotPermitted

MAX_JQL: Final = 10_000
PROJECT_KEY: Final = r"^[A-Z][A-Z0-9_]{0,49}$"
ISSUE_KEY: Final = r"^[A-Z][A-Z0-9_]{0,49}-[1-9][0-9]{0,9}$"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<open>\()|(?P<close>\))"""
    r"""|(?P<word>[^ \t\r\n"'()\\]+)""",
    re.S,
)
_WORD: Final = re.compile(r"[^\W_](?:[\w.'@]|-(?=\w))*[*?]?")
_ORDER: Final = re.compile(r"order", re.I | re.A)
_BY: Final = re.compile(r"by", re.I | re.A)
_SORTED: Final = re.compile(
    r"""^\s*(?:"[^"\\]+"|'[^'\\]+'|[A-Za-z0-9_.\[\]-]+)(?:\s+(?:asc|desc))?"""
    r"""(?:\s*,\s*(?:"[^"\\]+"|'[^'\\]+'|[A-Za-z0-9_.\[\]-]+)(?:\s+(?:asc|desc))?)*\s*$""",
    re.I | re.A,
)


def quoted(value: str) -> str:
    """A value as a string of JQL. Raises InvalidInput for controls."""
    if _CONTROL.search(value):
        raise InvalidInput("A value of the query has control characters.", code="bad_jql")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\r\n\t]+", " ", escaped) + '"'


def listed(values: Iterable[str]) -> str:
    """Values as a list of JQL: ``("a", "b")``."""
    return f"({', '.join(quoted(value) for value in values)})"


def words(text: str) -> str:
    """Words to look for as a text search takes them: none of its signs, phrases in quotes whole.

    An unpaired bracket or a sign at the wrong place makes Jira refuse the search; it finds none of
    them anyway. An asterisk or a question mark stays behind a word.
    https://support.atlassian.com/jira-software-cloud/docs/search-for-issues-using-the-text-field/
    """
    parts = text.split('"')
    told: list[str] = []
    for place, part in enumerate(parts):
        found = _WORD.findall(part)
        if place % 2 and place < len(parts) - 1:  # between two quotes
            told += [f'"{" ".join(word.rstrip("*?") for word in found)}"'] if found else []
        else:
            told += [word.lower() if word in ("AND", "OR", "NOT") else word for word in found]
    return " ".join(told)


def split(jql: str) -> tuple[str, str]:
    """A query's condition and what it is ordered by; either may be empty. Raises InvalidInput.

    The condition has whole quotes and brackets, so that it stays one behind an opened bracket.
    """
    if len(jql) > MAX_JQL:
        raise _mistake(f"The query has more than {MAX_JQL:,} characters.")
    if _CONTROL.search(jql):
        raise _mistake("The query has control characters.")
    depth, position, order_at, order_end = 0, 0, -1, -1
    words: list[tuple[str, int, int]] = []
    while position < len(jql):
        found = _TOKEN.match(jql, position)
        if found is None:
            where = jql[position : position + 30]
            raise _mistake(
                f"A backslash may stand in quotes only: {where!r}."
                if where.startswith("\\")
                else f"A quote is not closed: {where!r}."
            )
        kind = found.lastgroup
        depth += (kind == "open") - (kind == "close")
        if depth < 0:
            raise _mistake("A bracket is closed that was not opened.")
        if kind == "word" and depth == 0 and order_at < 0:
            if words and _BY.fullmatch(found[0]) and _ORDER.fullmatch(words[-1][0]):
                order_at, order_end = words[-1][1], found.end()
            words.append((found[0], found.start(), found.end()))
        elif kind != "space":
            words.clear()
        position = found.end()
    if depth:
        raise _mistake("A bracket is not closed.")
    if order_at < 0:
        return jql.strip(), ""
    order = jql[order_end:].strip()
    if not _SORTED.match(order):
        raise InvalidInput(
            "After ORDER BY stand fields with ASC or DESC, nothing else.",
            code="bad_jql",
            hint=_habit(order) or 'Put a field\'s name into quotes: ORDER BY "Story Points" DESC.',
        )
    return jql[:order_at].strip(), order


def bounded(jql: str, projects: Iterable[str], *, order: str = "") -> str:
    """The query within the projects; ``order`` is used where it has none. No projects: no bounds."""
    condition, own = split(jql)
    allowed = list(projects)
    parts = [f"project in {listed(allowed)}"] if allowed else []
    if condition:
        parts.append(f"({condition})" if parts else condition)
    ordered = own or order
    return " AND ".join(parts) + (f" ORDER BY {ordered}" if ordered else "")


def joined(conditions: Iterable[str], order: str = "") -> str:
    """Conditions that must all hold."""
    kept = [part for part in conditions if part]
    return " AND ".join(kept) + (f" ORDER BY {order}" if order else "")


def project_of(issue_key: str) -> str:
    """The project's key in an issue's key."""
    return issue_key.rpartition("-")[0]


def demand_project(project_key: str, allowed: Iterable[str]) -> None:
    """Raise NotPermitted for a project beyond the connection's list."""
    known = list(allowed)
    if known and project_key not in known:
        raise NotPermitted(
            f"This connection may not reach the project {project_key}.",
            code="project_not_allowed",
            hint=f"It reaches {', '.join(known[:20])}.",
        )


_HABITS: Final = (
    (re.compile(r"\blike\b", re.I), 'JQL has no LIKE: write summary ~ "words".'),
    (re.compile(r"==|&&|\|\|"), "JQL compares with =, and joins with AND and OR."),
    (
        re.compile(r"^\s*select\b", re.I),
        "JQL is a condition alone, without SELECT: project = KEY AND status = Done.",
    ),
    (re.compile(r"\blimit\s+\d+", re.I), "JQL has no LIMIT: use max_results."),
    (re.compile(r"=\s*(null|none)\b", re.I), "Write field IS EMPTY or IS NOT EMPTY."),
    (re.compile(r"=\s*me\b|@me\b", re.I), "Write assignee = currentUser()."),
    (re.compile(r"/\*|(?:^|\s)(?:--|//|#)(?:\s|$)"), "JQL has no comments: leave them out."),
    (re.compile(r"[“”„]"), 'Quotes in JQL are straight: "words".'),
    (re.compile(r";\s*$"), "A JQL query has no semicolon at its end."),
    (re.compile(r"unbounded", re.I), "Add a condition, such as project = KEY or updated >= -30d."),
)


def jql_hint(jql: str, message: str = "") -> str:
    """What a query that Jira refused probably should have been."""
    found = _habit(jql) or _habit(message)
    return found or "jira_build_jql makes a query of plain arguments; jira_list_fields names the fields."


def _habit(text: str) -> str:
    return next((advice for habit, advice in _HABITS if habit.search(text)), "")


def _mistake(message: str) -> InvalidInput:
    return InvalidInput(message, code="bad_jql", hint="Correct the JQL and call again.")


def is_issue_key(text: str) -> bool:
    """Whether a text is an issue's key."""
    return re.fullmatch(ISSUE_KEY, text, re.A) is not None and not text.endswith("\n")


def is_project_key(text: str) -> bool:
    """Whether a text is a project's key."""
    return re.fullmatch(PROJECT_KEY, text, re.A) is not None and not text.endswith("\n")
