"""Storage format and Markdown: each is made of the other, and nothing is lost on the way there and back."""

import re
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.providers.confluence.markup import losses_of, sections_of, to_markdown, to_storage


def macro(name, body, **parameters):
    told = "".join(
        f'<ac:parameter ac:name="{key}">{value}</ac:parameter>' for key, value in parameters.items()
    )
    return f'<ac:structured-macro ac:name="{name}">{told}{body}</ac:structured-macro>'


def rich(body):
    return f"<ac:rich-text-body>{body}</ac:rich-text-body>"


def plain(text):
    return f"<ac:plain-text-body><![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]></ac:plain-text-body>"


PAIRS = [
    ("<h2>Orders</h2><p>One &amp; <strong>two</strong>.</p>", "## Orders\n\nOne & **two**."),
    ("<ul><li>a<ol><li>b</li></ol></li><li>c</li></ul>", "- a\n  1. b\n- c"),
    ("<ul><li>a</li></ul><ul><li>b</li></ul>", "- a\n\n* b"),
    ("<table><tbody><tr><th>A</th><th>B</th></tr><tr><td>1|2</td><td>x<br/>y</td></tr></tbody></table>",
     "| A | B |\n| --- | --- |\n| 1\\|2 | x<br>y |"),
    ("<table><tbody><tr><td>1</td></tr></tbody></table>", "|  |\n| --- |\n| 1 |"),
    (macro("code", plain('if a < b: "]]>"'), language="python"), '```python\nif a < b: "]]>"\n```'),
    (macro("info", rich("<p>Mind this.</p>"), title="Note well"), "> [!NOTE] Note well\n>\n> Mind this."),
    (macro("warning", rich("<p>No.</p>")), "> [!CAUTION]\n>\n> No."),
    ('<ac:task-list><ac:task><ac:task-status>complete</ac:task-status><ac:task-body>Done</ac:task-body></ac:task>'
     "<ac:task><ac:task-status>incomplete</ac:task-status><ac:task-body>Open</ac:task-body></ac:task></ac:task-list>",
     "- [x] Done\n- [ ] Open"),
    ('<p><ac:link><ri:page ri:space-key="DOCS" ri:content-title="How it works"/><ac:link-body>here</ac:link-body></ac:link></p>',
     "[here](page:DOCS/How%20it%20works)"),
    ('<p><ac:image ac:alt="plan"><ri:attachment ri:filename="a b.png"/></ac:image></p>', "![plan](attachment:a%20b.png)"),
    ('<p><a href="https://example.com/?a=1&amp;b=2">there</a></p>', "[there](https://example.com/?a=1&b=2)"),
    (f"<p>It is {macro('status', '', title='Done', colour='Green')}</p>", "It is {status:Done|Green}"),
    (f"<p>See {macro('jira', '', key='AB-1')}</p>", "See {jira:AB-1}"),
    (macro("toc", "", maxLevel="3"), f"```storage\n{macro('toc', '', maxLevel='3')}\n```"),
    (f"<p>Owner: {macro('profile', '', user='x')}</p>", f"Owner: `storage:{macro('profile', '', user='x')}`"),
]  # fmt: skip


# What has no address in Markdown goes back as it came; so does a macro in a cell, and a person without other words.
KEPT = [
    '<p><ac:link><ri:user ri:userkey="8a7f808a"/></ac:link> and <ac:link><ri:user ri:account-id="5b10"/></ac:link></p>',
    '<p><ac:link ac:anchor="Top of it"><ri:page ri:content-title="A"/><ac:link-body>there</ac:link-body></ac:link></p>',
    '<p><ac:link><ri:content-entity ri:content-id="12"/><ac:link-body>x</ac:link-body></ac:link></p>',
    '<p><ac:link><ri:blog-post ri:content-title="B" ri:posting-day="2026/01/31"/></ac:link></p>',
    '<p><ac:image><ri:attachment ri:filename="a.png"><ri:page ri:content-title="Other"/></ri:attachment></ac:image></p>',
    f"<table><tbody><tr><th>A</th></tr><tr><td>{macro('view-file', '', height='a|b`c')}</td></tr></tbody></table>",
]

# What models write, and what is made of it.
WRITTEN = [
    ("![plan](my-plan.png)", '<p><ac:image ac:alt="plan"><ri:attachment ri:filename="my-plan.png"/></ac:image></p>'),
    ("![plan](img/plan.png)", "<p>plan (img/plan.png)</p>"),
    ("| A |\n|---|\n| {status:Done|Green} |",
     f"<table><tbody><tr><th>A</th></tr><tr><td>{macro('status', '', title='Done', colour='Green')}</td></tr></tbody></table>"),
    ("```\n| {status:Done|Green} |\n```", macro("code", plain("| {status:Done|Green} |"))),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WRITTEN)))
