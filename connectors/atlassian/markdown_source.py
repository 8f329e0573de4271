"""Markdown as people and models write it, made ready for a parser that drops what it takes for HTML.

``List<String>``, ``<your-token>`` and ``a<b`` are words to whoever wrote them, not tags. What must not
be lost goes through the parser as a character of the private use area and comes back in the texts.
"""

import re
from html import unescape
from typing import Final

LINE: Final = "\ue00a"  # a new line in a table's cell, where <br> is the only way to one
_ANGLE: Final = "\ue00b"
_AMPERSAND: Final = "\ue00c"
_BREAK: Final = re.compile(r"<br\s*/?>", re.I)
_NEVER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ue00a-\ue00c]")
_HELD: Final = re.compile(
    r"\\[\s\S]|\]\(\s*<[^<>\n]*>"  # escaped; the target of a link: as they are
    r"|(?P<angle><)(?!(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[^\s<>@]{1,254}@[^\s<>]{1,254})>)"
    r"|(?P<entity>&)(?=#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)"
)
_ENTITY: Final = re.compile(_AMPERSAND + r"(#?\w{1,33};)")
_COMMENT: Final = re.compile(rf"{_ANGLE}!--[^{_ANGLE}]*?-->")
# Tags that only say how words look. Of most the end must stand in the same text: Vec<b> is a type.
_ALWAYS: Final = ("details", "summary", "div", "span", "center")
_PAIRED: Final = ("b", "i", "u", "s", "p", "q", "em", "strong", "del", "ins", "sub", "sup", "kbd", "small",
           "mark", "code")  # fmt: skip
_TAG: Final = re.compile(
    rf"""{_ANGLE}/?([a-z]+)(?:\s+[\w-]+(?:=(?:"[^"]*"|'[^']*'|[^\s"'<>]+))?)*\s*/?>""", re.I
)
_FENCE: Final = re.compile(r"^\s{0,3}(?:>\s?)*(`{3,}|~{3,})")
_ALIGNED: Final = re.compile(r"^ {0,3}\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*)?$")
_PIPE: Final = re.compile(r"(?<!\\)\|")
_URL: Final = {sign: "".join(f"%{byte:02X}" for byte in sign.encode()) for sign in (LINE, _ANGLE, _AMPERSAND)}


def held(markdown: str) -> str:
    """A source in which the parser finds neither HTML nor broken tables."""
    text = _NEVER.sub("", markdown.replace("\r\n", "\n").replace("\r", "\n"))
    return _HELD.sub(_hold, _BREAK.sub(LINE, _squared(text)))


def _hold(found: re.Match[str]) -> str:
    return _ANGLE if found["angle"] else _AMPERSAND if found["entity"] else found[0]


def said(text: str) -> str:
    """A text's words: tags of mere looks and comments gone, entities as what they mean; LINE stays."""
    if _ANGLE in text:
        ended = {name for name in _PAIRED if f"{_ANGLE}/{name}>" in text.lower()}
        text = _TAG.sub(
            lambda tag: "" if tag[1].lower() in ended or tag[1].lower() in _ALWAYS else tag[0], text
        )
        text = _COMMENT.sub("", text).replace(_ANGLE, "<")
    return _ENTITY.sub(lambda found: unescape(f"&{found[1]}"), text).replace(_AMPERSAND, "&")


def verbatim(text: str) -> str:
    """A piece of code, as it was written."""
    return text.replace(LINE, "<br>").replace(_ANGLE, "<").replace(_AMPERSAND, "&")


def address(url: str) -> str:
    """A link's target, whose signs the parser has encoded."""
    for sign, encoded in _URL.items():
        url = url.replace(encoded, sign)
    return said(url).replace(LINE, "<br>").replace("<", "%3C")


def _squared(text: str) -> str:
    """Tables whose rows have as many cells as their head; else the parser takes none of it for a table."""
    if "|" not in text:
        return text
    lines = text.split("\n")
    fence, width = "", 0
    for place, line in enumerate(lines):
        if found := _FENCE.match(line):
            if not fence:
                fence, width = found[1], 0
            elif found[1].startswith(fence):
                fence = ""
        elif fence:
            continue
        elif not line.lstrip().startswith("|"):
            width = 0
        elif width:
            lines[place] = _row(line, width)
        elif place and _ALIGNED.match(line) and len(_cells(line)) == len(_cells(lines[place - 1])):
            width = len(_cells(line))
    return "\n".join(lines)


def _cells(line: str) -> list[str]:
    bare = line.strip().removeprefix("|")
    bare = bare.removesuffix("|") if not bare.endswith("\\|") else bare
    return _PIPE.split(bare)


def _row(line: str, width: int) -> str:
    cells = _cells(line)
    if len(cells) == width and line.rstrip().endswith("|"):
        return line
    cells = [*cells[: width - 1], "\\|".join(cells[width - 1 :])] if len(cells) > width else cells
    return f"|{'|'.join([*cells, *[' '] * (width - len(cells))])}|"
