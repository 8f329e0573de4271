"""Markdown as models write it: no word of it is lost, and Jira takes the document that comes of it."""

import pytest

from connectors.atlassian.adf import to_markdown
from connectors.atlassian.markdown import to_adf

# Which nodes may stand in which: https://unpkg.com/@atlaskit/adf-schema/dist/json-schema/v1/full.json
LISTS = {"bulletList", "orderedList"}
MEDIA = {"mediaSingle", "mediaGroup"}
TEXT = {"text", "hardBreak", "mention"}
WITHIN = {
    "doc": {"paragraph", "heading", "codeBlock", "blockquote", "panel", "taskList", "rule", "table", *LISTS, *MEDIA},
    "paragraph": TEXT, "heading": TEXT, "taskItem": TEXT, "codeBlock": {"text"},
    "blockquote": {"paragraph", "codeBlock", *LISTS, *MEDIA},
    "panel": {"paragraph", "heading", "codeBlock", "rule", "taskList", *LISTS, *MEDIA},
    "bulletList": {"listItem"}, "orderedList": {"listItem"},
    "listItem": {"paragraph", "codeBlock", "mediaSingle", "taskList", *LISTS},
    "taskList": {"taskItem", "blockTaskItem", "taskList"}, "blockTaskItem": {"paragraph"},
    "table": {"tableRow"}, "tableRow": {"tableCell", "tableHeader"}, "mediaSingle": {"media"}, "media": set(),
}  # fmt: skip
WITHIN["tableCell"] = WITHIN["tableHeader"] = {
    "paragraph", "heading", "codeBlock", "blockquote", "panel", "rule", "taskList", *LISTS, *MEDIA,
}  # fmt: skip


def broken(node, place="doc"):
    """What Jira would refuse of a document."""
    kind, content = node["type"], node.get("content") or []
    if kind == "text":
        marks = [mark["type"] for mark in node.get("marks", ())]
        bad = (
            not node["text"]
            or len(marks) != len(set(marks))
            or ("code" in marks and {*marks} - {"code", "link"})
        )
        empty = any(
            mark["type"] == "link" and not mark["attrs"].get("href") for mark in node.get("marks", ())
        )
        return [f"{place}: {node}"] if bad or empty else []
    if kind in TEXT or kind == "rule":
        return []
    said = [f"{place}: {each['type']}" for each in content if each["type"] not in WITHIN[kind]]
    if kind == "listItem" and (
        not content or content[0]["type"] not in ("paragraph", "codeBlock", "mediaSingle")
    ):
        said.append(f"{place}: begins wrongly")
    return said + [one for each in content for one in broken(each, f"{place}>{each['type']}")]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Use List<String> here", r"Use List\<String> here"),
        ("Set <your-token>, if a<b and c>d", r"Set \<your-token>, if a\<b and c>d"),
        ("<T>\nat the start", r"\<T> at the start"),
        ("<script>alert(1)</script>", r"\<script>alert(1)\</script>"),
        ("| a |\n| --- |\n| <T> |", "| a |\n| --- |\n| \\<T> |"),
        ("`List<String>` &amp; `&amp;`", "`List<String>` & `&amp;`"),
        ("a &lt;c&gt; &#39;x&#39; AT&T;", "a \\<c> 'x' AT\\&T;"),
        (r"\<T> \&amp;", r"\<T> \&amp;"),
        ("<b>bold</b> H<sub>2</sub>O <kbd>Ctrl</kbd>", "bold H2O Ctrl"),
        ("Vec<b>", r"Vec\<b>"),
        ("<details><summary>More</summary>\n\nall of it\n\n</details>", "More\n\nall of it"),
        ('<div align="center">words</div>', "words"),
        ("seen <!-- not seen --> seen", "seen  seen"),
        ("[x<y>](https://x.example/?a=1&amp;b=2)", r"[x\<y>](https://x.example/?a=1&b=2)"),
        ("<https://x.example/a> <ada@x.example>", "https://x.example/a [ada@x.example](mailto:ada@x.example)"),
        ("| a | b |\n|---|---|\n| 1 |\n| 1 | 2 | 3 |\n| 1 | 2",
         "| a | b |\n| --- | --- |\n| 1 |  |\n| 1 | 2 \\| 3 |\n| 1 | 2 |"),
        ("| `c \\| d` |\n| --- |\n| x |", "| `c \\| d` |\n| --- |\n| x |"),
        ("```\na<b &amp; <br>\n| a | b |\n|--|--|\n| 1 |\n```", "```text\na<b &amp; <br>\n| a | b |\n|--|--|\n| 1 |\n```"),
        ("- [ ] a\n\n  b\n- [x] c", "- [ ] a\n\n  b\n- [x] c"),
        ("a\x00b\x1b", "ab"),
    ],
    ids=[str(number) for number in range(20)],
)  # fmt: skip
def test_no_word_is_lost(written, read):
    made = to_adf(written)
    assert to_markdown(made) == read
    assert broken(made) == []
    assert to_markdown(to_adf(read)) == read


def test_code_in_a_table_has_its_pipe():
    cell = to_adf("| `c \\| d` |\n| --- |\n| x |")["content"][0]["content"][0]["content"][0]
    assert cell["content"][0]["content"][0]["text"] == "c | d"


@pytest.mark.parametrize(
    "written",
    [
        "- - a\n  - b", "1. - [ ] a", "> a\n>\n> > b\n> >\n> > c", "> a\n>\n> ---\n>\n> # b", "> - [ ] a\n>   - [x] b",
        "> [!WARNING]\n> a\n>\n> > b", "> > [!NOTE]\n> > a", "[x]() [](y) [ ](z)", "<!-- a -->\n\n- <!-- b -->",
        "- **a**\n\n  > q\n- ### h", "| a |\n| - |\n| <!-- --> |", "> <!-- -->", "**[a](b)** **`c`** ~~https://x.example~~",
        "- [ ]\n- [x] b", "1. ![a](https://x.example/a.png)\n   - b",
    ],
    ids=[str(number) for number in range(15)],
)  # fmt: skip
def test_the_document_is_one_that_jira_takes(written):
    assert broken(to_adf(written)) == []
