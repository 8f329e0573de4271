"""Texts for people on their way to Jira: Markdown, or exactly what the caller gives."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from connectors.atlassian.adf import to_markdown
from connectors.atlassian.markdown import to_adf
from connectors.atlassian.wiki import from_wiki
from connectors.atlassian.wiki_writing import to_wiki
from connectors.errors import InvalidInput

MAX_LEVELS = 120  # of a document; each node has two
Format = Literal["markdown", "adf", "wiki"]
Written = Annotated[Format, Field(description="adf: JSON text.")]


def written(text: str, format: Format, *, cloud: bool) -> Any:
    """The text as Jira takes it: a document of ADF in Cloud, wiki text in a Data Center.

    The format that is Jira's own goes there as it is, the other one by way of Markdown. Raises
    InvalidInput.
    """
    if format == "wiki":
        return to_adf(from_wiki(text)) if cloud else text
    if format == "adf":
        document = _document(text)
        return document if cloud else to_wiki(to_markdown(document))
    return to_adf(text) if cloud else to_wiki(text)


def _document(text: str) -> dict[str, Any]:
    try:
        made = orjson.loads(text)
    except orjson.JSONDecodeError:
        made = None
    if not isinstance(made, dict) or made.get("type") != "doc" or not isinstance(made.get("content"), list):
        raise InvalidInput(
            "The text is no document of ADF.",
            code="bad_adf",
            hint='Give JSON such as {"type": "doc", "version": 1, "content": [...]}, or Markdown without format.',
        )
    if _is_deep(made):
        raise InvalidInput("The document's nodes lie too deep in one another.", code="too_deep")
    return {"version": 1, **made}


def _is_deep(document: Any) -> bool:
    """Whether there are more than MAX_LEVELS of lists and objects, counted without recursion."""
    level, waiting = 0, [document]
    while waiting and level <= MAX_LEVELS:
        level += 1
        inner = [each.values() if isinstance(each, dict) else each for each in waiting]
        waiting = [part for parts in inner for part in parts if isinstance(part, dict | list)]
    return bool(waiting)
