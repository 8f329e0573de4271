"""CQL: words become queries, and no query gets past the spaces of a connection."""

import pytest

from connectors.errors import InvalidInput
from connectors.providers.confluence.queries import cql_of, is_cql, quoted
from tests.doubles import clauses
from tests.doubles.confluence.around import _NAMES

ROWS = [{"space": ["DOCS"], "title": "a", "text": ["a b"], "type": ["page"]},
        {"space": ["SECRET"], "title": "b", "text": ["a b"], "type": ["page"]}]  # fmt: skip


def seen(cql):
    """Which spaces the double would show."""
    query = clauses.parse(cql, _NAMES, me="ada", sprints=list)
    return {row["space"][0] for row in ROWS if query.matches(row)}


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("how orders work", '(siteSearch ~ "how orders work")'),
        ('say "hi" \\ there', '(siteSearch ~ "say \\"hi\\" \\\\ there")'),
        ("title ~ orders order by title desc", "(title ~ orders) order by title desc"),
        ('space = "DOCS" AND (text ~ "a)b" OR label in ("x", \'y\'))', '(space = "DOCS" AND (text ~ "a)b" OR label in ("x", \'y\')))'),
        ("order by created", "type = page order by created"),
        ("title ~ \u201chow orders\u201d", '(title ~ "how orders")'),
        ("type = page\r\nAND title ~ x", "(type = page\nAND title ~ x)"),
    ],
    ids=range(7),
)  # fmt: skip
def test_words_are_quoted_and_queries_are_kept(text, sent):
    assert cql_of(text) == sent


@pytest.mark.parametrize(
    "text",
    [
        "order by phone",
        "Order by mail or by phone",
        "in the office",
        "the title is wrong",
        "what is space = time?",
        "orders not in stock",
    ],
)
def test_sentences_are_no_queries(text):
    assert not is_cql(text)


@pytest.mark.parametrize(
    "query",
    [
        "type = page) OR (space = SECRET",
        "type = page OR space = SECRET",
        'type = page OR space in ("SECRET")',
        'text ~ "a" OR title ~ "b" ORDER BY title',
        "not space = DOCS",
        'text ~ "a") OR (title = "b"',
        'title = "x" OR space = "SECRET" ORDER BY title) OR (space = "SECRET"',
        "type = page ORDER BY title OR space = SECRET",
        "text ~ a'b) OR (space = SECRET) OR (title ~ c'",
        'text ~ x\\") OR (space = SECRET) OR (text ~ \\"y',
        "text ~ \"unfinished) OR space = SECRET",
        'text ~ "a"OR(space=SECRET)',
        "type = page\u2028) OR (space = SECRET",
        "type = page /* ) OR (space = SECRET */",
        'a" OR space = "SECRET',
        "title = \u201cx\u201d) OR (space = SECRET",
        "sitesearch ~ 'x\\') OR (space = SECRET) OR (title ~ \\'y'",
    ],
    ids=range(17),
)  # fmt: skip
def test_no_query_reaches_another_space(query):
    try:
        cql = cql_of(query, spaces=["DOCS"])
    except InvalidInput as error:
        assert error.code == "bad_cql"
        assert error.hint
    else:
        assert seen(cql) <= {"DOCS"}


def test_narrowing_arguments_are_joined_to_any_query():
    cql = cql_of('text ~ "a" OR text ~ "b" ORDER BY title', spaces=["B", "A"], space="A", type_="page")
    assert (
        cql
        == '(text ~ "a" OR text ~ "b") AND type = page AND space = "A" AND space in ("A", "B") ORDER BY title'
    )
    assert quoted('a"b\\\u202ec') == '"a\\"b\\\\ c"'
