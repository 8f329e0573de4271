"""Jira's wiki text (Data Center) as Markdown.

https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all
A text must come out whole whatever stands in it: what is no markup is plain words. The way
back is :mod:`connectors.atlassian.wiki_writing`.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

from connectors.atlassian.adf import escaped

MAX_CHARS: Final = 100_000
MAX_DEPTH: Final = 8
PANELS: Final = {"info": "INFO", "note": "NOTE", "warning": "WARNING", "tip": "TIP",
                 "success": "SUCCESS", "error": "ERROR"}  # fmt: skip
_OPEN: Final = re.compile(r"(?<!\\)\{(code|noformat|quote|panel)(?::([^}\n]{0,300}))?\}")
_HEADING: Final = re.compile(r"\s*h([1-6])\.\s*(.*)")
_ITEM: Final = re.compile(r"\s*([*#]{1,12}|-(?=\s))\s+(.*)")
_RULE: Final = re.compile(r"\s*-{4,}\s*")
_LINE_START: Final = re.compile(r"^(\s*)([#>+=|-])(?!\S*\|)|^(\s*\d{1,9})([.)])(?=\s|$)")
_MARKS: Final = {"*": "**", "_": "*", "-": "~~", "+": "", "^": "", "~": "", "??": "*"}
_FENCES: Final = re.compile(r"`+")


def _mark(sign: str) -> str:
    """A pair of signs around words that neither begin nor end in the middle of a word."""
    one, name = (
        re.escape(sign),
        {"*": "b", "_": "i", "-": "s", "+": "u", "^": "sup", "~": "sub"}.get(sign, "cite"),
    )
    inner = rf"(?=\S)(?P<{name}>(?:\\[^\n]|[^{re.escape(sign[0])}\\\n]){{1,2000}})(?<=\S)"
    return (
        rf"(?:(?<![\w{re.escape(sign[0])}\\]){one}{inner}{one}(?![\w{re.escape(sign[0])}])"
        rf"|\{{{one}\}}{inner.replace(f'<{name}>', f'<{name}2>')}\{{{one}\}})"
    )


_INLINE: Final = re.compile(
    "|".join([
        r"(?P<line>\\\\)", r"\\(?P<plain>[*_{}\[\]|!?^~+#\-])", r"\{\{(?P<code>(?:[^}\n]|\}(?!\})){1,400})\}\}",
        r"\[~(?P<who>[^\]\n|]{1,100})\]", r"\[\^(?P<file>[^\]\n|]{1,255})\]",
        r"\[(?P<words>(?:\\[^\n]|[^\[\]|\\\n]){1,500})\|(?P<url>[^\[\]|\s]{1,2000})(?:\|[^\[\]\n]{0,60})?\]",
        r"\[(?P<bare>(?:https?://|mailto:|ftp://)[^\[\]|\s]{1,2000})(?:\|[^\[\]\n]{0,60})?\]",
        r"(?<![\w!\\])!(?P<image>[^\s!|][^!|\n]{0,300})(?:\|[^!\n]{0,200})?!(?![\w!])",
        r"(?P<gone>\{(?:color|anchor)(?::[^}\n]{0,80})?\})", r"(?P<entity>&(?:#\d{1,6}|nbsp);)",
        r"(?P<address>(?:https?|ftp)://[^\s<>\"'|\[\]{}]+[^\s<>\"'|\[\]{}.,;:!?)*])",
        *map(_mark, _MARKS),
    ])
)  # fmt: skip
_NAMES: Final = {"b": "*", "i": "_", "s": "-", "u": "+", "sup": "^", "sub": "~", "cite": "??"}


def from_wiki(text: str) -> str:
    """A wiki text as Markdown; never raises, what is longer than MAX_CHARS stays as it is."""
    if len(text) > MAX_CHARS:
        return text
    return "\n\n".join(_blocks(text.replace("\r\n", "\n").replace("\r", "\n"), 0)).strip()


def _blocks(text: str, depth: int) -> list[str]:
    told: list[str] = []
    for kind, about, body in _segments(text):
        if kind == "text":
            told += _lines(body)
        elif kind in ("code", "noformat"):
            told.append(_fenced(body, about))
        else:
            inner = _blocks(body, depth + 1) if depth < MAX_DEPTH else [escaped(body.strip())]
            told.append(_quoted([*_title(kind, about), *inner]))
    return told


def _segments(text: str) -> Iterator[tuple[str, str, str]]:
    """What stands between macros, and the macros with their parameters; an open one is words."""
    at, endless = 0, set()
    while found := _OPEN.search(text, at):
        name = found[1]
        end = -1 if name in endless else text.find(f"{{{name}}}", found.end())
        if end < 0:  # looked for once alone: a text of openings alone must not take for ever
            endless.add(name)
            if len(endless) == 4:
                break
            yield (
                "text",
                "",
                text[at : found.end()].replace("{", "\\{")
                if found.start() == at
                else text[at : found.start()],
            )
            at = found.end() if found.start() == at else found.start()
            continue
        if found.start() > at:
            yield "text", "", text[at : found.start()]
        yield name, found[2] or "", text[found.end() : end]
        at = end + len(name) + 2
    if at < len(text):
        yield "text", "", text[at:]


def _fenced(body: str, about: str) -> str:
    language = next((part for part in about.split("|") if part and "=" not in part), "")
    language = language if re.fullmatch(r"[\w+#.-]{1,30}", language) else ""
    fence = "`" * max(3, 1 + max(map(len, _FENCES.findall(body)), default=0))
    return f"{fence}{language}\n{body.strip(chr(10))}\n{fence}"


def _title(kind: str, about: str) -> list[str]:
    if kind != "panel":
        return []
    titles = [part.partition("=")[2] for part in about.split("|") if part.startswith("title=")]
    name = PANELS.get(titles[0].strip().lower()) if titles else "INFO"
    return [f"[!{name}]"] if name else ["[!INFO]", f"**{escaped(titles[0].strip())}**"]


def _quoted(blocks: list[str]) -> str:
    return "\n".join(f"> {line}".rstrip() for line in "\n\n".join(blocks).split("\n"))


def _lines(text: str) -> list[str]:
    """Headings, lists, tables and paragraphs."""
    told: list[str] = []
    run: list[str] = []
    former = ""

    def close() -> None:
        nonlocal run
        if run and former == "list":
            told.append(_list(run))
        elif run and former == "table":
            told.append(_table(run))
        elif run:
            told.append("  \n".join(_LINE_START.sub(_defused, _inline(line.strip())) for line in run))
        run = []

    for line in text.split("\n"):
        kind = _kind(line, former)
        if kind != former or kind in ("", "heading", "rule", "quote"):
            close()
        former = kind
        if kind == "heading" and (found := _HEADING.fullmatch(line)):
            told.append(f"{'#' * int(found[1])} {_inline(found[2].strip())}".rstrip())
        elif kind == "rule":
            told.append("---")
        elif kind == "quote":
            told.append(f"> {_inline(line.strip()[3:].strip())}")
        elif kind:
            run.append(line)
    close()
    return [block for block in told if block.strip()]


def _kind(line: str, former: str) -> str:
    bare = line.strip()
    if not bare:
        return ""
    if _HEADING.fullmatch(line):
        return "heading"
    if _RULE.fullmatch(line):
        return "rule"
    if bare.startswith("bq."):
        return "quote"
    if bare.startswith("|") and len(bare) > 1:
        return "table"
    if _ITEM.fullmatch(line):
        return "list"
    return "list" if former == "list" else "words"


def _defused(found: re.Match[str]) -> str:
    return f"{found[1] or found[3] or ''}\\{found[2] or found[4]}"


def _list(lines: list[str]) -> str:
    told: list[str] = []
    numbers: dict[str, int] = {}
    indent = 0
    for line in lines:
        found = _ITEM.fullmatch(line)
        if found is None:  # the item goes on
            told.append(f"{' ' * indent}{_inline(line.strip())}")
            continue
        marker = found[1]
        before = sum(3 if sign == "#" else 2 for sign in marker[:-1])
        numbers = {key: value for key, value in numbers.items() if len(key) <= len(marker)}
        numbers[marker] = numbers.get(marker, 0) + 1
        sign = f"{numbers[marker]}. " if marker[-1] == "#" else "- "
        indent = before + len(sign)
        told.append(f"{' ' * before}{sign}{_inline(found[2].strip())}")
    return "\n".join(told)


def _table(lines: list[str]) -> str:
    rows = [_cells(line.strip()) for line in lines]
    width = max(len(cells) for _, cells in rows)
    if not rows[0][0]:
        rows.insert(0, (True, [""] * width))
    written = [
        f"| {' | '.join([*cells, *[''] * (width - len(cells))])} |" for cells in (cells for _, cells in rows)
    ]
    return "\n".join([written[0], f"|{' --- |' * width}", *written[1:]])


_CELL: Final = re.compile(r"(?:\\.|\[[^\[\]\n]{0,2500}\]|\{\{(?:[^}\n]|\}(?!\})){0,1000}\}\}|[^|])+|\|{1,2}")


def _cells(line: str) -> tuple[bool, list[str]]:
    """A row's cells; whether all of them are headings."""
    cells: list[str] = []
    signs: list[str] = []
    sign = ""
    for found in _CELL.finditer(line):
        if found[0] in ("|", "||"):
            if sign and not (cells and len(cells) == len(signs)):
                cells.append("")
            sign = found[0]
            signs.append(sign)
        else:
            cells.append(re.sub(r" *\n *", "<br>", _inline(found[0].strip())).replace("|", "\\|"))
    return bool(signs) and all(each == "||" for each in signs), cells or [""]


