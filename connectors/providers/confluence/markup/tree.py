"""The storage format as a tree. Nothing in it is resolved or loaded: entities are HTML's own, no DTD counts."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MAX_DEPTH: Final = 150  # what is nested deeper is read as if it stood at this depth
VOID: Final = frozenset({"br", "hr", "img", "col"})
_PIECE: Final = re.compile(
    r"<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<[?!][^>]*>"
    r"|</(?P<end>[A-Za-z][\w:.-]*)\s*>"
    r"|<(?P<start>[A-Za-z][\w:.-]*)(?P<attrs>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>"
    r"|(?P<text>[^<]+|<)",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")


@dataclass(slots=True)
class Node:
    """An element: ``start`` and ``end`` are its place in the source, ``children`` elements and texts.

    ``raw`` is what CDATA held, word for word.
    """

    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    children: "list[Node | str]" = field(default_factory=list)
    start: int = 0
    end: int = 0
    raw: str = ""

    def elements(self) -> "Iterator[Node]":
        """The child elements."""
        return (child for child in self.children if isinstance(child, Node))

    def first(self, *tags: str) -> "Node | None":
        """The first child element of one of these tags."""
        return next((child for child in self.elements() if child.tag in tags), None)

    def text(self) -> str:
        """All words below, CDATA included."""
        return self.raw + "".join(
            child if isinstance(child, str) else child.text() for child in self.children
        )

    def parameter(self, name: str) -> str:
        """A macro's parameter, or an empty text."""
        for child in self.elements():
            if child.tag == "ac:parameter" and child.attrs.get("ac:name", "") == name:
                return child.text().strip()
        return ""


def parse(source: str) -> Node:
    """The tree of a fragment. Never fails: what is no markup is text, what is not closed ends with its parent."""
    root = Node("", end=len(source))
    path = [root]
    for piece in _PIECE.finditer(source):
        here = path[-1]
        if (text := piece["text"]) is not None:
            here.children.append(html.unescape(text))
        elif (cdata := piece["cdata"]) is not None:
            here.raw += cdata
        elif tag := piece["start"]:
            _open(path, tag.lower(), piece)
        elif (tag := piece["end"]) and any(node.tag == tag.lower() for node in path[1:]):
            while path[-1].tag != tag.lower():
                path.pop().end = piece.start()
            path.pop().end = piece.end()
    for node in path[1:]:
        node.end = len(source)
    return root


def _open(path: list[Node], tag: str, piece: re.Match[str]) -> None:
    written = piece["attrs"]
    attrs = {name: html.unescape(a or b) for name, a, b in _ATTRIBUTE.findall(written)}
    node = Node(tag, attrs, start=piece.start(), end=piece.end())
    path[-1].children.append(node)
    if not written.rstrip().endswith("/") and tag not in VOID and len(path) < MAX_DEPTH:
        path.append(node)
