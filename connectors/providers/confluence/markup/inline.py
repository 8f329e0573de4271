"""The storage format as Markdown: the words in a block."""

import re
from typing import Final
from urllib.parse import quote

from connectors.providers.confluence.markup.tree import Node

_MARKS: Final = {"strong": "**", "b": "**", "em": "*", "i": "*", "del": "~~", "s": "~~"}
_BLANKS: Final = re.compile(r"[ \t\r\n\f\xa0]+")
_SPECIAL: Final = re.compile(
    r"[\\`*\[]|~(?=~)|(?<=~)~|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\{(?=(?:status|jira):)"
)
# What begins a block where a line begins (CommonMark 4 and 5).
_LINE_START: Final = re.compile(
    r"^(\s*)(?:(#{1,6}(?=\s|$)|>|[-+](?=\s|$)|=+\s*$|-(?=[-\s]*$)|~~~|\|)|(\d{1,9})([.)])(?=\s|$))"
)


def inline(children: "list[Node | str]", source: str, *, line_start: bool = False) -> str:
    """Words, marks, links and small macros as one text; ``line_start``: a paragraph begins here."""
    text = _tidy(_words(children, source))
    if line_start:
        return "\n".join(_LINE_START.sub(_defused, line) for line in text.split("\n"))
    return text


def _defused(found: re.Match[str]) -> str:
    if found[3] is not None:
        return f"{found[1]}{found[3]}\\{found[4]}"
    return f"{found[1]}\\{found[2]}"


def _tidy(text: str) -> str:
    lines = [line.strip(" ") for line in text.split("\n")]
    text = "\n".join(lines).strip("\n ")
    while text.endswith("\\") and (len(text) - len(text.rstrip("\\"))) % 2:  # a break at the very end
        text = text[:-1].rstrip()
    return re.sub(r"^(\\\n)+", "", text)


def escape(text: str) -> str:
    """Plain words, so that Markdown takes them for nothing else."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)


def _words(children: "list[Node | str]", source: str) -> str:
    parts: list[str] = []
    for child in _joined(children):
        made = escape(_BLANKS.sub(" ", child)) if isinstance(child, str) else _element(child, source)
        parts.append(made)
    return "".join(parts)


def _joined(children: "list[Node | str]") -> "list[Node | str]":
    """Neighbours of one mark as one: ``**a****b**`` would be something else."""
    found: list[Node | str] = []
    for child in children:
        last = found[-1] if found else None
        if isinstance(child, str) and isinstance(last, str):
            found[-1] = last + child
        elif (
            isinstance(child, Node)
            and isinstance(last, Node)
            and child.tag in _MARKS
            and _MARKS[child.tag] == _MARKS.get(last.tag)
        ):
            found[-1] = Node(last.tag, last.attrs, [*last.children, *child.children])
        else:
            found.append(child)
    return found


def _flat(children: "list[Node | str]", mark: str) -> "list[Node | str]":
    """What stands below a mark, without the same mark once more."""
    found: list[Node | str] = []
    for child in children:
        if isinstance(child, str) or child.tag not in _MARKS:
            found.append(child)
        elif _MARKS[child.tag] == mark:
            found += _flat(child.children, mark)
        else:
            found.append(Node(child.tag, child.attrs, _flat(child.children, mark)))
    return found


def _element(node: Node, source: str) -> str:
    if (mark := _MARKS.get(node.tag)) is not None:
        return _marked(_words(_flat(node.children, mark), source), mark)
    match node.tag:
        case "br":
            return "\\\n"
        case "code" | "tt" | "kbd":
            return code(_BLANKS.sub(" ", node.text()))
        case "a":
            return _link(_words(node.children, source), node.attrs.get("href", ""))
        case "img":
            return _image(node.attrs.get("alt", ""), node.attrs.get("src", ""))
        case "ac:link" | "ac:image":
            return _reference(node, source)
        case "ac:emoticon":
            name = node.attrs.get("ac:name", "")
            return node.attrs.get("ac:emoji-fallback") or (f":{name}:" if name else "")
        case "time":
            return node.attrs.get("datetime", "")
        case "ac:structured-macro" | "ac:macro":
            return _macro(node, source)
        case "ac:placeholder" | "ac:parameter" | "ac:task-id" | "ac:task-uuid" | "script" | "style":
            return ""
    return _words(node.children, source)


def _marked(words: str, mark: str) -> str:
    inner = words.strip(" \n")
    if not inner or inner == "\\":
        return words
    before, after = words[: len(words) - len(words.lstrip(" \n"))], words[len(words.rstrip(" \n")) :]
    return f"{before}{mark}{inner}{mark}{after}"


def code(text: str) -> str:
    """Words as code; what stands for storage format is never made of a page's own words."""
    if not text.strip() or text.startswith("storage:<"):
        return escape(text.strip())
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in (text[0], text[-1]) or text[0] == text[-1] == " " else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def _label(words: str) -> str:
    return words.replace("\\\n", " ").replace("]", "\\]")


