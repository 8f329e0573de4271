"""The documentation's pages, cut into what can be checked."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
URL = "http://127.0.0.1:8000"
KEY = "ptc_…"

_FENCE = re.compile(r"^( *)```([a-z]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\\)\[[^\]\[]*(?:\[[^\]]*\][^\]\[]*)*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language and its text, without the indentation of a list."""

    language: str
    text: str


@cache
def pages() -> dict[str, Path]:
    """All pages by their path."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("bridge/*.md"), *(ROOT / "docs").rglob("*.md")]
    return {str(path.relative_to(ROOT)): path for path in sorted(found)}


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page in their order."""
    return [
        Block(language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, text in _FENCE.findall(pages()[page].read_text())
    ]


def links(page: str) -> list[str]:
    """Where a page's links and images lead."""
    return _LINK.findall(_prose(page))


def anchors(path: Path) -> set[str]:
    """The anchors that a page's headings get, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", path.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return found


def _prose(page: str) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", pages()[page].read_text()))
