import re

import pytest

from connectors.base import Connector, Context, tool
from connectors.doc_pages import cell, page_of, type_of, written_parts
from connectors.registry import BUILT_IN, connector_class
from tests.docs.pages import ROOT

SHIPPED = [slug for slug, path in BUILT_IN.items() if path.startswith("connectors.")]


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_connectors_page_is_what_the_connector_says(slug):
    cls = connector_class(slug)
    if not written_parts(cls)[0].is_file():
        pytest.skip("this page is written by hand")
    page = ROOT / "docs" / "connectors" / f"{slug}.md"
    assert page.is_file() and page.read_text() == page_of(cls), (
        f"{page.name} is out of date: run manage.py connector_docs {slug}"
    )


@pytest.mark.parametrize("slug", SHIPPED)
def test_what_is_written_by_hand_names_tools_that_there_are(slug):
    cls = connector_class(slug)
    known = set(cls.tools) | {alias for spec in cls.tools.values() for alias in spec.aliases}
    for part in written_parts(cls):
        named = re.findall(rf"`({slug}_\w+)`", part.read_text()) if part.is_file() else []
        assert set(named) <= known, part


class Things(Connector):
    slug = "things"
    title = "Things"
    description = "Things."

    @tool(title="Get a thing", hint="R", cache="S", limit="5/60", weight=3, aliases=("thing_get",))
    async def things_get(self, ctx: Context, number: int, note: str | None = None, deep: bool = False) -> str:
        """A thing | by its <number>.

        More of it.
        """
        return ""


def test_a_page_is_made_of_what_the_class_has(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "connectors.doc_pages.written_parts", lambda cls: (tmp_path / "intro.md", tmp_path / "none.md")
    )
    (tmp_path / "intro.md").write_text("About things.\n")
    text = page_of(Things)
    assert "# Things\n" in text and "\n\nAbout things.\n\n" in text
    row = next(line for line in text.splitlines() if line.startswith("| `things_get`"))
    assert row == (
        "| `things_get` | A thing \\| by its &lt;number>. (reads; kept 30 s; at most 5 calls in 60 s per caller; "
        "costs 3 of a quota; also called `thing_get`) | `number`, `note`?, `deep=false` |"
    )
    assert "| `number` | whole number |" in text


def test_schemas_are_said_in_words():
    assert type_of({"enum": ["a", "b"]}, {}) == "`a`, `b`"
    assert (
        type_of({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 100}, {"type": "null"}]}, {})
        == "1 to 100"
    )
    assert (
        type_of({"type": "array", "items": {"type": "string"}, "maxItems": 50}, {})
        == "list of text, at most 50"
    )
    assert type_of({"$ref": "#/$defs/X"}, {"$defs": {"X": {"const": 1}}}) == "`1`"
    assert type_of({"anyOf": [{"type": "string"}, {"type": "object"}]}, {}) == "text or object"
    assert cell("a\nb | c") == "a b \\| c"
