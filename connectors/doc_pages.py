"""A connector's page of the documentation, made from the connector itself.

Around a hand-written introduction (``docs/intro.md`` in the provider's folder) and an example
conversation (``docs/example.md``) stand its settings, ways to sign in, tools with their
arguments, prompts and resources, as the class has them: they cannot be wrong.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from connectors.base import Connector, ToolSpec

HINTS: Final = {
    "R": "reads",
    "W": "creates",
    "I": "writes, may be repeated",
    "D": "**changes for good**",
    "DI": "**deletes**",
}
KEPT: Final = {
    "S": "kept 30 s",
    "M": "kept 5 min",
    "L": "kept 1 h",
    "E": "kept until the system says otherwise",
}
MADE: Final = "<!-- Made by `manage.py connector_docs {slug}`; write in {folder}, not here. -->"
_ANY_NUMBER: Final = 1_000_000_000  # bounds from here on only keep a vendor's integers whole
_FIRST: Final = ("core", "write", "delete", "bulk", "admin", "raw")


def written_parts(cls: type[Connector]) -> tuple[Path, Path]:
    """Where a connector's introduction and its example conversation are written."""
    folder = Path(str(sys.modules[cls.__module__].__file__)).parent / "docs"
    return folder / "intro.md", folder / "example.md"


def page_of(cls: type[Connector]) -> str:
    """The page's Markdown. Raises FileNotFoundError where nobody has written the introduction."""
    intro, example = written_parts(cls)
    folder = f"connectors/providers/{intro.parent.parent.name}/docs"
    parts = [
        f"# {cls.title}",
        MADE.format(slug=cls.slug, folder=folder),
        intro.read_text(encoding="utf-8").strip(),
        _fields("Settings", cls.Settings),
        _fields("Signing in", cls.Credentials),
        _tools(cls),
        _arguments(cls.tools.values()),
        _prompts(cls),
        _resources(cls),
    ]
    if example.is_file():
        parts.append(f"## An example\n\n{example.read_text(encoding='utf-8').strip()}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [[cell(part) for part in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """A text that stays within its cell of a table."""
    text = re.sub(r"\[([^\]]*)\]\(", r"\\[\1](", text)  # Markdown that is spoken of is no link here
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def _fields(title: str, model: type[BaseModel] | None) -> str:
    if model is None or not model.model_fields:
        return ""
    schema = model.model_json_schema()
    needed = set(schema.get("required", ()))
    rows = []
    for name, raw in schema["properties"].items():
        node = resolved(raw, schema)
        words = node.get("description", "")
        words = (
            f"**{raw['title']}.** {words}"
            if raw.get("title", "").lower() != name.replace("_", " ")
            else words
        )
        rows.append((f"`{name}`", type_of(node, schema), _default(raw, name in needed), words))
    return f"## {title}\n\n{_table(('Field', 'Value', 'Default', 'Meaning'), rows)}"


def _default(node: Mapping[str, Any], needed: bool) -> str:
    if needed:
        return "required"
    value = node.get("default")
    if value is None or value == "" or value == []:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


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


def _tools(cls: type[Connector]) -> str:
    tools = list(cls.tools.values())
    names = sorted({spec.toolset for spec in tools}, key=lambda name: (_rank(name), name))
    on = sum(spec.default_on for spec in tools)
    parts = [
        f"## Tools\n\n{len(tools)} tools. A new connection starts with {on} of them; the others are *off* below, and "
        "one switch away on the connection's page. Optional arguments have a question mark or their default."
    ]
    for name in names:
        rows = [_tool(spec) for spec in tools if spec.toolset == name]
        parts.append(f"### {name.capitalize()}\n\n{_table(('Tool', 'Does', 'Arguments'), rows)}")
    return "\n\n".join(parts)


def _rank(toolset: str) -> int:
    return _FIRST.index(toolset) if toolset in _FIRST else 1


def _tool(spec: ToolSpec) -> tuple[str, str, str]:
    facts = [HINTS[spec.hint], KEPT.get(spec.cache, "")]
    if spec.limit:
        facts.append(f"at most {spec.limit.calls} calls in {spec.limit.seconds} s per caller")
    if spec.weight != 1:
        facts.append(f"costs {spec.weight} of a quota")
    if spec.confirm:
        facts.append("a person confirms each call")
    if spec.task != "no":
        facts.append("may run as a task")
    if not spec.default_on:
        facts.append("*off*")
    if spec.aliases:
        facts.append(f"also called {', '.join(f'`{name}`' for name in spec.aliases)}")
    words = (
        f"{spec.description.partition(chr(10) * 2)[0].strip()} ({'; '.join(fact for fact in facts if fact)})"
    )
    return f"`{spec.name}`", words, ", ".join(_parameters(spec))


def _parameters(spec: ToolSpec) -> Iterable[str]:
    schema = spec.input_schema
    for name, raw in schema["properties"].items():
        default = raw.get("default")
        if name in schema.get("required", ()):
            yield f"`{name}`"
        elif default is None or default == "" or default == []:
            yield f"`{name}`?"
        else:
            yield f"`{name}={str(default).lower() if isinstance(default, bool) else default}`"


def _arguments(tools: Iterable[ToolSpec]) -> str:
    """What arguments mean, each meaning once, with its tools where a name has several."""
    meanings: dict[str, dict[tuple[str, str], list[str]]] = {}
    for spec in tools:
        for name, raw in spec.input_schema["properties"].items():
            node = resolved(raw, spec.input_schema)
            meaning = (
                type_of(node, spec.input_schema),
                raw.get("description") or node.get("description", ""),
            )
            meanings.setdefault(name, {}).setdefault(meaning, []).append(spec.name)
    rows = [
        (f"`{name}`", kind, f"{words} {_whose(whose) if len(of) > 1 else ''}")
        for name, of in sorted(meanings.items())
        for (kind, words), whose in of.items()
        if words or kind not in ("text", "yes or no")  # the name says it all
    ]
    return f"## Arguments\n\n{_table(('Name', 'Value', 'Meaning'), rows)}" if rows else ""


def _whose(tools: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in tools[:6])
    return f"({shown} and {len(tools) - 6} more)" if len(tools) > 6 else f"({shown})"


def _prompts(cls: type[Connector]) -> str:
    rows = [
        (
            f"`{spec.name}`",
            spec.description,
            ", ".join(f"`{one.name}`{'' if one.required else '?'}" for one in spec.arguments),
        )
        for spec in cls.prompts.values()
    ]
    return f"## Prompts\n\n{_table(('Prompt', 'Does', 'Arguments'), rows)}" if rows else ""


def _resources(cls: type[Connector]) -> str:
    rows = [
        (
            f"`{spec.uri}`",
            spec.description,
            f"`{spec.mime_type}`{', can be subscribed to' if spec.subscribable else ''}",
        )
        for spec in cls.resources
    ]
    return f"## Resources\n\n{_table(('URI', 'Is', 'Type'), rows)}" if rows else ""
