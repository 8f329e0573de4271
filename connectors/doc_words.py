"""Schemas in words, and text that stays within a table's cell: for the documentation's pages."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_ANY_NUMBER: Final = 1_000_000_000  # bounds from here on only keep a vendor's integers whole


def cell(text: str) -> str:
    """A text that stays within its cell of a table."""
    text = re.sub(r"\[([^\]]*)\]\(", r"\\[\1](", text)  # Markdown that is spoken of is no link here
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema's node with its reference followed and null left out: optional is said elsewhere."""
    made = dict(node)
    if "$ref" in made:
        made = {**schema["$defs"][made.pop("$ref").rpartition("/")[2]], **made}
    if "anyOf" in made:
        rest = [part for part in made["anyOf"] if part.get("type") != "null"]
        if len(rest) == 1:
            del made["anyOf"]
            made = {**resolved(rest[0], schema), **made}
    return made


def type_of(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A schema's node in words: ``text``, ``1 to 100``, ``list of text``."""
    node = resolved(node, schema)
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(type_of(part, schema) for part in node["anyOf"]))
    kind = node.get("type")
    if node.get("format") == "password":
        return "secret"
    if kind == "array":
        most = f", at most {node['maxItems']:,}" if "maxItems" in node else ""
        return f"list of {type_of(node.get('items', {}), schema)}{most}"
    if kind in ("integer", "number"):
        return _range(node) or ("number" if kind == "number" else "whole number")
    if kind == "object" and node.get("properties"):
        return f"object ({', '.join(named(node))})"
    words = {"string": node.get("format", "text"), "boolean": "yes or no", "object": "object"}
    return words.get(str(kind), "any JSON")


def _range(node: Mapping[str, Any]) -> str:
    least = node.get("minimum", node.get("exclusiveMinimum"))
    most = node.get("maximum", node.get("exclusiveMaximum"))
    if least is None and most is None:
        return ""
    if least is None:
        return f"at most {most:,}"
    bounded = most is not None and most < _ANY_NUMBER
    return f"{least:,} to {most:,}" if bounded else f"{least:,} or more"


def named(schema: Mapping[str, Any]) -> Iterable[str]:
    """An object's parts, the optional ones with a question mark or their default."""
    for name, raw in schema["properties"].items():
        default = raw.get("default")
        if name in schema.get("required", ()):
            yield f"`{name}`"
        elif default is None or default == "" or default == []:
            yield f"`{name}`?"
        else:
            yield f"`{name}={str(default).lower() if isinstance(default, bool) else default}`"
