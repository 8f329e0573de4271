"""Markdown as the storage format."""

import re
from html import escape
from typing import Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from connectors.providers.confluence.markup.reading import ALERTS

_MACROS: Final = {alert: name for name, alert in ALERTS.items()} | {"IMPORTANT": "note"}
_MARKS: Final = {"strong": "strong", "em": "em", "s": "del"}
_ALERT: Final = re.compile(r"\[!([A-Za-z]+)\][ \t]*(.*)")
_TASK: Final = re.compile(r"\[([ xX])\](?:\s+|$)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_SMALL: Final = re.compile(
    r"\{status:([^{}|]{1,100})(?:\|([A-Za-z]{1,20}))?\}|\{jira:([A-Za-z][A-Za-z0-9_]*-\d+)\}"
)
_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
_FILE: Final = re.compile(r"[^/\\:?#]+\.[A-Za-z0-9]{1,5}")
_STATUS_IN_ROW: Final = re.compile(r"(?<=\{status:)([^{}|\\\n]{1,100})\|(?=[A-Za-z]{1,20}\})")
_SAFE: Final = re.compile(r"(?:https?|mailto|tel|ftp):|[/#?]|[^:/?#]*(?:[/?#]|$)", re.IGNORECASE)


def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": True, "maxNesting": 60}).enable(["table", "strikethrough"])
    made.disable("html_block")
    made.validateLink = lambda url: True  # type: ignore[method-assign]  # judged below, where schemes are known
    made.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return made


_MARKDOWN: Final = _parser()


def to_storage(markdown: str) -> str:
    """Markdown (CommonMark, tables, strikethrough, task lists, alerts) as storage format.

    HTML in it is text, except ``<br>``; a code block of the language ``storage`` stands for itself.
    """
    clean = _rows_whole(_CONTROL.sub("", markdown.replace("\r\n", "\n")))
    return _all(SyntaxTreeNode(_MARKDOWN.parse(clean)).children)


def _rows_whole(markdown: str) -> str:
    """Tables whose ``{status:Done|Green}`` does not end a cell; code stays as it is."""
    if "{status:" not in markdown:
        return markdown
    lines, fence = markdown.split("\n"), ""
    for index, line in enumerate(lines):
        start = line.lstrip(" >")
        if start.startswith(fence or ("```", "~~~")):
            fence = "" if fence else start[:3]
        elif not fence and start.startswith("|"):
            lines[index] = _STATUS_IN_ROW.sub(r"\1\\|", line)
    return "\n".join(lines)


def macro(name: str, body: str = "", **parameters: str) -> str:
    """A macro; ``body`` is markup already."""
    told = "".join(
        f'<ac:parameter ac:name="{key}">{escape(value, quote=False)}</ac:parameter>'
        for key, value in parameters.items()
        if value
    )
    return f'<ac:structured-macro ac:name="{name}">{told}{body}</ac:structured-macro>'


def _all(nodes: list[SyntaxTreeNode]) -> str:
    return "".join(map(_node, nodes))