def test_what_models_write_is_understood(number):
    markdown, storage = WRITTEN[number]
    assert to_storage(markdown) == storage
    assert to_storage(to_markdown(storage)) == storage


# Storage format, and what its Markdown lacks.
LOST = [
    ('<h2 local-id="a">A</h2><p>b <strong>c</strong></p><ul><li>d</li></ul>', []),
    ('<table><colgroup><col style="width: 9px;"/></colgroup><tbody><tr><td rowspan="2" data-highlight-colour="#fff">'
     "<ul><li>a</li></ul></td></tr></tbody></table>",
     ["column widths", "colours", "merged cells", "lists and blocks in tables"]),
    ("<p><u>a</u><sub>b</sub><sup>c</sup><span style='color: rgb(1,2,3);'>d</span></p>",
     ["underlining", "sub- and superscript", "colours"]),
    ('<p style="text-align: center;">a<time datetime="2026-01-31"/><ac:emoticon ac:name="tick"/></p>',
     ["alignment and indents", "dates (they become words)", "emoticons (they become words)"]),
    ('<p><ac:inline-comment-marker ac:ref="x">a</ac:inline-comment-marker></p>', ["places of inline comments"]),
    ("<ac:layout><ac:layout-section><ac:layout-cell><p>a</p></ac:layout-cell></ac:layout-section></ac:layout>", []),
    ("<ac:layout><ac:layout-section><ac:layout-cell><p>a</p></ac:layout-cell><ac:layout-cell/></ac:layout-section></ac:layout>",
     ["columns"]),
    (macro("code", plain("x"), language="sh", title="T", linenumbers="true"), ["settings of code (title, linenumbers)"]),
    (macro("info", rich(f"<p>{macro('anchor', '', x='1')}<u>a</u></p>"), title="T"), ["anchors", "underlining"]),
    (macro("excerpt", rich("<p><u>a</u></p>")), []),
    ('<p><ac:image ac:alt="a" ac:width="3"><ri:url ri:value="https://e.com/a.png"/></ac:image></p>',
     ["sizes and places of pictures"]),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(KEPT)))
def test_what_has_no_word_in_markdown_goes_back_as_it_came(number):
    assert to_storage(to_markdown(KEPT[number])) == KEPT[number]


@pytest.mark.parametrize("number", range(len(LOST)))
def test_what_markdown_does_not_hold_is_named(number):
    storage, lost = LOST[number]
    assert losses_of(storage) == lost


@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_each_element_has_its_markdown_and_finds_its_way_back(number):
    storage, markdown = PAIRS[number]
    assert to_markdown(storage) == markdown
    assert to_storage(markdown) == storage


def test_layouts_old_editors_and_broken_markup_are_read_as_far_as_possible():
    page = (
        "<ac:layout><ac:layout-section><ac:layout-cell><p>left&nbsp;side</p></ac:layout-cell>"
        '<ac:layout-cell><div class="x">loose <b>words</b><p>and more</ac:layout-cell></ac:layout-section></ac:layout>'
        "</p><unknown>kept < </unknown>"
    )
    assert to_markdown(page) == "left side\n\nloose **words**\n\nand more\n\nkept <"
    assert to_markdown("") == ""
    merged = '<table><tr><th colspan="2">Both</th></tr><tr><td><p>1</p><ul><li>a</li></ul></td><td>2</td></tr></table>'
    assert to_markdown(merged) == "| Both |  |\n| --- | --- |\n| 1<br>- a | 2 |"


def test_deep_and_hostile_markup_ends_soon():
    assert "x" in to_markdown("<div>" * 5000 + "x")
    to_markdown("<" * 20_000 + "<a " * 5000)
    to_markdown("<![CDATA[" * 3000)
    to_storage("> " * 3000 + "x")
    to_storage("[" * 5000)
    entities = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><p>&a;</p>'
    assert "root:" not in to_markdown(entities)


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](javascript:alert(1))", "[x](data:text/html,1)",
        '[x](<https://e.com/"onclick="alert(1)>)', '{status:<ac:link/>|Green}', "> [!NOTE] <b>\n> x",
        "[x](page:A\"><script>/T)", "a\x00b\x1b\ufffe", "<ac:structured-macro ac:name='html'/>",
    ],
    ids=range(10),
)  # fmt: skip
def test_what_a_model_writes_is_words_and_never_markup_of_its_own(markdown):
    made = to_storage(markdown)
    assert not re.search(
        r"<script|javascript:|data:|\x00|\x1b|\ufffe|<ac:structured-macro ac:name='html|<b>", made
    )
    assert 'onclick="' not in made


