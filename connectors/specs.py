"""What Portico reads from a connector's methods: tools, resources and prompts as plain values.

One per connector class, shared by all tenants. Authors never write these: the decorators of
:mod:`connectors.base` and the methods' signatures and docstrings make them.
"""

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from connectors.results import ToolResult

HintCode = Literal["R", "W", "I", "D", "DI"]
CacheClass = Literal["-", "S", "M", "L", "E"]
# Whether a call may, or must, become a durable task; "no" for quick tools.
TaskMode = Literal["no", "may", "must"]

TOOL_NAME = re.compile(r"^[a-z][a-z0-9_]{2,47}$")


@dataclass(frozen=True, slots=True)
class Hints:
    """What a tool does to the system it talks to; never what a permission rests on alone."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


def hints_of(code: HintCode, *, open_world: bool) -> Hints:
    """R reads; W creates; I writes, and again to the same effect; D destroys; DI both of the latter."""
    return Hints(
        read_only=code == "R",
        destructive=code in ("D", "DI"),
        idempotent=code in ("R", "I", "DI"),
        open_world=open_world,
    )


@dataclass(frozen=True, slots=True)
class CallLimit:
    """At most ``calls`` in ``seconds`` per caller."""

    calls: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "CallLimit":
        """Read ``"5/300"``: five calls in 300 seconds."""
        calls, _, seconds = text.partition("/")
        return cls(int(calls), int(seconds))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """Everything Portico knows of a tool; one per connector class, shared by all tenants."""

    name: str
    title: str
    description: str
    hint: HintCode
    hints: Hints
    toolset: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None
    aliases: tuple[str, ...]
    cache: CacheClass
    limit: CallLimit | None
    default_on: bool
    required: bool
    long_running: bool
    task: TaskMode
    ask_first: bool
    timeout: float | None
    secret_arguments: tuple[str, ...]
    confirm: bool
    tags: tuple[str, ...]
    weight: int
    method: str
    arguments: type[BaseModel]

    @property
    def writes(self) -> bool:
        """Whether a call may change the system."""
        return not self.hints.read_only


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """A static resource, or a template when its URI has ``{variables}``."""

    uri: str
    name: str
    title: str
    description: str
    mime_type: str
    method: str
    lister: str | None
    complete: Mapping[str, str]
    subscribable: bool
    variables: tuple[str, ...]
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class PromptArgument:
    """An argument of a prompt."""

    name: str
    description: str
    required: bool


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """A prompt: a named text with arguments that a person picks in the client."""

    name: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...]
    method: str
    complete: Mapping[str, str]


def _docstring(method: Callable[..., Any]) -> str:
    text = inspect.getdoc(method) or ""
    if not text:
        raise TypeError(f"{method.__qualname__} needs a docstring: it becomes the description.")
    return text


def _arguments_model(method: Callable[..., Any]) -> type[BaseModel]:
    """A pydantic model of the method's arguments after ``self`` and ``ctx``."""
    hints = typing.get_type_hints(method, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(method).parameters.values())[2:]:
        if parameter.name not in hints:
            raise TypeError(f"{method.__qualname__}: argument {parameter.name} needs a type.")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    return create_model(
        f"{method.__name__}_arguments", __config__=ConfigDict(extra="forbid", strict=False), **fields
    )


def _tidy(schema: Any) -> Any:
    """Drop what costs tokens and says nothing: generated titles."""
    if isinstance(schema, dict):
        return {
            key: (
                {name: _tidy(sub) for name, sub in value.items()}
                if key in ("properties", "$defs") and isinstance(value, dict)
                else _tidy(value)
            )
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    return schema


def _output_schema(method: Callable[..., Any]) -> dict[str, Any] | None:
    returned = typing.get_type_hints(method, include_extras=True).get("return")
    if typing.get_origin(returned) is Annotated:  # Annotated[ToolResult, Shape]: the shape it carries
        base, *extras = typing.get_args(returned)
        shapes = [extra for extra in extras if isinstance(extra, type)]
        returned = shapes[0] if base is ToolResult and shapes else base
    if returned in (None, type(None), ToolResult, str, Any, dict, list):
        return None
    schema = _tidy(TypeAdapter(returned).json_schema(mode="serialization"))
    return schema if schema.get("type") == "object" else None


def tool_spec(attribute: str, method: Callable[..., Any], marked: dict[str, Any]) -> ToolSpec:
    """A tool from its method and what its decorator said. Raises TypeError for what cannot be one."""
    if not TOOL_NAME.match(marked["name"]):
        raise TypeError(f"{marked['name']!r} is no tool name: {TOOL_NAME.pattern}")
    arguments = _arguments_model(method)
    schema = marked.pop("input_schema") or _tidy(arguments.model_json_schema())
    if schema.get("type", "object") != "object":
        raise TypeError(f"The arguments of {marked['name']} are an object.")
    schema = {"type": "object", **schema}
    schema.setdefault("properties", {})
    description = marked.pop("description") or _docstring(method)
    open_world = marked.pop("open_world")
    return ToolSpec(
        **marked,
        description=description,
        hints=hints_of(marked["hint"], open_world=open_world),
        input_schema=schema,
        output_schema=_output_schema(method),
        method=attribute,
        arguments=arguments,
    )


def resource_spec(attribute: str, method: Callable[..., Any], marked: dict[str, Any]) -> ResourceSpec:
    """A resource or template from its method and what its decorator said.

    ``{+name}`` is a variable that may hold slashes (RFC 6570, 3.2.3), such as a file's path.
    """
    variables = tuple(re.findall(r"{\+?(\w+)}", marked["uri"]))
    pattern = "".join(
        f"(?P<{part.strip('{+}')}>{'.+' if part[1] == '+' else '[^/]+'})"
        if part.startswith("{")
        else re.escape(part)
        for part in re.split(r"({\+?\w+})", marked["uri"])
    )
    return ResourceSpec(
        **marked,
        description=_docstring(method),
        method=attribute,
        variables=variables,
        pattern=re.compile(pattern),
    )


def prompt_spec(attribute: str, method: Callable[..., Any], marked: dict[str, Any]) -> PromptSpec:
    """A prompt from its method and what its decorator said."""
    model = _arguments_model(method)
    arguments = tuple(
        PromptArgument(name, info.description or "", info.is_required())
        for name, info in model.model_fields.items()
    )
    return PromptSpec(**marked, description=_docstring(method), arguments=arguments, method=attribute)
