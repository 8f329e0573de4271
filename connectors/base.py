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

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

from connectors.asking import (
    Answer,
    Ask,
    CapabilityMissing,
    Elicit,
    ElicitURL,
    InputRequired,
    Roots,
    Sample,
)
from connectors.calling import CheckResult, ConnectionRef, Context, SavedFile
from connectors.results import PromptMessage, ResourceContents, ResourceEntry, ToolResult
from connectors.specs import (
    CacheClass,
    CallLimit,
    HintCode,
    Hints,
    PromptArgument,
    PromptSpec,
    ResourceSpec,
    TaskMode,
    ToolSpec,
    prompt_spec,
    resource_spec,
    tool_spec,
)
from connectors.tokens import token_field
from connectors.upstream.token_values import TokenSource


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
    tags: tuple[str, ...] = (),
    weight: int = 1,
    limit: str | None = None,
    default_on: bool = True,
    required: bool = False,
    long_running: bool = False,
    task: TaskMode | None = None,
    ask_first: bool = False,
    timeout: float | None = None,
    secret_arguments: tuple[str, ...] = (),
    confirm: bool = False,
    description: str | None = None,
    input_schema: Mapping[str, Any] | None = None,
) -> Callable[[F], F]:
    """Make a method a tool.

    The method is ``async def name(self, ctx, argument: type = default, ...) -> result``;
    ``Annotated[type, Field(description=..., ge=...)]`` describes an argument. The result is
    a pydantic model, a TypedDict, a dict, a string or a :class:`ToolResult`. ``limit`` is
    ``"calls/seconds"`` per caller; ``timeout`` is in seconds; ``secret_arguments`` never
    reach the audit; ``confirm`` has the person behind the client agree to each call.
    ``input_schema`` stands in for the signature's own schema, word for word, where that
    cannot say it (2020-12, an object); the signature's types then read what it let pass.

    ``cache`` says how long a reading tool's results are kept ("-" never, S 30 s, M 300 s, L one
    hour, E until the system says otherwise). ``tags`` name what a result is of, or what a
    writing tool changes, with arguments in braces: ``("issue:{issue_key}",)``. A write forgets
    the results that have one of its tags, and those that have none; without tags it forgets
    all of its connection. ``weight`` is what a call costs of a month's quota.

    A ``long_running`` tool becomes a durable task for clients that know tasks; ``task`` says
    it more finely: "must" refuses clients that do not. With ``ask_first`` the tool's first
    questions come before there is a task. A task's method may be started again from its
    beginning after questions (see :mod:`connectors.asking`), and in another process.
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
            "tags": tags,
            "weight": weight,
            "limit": CallLimit.parse(limit) if limit else None,
            "default_on": default_on,
            "required": required,
            "long_running": long_running,
            "task": task or ("may" if long_running else "no"),
            "ask_first": ask_first,
            "timeout": timeout,
            "secret_arguments": secret_arguments,
            "confirm": confirm,
            "description": description,
            "input_schema": input_schema,
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
    # Former names of arguments that calls may still use, and what they are now, for all its tools.
    argument_aliases: ClassVar[Mapping[str, str]] = {}

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
        tools, resources, prompts = _inherited(cls)
        for attribute, method in vars(cls).items():
            if (marked := getattr(method, "__portico_tool__", None)) is not None:
                spec = tool_spec(attribute, method, dict(marked))
                tools[spec.name] = spec
            if (marked := getattr(method, "__portico_resource__", None)) is not None:
                resources.append(resource_spec(attribute, method, dict(marked)))
            if (marked := getattr(method, "__portico_prompt__", None)) is not None:
                named = prompt_spec(attribute, method, dict(marked))
                prompts[named.name] = named
        cls.tools, cls.resources, cls.prompts = tools, tuple(resources), prompts

    async def check(self, ctx: Context) -> CheckResult:
        """Test the connection: who are we there, what may we do. Overridden by each connector."""
        return CheckResult(True, "This connector needs no outside system.")

    def token_source(self) -> TokenSource | None:
        """Who gets this connection's short-lived tokens; None where its system has none.

        With it, stored tokens are renewed before their end also while nobody calls.
        """
        return None

    @classmethod
    def token_credential(cls, token: str) -> dict[str, Any]:
        """A credential made of nothing but a token that the caller brought for one request.

        By default the field of :attr:`Credentials` that is named token, api_token,
        access_token or key has it. Overridden where a bare token means something else.
        """
        return {token_field(cls.Credentials): token}

    @classmethod
    def credential_warnings(cls, credential: Mapping[str, Any]) -> list[str]:
        """What is odd about a credential that is stored all the same: a token of an unknown form, its near end.

        Sentences for an admin, without any of its values.
        """
        return []

    @classmethod
    def on_created(cls, connection: ConnectionRef) -> None:
        """Prepare a new connection's own rows, inside the transaction that creates it."""

    @classmethod
    def on_deleted(cls, connection: ConnectionRef) -> None:
        """Release what a connection keeps outside the database, after its deletion was committed."""


def _inherited(
    cls: type[Connector],
) -> tuple[dict[str, ToolSpec], list[ResourceSpec], dict[str, PromptSpec]]:
    """What all bases of a connector declare: it may be put together of several classes of tools."""
    tools: dict[str, ToolSpec] = {}
    resources: dict[str, ResourceSpec] = {}
    prompts: dict[str, PromptSpec] = {}
    for base in reversed(cls.__mro__[1:]):
        if issubclass(base, Connector):
            tools.update(base.tools)
            resources.update({spec.uri: spec for spec in base.resources})
            prompts.update(base.prompts)
    return tools, list(resources.values()), prompts


__all__ = [
    "Answer",
    "Ask",
    "CallLimit",
    "CapabilityMissing",
    "CheckResult",
    "ConnectionRef",
    "Connector",
    "Context",
    "Elicit",
    "ElicitURL",
    "Hints",
    "InputRequired",
    "NoSettings",
    "PromptArgument",
    "PromptMessage",
    "PromptSpec",
    "ResourceContents",
    "ResourceEntry",
    "ResourceSpec",
    "Roots",
    "Sample",
    "SavedFile",
    "ToolResult",
    "ToolSpec",
    "prompt",
    "resource",
    "tool",
]
