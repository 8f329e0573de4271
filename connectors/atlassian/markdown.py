"""Markdown to Atlassian's document format: marklassian's work, and what it leaves to do."""

import re
from typing import Any, Final

from marklassian import markdown_to_adf

from connectors.atlassian.markdown_source import LINE, address, held, said, verbatim
from connectors.errors import InvalidInput

MAX_CHARS: Final = 200_000
MAX_DEPTH: Final = 40
_PANEL: Final = re.compile(r"^\[!(INFO|NOTE|WARNING|SUCCESS|ERROR|TIP|IMPORTANT|CAUTION)\]\s*", re.I)
_PANEL_NAMES: Final = {"important": "note", "caution": "error"}
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")
_ACCOUNT: Final = "accountid:"
_IN_QUOTES: Final = frozenset(
    {"paragraph", "bulletList", "orderedList", "codeBlock", "mediaSingle", "mediaGroup"}
)


def to_adf(markdown: str) -> dict[str, Any]:
    """A Markdown text as a document of version 1. Raises InvalidInput for what is too long or too deep."""
    if len(markdown) > MAX_CHARS:
        raise InvalidInput(f"The text has more than {MAX_CHARS:,} characters.", code="too_long")
    try:
        made: dict[str, Any] = dict(markdown_to_adf(held(markdown)))
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
        code = [{**each, "text": verbatim(each["text"])} for each in node.get("content", [])]
        attrs = {name: verbatim(str(value)) for name, value in (node.get("attrs") or {}).items()}
        return [{**node, **({"attrs": attrs} if attrs else {}), "content": code}]
    if "content" in node:
        content = [part for each in node["content"] for part in _tidied(each, depth + 1)]
        node = {**node, "content": content}
        if kind == "blockquote":
            return [_quote(node)]
        if kind == "paragraph" and not content:  # of tags or a comment alone
            return []
        if kind == "listItem" and (
            not content or content[0]["type"] in ("bulletList", "orderedList", "taskList")
        ):
            content.insert(0, {"type": "paragraph", "content": []})
        if kind in ("tableCell", "tableHeader"):
            node["content"] = [_unpiped(each) for each in content] or [{"type": "paragraph", "content": []}]
    return [node]


def _unpiped(node: dict[str, Any]) -> dict[str, Any]:
    """A part of a table's cell; a pipe in its code was escaped."""
    if any(mark["type"] == "code" for mark in node.get("marks", ())):
        return {**node, "text": node["text"].replace("\\|", "|")}
    return {**node, "content": [_unpiped(each) for each in node["content"]]} if "content" in node else node


def _text(node: dict[str, Any]) -> list[dict[str, Any]]:
    text, marks = str(node.get("text", "")), list(node.get("marks") or [])
    if not text:
        return []
    kinds = {mark["type"] for mark in marks}
    link = next((mark for mark in marks if mark["type"] == "link"), None)
    if link is not None:
        href = address(str(link["attrs"].get("href") or ""))
        words = verbatim(text) if "code" in kinds else said(text).replace(LINE, " ")
        if href.startswith(_ACCOUNT):
            return [{"type": "mention", "attrs": {"id": href.removeprefix(_ACCOUNT), "text": words}}]
        if not words:
            return []
        if "code" in kinds:
            marks = [mark for mark in marks if mark["type"] in ("code", "link")]
        new = [{"type": "link", "attrs": {**link["attrs"], "href": href}}] if href else []
        marks = [mark for mark in marks if mark["type"] != "link"] + new
        return [{"type": "text", "text": words, **({"marks": marks} if marks else {})}]
    if "code" in kinds:  # Jira refuses code that is bold as well
        return [{"type": "text", "text": verbatim(text), "marks": [{"type": "code"}]}]
    parts: list[dict[str, Any]] = []
    for number, line in enumerate(said(text).split(LINE)):
        parts += [{"type": "hardBreak"}] if number else []
        parts += _linked(line, marks)
    return parts


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
        attrs = media["attrs"] = {name: address(str(value)) if name == "url" else said(str(value))
                                  for name, value in media.get("attrs", {}).items()}  # fmt: skip
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
        kept = [part for each in content for part in _in_quote(each)]
        return {**node, "content": kept or [{"type": "paragraph", "content": []}]}
    rest = str(texts[0]["text"])[found.end() :]
    inner = ([{**texts[0], "text": rest}] if rest else []) + texts[1:]
    name = found[1].lower()
    rows = ([{"type": "paragraph", "content": inner}] if inner else []) + content[1:]
    content = [
        part for each in rows for part in (each["content"] if each["type"] == "blockquote" else [each])
    ]
    return {
        "type": "panel",
        "attrs": {"panelType": _PANEL_NAMES.get(name, name)},
        "content": content or [{"type": "paragraph", "content": []}],
    }


def _in_quote(node: dict[str, Any]) -> list[dict[str, Any]]:
    """A block as a quote may have it: no heading, no quote or panel within, no tasks, no line across."""
    kind = node["type"]
    if kind in _IN_QUOTES:
        return [node]
    if kind == "heading":
        return [{"type": "paragraph", "content": node.get("content", [])}]
    if kind == "taskList":
        return [_listed(node)]
    if kind in ("blockquote", "panel"):
        return [part for each in node.get("content", []) for part in _in_quote(each)]
    return [{"type": "paragraph", "content": [{"type": "text", "text": "---"}]}] if kind == "rule" else []


def _listed(tasks: dict[str, Any]) -> dict[str, Any]:
    """Tasks as a list of words."""
    items: list[dict[str, Any]] = []
    for each in tasks.get("content", []):
        if each["type"] == "taskList":
            items[-1:] = [{**items[-1], "content": [*items[-1]["content"], _listed(each)]}] if items else []
            continue
        box = {"type": "text", "text": "[x] " if each["attrs"].get("state") == "DONE" else "[ ] "}
        content = each.get("content", [])
        if each["type"] == "blockTaskItem":
            first, *more = content or [{"type": "paragraph"}]
            blocks = [{**first, "content": [box, *first.get("content", [])]}, *more]
        else:
            blocks = [{"type": "paragraph", "content": [box, *content]}]
        items.append({"type": "listItem", "content": blocks})
    return {"type": "bulletList", "content": items}