WORD = st.text(st.sampled_from("abz09äß *_#`<>&[]()!|~\\{}:.-+=/\"'1"), min_size=1, max_size=12)
TEXT = WORD.map(lambda text: " ".join(text.split())).filter(bool)
NAME = st.text("abcxyz", min_size=1, max_size=6)
MARKED = st.one_of(
    TEXT.map(lambda text: escape(text, quote=False)),
    NAME.map(lambda text: f"<strong>{text}</strong>"),
    NAME.map(lambda text: f"<em>{text}</em>"),
    NAME.map(lambda text: f"<del>{text}</del>"),
    TEXT.filter(lambda text: not text.startswith("storage:<")).map(
        lambda t: f"<code>{escape(t, quote=False)}</code>"
    ),
    NAME.map(lambda text: f'<a href="https://example.com/{text}?a=1&amp;b=(2)">{text}</a>'),
    NAME.map(lambda text: macro("status", "", title=text, colour="Red")),
)
INLINE = st.lists(MARKED, min_size=1, max_size=4).map(" ".join)
LINES = st.lists(INLINE, min_size=1, max_size=2).map("<br/>".join)
CODE = st.text("abc `<>&|\n]#-", max_size=20)
PARAGRAPH = LINES.map(lambda text: f"<p>{text}</p>")
LEAF = st.one_of(
    PARAGRAPH,
    st.tuples(st.integers(1, 6), INLINE).map(lambda pair: f"<h{pair[0]}>{pair[1]}</h{pair[0]}>"),
    st.tuples(NAME, CODE).map(lambda pair: macro("code", plain(pair[1]), language=pair[0])),
    st.just("<hr/>"),
    st.just(macro("toc", "", maxLevel="2")),
)
ITEM = st.recursive(
    INLINE,
    lambda inner: st.tuples(
        INLINE, st.sampled_from(["ul", "ol"]), st.lists(inner, min_size=1, max_size=3)
    ).map(lambda made: f"{made[0]}<{made[1]}>{''.join(f'<li>{one}</li>' for one in made[2])}</{made[1]}>"),
    max_leaves=5,
)
LIST = st.tuples(st.sampled_from(["ul", "ol"]), st.lists(ITEM, min_size=1, max_size=3)).map(
    lambda made: f"<{made[0]}>{''.join(f'<li>{one}</li>' for one in made[1])}</{made[0]}>"
)
ROW = st.lists(LINES, min_size=2, max_size=2)
TABLE = st.lists(ROW, min_size=1, max_size=3).map(
    lambda rows: (
        "<table><tbody>"
        + "".join(
            f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in row)}</tr>"
            for tag, row in zip(["th", *["td"] * 5], rows, strict=False)
        )
        + "</tbody></table>"
    )
)
BLOCKS = st.recursive(
    st.one_of(LEAF, LIST, TABLE),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map("".join).flatmap(
        lambda body: st.sampled_from(
            [macro("info", rich(body)), macro("warning", rich(body), title="T"), f"<blockquote>{body}</blockquote>"]
        )
    ),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(BLOCKS, min_size=1, max_size=4).map("".join))
def test_a_page_is_the_same_after_it_was_markdown(storage):
    assert to_storage(to_markdown(storage)) == storage


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(st.sampled_from("ab *_#`<>&[]()!|~\\{}:.-+=/\"'1\n\t"), max_size=80))
def test_markdown_that_was_a_page_once_stays_what_it_is(text):
    once = to_markdown(to_storage(text))
    assert to_markdown(to_storage(once)) == once


def test_a_section_ends_where_the_next_of_its_level_begins():
    page = "<h1>A</h1><p>1</p><h2>B</h2><p>2</p><h1>C</h1><ac:layout><ac:layout-cell><h2>D</h2><p>3</p></ac:layout-cell></ac:layout>"
    found = {one.title: page[one.body : one.end] for one in sections_of(page)}
    assert found == {"A": "<p>1</p><h2>B</h2><p>2</p>", "B": "<p>2</p>", "C": found["C"], "D": "<p>3</p>"}
