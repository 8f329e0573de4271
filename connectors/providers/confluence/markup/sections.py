"""Where the sections of a page begin and end in its storage format, so that one can be changed alone."""

from dataclasses import dataclass

from connectors.kit.tidy import visible
from connectors.providers.confluence.markup.inline import inline
from connectors.providers.confluence.markup.tree import Node, parse


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what follows it: ``body`` to ``end`` in the source, subsections included."""

    title: str  # its words, as they are read
    markdown: str  # the same with its marks
    level: int
    start: int
    body: int
    end: int


def sections_of(storage: str) -> list[Section]:
    """The sections of a page in order. One ends with the next heading of its level, or with its parent element."""
    found: list[Section] = []
    _look(parse(storage), storage, len(storage), found)
    return found


def _look(parent: Node, source: str, end: int, found: list[Section]) -> None:
    headings = [child for child in parent.elements() if child.tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
    last = max((child.end for child in parent.elements()), default=end)
    end = end if parent.tag == "" else last
    for child in parent.elements():
        if child not in headings:
            if child.tag in ("ac:layout", "ac:layout-section", "ac:layout-cell", "div"):
                _look(child, source, child.end, found)
            continue
        level = int(child.tag[1])
        after = (
            other.start for other in headings if other.start > child.start and int(other.tag[1]) <= level
        )
        title = " ".join(visible(_words(child)).split())
        markdown = visible(inline(child.children, source).replace("\\\n", " "))
        found.append(Section(title, markdown, level, child.start, child.end, next(after, end)))


def _words(node: Node) -> str:
    """An element's words without those that set macros up."""
    if node.tag in ("ac:structured-macro", "ac:macro", "ac:parameter"):
        return ""
    return node.raw + "".join(child if isinstance(child, str) else _words(child) for child in node.children)
