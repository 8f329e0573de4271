"""The storage format as Markdown: its blocks."""

import re
from typing import Final

from connectors.providers.confluence.markup.inline import inline, raw_code
from connectors.providers.confluence.markup.tree import Node, parse

ALERTS: Final = {
    "info": "NOTE",
    "tip": "TIP",
    "note": "WARNING",
    "warning": "CAUTION",
    "panel": "PANEL",
    "expand": "EXPAND",
}
CODE: Final = frozenset({"code", "noformat"})
INLINE_MACROS: Final = frozenset({"status", "jira", "anchor", "inc-drawio-inline"})
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_TRANSPARENT: Final = frozenset({
    "", "div", "section", "article", "ac:layout", "ac:layout-section", "ac:layout-cell", "ac:rich-text-body", "center",
    "tbody", "thead", "ac:adf-extension", "ac:adf-node", "ac:adf-content",
})  # fmt: skip
_BLOCKS: Final = frozenset({
    *_HEADINGS, *_TRANSPARENT, "p", "ul", "ol", "table", "blockquote", "pre", "hr", "ac:task-list",
    "ac:adf-fallback", "ac:adf-attribute",
})  # fmt: skip
_RAW: Final = re.compile(r"(`{3,})storage\n(.*)\n\1", re.DOTALL)
_FENCES: Final = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def to_markdown(storage: str) -> str:
    """A page's or comment's storage format as Markdown."""
    return "\n\n".join(_blocks(parse(storage), storage))


def _is_block(node: Node, among_words: bool = False) -> bool:
    if node.tag in ("ac:structured-macro", "ac:macro"):
        if among_words and node.first("ac:rich-text-body", "ac:plain-text-body") is None:
            return False
        return node.attrs.get("ac:name", "") not in INLINE_MACROS
    return node.tag in _BLOCKS


def _has_words(node: Node) -> bool:
    return node.tag != "" and any(isinstance(child, str) and child.strip() for child in node.children)


def _blocks(parent: Node, source: str) -> list[str]:
    """The blocks below a node; words that stand among them are paragraphs."""
    found: list[str] = []
    loose: list[Node | str] = []
    worded = _has_words(parent)
    for child in [*parent.children, None]:
        if child is not None and (isinstance(child, str) or not _is_block(child, worded)):
            loose.append(child)
            continue
        if loose and (words := paragraph(loose, source)):
            found.append(words)
        loose = []
        if child is not None:
            made = _block(child, source)
            if made and found:
                made[0] = _apart(made[0], found[-1])
            found += made
    return found


def _apart(block: str, former: str) -> str:
    """A list after a list, with other markers: else the two would be one."""
    for first, second, pattern in (("- ", "* ", r"^- "), ("1. ", "1) ", r"^(\d+)\. ")):
        if re.match(pattern, block) and re.match(pattern, former):
            return re.sub(pattern, second if first == "- " else r"\1) ", block, flags=re.MULTILINE)
    return block


def paragraph(children: "list[Node | str]", source: str) -> str:
    """Words as a paragraph."""
    return inline(children, source, line_start=True)


def _block(node: Node, source: str) -> list[str]:
    if (level := _HEADINGS.get(node.tag)) is not None:
        words = inline(node.children, source).replace("\\\n", " ")
        # Hashes at its end would be taken for the closing sequence (CommonMark 4.2).
        words = re.sub(r"(#+)$", r"\\\1", words)
        return [f"{'#' * level} {words}"] if words else []
    match node.tag:
        case "p":
            worded = _has_words(node)
            if any(_is_block(child, worded) for child in node.elements()):
                return _blocks(node, source)
            words = paragraph(node.children, source)
            return [words] if words else []
        case "ul" | "ol":
            return _list(node, source)
        case "ac:task-list":
            return _tasks(node, source)
        case "table":
            return _table(node, source)
        case "blockquote":
            quoted = _blocks(node, source)
            return [_quoted(quoted)] if quoted else []
        case "pre":
            return [_fenced(node.text().strip("\n"), "")]
        case "hr":
            return ["---"]
        case "ac:structured-macro" | "ac:macro":
            return _macro(node, source)
        case "ac:adf-fallback" | "ac:adf-attribute":
            return []
    return _blocks(node, source)


