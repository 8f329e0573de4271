"""Markdown as Jira's wiki text, which Data Center keeps; :mod:`connectors.atlassian.wiki` reads it."""

import re
from typing import Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from connectors.atlassian.wiki import MAX_CHARS, PANELS
from connectors.errors import InvalidInput

_MARKS: Final = {"strong": "*", "em": "_", "s": "-"}
_PANEL: Final = re.compile(r"\\\[\\?!([A-Za-z]{1,20})\\\]\s*")  # as it was escaped
_SPECIAL: Final = re.compile(
    r"[{}\[\]^~]|\*(?=\S)|(?<=\S)\*|(?<!\w)[_+-](?=\S)|(?<=\S)[_+-](?!\w)|!(?=\S)|\?(?=\?)|(?<=\?)\?"
)
_BACKSLASH: Final = re.compile(r"\\(?=[\\*_{}\[\]|!?^~+#-])")
_START: Final = re.compile(r"^(\s*)([#|-])|^(\s*)([hb])(?=[1-6]\.|q\.)")
_BREAK: Final = re.compile(r"<br\s*/?>", re.I)  # the only way to a new line in a table's cell
_ACCOUNT, _MEDIA = "accountid:", "media:"
_NO_NAME: Final = re.compile(r"[^\w.@+-]")
_NO_FILE: Final = re.compile(r"[\[\]|\n]")


def to_wiki(markdown: str) -> str:
    """A Markdown text as wiki text. Raises InvalidInput for what is too long."""
    if len(markdown) > MAX_CHARS:
        raise InvalidInput(f"The text has more than {MAX_CHARS:,} characters.", code="too_long")
    reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    reader.disable("html_block").disable("html_inline")
    return "\n\n".join(_blocks(SyntaxTreeNode(reader.parse(markdown)).children, "")).strip()


def _blocks(nodes: list[SyntaxTreeNode], marker: str) -> list[str]:
    return [made for node in nodes if (made := _block(node, marker)).strip()]


def _block(node: SyntaxTreeNode, marker: str) -> str:
    """A block; ``marker`` is that of the list which it stands in."""
    match node.type:
        case "heading":
            return f"h{node.tag[1:]}. {_inline(node, ' ')}"
        case "paragraph":
            return _started(_inline(node, "\n" if not marker else r" \\ "))
        case "bullet_list" | "ordered_list":
            return _list(node, marker + ("*" if node.type == "bullet_list" else "#"))
        case "fence" | "code_block":
            return _code(node.content, (node.info or "").split(" ")[0])
        case "blockquote":
            return _quote(node)
        case "hr":
            return "----"
        case "table":
            return "\n".join(_row(row) for part in node.children for row in part.children)
    return (
        _started(_escaped(node.content)) if not node.children else "\n\n".join(_blocks(node.children, marker))
    )


def _list(node: SyntaxTreeNode, marker: str) -> str:
    lines: list[str] = []
    for item in node.children:
        rest = list(item.children)
        words = ""
        if rest and rest[0].type not in ("bullet_list", "ordered_list"):
            words = _block(rest.pop(0), marker)
        lines.append(f"{marker} {words}".rstrip() if words else f"{marker} &nbsp;")
        lines += [_block(each, marker) for each in rest]
    return "\n".join(lines)


def _code(text: str, language: str) -> str:
    text = text.removesuffix("\n")
    language = language if re.fullmatch(r"[\w+#.-]{1,30}", language) else ""
    name = "code" if language else "noformat"
    if f"{{{name}}}" in text:
        name = "noformat" if name == "code" else "code"
        text = text.replace(f"{{{name}}}", f"{{ {name}}}")  # nothing else keeps the block whole
    about = f":{language}" if name == "code" and language else ""
    return f"{{{name}{about}}}\n{text}\n{{{name}}}"


