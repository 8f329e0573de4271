"""Wiki text and Markdown, each made of the other: nothing is lost, nothing hangs."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.atlassian.adf import escaped
from connectors.atlassian.wiki import MAX_CHARS, from_wiki
from connectors.atlassian.wiki_writing import to_wiki
from connectors.errors import InvalidInput

PAIRS = {
    "heading": ("# One\n\ntwo", "h1. One\n\ntwo"),
    "marks": ("**a** *b* ~~c~~ `d e`", "*a* _b_ -c- {{d e}}"),
    "within": ("a**b**c", "a{*}b{*}c"),
    "lists": ("- a\n  - b\n    1. c\n- d", "* a\n** b\n**# c\n* d"),
    "numbers": ("1. a\n2. b", "# a\n# b"),
    "link": ("[a b](https://x.example/c_d)", "[a b|https://x.example/c_d]"),
    "address": ("https://x.example/_a_b", "https://x.example/_a_b"),
    "mention": ("[@bo](accountid:bo)", "[~bo]"),
    "file": ("[a.pdf](media:a.pdf)", "[^a.pdf]"),
    "image": ("![a.png](media:a.png)", "!a.png!"),
    "code": ("```python\nx = {1}\n```", "{code:python}\nx = {1}\n{code}"),
    "plain code": ("```\n*x*\n```", "{noformat}\n*x*\n{noformat}"),
    "quote": ("> a **b**", "{quote}\na *b*\n{quote}"),
    "panel": ("> [!WARNING]\n>\n> hot", "{panel:title=Warning}\nhot\n{panel}"),
    "table": ("| A | B |\n| --- | --- |\n| 1 | 2<br>3 |", r"||A||B||" + "\n" + r"|1|2 \\ 3|"),
    "rule": ("a\n\n---\n\nb", "a\n\n----\n\nb"),
    "names": ("snake_case e-mail 1 - 2 C:\\\\temp", "snake_case e-mail 1 - 2 C:\\temp"),
}
FOREIGN = {
    "breaks": ("a\nb", "a  \nb"),
    "colour": ("{color:red}a{color} b", "a b"),
    "old quote": ("bq. a *b*", "> a **b**"),
    "dashes": ("- a\n- b", "- a\n- b"),
    "no head": ("|a|[x|http://a.b]|", "|  |  |\n| --- | --- |\n| a | [x](http://a.b) |"),
    "open macro": ("{code}\nx", "{code}\n\nx"),
    "inserted": ("+a+ ^b^ ~c~ ??d??", "a b c *d*"),
    "picture": ("!https://x.example/a.png|width=300!", "![a.png](https://x.example/a.png)"),
    "entity": ("a&nbsp;b &#35;", "a b #"),
    "title": ("{panel:title=My own|bgColor=#fff}x{panel}", "> [!INFO]\n>\n> **My own**\n>\n> x"),
    "markdown": ("# not\n* yes `tick` <b>", "1. not\n- yes \\`tick\\` \\<b>"),
}
SLOW = [
    "{code:a}",
    "{quote}{code}",
    "[a|",
    "*a ",
    "{*}a",
    "{{a",
    "|[",
    "- a\n",
    "\\",
    "!a",
    "[a|http://x ",
    "&#1;",
    "?? ",
]


@pytest.mark.parametrize("name", PAIRS)
def test_what_both_can_say_goes_there_and_back(name):
    markdown, wiki = PAIRS[name]
    assert to_wiki(markdown) == wiki
    assert from_wiki(wiki) == markdown


@pytest.mark.parametrize("name", FOREIGN)
def test_what_people_wrote_in_jira_is_read(name):
    wiki, markdown = FOREIGN[name]
    assert from_wiki(wiki) == markdown


WORDS = st.text(alphabet="ab *_-+^~{}[]|!?\\#.h1\n`<>&;:/", max_size=60)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORDS)
def test_every_text_is_read_and_its_words_stay(text):
    assert isinstance(from_wiki(text), str)
    plain = f"x {escaped(text.replace(chr(10), ' ')).replace('[', chr(92) + '[')} y"
    told = from_wiki(to_wiki(plain))
    assert [each for each in told if each.isalnum()] == [each for each in plain if each.isalnum()], to_wiki(
        plain
    )


def test_macros_in_words_stay_words():
    wiki = to_wiki("see {code} and {panel:title=x} and \\[~bo\\] and \\*no\\*")
    assert wiki == "see \\{code\\} and \\{panel:title=x\\} and \\[\\~bo\\] and \\*no\\*"
    assert "`" not in from_wiki(wiki)
    assert from_wiki(to_wiki("```a\n{code}\n{noformat}\n```")).count("```") == 2


@pytest.mark.parametrize("piece", SLOW, ids=[str(number) for number in range(len(SLOW))])
def test_no_text_takes_for_ever(piece):
    short, long = piece * (2_000 // len(piece)), piece * (8_000 // len(piece))
    spent = []
    for text in (short, long):
        before = time.process_time()
        from_wiki(text)
        spent.append(time.process_time() - before)
    assert spent[1] < 0.05 + spent[0] * 40, "four times the text takes far more than four times the time"


def test_a_text_that_is_too_long_is_left_or_refused():
    long = "*a* " * (MAX_CHARS // 4 + 1)
    assert from_wiki(long) == long
    with pytest.raises(InvalidInput):
        to_wiki(long)
