"""The contract of a connector: what its author writes, and what Portico reads from it.

A connector is one class. Its settings and credentials are pydantic models, its tools are
typed async methods::

    class Weather(Connector):
        slug = "weather"
        title = "Weather"
        description = "Forecasts of the national service."

        class Settings(BaseModel):
            region: str = Field("north", description="Which region's stations to read.")

        @tool(title="Get the forecast", hint="R")
        async def get_forecast(self, ctx: Context, city: str, days: DayCount = 3) -> Forecast:
            \"\"\"The forecast of a city for the coming days.\"\"\"

From the signature and the docstring come the JSON Schema and the description; the hint
says what the tool does to the system and is checked by a test.
"""

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from connectors.results import PromptMessage, ResourceContents, ResourceEntry, ToolResult

HintCode = Literal["R", "W", "I", "D", "DI"]
CacheClass = Literal["-", "S", "M", "L", "E"]
CACHE_SECONDS: Mapping[str, int] = {"-": 0, "S": 30, "M": 300, "L": 3600, "E": 300}

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
    weight: int
    default_on: bool
    required: bool
    long_running: bool
    timeout: float | None
    secret_arguments: tuple[str, ...]
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


@dataclass(frozen=True, slots=True)
class ConnectionRef:
    """A tenant's configured connector as a plain value: identity for keys, locks and rows."""

    id: UUID
    tenant_id: UUID
    slug: str
    name: str
    is_primary: bool
    version: int
    time_zone: str = "UTC"


class CallerView(Protocol):
    """What a tool may know of its caller."""

    @property
    def principal_id(self) -> UUID: ...
    @property
    def principal_name(self) -> str: ...


class Context(Protocol):
    """What a tool, resource or prompt method gets besides its arguments."""

    caller: Any  # a tenants.principals.Caller; providers read principal_id and principal_name
    connection: ConnectionRef
    request_id: str
    deadline: float  # of time.monotonic()

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell how far the work is; costs nothing where nobody listens."""
        ...

    async def log(self, level: str, message: str) -> None:
        """Send a log line to the client, where it asked for that level."""
        ...

    def check_cancelled(self) -> None:
        """Raise ``asyncio.CancelledError`` when the client gave up (for long loops in threads)."""
        ...

    async def elicit(self, message: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Ask the person behind the client; raises NotPermitted where the client cannot."""
        ...

    async def credential(self) -> dict[str, Any]:
        """The decrypted credential for this call, or an empty dict where there is none."""
        ...

    async def save_file(self, name: str, mime_type: str, data: bytes) -> "SavedFile":
        """Keep a file that the tool made, for 24 hours, readable by this tenant alone."""
        ...


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A stored file: its resource URI, its download URL (needs the access key), its size."""

    uri: str
    url: str
    name: str
    mime_type: str
    size: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What "test connection" found."""

    ok: bool
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


class NoSettings(BaseModel):
    """For a connector without settings."""

    model_config = ConfigDict(extra="forbid")


F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


def tool(
    *,
    title: str,
    hint: HintCode,
    name: str | None = None,
    toolset: str = "core",
    open_world: bool = False,
    aliases: tuple[str, ...] = (),
    cache: CacheClass = "-",
    limit: str | None = None,
    weight: int = 1,
    default_on: bool = True,
    required: bool = False,
    long_running: bool = False,
    timeout: float | None = None,
    secret_arguments: tuple[str, ...] = (),
    description: str | None = None,
) -> Callable[[F], F]:
    """Make a method a tool.

    The method is ``async def name(self, ctx, argument: type = default, ...) -> result``;
    ``Annotated[type, Field(description=..., ge=...)]`` describes an argument. The result is
    a pydantic model, a TypedDict, a dict, a string or a :class:`ToolResult`. ``limit`` is
    ``"calls/seconds"`` per caller; ``timeout`` is in seconds; ``secret_arguments`` never
    reach the audit.
    """

    def mark(method: F) -> F:
        method.__portico_tool__ = {  # type: ignore[attr-defined]
            "title": title,
            "hint": hint,
            "name": name or method.__name__,
            "toolset": toolset,
            "open_world": open_world,
            "aliases": aliases,
            "cache": cache,
            "limit": CallLimit.parse(limit) if limit else None,
            "weight": weight,
            "default_on": default_on,
            "required": required,
            "long_running": long_running,
            "timeout": timeout,
            "secret_arguments": secret_arguments,
            "description": description,
        }
        return method

    return mark


def resource(
    uri: str,
    *,
    title: str,
    name: str | None = None,
    mime_type: str = "application/json",
    lister: str | None = None,
    complete: Mapping[str, str] | None = None,
    subscribable: bool = False,
) -> Callable[[F], F]:
    """Make a method a resource (or a template, where the URI has ``{variables}``).

    The method is ``async def name(self, ctx, variable: str, ...)`` and returns
    ``ResourceContents``, a list of them, a string, bytes or a JSON value. ``lister`` names a
    method ``async def (self, ctx) -> list[ResourceEntry]`` that lists a template's members;
    ``complete`` maps a variable to a method ``async def (self, ctx, value, arguments) ->
    list[str]``.
    """

    def mark(method: F) -> F:
        method.__portico_resource__ = {  # type: ignore[attr-defined]
            "uri": uri,
            "title": title,
            "name": name or method.__name__,
            "mime_type": mime_type,
            "lister": lister,
            "complete": dict(complete or {}),
            "subscribable": subscribable,
        }
        return method

    return mark