def _quote(node: SyntaxTreeNode) -> str:
    """A quote; a panel where it begins with ``[!WARNING]``."""
    text = "\n\n".join(_blocks(node.children, ""))
    found = _PANEL.match(text)
    if found and found[1].lower() in PANELS:
        return f"{{panel:title={found[1].capitalize()}}}\n{text[found.end() :]}\n{{panel}}"
    return f"{{quote}}\n{text}\n{{quote}}"


def _row(row: SyntaxTreeNode) -> str:
    sign = "||" if row.children and row.children[0].type == "th" else "|"
    cells = [_BREAK.sub(r" \\\\ ", _inline(cell, " ")) or " " for cell in row.children]
    return f"{sign}{sign.join(cells)}{sign}"


def _started(text: str) -> str:
    """Lines that begin neither a list nor a heading nor a table."""
    return "\n".join(_START.sub(_defused, line) for line in text.split("\n"))


def _defused(found: re.Match[str]) -> str:
    return f"{found[3]}&#{ord(found[4])};" if found[4] else f"{found[1]}\\{found[2]}"


def _inline(node: SyntaxTreeNode, line: str) -> str:
    parts = [
        part for child in node.children for part in (child.children if child.type == "inline" else [child])
    ]
    return _joined(parts, line, in_table=node.type in ("th", "td"))


def _joined(nodes: list[SyntaxTreeNode], line: str, *, in_table: bool = False) -> str:
    told = ""
    for place, node in enumerate(nodes):
        sign = _MARKS.get(node.type)
        if sign is None:
            told += _object(node, line, in_table)
            continue
        inner = _joined(list(node.children), line, in_table=in_table)
        words = inner.strip()
        if not words:
            told += inner
            continue
        told += inner[: len(inner) - len(inner.lstrip())]
        following = nodes[place + 1] if place + 1 < len(nodes) else None
        after = following.content[:1] if following is not None and following.type == "text" else ""
        within = (told[-1:].isalnum() or told.endswith(sign)) or after.isalnum()
        told += f"{{{sign}}}{words}{{{sign}}}" if within else f"{sign}{words}{sign}"
        told += inner[len(inner.rstrip()) :]
    return told


def _object(node: SyntaxTreeNode, line: str, in_table: bool) -> str:
    match node.type:
        case "text":
            return _escaped(node.content, in_table)
        case "softbreak":
            return " "
        case "hardbreak":
            return line
        case "code_inline":
            return f"{{{{{node.content.replace('}}', '} }')}}}}}"
        case "link":
            return _link(node, line)
        case "image":
            target = unquote(str(node.attrs.get("src", ""))).removeprefix(_MEDIA)
            return _escaped(node.content) if re.search(r"[!|\s]", target) or not target else f"!{target}!"
    return _joined(list(node.children), line) if node.children else _escaped(node.content, in_table)


def _link(node: SyntaxTreeNode, line: str) -> str:
    url = str(node.attrs.get("href", ""))
    if url.startswith(_ACCOUNT):
        name = _NO_NAME.sub("", unquote(url.removeprefix(_ACCOUNT)))
        return f"[~{name}]"
    if url.startswith(_MEDIA):
        name = _NO_FILE.sub("", unquote(url.removeprefix(_MEDIA)))
        return f"[^{name}]"
    words = _joined(list(node.children), line).strip()
    plain = "".join(child.content for child in node.children)
    url = url.replace("|", "%7C").replace("[", "%5B").replace("]", "%5D")
    if not words or plain == node.attrs.get("href"):
        return f"[{url}]"
    words = words.replace("|", "\\|")
    return f"[{words}|{url}]"


def _escaped(text: str, in_table: bool = False) -> str:
    """Words in which nothing is wiki text; addresses stay as they are."""
    parts = re.split(r"(https?://[^\s<>\"'|\[\]{}]+)", text)
    told = "".join(part if place % 2 else _words(part) for place, part in enumerate(parts))
    return told.replace("|", "\\|") if in_table else told


def _words(text: str) -> str:
    return _SPECIAL.sub(lambda found: "\\" + found[0], _BACKSLASH.sub("&#92;", text))
