"""Markdown and Atlassian's documents: there, back, and whatever a document holds."""

import random

import pytest

from connectors.atlassian.adf import to_markdown
from connectors.atlassian.markdown import to_adf
from connectors.errors import InvalidInput

WHOLE = """# Title

Hello **bold** *it* ~~st~~ `code` [link](https://x.example/?a=1&b=2) https://auto.example/x. [@Ada](accountid:5b)

- a
  - b
- c

1. one
2. two

```python
x = 1
```

> [!WARNING]
>
> careful

> plain

| a | b |
| --- | --- |
| 1<br>2 | *2* |

- [ ] todo
- [x] done

---

![alt](media:abc)

snake_case stays"""


def paragraph(*content):
    return {"type": "paragraph", "content": list(content)}


def text(words, *marks):
    return {"type": "text", "text": words, **({"marks": [{"type": mark} for mark in marks]} if marks else {})}


def doc(*content):
    return {"type": "doc", "version": 1, "content": list(content)}


def words_of(node):
    if node.get("type") == "hardBreak":
        return "\n"
    return node.get("text", "") + "".join(map(words_of, node.get("content", [])))


def test_markdown_survives_the_way_there_and_back():
    assert to_markdown(to_adf(WHOLE)) == WHOLE


def test_a_mention_a_panel_a_file_and_an_address_become_jiras_own_nodes():
    made = str(to_adf(WHOLE))
    for node in ("'mention', 'attrs': {'id': '5b'", "'panelType': 'warning'", "'type': 'file', 'id': 'abc'"):
        assert node in made
    assert "{'href': 'https://auto.example/x'}" in made


@pytest.mark.parametrize(
    "words",
    ["a*b*c _x_ # 1. [z](y) `q` <b> ~~no~~ a\\b", "# no", "1. no", "2) no", "- no", "> no", "---", "===", "+ x",
     "**", "[a][b]", "<https://x.example>", "* * *", "a | b", "&amp; &lt;"],
)  # fmt: skip
def test_text_that_looks_like_markdown_stays_text(words):
    made = to_adf(to_markdown(doc(paragraph(text(words)))))
    assert [node["type"] for node in made["content"]] == ["paragraph"]
    assert words_of(made) == words


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (paragraph(text("hi "), {"type": "mention", "attrs": {"id": "5b", "text": "@Ada"}}), "hi [@Ada](accountid:5b)"),
        ({"type": "expand", "attrs": {"title": "More"}, "content": [paragraph(text("in"))]}, "**More**\n\nin"),
        (paragraph({"type": "date", "attrs": {"timestamp": "1700000000000"}}), "2023-11-14"),
        (paragraph({"type": "inlineCard", "attrs": {"url": "https://x.example/z"}}), "https://x.example/z"),
        ({"type": "decisionList", "content": [{"type": "decisionItem", "content": [text("so")]}]}, "- so"),
        ({"type": "newThing", "content": [paragraph(text("inside"))]}, "inside"),
        ({"type": "codeBlock", "content": [text("a\n```\nb")]}, "````\na\n```\nb\n````"),
        (paragraph(text("bold ", "strong"), text("more", "strong"), text(" ", "em")), "**bold more**"),
        ({"type": "layoutSection", "content": [{"type": "layoutColumn", "content": [paragraph(text("c"))]}]}, "c"),
        ({"type": "heading", "attrs": {"level": "x"}, "content": [text("h")]}, "# h"),
        ({"type": "bulletList", "content": "nonsense"}, ""),
        ({"type": "mediaSingle", "content": [{"type": "media", "attrs": {"id": "i", "alt": "a.png"}}]}, "![a.png](media:i)"),
    ],
    ids=[str(number) for number in range(12)],
)  # fmt: skip
def test_every_node_comes_out(node, told):
    assert to_markdown(doc(node)) == told


def test_a_document_that_nests_for_ever_gives_its_words():
    node = paragraph(text("deep"))
    for _ in range(5000):
        node = {"type": "blockquote", "content": [node]}
    assert "deep" in to_markdown(doc(node))


def test_markdown_that_nests_for_ever_is_bounded_and_what_never_ends_is_refused():
    assert len(str(to_adf(">" * 3000 + " x"))) < 20_000
    with pytest.raises(InvalidInput):
        to_adf("x" * 200_001)


def test_what_jira_refuses_is_mended():
    assert to_adf("**`x`**")["content"][0]["content"] == [
        {"type": "text", "text": "x", "marks": [{"type": "code"}]}
    ]
    assert to_adf("> # head")["content"][0]["content"][0]["type"] == "paragraph"
    assert to_adf("")["content"] == []


def test_random_documents_come_back_with_their_words():
    """A property over documents of random paragraphs, lists, quotes and marks."""
    chance = random.Random(38)
    alphabet = "ab *_`[]()<>#-+.1~|\\&!"
    for _ in range(400):
        words = "".join(chance.choice(alphabet) for _ in range(chance.randint(1, 14))).strip() or "x"
        marks = chance.sample(("strong", "em", "strike"), chance.randint(0, 1))
        inner = paragraph(text("w "), text(words, *marks), text(" w"))
        node = chance.choice([
            inner,
            {"type": "blockquote", "content": [inner]},
            {"type": "bulletList", "content": [{"type": "listItem", "content": [inner]}]},
        ])  # fmt: skip
        markdown = to_markdown(doc(node))
        back = to_adf(markdown)
        assert " ".join(words_of(back).split()) == " ".join(f"w {words} w".split()), markdown
        assert back["content"][0]["type"] == node["type"]


@pytest.mark.parametrize("kind", ["paragraph", "x", "panel", "blockquote"])
@pytest.mark.parametrize("depth", [300, 900])
def test_a_document_too_deep_to_be_laid_out_keeps_its_words(kind, depth):
    node = text("the end")
    for _ in range(depth):
        node = {"type": kind, "content": [node]}
    for document in (doc(node), doc(paragraph(node)), node):
        assert to_markdown(document).endswith("the end")


@pytest.mark.parametrize("marks", [5, "strong", {"type": "strong"}, [5, None, {"type": 7}, {"attrs": 3}]])
def test_marks_that_are_none_leave_the_words(marks):
    assert to_markdown(doc(paragraph({**text("words"), "marks": marks}))) == "words"