def _target(url: str) -> str:
    """An address that ends where the brackets of a link end."""
    url = re.sub(r"[\s\x00-\x1f\x7f]", lambda found: quote(found[0]), url)
    return re.sub(r"[\\()<>*_`\[\]~]|&(?=#?\w+;)", lambda found: "\\" + found[0], url)


def _link(words: str, url: str) -> str:
    words = _label(words.strip())
    if not url:
        return words
    return f"[{words or escape(url)}]({_target(url)})"


def _image(words: str, url: str) -> str:
    return f"![{escape(words).replace(']', chr(92) + ']')}]({_target(url)})" if url else ""


def _reference(node: Node, source: str) -> str:
    """Links and images that name their target as Confluence does."""
    body = node.first("ac:link-body", "ac:plain-text-link-body")
    words = escape(body.text()) if body is not None and body.raw else ""
    words = words or (_words(body.children, source) if body is not None else "")
    anchor = node.attrs.get("ac:anchor", "")
    target = next((child for child in node.elements() if child.tag.startswith("ri:")), None)
    url, name = f"#{quote(anchor)}" if anchor and target is None else "", anchor
    if target is not None:
        url, name = _address(target)
        if not url:  # what has no address here goes back as it came
            return _raw(node, source)
        url += f"#{quote(anchor, safe='')}" if anchor else ""
    if node.tag == "ac:image":
        return _image(node.attrs.get("ac:alt", ""), url)
    return _link(words or escape(name), url)


def _address(target: Node) -> tuple[str, str]:
    """The address that stands for a target, and what it is called without other words."""
    attrs = target.attrs
    match target.tag:
        case "ri:page":
            title, space = attrs.get("ri:content-title", ""), attrs.get("ri:space-key", "")
            return f"page:{quote(space, safe='~')}/{quote(title, safe='')}", title
        case "ri:attachment":
            name = attrs.get("ri:filename", "")
            if target.first("ri:page", "ri:blog-post", "ri:content-entity") is not None:
                return "", name  # a file of another page
            return f"attachment:{quote(name, safe='')}", name
        case "ri:user":
            if key := attrs.get("ri:userkey", ""):  # a Data Center's
                return f"userkey:{quote(key, safe='')}", f"@{key}"
            person = attrs.get("ri:account-id", "")
            return f"user:{quote(person, safe='')}" if person else "", f"@{person}"
        case "ri:space":
            key = attrs.get("ri:space-key", "")
            return f"space:{quote(key, safe='~')}", key
        case "ri:url":
            return attrs.get("ri:value", ""), attrs.get("ri:value", "")
    return "", target.attrs.get("ri:content-id", "")


def _macro(node: Node, source: str) -> str:
    name = node.attrs.get("ac:name", "")
    if name == "status" and (title := node.parameter("title")):
        colour = node.parameter("colour")
        return "{status:" + re.sub(r"[{}|]", " ", title) + (f"|{colour}" if colour else "") + "}"
    if name == "jira" and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*-\d+", key := node.parameter("key")):
        return "{jira:" + key + "}"
    if name == "anchor":
        return ""
    return _raw(node, source)


def _raw(node: Node, source: str) -> str:
    """An element as it is, in a code of one line."""
    return raw_code(source[node.start : node.end])


def raw_code(storage: str) -> str:
    """Storage format among words: a code that stands for itself."""
    raw = re.sub(r"\s*\n\s*", " ", storage)
    ticks = "`" * (max((len(run) for run in re.findall("`+", raw)), default=0) + 1)
    return f"{ticks}storage:{raw}{ticks}" if raw else ""
