"""Markdown to Atlassian's document format: marklassian's work, and what it leaves to do."""

import re
from typing import Any, Final

from marklassian import markdown_to_adf

from connectors.errors import InvalidInput

MAX_CHARS: Final = 200_000
MAX_DEPTH: Final = 40
_PANEL: Final = re.compile(r"^\[!(INFO|NOTE|WARNING|SUCCESS|ERROR|TIP|IMPORTANT|CAUTION)\]\s*", re.I)
_PANEL_NAMES: Final = {"important": "note", "caution": "error"}
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")
_ACCOUNT: Final = "accountid:"
_BREAK: Final = re.compile(r"<br\s*/?>", re.I)  # the only way to a new line in a table's cell
_LINE: Final = "\ue00a"  # stands for it on the way: of the private use area, which no text of ours has


def to_adf(markdown: str) -> dict[str, Any]:
    """A Markdown text as a document of version 1. Raises InvalidInput for what is too long or too deep."""
    if len(markdown) > MAX_CHARS:
        raise InvalidInput(f"The text has more than {MAX_CHARS:,} characters.", code="too_long")
    try:
        made: dict[str, Any] = dict(markdown_to_adf(_BREAK.sub(_LINE, markdown)))
    except RecursionError as error:
        raise InvalidInput(
            "The text's lists or quotes lie too deep in one another.", code="too_deep"
        ) from error
    content = [node for each in made.get("content", []) for node in _tidied(each, 0)]
    return {"type": "doc", "version": 1, "content": content}


def _tidied(node: dict[str, Any], depth: int) -> list[dict[str, Any]]:
    """A node with what our Markdown means by links and quotes; texts that Jira would refuse are mended."""
    if depth > MAX_DEPTH:
        raise InvalidInput("The text's lists or quotes lie too deep in one another.", code="too_deep")
    kind = node.get("type")
    if kind == "text":
        return _text(node)
    if kind == "mediaSingle" and (file := _file(node)):
        return [file]
    if kind == "codeBlock":
        return [
            {**node, "content": [{**each, "text": _plain(each["text"])} for each in node.get("content", [])]}
        ]
    if "content" in node:
        content = [part for each in node["content"] for part in _tidied(each, depth + 1)]
        node = {**node, "content": content}
        if kind == "blockquote":
            return [_quote(node)]
        if kind in ("listItem", "tableCell", "tableHeader") and not content:
            node["content"] = [{"type": "paragraph", "content": []}]
    return [node]


def _text(node: dict[str, Any]) -> list[dict[str, Any]]:
    text, marks = str(node.get("text", "")), list(node.get("marks") or [])
    if not text:
        return []
    kinds = {mark["type"] for mark in marks}
    link = next((mark for mark in marks if mark["type"] == "link"), None)
    if link is not None:
        href = str(link["attrs"].get("href", ""))
        if href.startswith(_ACCOUNT):
            return [{"type": "mention", "attrs": {"id": href.removeprefix(_ACCOUNT), "text": text}}]
        if "code" in kinds:
            marks = [mark for mark in marks if mark["type"] in ("code", "link")]
        return [{**node, "marks": marks}]
    if "code" in kinds:  # Jira refuses code that is bold as well
        return [{"type": "text", "text": _plain(text), "marks": [{"type": "code"}]}]
    parts: list[dict[str, Any]] = []
    for number, line in enumerate(text.split(_LINE)):
        parts += [{"type": "hardBreak"}] if number else []
        parts += _linked(line, marks)
    return parts


def _plain(text: str) -> str:
    return text.replace(_LINE, "<br>")


def _linked(text: str, marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A text in which addresses are links."""
    parts: list[dict[str, Any]] = []
    end = 0
    for found in _ADDRESS.finditer(text):
        if found.start() > end:
            parts.append({"type": "text", "text": text[end : found.start()], "marks": marks})
        link = {"type": "link", "attrs": {"href": found[0]}}
        parts.append({"type": "text", "text": found[0], "marks": [*marks, link]})
        end = found.end()
    if end < len(text):
        parts.append({"type": "text", "text": text[end:], "marks": marks})
    return [part if part["marks"] else {"type": "text", "text": part["text"]} for part in parts]


def _file(node: dict[str, Any]) -> dict[str, Any] | None:
    """A file of the site that our Markdown named by its media id."""
    for media in node.get("content", []):
        attrs = media.get("attrs", {})
        url = str(attrs.get("url", ""))
        if url.startswith("media:"):
            own = {"type": "file", "id": url.removeprefix("media:"), "collection": ""}
            if attrs.get("alt"):
                own["alt"] = attrs["alt"]
            return {
                "type": "mediaSingle",
                "attrs": node.get("attrs", {}),
                "content": [{"type": "media", "attrs": own}],
            }
    return None


def _quote(node: dict[str, Any]) -> dict[str, Any]:
    """A quote; a panel where it begins with ``[!WARNING]``."""
    content = node["content"]
    first = content[0] if content else {}
    texts = first.get("content") or [{}]
    found = _PANEL.match(str(texts[0].get("text", ""))) if first.get("type") == "paragraph" else None
    if found is None:
        # A quote has no headings of its own.
        kept = [{**each, "type": "paragraph"} if each["type"] == "heading" else each for each in content]
        for each in kept:
            if each["type"] == "paragraph":
                each.pop("attrs", None)
        return {**node, "content": kept}
    rest = str(texts[0]["text"])[found.end() :]
    inner = ([{**texts[0], "text": rest}] if rest else []) + texts[1:]
    name = found[1].lower()
    content = ([{"type": "paragraph", "content": inner}] if inner else []) + content[1:]
    return {
        "type": "panel",
        "attrs": {"panelType": _PANEL_NAMES.get(name, name)},
        "content": content or [{"type": "paragraph", "content": []}],
    }
