import re
from typing import Literal

import pytest
from pydantic import BaseModel, SecretStr, model_validator

from connectors.base import Connector, Context, tool
from connectors.doc_pages import page_of, written_parts
from connectors.doc_words import cell, type_of
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
        "connectors.doc_pages.written_parts",
        lambda cls: tuple(tmp_path / f"{name}.md" for name in ("intro", "limits", "example")),
    )
    (tmp_path / "limits.md").write_text("Ten things a day.\n")
    (tmp_path / "intro.md").write_text("About things.\n")
    text = page_of(Things)
    assert "# Things\n" in text and "\n\nAbout things.\n\n" in text
    row = next(line for line in text.splitlines() if line.startswith("| `things_get`"))
    assert row == (
        "| `things_get` | A thing \\| by its &lt;number>. (reads; kept 30 s; at most 5 calls in 60 s per caller; "
        "costs 3 of a quota; also called `thing_get`) | `number`, `note`?, `deep=false` |"
    )
    assert "| `number` | whole number |" in text
    assert "## Limits\n\nTen things a day.\n\n| What | At most |" in text
    assert "| An answer | 60,000 characters;" in text


class Ways(BaseModel):
    method: Literal["key", "pair", "none"] = "key"
    key: str = ""
    name: str = ""
    password: SecretStr | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Ways":
        if self.method == "key" and not self.key:
            raise ValueError("The method key needs key.")
        if self.method == "pair" and not self.name:
            raise ValueError("The method pair needs name.")
        if self.method == "pair" and not self.password:
            raise ValueError("The method pair needs password.")
        return self


class Signed(Things):
    slug = "signed"
    Credentials = Ways


def test_a_page_says_which_fields_each_way_of_signing_in_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "connectors.doc_pages.written_parts", lambda cls: (tmp_path / "a", tmp_path, tmp_path)
    )
    (tmp_path / "a").write_text("About.")
    text = page_of(Signed)
    assert "| `key` (recommended) | `key` |\n| `pair` | `name`, `password` |\n\n" in text


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
    item = {"type": "object", "properties": {"a": {}, "b": {"default": 1}}, "required": ["a"]}
    assert type_of({"type": "array", "items": item}, {}) == "list of object (`a`, `b=1`)"
    assert type_of({"$ref": "#/$defs/X"}, {"$defs": {"X": {"const": 1}}}) == "`1`"
    assert type_of({"anyOf": [{"type": "string"}, {"type": "object"}]}, {}) == "text or object"
    assert cell("a\nb | c") == "a b \\| c"
