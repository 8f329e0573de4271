"""What of a page its Markdown does not hold, so that nothing is lost without a word when it is written back."""

import re
from typing import Final

from connectors.providers.confluence.markup.reading import ALERTS, CODE
from connectors.providers.confluence.markup.tree import Node, parse

_NAMES: Final = {
    "u": "underlining", "ins": "underlining", "sub": "sub- and superscript", "sup": "sub- and superscript",
    "font": "colours", "time": "dates (they become words)", "ac:inline-comment-marker": "places of inline comments",
    "ac:placeholder": "placeholders", "ac:caption": "captions", "ac:adf-extension": "elements of the new editor",
    "dl": "definition lists", "col": "column widths",
}  # fmt: skip
_STYLES: Final = (
    ("colours", re.compile(r"(?:^|[;\s-])color\s*:", re.IGNORECASE)),
    ("alignment and indents", re.compile(r"text-align|margin-left|text-indent", re.IGNORECASE)),
)
_PICTURE: Final = {"ac:alt", "ac:src"}
# The parameters that have their place in Markdown; macros that are not here come as they are.
_KEPT: Final = (
    {name: {"title"} for name in ALERTS} | {name: {"language"} for name in CODE}
    | {"status": {"title", "colour"}, "jira": {"key"}, "anchor": set()}
)  # fmt: skip
_MACROS: Final = ("ac:structured-macro", "ac:macro")
_ONE_LINE: Final = frozenset({"ul", "ol", "table", "blockquote", "pre", "hr", "ac:task-list"})


def losses_of(storage: str) -> list[str]:
    """In a few words each, what the storage format has and Markdown has not; ids and looks of links aside."""
    found: dict[str, None] = {}
    _look(parse(storage), found, cell=False)
    return list(found)


def _look(node: Node, found: dict[str, None], *, cell: bool) -> None:
    for child in node.elements():
        if child.tag in _MACROS:
            _of_macro(child, found, cell=cell)
            continue
        for name in _of_element(child):
            found[name] = None
        if cell and child.tag in _ONE_LINE:
            found["lists and blocks in tables"] = None
        if child.tag not in ("ac:adf-extension", "ac:link"):
            _look(child, found, cell=cell or child.tag in ("td", "th"))


def _of_macro(node: Node, found: dict[str, None], *, cell: bool) -> None:
    name = node.attrs.get("ac:name", "")
    kept = _KEPT.get(name)
    if kept is None:
        return
    if name == "anchor":
        found["anchors"] = None
        return
    told = [one.attrs.get("ac:name", "") for one in node.elements() if one.tag == "ac:parameter"]
    if lost := [one for one in told if one not in kept]:
        found[f"settings of {name} ({', '.join(dict.fromkeys(lost))})"] = None
    if cell and name not in ("status", "jira"):
        found["lists and blocks in tables"] = None
    if name in ALERTS:
        _look(node, found, cell=cell)


def _of_element(node: Node) -> list[str]:
    names = [_NAMES[node.tag]] if node.tag in _NAMES and not (node.tag == "col" and not node.attrs) else []
    style = node.attrs.get("style", "")
    names += [name for name, pattern in _STYLES if pattern.search(style)]
    if node.attrs.get("data-highlight-colour"):
        names.append("colours")
    if node.tag in ("td", "th") and {node.attrs.get("colspan", "1"), node.attrs.get("rowspan", "1")} != {"1"}:
        names.append("merged cells")
    if node.tag == "ac:layout-section" and sum(one.tag == "ac:layout-cell" for one in node.elements()) > 1:
        names.append("columns")
    if node.tag == "ac:image" and node.attrs.keys() - _PICTURE:
        names.append("sizes and places of pictures")
    if node.tag == "ac:emoticon" and node.attrs.get("ac:emoji-fallback", ":").startswith(":"):
        names.append("emoticons (they become words)")
    return names