def _cdata(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _node(node: SyntaxTreeNode) -> str:
    if (tag := _MARKS.get(node.type)) is not None:
        return f"<{tag}>{_all(node.children)}</{tag}>"
    match node.type:
        case "text":
            return _text(node.content)
        case "inline":
            return _all(node.children)
        case "paragraph":
            return _all(node.children) if node.hidden else f"<p>{_all(node.children)}</p>"
        case "heading" | "tr" | "th" | "td":
            return f"<{node.tag}>{_all(node.children)}</{node.tag}>"
        case "softbreak":
            return " "
        case "hardbreak":
            return "<br/>"
        case "hr":
            return "<hr/>"
        case "code_inline":
            return _code(node.content)
        case "fence" | "code_block":
            return _block_of_code(node)
        case "bullet_list" | "ordered_list":
            return _list(node)
        case "table":
            return _table(node)
        case "blockquote":
            return _quote(node)
        case "link":
            return _link(node)
        case "image":
            return _image(node)
        case "html_inline":
            return "<br/>" if _BREAK.fullmatch(node.content) else escape(node.content, quote=False)
    return _all(node.children)


def _text(text: str) -> str:
    parts, end = [], 0
    for found in _SMALL.finditer(text):
        parts.append(escape(text[end : found.start()], quote=False))
        parts.append(
            macro("jira", key=found[3])
            if found[3]
            else macro("status", title=found[1], colour=found[2] or "")
        )
        end = found.end()
    return "".join([*parts, escape(text[end:], quote=False)])


def _code(text: str) -> str:
    if text.startswith("storage:<"):
        return text.removeprefix("storage:")
    return f"<code>{escape(text, quote=False)}</code>"


def _block_of_code(node: SyntaxTreeNode) -> str:
    language = node.info.strip().split(" ")[0]
    text = node.content.removesuffix("\n")
    if language == "storage":
        return text
    return macro("code", f"<ac:plain-text-body>{_cdata(text)}</ac:plain-text-body>", language=language)


def _first_words(node: SyntaxTreeNode) -> SyntaxTreeNode | None:
    """The first text of a node's first paragraph."""
    if not node.children or node.children[0].type != "paragraph" or not node.children[0].children:
        return None
    words = node.children[0].children[0].children
    return words[0] if words and words[0].type == "text" else None


def _list(node: SyntaxTreeNode) -> str:
    if node.type == "bullet_list" and node.children:
        firsts = [_first_words(item) for item in node.children]
        if all(first is not None and _TASK.match(first.content) for first in firsts):
            return f"<ac:task-list>{''.join(map(_task, node.children))}</ac:task-list>"
    tag = "ul" if node.type == "bullet_list" else "ol"
    start = node.attrs.get("start", 1)
    attrs = f' start="{int(start)}"' if tag == "ol" and start != 1 else ""
    items = "".join(f"<li>{_all(item.children)}</li>" for item in node.children)
    return f"<{tag}{attrs}>{items}</{tag}>"


def _task(item: SyntaxTreeNode) -> str:
    first = _first_words(item)
    assert first is not None and first.token is not None
    found = _TASK.match(first.content)
    assert found is not None
    first.token.content = first.content[found.end() :]
    status = "incomplete" if found[1] == " " else "complete"
    words = "".join(
        _all(child.children) if child.type == "paragraph" else _node(child) for child in item.children
    )
    return f"<ac:task><ac:task-status>{status}</ac:task-status><ac:task-body>{words}</ac:task-body></ac:task>"


def _table(node: SyntaxTreeNode) -> str:
    rows = [row for part in node.children for row in part.children]
    written = [_node(row) for row in rows]
    if rows and not any(cell.children and cell.children[0].content for cell in rows[0].children):
        written = written[1:]  # the empty header that stands for none
    return f"<table><tbody>{''.join(written)}</tbody></table>"


def _quote(node: SyntaxTreeNode) -> str:
    first = _first_words_of_alert(node)
    if first is None:
        return f"<blockquote>{_all(node.children)}</blockquote>"
    found, siblings = first
    kind = _MACROS[found[1].upper()]
    rest = siblings[1:]
    title = found[2] + "".join(_plain(one) for one in _until_break(rest))
    after = rest[len(_until_break(rest)) + 1 :]
    opening = f"<p>{_all(after)}</p>" if after else ""
    body = opening + _all(node.children[1:])
    return macro(kind, f"<ac:rich-text-body>{body}</ac:rich-text-body>", title=title.strip())


def _first_words_of_alert(node: SyntaxTreeNode) -> tuple[re.Match[str], list[SyntaxTreeNode]] | None:
    first = _first_words(node)
    if first is None:
        return None
    found = _ALERT.fullmatch(first.content)
    if found is None or found[1].upper() not in _MACROS:
        return None
    return found, node.children[0].children[0].children


def _until_break(nodes: list[SyntaxTreeNode]) -> list[SyntaxTreeNode]:
    for index, node in enumerate(nodes):
        if node.type in ("softbreak", "hardbreak"):
            return nodes[:index]
    return nodes


def _plain(node: SyntaxTreeNode) -> str:
    return node.content if not node.children else "".join(map(_plain, node.children))


def _link(node: SyntaxTreeNode) -> str:
    url, words = str(node.attrs.get("href", "")), _all(node.children)
    inner = _resource(url)
    if inner is not None:
        _, _, anchor = url.partition("#") if url.startswith("page:") else ("", "", "")
        at = f' ac:anchor="{escape(unquote(anchor))}"' if anchor else ""
        nameless = url.startswith("user") and words == f"@{unquote(url.partition(':')[2])}"
        body = (
            "" if nameless else f"<ac:link-body>{words}</ac:link-body>"
        )  # without one it shows the person's name
        return f"<ac:link{at}>{inner}{body}</ac:link>"
    return f'<a href="{escape(url)}">{words}</a>' if _SAFE.match(url) else words


def _image(node: SyntaxTreeNode) -> str:
    url, words = str(node.attrs.get("src", "")), "".join(_plain(child) for child in node.children)
    alt = f' ac:alt="{escape(words)}"' if words else ""
    if _FILE.fullmatch(url):  # a name alone is a file at the page
        url = f"attachment:{url}"
    inner = _resource(url) if url.startswith("attachment:") else None
    if inner is None and not re.match(r"https?://", url):
        told = words if ":" in url else f"{words} ({url})".strip()  # a path leads nowhere, and is not lost
        return escape(told, quote=False)
    return f"<ac:image{alt}>{inner or f'<ri:url ri:value={chr(34)}{escape(url)}{chr(34)}/>'}</ac:image>"


def _resource(url: str) -> str | None:
    """What a link's own scheme names; None for other addresses."""
    scheme, _, rest = url.partition(":")
    match scheme:
        case "page":
            space, _, title = rest.partition("#")[0].partition("/")
            key = f' ri:space-key="{escape(unquote(space))}"' if space else ""
            return f'<ri:page{key} ri:content-title="{escape(unquote(title))}"/>' if title else None
        case "attachment":
            return f'<ri:attachment ri:filename="{escape(unquote(rest))}"/>' if rest else None
        case "user":
            return f'<ri:user ri:account-id="{escape(unquote(rest))}"/>' if rest else None
        case "userkey":
            return f'<ri:user ri:userkey="{escape(unquote(rest))}"/>' if rest else None
        case "space":
            return f'<ri:space ri:space-key="{escape(unquote(rest))}"/>' if rest else None
    return None
