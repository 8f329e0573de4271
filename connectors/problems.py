"""What is wrong with a tool's arguments, in words that a model can act on.

The validator's own messages cut lists of allowed values short and say nothing useful about
alternatives (``anyOf``), which is how every optional argument is written.
"""

from collections.abc import Iterator, Mapping
from typing import Any

MAX_PROBLEMS = 10
MAX_MESSAGE = 300
MAX_OPTIONS = 30


def problems_of(
    validator: Any, schema: Mapping[str, Any], arguments: Any, secrets: tuple[str, ...] = ()
) -> list[dict[str, str]]:
    """At most ten problems as ``{path, message}``; of arguments named in ``secrets`` no value is repeated."""
    found: list[dict[str, str]] = []
    for error in validator.iter_errors(arguments):
        path = "/".join(map(str, error.instance_path))
        said = ["is not valid"] if path.split("/", 1)[0] in secrets else list(_sentences(error, schema))
        found += ({"path": path, "message": message} for message in said)
        if len(found) >= MAX_PROBLEMS:
            break
    return found[:MAX_PROBLEMS]


def _sentences(error: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    kind = error.kind.name
    if kind == "anyOf":
        branches = [list(branch) for branch in error.kind.context]
        asked = [branch for branch in branches if not any(_is_about_null(part) for part in branch)]
        fitting = [branch for branch in asked if not any(part.kind.name == "type" for part in branch)]
        best = fitting or asked or branches
        if len(best) == 1:
            for part in best[0]:
                yield from _sentences(part, schema)
            return
        yield _cut(" or: ".join(next(_sentences(branch[0], schema)) for branch in best if branch))
    elif kind == "enum":
        options = error.kind.options
        shown = ", ".join(map(str, options[:MAX_OPTIONS])) + (", …" if len(options) > MAX_OPTIONS else "")
        yield _cut(f"{_cut(error.message.split(' is not one of ')[0], 80)} is not one of: {shown}", 600)
    elif kind == "pattern" and (meaning := _description(error, schema)):
        yield f"{_cut(error.message)} ({meaning})"
    else:
        yield _cut(error.message)


def _is_about_null(error: Any) -> bool:
    return error.kind.name == "type" and 'of type "null"' in error.message


def _description(error: Any, schema: Mapping[str, Any]) -> str:
    """What the schema says of the value, for a pattern that nobody reads fluently."""
    node: Any = schema
    for step in error.schema_path[:-1]:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return ""
    return str(node.get("description", "")) if isinstance(node, Mapping) else ""


def _cut(text: str, length: int = MAX_MESSAGE) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
