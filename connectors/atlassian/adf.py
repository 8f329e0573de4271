"""Atlassian's document format to Markdown, and back.

Markdown to ADF is marklassian's work with small passes of ours; ADF to Markdown is our own,
because a document must come out whole whatever nodes it has
(https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/). What Markdown
cannot say has a form that comes back as it was: a mention is ``[@Ada](accountid:5b10)``, a panel
a quote that begins with ``[!WARNING]``, a file in the text ``![name](media:id)``.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final

MAX_DEPTH: Final = 40
_PANELS: Final = frozenset({"info", "note", "warning", "success", "error", "tip", "custom"})
_SPECIAL: Final = re.compile(
    r"([\\`*])|(?<!\w)(_)|(_)(?!\w)|(~)|(<)(?=[A-Za-z/!])|(&)(?=#?\w{1,32};)|(?<=\])(\()"
)
_LINE_START: Final = re.compile(r"^(\s*)([#>+=-])|^(\s*\d{1,9})([.)])(?=\s|$)", re.M)
_FENCES: Final = re.compile(r"`+")


def to_markdown(document: Any) -> str:
    """A document (or a node of one) as Markdown; of a text, the text. Empty for None."""
    if document is None:
        return ""
    if isinstance(document, str):  # Data Center, and fields of text alone
        return document
    if not isinstance(document, dict):
        return str(document)
    try:
        return "\n\n".join(_blocks(_content(document), 0)).strip()
    except RecursionError:
        return _words(document)


def _content(node: dict[str, Any]) -> list[dict[str, Any]]:
    content = node.get("content")
    return [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []


def _attrs(node: dict[str, Any]) -> dict[str, Any]:
    attrs = node.get("attrs")
    return attrs if isinstance(attrs, dict) else {}


_INLINE: Final = frozenset(
    {"text", "hardBreak", "mention", "emoji", "status", "date", "inlineCard", "mediaInline", "placeholder"}
)


def _blocks(nodes: list[dict[str, Any]], depth: int) -> list[str]:
    """Blocks as Markdown; runs of inline nodes among them become paragraphs."""
    told: list[str] = []
    run: list[dict[str, Any]] = []
    for node in [*nodes, {"type": ""}]:
        if node.get("type") in _INLINE:
            run.append(node)
            continue
        if run:
            told.append(_paragraph(run))
            run = []
        if node.get("type"):
            told.append(_block(node, depth + 1))
    return [text for text in told if text.strip()]


def _block(node: dict[str, Any], depth: int) -> str:
    kind, content, attrs = node.get("type"), _content(node), _attrs(node)
    if depth > MAX_DEPTH:
        return _words(node)
    match kind:
        case "paragraph":
            return _paragraph(content)
        case "heading":
            level = attrs.get("level")
            level = level if isinstance(level, int) and 1 <= level <= 6 else 1
            return f"{'#' * level} {_inline(content)}".replace("\n", " ")
        case "codeBlock":
            code = "".join(str(each.get("text", "")) for each in content)
            fence = "`" * max(3, 1 + max(map(len, _FENCES.findall(code)), default=0))
            return f"{fence}{attrs.get('language') or ''}\n{code}\n{fence}"
        case "blockquote":
            return _quoted(_blocks(content, depth))
        case "panel":
            name = str(attrs.get("panelType", "info"))
            first = f"[!{(name if name in _PANELS else 'info').upper()}]"
            return _quoted([first, *_blocks(content, depth)])
        case "bulletList" | "orderedList" | "taskList" | "decisionList":
            return _list(node, depth)
        case "rule":
            return "---"
        case "table":
            return _table(content, depth)
        case "mediaSingle" | "mediaGroup":
            return "\n".join(filter(None, (_media(each) for each in content)))
        case "media":
            return _media(node)
        case "blockCard" | "embedCard":
            return str(attrs.get("url") or "")
        case "expand" | "nestedExpand":
            title = escaped(str(attrs.get("title") or ""))
            return "\n\n".join([*([f"**{title}**"] if title else []), *_blocks(content, depth)])
        case "extension" | "inlineExtension":
            return escaped(str(attrs.get("text") or ""))
    return "\n\n".join(_blocks(content, depth)) or escaped(str(attrs.get("text") or attrs.get("url") or ""))


def _quoted(blocks: list[str]) -> str:
    return "\n".join(f"> {line}".rstrip() for line in "\n\n".join(blocks).split("\n"))


def _list(node: dict[str, Any], depth: int) -> str:
    lines: list[str] = []
    start = _attrs(node).get("order", 1)
    number = start if isinstance(start, int) else 1
    for item in _content(node):
        kind = item.get("type")
        if kind in ("taskList", "bulletList", "orderedList"):  # a list below the item before it
            lines += [f"  {line}" if line else "" for line in _list(item, depth + 1).split("\n")]
            continue
        mark = f"{number}. " if node.get("type") == "orderedList" else "- "
        number += 1
        box = (
            {"DONE": "[x] ", "TODO": "[ ] "}.get(str(_attrs(item).get("state")), "")
            if kind in ("taskItem", "blockTaskItem")
            else ""
        )
        first, *more = "\n".join(_tight(_content(item), depth)).split("\n") or [""]
        lines.append(f"{mark}{box}{first}")
        lines += [f"{' ' * len(mark)}{line}" if line else "" for line in more]
    return "\n".join(lines)


def _tight(content: list[dict[str, Any]], depth: int) -> list[str]:
    """The blocks of a list's item: a list follows its sentence at once, other blocks after a line."""
    if content and content[0].get("type") in _INLINE:
        return _blocks(content, depth)
    told: list[str] = []
    for node in content:
        text = _block(node, depth + 1)
        if not text.strip():
            continue
        told.append(text if not told or str(node.get("type", "")).endswith("List") else f"\n{text}")
    return told


