"""A connector's page of the documentation, made from the connector itself.

Around a hand-written introduction (``docs/intro.md`` in the provider's folder), what is to be
known of the vendor's limits (``docs/limits.md``) and an example conversation (``docs/example.md``)
stand its settings, ways to sign in, tools with their arguments, prompts and resources, as the
class has them: they cannot be wrong.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from connectors.base import Connector, ToolSpec
from connectors.connection_settings import NetworkSettings
from connectors.doc_words import cell, named, resolved, type_of
from connectors.shape import MAX_CHARACTERS

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
_FIRST: Final = ("core", "write", "delete", "bulk", "admin", "raw")


def written_parts(cls: type[Connector]) -> tuple[Path, Path, Path]:
    """Where a connector's introduction, its vendor's limits and its example conversation are written."""
    folder = Path(str(sys.modules[cls.__module__].__file__)).parent / "docs"
    return folder / "intro.md", folder / "limits.md", folder / "example.md"


def page_of(cls: type[Connector]) -> str:
    """The page's Markdown. Raises FileNotFoundError where nobody has written the introduction."""
    intro, limits, example = written_parts(cls)
    folder = f"connectors/providers/{intro.parent.parent.name}/docs"
    parts = [
        f"# {cls.title}",
        MADE.format(slug=cls.slug, folder=folder),
        intro.read_text(encoding="utf-8").strip(),
        _fields("Settings", cls.Settings),
        _fields("Signing in", cls.Credentials),
        _methods(cls.Credentials),
        _tools(cls),
        _arguments(cls.tools.values()),
        _prompts(cls),
        _resources(cls),
        _limits(limits),
    ]
    if example.is_file():
        parts.append(f"## An example\n\n{example.read_text(encoding='utf-8').strip()}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [[cell(part) for part in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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


def _methods(model: type[BaseModel] | None) -> str:
    """Which fields each way of signing in needs, as the model itself demands them."""
    method = model.model_fields.get("method") if model is not None else None
    if model is None or method is None:
        return ""
    schema = model.model_json_schema()
    node = resolved(schema["properties"]["method"], schema)
    rows = [
        (
            f"`{name}`{' (recommended)' if name == method.default else ''}",
            ", ".join(f"`{one}`" for one in needed),
        )
        for name in node.get("enum", ())
        if (needed := _needed(model, name))
    ]
    return f"What each method needs:\n\n{_table(('Method', 'Fields'), rows)}" if rows else ""


def _needed(model: type[BaseModel], method: str) -> list[str]:
    """The fields without which a method is refused, found by trying."""
    given: dict[str, Any] = {"method": method}
    for _ in model.model_fields:
        try:
            model.model_validate(given)
        except ValidationError as error:
            said = " ".join(str(part["msg"]) for part in error.errors()).partition(" needs ")[2]
            missing = [name for name in model.model_fields if re.search(rf"\b{name}\b", said)]
            if not set(missing) - set(given):
                break
            given |= dict.fromkeys(missing, "x")
        else:
            break
    return list(given)[1:]


def _default(node: Mapping[str, Any], needed: bool) -> str:
    if needed:
        return "required"
    value = node.get("default")
    if value is None or value == "" or value == []:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


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
    return named(spec.input_schema)


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
        (f"`{name}`", kind, f"{words} {_whose(whose, of) if len(of) > 1 else ''}")
        for name, of in sorted(meanings.items())
        for (kind, words), whose in sorted(of.items(), key=lambda item: len(item[1]))
        if words or kind not in ("text", "yes or no")  # the name says it all
    ]
    before = "What the names alone do not say."
    return f"## Arguments\n\n{before}\n\n{_table(('Name', 'Value', 'Meaning'), rows)}" if rows else ""


def _whose(tools: list[str], of: Mapping[Any, list[str]]) -> str:
    """The tools where a name has this meaning; what it mostly means needs no list."""
    if len(tools) > 3 and sum(len(tools) <= len(others) for others in of.values()) == 1:
        return "(else)"
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


def _limits(written: Path) -> str:
    """The vendor's limits in words, and Portico's own in figures."""
    net = NetworkSettings()
    rows = [
        ("An answer", f"{MAX_CHARACTERS:,} characters; a longer list is cut, and the answer says so"),
        (
            "Waiting for the system",
            f"{net.connect_s:g} s to connect, {net.read_s:g} s for each part of an answer",
        ),
        ("Repetitions", f"{net.retries}, where a request can be sent again without doing anything twice"),
        ("Connections to it", f"{net.connections} in each process"),
        ("Rest between calls", "none, unless the connection says one"),
    ]
    words = f"{written.read_text(encoding='utf-8').strip()}\n\n" if written.is_file() else ""
    after = (
        "The last four are set under *Network* on the connection's page: [Calls to systems](../upstreams.md). How "
        "often a tenant, a key or a tool may call is set by [Limits and quotas](../limits.md)."
    )
    return f"## Limits\n\n{words}{_table(('What', 'At most'), rows)}\n\n{after}"