def prompt(name: str, *, title: str, complete: Mapping[str, str] | None = None) -> Callable[[F], F]:
    """Make a method a prompt.

    The method is ``async def name(self, ctx, argument: str, ...)`` and returns a string or a
    list of :class:`PromptMessage`.
    """

    def mark(method: F) -> F:
        method.__portico_prompt__ = {  # type: ignore[attr-defined]
            "name": name,
            "title": title,
            "complete": dict(complete or {}),
        }
        return method

    return mark


class Connector:
    """A system that tenants connect to. One instance serves one connection in one process."""

    slug: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    version: ClassVar[str] = "1"
    icon: ClassVar[str] = "extension"  # a Material symbol's name
    built_in: ClassVar[bool] = False  # no outside system: every required tool starts switched on
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Credentials: ClassVar[type[BaseModel] | None] = None
    instructions: ClassVar[str] = ""  # for the model: how to use the tools together

    tools: ClassVar[Mapping[str, ToolSpec]] = {}
    resources: ClassVar[tuple[ResourceSpec, ...]] = ()
    prompts: ClassVar[Mapping[str, PromptSpec]] = {}

    def __init__(self, connection: ConnectionRef, settings: BaseModel) -> None:
        self.connection = connection
        self.settings: Any = settings

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, info in cls.Settings.model_fields.items():
            if "Secret" in str(info.annotation):
                raise TypeError(f"{cls.__name__}.Settings.{name} is a secret: it belongs in Credentials.")
        tools, resources, prompts = dict(cls.tools), list(cls.resources), dict(cls.prompts)
        for attribute, method in vars(cls).items():
            if (marked := getattr(method, "__portico_tool__", None)) is not None:
                spec = _tool_spec(attribute, method, dict(marked))
                tools[spec.name] = spec
            if (marked := getattr(method, "__portico_resource__", None)) is not None:
                resources.append(_resource_spec(attribute, method, dict(marked)))
            if (marked := getattr(method, "__portico_prompt__", None)) is not None:
                prompt_spec = _prompt_spec(attribute, method, dict(marked))
                prompts[prompt_spec.name] = prompt_spec
        cls.tools, cls.resources, cls.prompts = tools, tuple(resources), prompts

    async def check(self, ctx: Context) -> CheckResult:
        """Test the connection: who are we there, what may we do. Overridden by each connector."""
        return CheckResult(True, "This connector needs no outside system.")

    @classmethod
    def on_created(cls, connection: ConnectionRef) -> None:
        """Prepare a new connection's own rows, inside the transaction that creates it."""

    @classmethod
    def on_deleted(cls, connection: ConnectionRef) -> None:
        """Release what a connection keeps outside the database, after its deletion was committed."""


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


def _tool_spec(attribute: str, method: Callable[..., Any], marked: dict[str, Any]) -> ToolSpec:
    if not TOOL_NAME.match(marked["name"]):
        raise TypeError(f"{marked['name']!r} is no tool name: {TOOL_NAME.pattern}")
    arguments = _arguments_model(method)
    schema = _tidy(arguments.model_json_schema())
    schema.setdefault("properties", {})
    description = marked.pop("description") or _docstring(method)
    open_world = marked.pop("open_world")
    return ToolSpec(
        **marked,
        description=description,
        hints=hints_of(marked["hint"], open_world=open_world),
        input_schema={"type": "object", **schema},
        output_schema=_output_schema(method),
        method=attribute,
        arguments=arguments,
    )


def _resource_spec(attribute: str, method: Callable[..., Any], marked: dict[str, Any]) -> ResourceSpec:
    variables = tuple(re.findall(r"{(\w+)}", marked["uri"]))
    pattern = "".join(
        f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)
        for part in re.split(r"({\w+})", marked["uri"])
    )
    return ResourceSpec(
        **marked,
        description=_docstring(method),
        method=attribute,
        variables=variables,
        pattern=re.compile(pattern),
    )


def _prompt_spec(attribute: str, method: Callable[..., Any], marked: dict[str, Any]) -> PromptSpec:
    model = _arguments_model(method)
    arguments = tuple(
        PromptArgument(name, info.description or "", info.is_required())
        for name, info in model.model_fields.items()
    )
    return PromptSpec(**marked, description=_docstring(method), arguments=arguments, method=attribute)


__all__ = [
    "CACHE_SECONDS",
    "CallLimit",
    "CheckResult",
    "ConnectionRef",
    "Connector",
    "Context",
    "Hints",
    "NoSettings",
    "PromptArgument",
    "PromptMessage",
    "PromptSpec",
    "ResourceContents",
    "ResourceEntry",
    "ResourceSpec",
    "SavedFile",
    "ToolResult",
    "ToolSpec",
    "prompt",
    "resource",
    "tool",
]