def _table(rows: list[dict[str, Any]], depth: int) -> str:
    told: list[list[str]] = []
    for row in rows:
        cells = []
        for cell in _content(row):
            text = "\n\n".join(_blocks(_content(cell), depth))
            cells.append(re.sub(r"\s*\n+\s*", "<br>", text.strip()).replace("|", "\\|"))
        told.append(cells)
    width = max(map(len, told), default=0)
    if not width:
        return ""
    lines = [f"| {' | '.join([*cells, *[''] * (width - len(cells))])} |" for cells in told]
    return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])


def _media(node: dict[str, Any]) -> str:
    attrs = _attrs(node)
    where = attrs.get("url") if attrs.get("type") == "external" else f"media:{attrs.get('id', '')}"
    return f"![{escaped(str(attrs.get('alt') or ''))}]({where})"


def _paragraph(content: list[dict[str, Any]]) -> str:
    return _LINE_START.sub(lambda at: f"{at[1] or at[3] or ''}\\{at[2] or at[4]}", _inline(content))


def _inline(nodes: list[dict[str, Any]]) -> str:
    """Inline nodes as Markdown; neighbours with the same marks are one."""
    told: list[str] = []
    index = 0
    while index < len(nodes):
        node = nodes[index]
        index += 1
        if node.get("type") != "text":
            told.append(_object(node))
            continue
        text = str(node.get("text", ""))
        while (
            index < len(nodes)
            and nodes[index].get("type") == "text"
            and (nodes[index].get("marks") or []) == (node.get("marks") or [])
        ):
            text += str(nodes[index].get("text", ""))
            index += 1
        told.append(_marked(text, node.get("marks")))
    return "".join(told)


def _marked(text: str, marks: Any) -> str:
    listed = marks if isinstance(marks, list) else []
    kinds = {str(mark.get("type")): _attrs(mark) for mark in listed if isinstance(mark, dict)}
    inner = text.strip()
    if not inner:
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    href = str(kinds.get("link", {}).get("href") or "")
    if "code" in kinds:
        tick = "`" * (1 + max(map(len, _FENCES.findall(inner)), default=0))
        pad = " " if inner[0] == "`" or inner[-1] == "`" else ""
        told = f"{tick}{pad}{inner}{pad}{tick}"
    elif href and href == inner:
        return f"{before}{inner}{after}"  # becomes a link again by itself
    else:
        told = escaped(inner) if not _is_address(inner) else inner
        for kind, sign in (("strike", "~~"), ("em", "*"), ("strong", "**")):
            if kind in kinds:
                told = f"{sign}{told}{sign}"
    if href:
        told = f"[{told}]({href.replace(' ', '%20').replace('(', '%28').replace(')', '%29')})"
    return f"{before}{told}{after}"


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://")) and not re.search(r"\s", text)


def _object(node: dict[str, Any]) -> str:
    attrs = _attrs(node)
    match node.get("type"):
        case "hardBreak":
            return "  \n"
        case "mention":
            name = str(attrs.get("text") or attrs.get("id") or "").removeprefix("@")
            return f"[@{escaped(name)}](accountid:{attrs.get('id', '')})"
        case "emoji":
            return str(attrs.get("text") or attrs.get("shortName") or "")
        case "status":
            return f"[{escaped(str(attrs.get('text') or ''))}]"
        case "date":
            return _day(attrs.get("timestamp"))
        case "inlineCard":
            return str(attrs.get("url") or "")
        case "mediaInline":
            return _media(node)
    return escaped(str(attrs.get("text") or node.get("text") or "")) or _inline(_content(node))


def _day(timestamp: Any) -> str:
    try:
        return datetime.fromtimestamp(int(timestamp) / 1000, UTC).date().isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def _words(node: dict[str, Any]) -> str:
    """The words of a node that lies too deep, without recursion."""
    told, waiting = [], [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one.get("text"), str):
            told.append(one["text"])
        waiting += reversed(_content(one))
    return escaped(" ".join(told))


def escaped(text: str) -> str:
    """A text in which nothing is Markdown."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)