def _inline(text: str, depth: int = 0) -> str:
    told: list[str] = []
    at = 0
    for found in _INLINE.finditer(text):
        told.append(_plain(text[at : found.start()]))
        told.append(_object(found, depth))
        at = found.end()
    told.append(_plain(text[at:]))
    return "".join(told)


def _plain(text: str) -> str:
    return escaped(text).replace("[", "\\[") if text else ""


def _object(found: re.Match[str], depth: int) -> str:
    kind = str(found.lastgroup)
    said = found[kind]
    match kind:
        case "line":
            return "  \n"
        case "plain":
            return "\\" + said if said in "*_[#~" else said
        case "code":
            tick = "`" * (1 + max(map(len, _FENCES.findall(said)), default=0))
            pad = " " if said[0] == "`" or said[-1] == "`" else ""
            return f"{tick}{pad}{said}{pad}{tick}"
        case "who":
            name = said.removeprefix("accountid:")
            return f"[@{escaped(name)}](accountid:{name})"
        case "file":
            return f"[{escaped(said)}](media:{_target(said)})"
        case "url":
            return f"[{_inline(found['words'], depth + 1).strip()}]({_target(said)})"
        case "bare" | "address":
            return said
        case "image":
            target = said if said.startswith(("http://", "https://")) else f"media:{_target(said)}"
            return f"![{escaped(said.rpartition('/')[2])}]({target})"
        case "gone":
            return ""
        case "entity":
            return _plain(unescape(said).replace("\xa0", " "))
    sign = _MARKS[_NAMES[kind.removesuffix("2")]]
    inner = _inline(said, depth + 1) if depth < MAX_DEPTH else _plain(said)
    return f"{sign}{inner}{sign}"


def _target(url: str) -> str:
    return url.replace(" ", "%20").replace("(", "%28").replace(")", "%29")