def _macro(node: Node, source: str) -> list[str]:
    name = node.attrs.get("ac:name", "")
    body = node.first("ac:rich-text-body")
    if name in CODE:
        plain = node.first("ac:plain-text-body")
        language = re.sub(r"[^\w#+.-]", "", node.parameter("language"))
        text = plain.text() if plain else ""
        return [_fenced(text, "xml" if language == "storage" else language)]
    if name in ALERTS and body is not None:
        title = inline([node.parameter("title")], source)
        return [_quoted([f"[!{ALERTS[name]}]{' ' if title else ''}{title}", *_blocks(body, source)])]
    return [_fenced(source[node.start : node.end], "storage")]


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in _FENCES.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}" if text else f"{fence}{language}\n{fence}"


def _quoted(blocks: list[str]) -> str:
    lines = "\n\n".join(blocks).split("\n")
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def _indented(blocks: list[str], marker: str, glue: str) -> str:
    """An item: its first line after the marker, the others below it."""
    lines = glue.join(blocks).split("\n")
    pad = " " * len(marker)
    rest = [f"{pad}{line}" if line else "" for line in lines[1:]]
    return "\n".join([f"{marker}{lines[0]}".rstrip(), *rest])


def _list(node: Node, source: str) -> list[str]:
    number = int(start) if (start := node.attrs.get("start", "1")).isdecimal() and len(start) < 9 else 1
    items: list[str] = []
    for item in node.elements():
        if item.tag == "li":
            marker = "- " if node.tag == "ul" else f"{number + len(items)}. "
            blocks = _blocks(item, source)
            loose = sum(child.tag == "p" for child in item.elements()) > 1
            items.append(_indented(blocks, marker, "\n\n" if loose else "\n"))
        elif items and (inner := _block(item, source)):  # a list beside items, as old editors wrote it
            items[-1] += "\n" + _indented(inner, "  ", "\n")
    return ["\n".join(items)] if items else []


def _tasks(node: Node, source: str) -> list[str]:
    items: list[str] = []
    for task in node.elements():
        if task.tag == "ac:task-list":
            items += [_indented([block], "  ", "\n") for block in _tasks(task, source)]
            continue
        status, body = task.first("ac:task-status"), task.first("ac:task-body")
        mark = "x" if status is not None and status.text().strip() == "complete" else " "
        blocks = _blocks(body, source) if body is not None else []
        first, rest = (blocks[0] if blocks else ""), blocks[1:]
        items.append(_indented([f"[{mark}] {first}", *rest], "- ", "\n"))
    return ["\n".join(items)] if items else []


def _rows(node: Node) -> list[Node]:
    found: list[Node] = []
    for child in node.elements():
        if child.tag == "tr":
            found.append(child)
        elif child.tag in ("tbody", "thead", "tfoot"):
            found += _rows(child)
    return found


def _on_a_line(block: str) -> str:
    """A cell's block; a macro that Markdown has no word for finds its way back from a cell too."""
    found = _RAW.fullmatch(block)
    return raw_code(found[2]) if found else block


def _table(node: Node, source: str) -> list[str]:
    """Each cell on one line; merged cells leave empty ones behind."""
    rows = _rows(node)
    table: list[list[str]] = []
    for row in rows:
        cells: list[str] = []
        for cell in row.elements():
            blocks = [_on_a_line(block) for block in _blocks(cell, source)]
            words = "<br>".join(blocks).replace("\\\n", "<br>").replace("\n", "<br>").replace("|", "\\|")
            span = cell.attrs.get("colspan", "1")
            empty = min(int(span), 50) - 1 if span.isdecimal() and len(span) < 5 else 0
            cells += [words, *[""] * empty]
        table.append(cells)
    width = max(map(len, table), default=0)
    if not width:
        return []
    headed = all(cell.tag == "th" for cell in rows[0].elements())
    lines = table if headed else [[], *table]
    filled = [[*row, *[""] * (width - len(row))] for row in lines]
    written = [f"| {' | '.join(row)} |" for row in filled]
    return ["\n".join([written[0], f"|{' --- |' * width}", *written[1:]])]
