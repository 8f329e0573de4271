"""What each method does: from a checked request to the pipeline and back to a protocol object.

Results are plain objects with the schema's names; :mod:`mcp_endpoint.sdk` validates them
against the schema of the era and adds what every result carries.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from django.conf import settings

from common.paging import BadCursor, cursor, page, position
from connectors import pipeline, reading
from connectors.errors import ConnectorError, InvalidInput
from connectors.icons import icon_url
from connectors.results import ToolResult
from mcp_endpoint import shapes, subscriptions
from mcp_endpoint.levels import set_level
from mcp_endpoint.shapes import Json
from mcp_endpoint.turn import Turn
from mcp_endpoint.wire import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LEGACY_RESOURCE_NOT_FOUND,
    ProtocolError,
)

T = TypeVar("T")
MAX_COMPLETIONS = 100


async def list_tools(turn: Turn) -> Json:
    """The tools that the caller may use, by exposed name; in deferred mode the two that find and call them."""
    catalogue = await pipeline.catalogue(turn.caller)
    part = _page(turn, "tools/list", catalogue.listed, lambda entry: entry.name)
    rows = [shapes.tool(entry.name, entry.spec, icon_url(entry.connection.connector)) for entry in part]
    return _listed(turn, "tools", rows)


async def call_tool(turn: Turn) -> Json:
    """Call a tool; what it answered, or why it failed, as a result."""
    return shapes.tool_result(await run_tool(turn), modern=turn.modern)


async def run_tool(turn: Turn) -> ToolResult:
    """The call itself. Raises ProtocolError for a tool that this caller does not have."""
    name: str = turn.params["name"]
    try:
        turn.recorded = True
        result = await pipeline.call_tool(
            turn.caller, name, turn.params.get("arguments") or {}, channel=turn.channel, info=turn.info
        )
        if result.is_error:
            turn.error = "tool_error"
        return result
    except pipeline.UnknownTool:
        raise ProtocolError(
            INVALID_PARAMS, f"Unknown tool: {name[:128]}. tools/list shows the tools of this key."
        ) from None


async def list_resources(turn: Turn) -> Json:
    """The resources that the caller may read."""
    entries = await reading.list_resources(turn.caller, info=turn.info)
    part = _page(turn, "resources/list", entries, lambda entry: entry.uri)
    return _listed(turn, "resources", [shapes.resource(entry) for entry in part])


async def list_templates(turn: Turn) -> Json:
    """The resource templates that the caller may read."""
    catalogue = await pipeline.catalogue(turn.caller)
    exposed = sorted((view.exposed_uri(spec.uri), spec) for view, spec in catalogue.templates)
    part = _page(turn, "resources/templates/list", exposed, lambda pair: pair[0])
    return _listed(turn, "resourceTemplates", [shapes.template(uri, spec) for uri, spec in part])


async def read_resource(turn: Turn) -> Json:
    """A resource's contents."""
    uri: str = turn.params["uri"]
    try:
        turn.recorded = True
        contents = await reading.read_resource(turn.caller, uri, channel=turn.channel, info=turn.info)
    except reading.ResourceNotFound:
        code = INVALID_PARAMS if turn.modern else LEGACY_RESOURCE_NOT_FOUND
        raise ProtocolError(
            code, "Resource not found. resources/list shows what this key may read.", {"uri": uri[:2000]}
        ) from None
    except ConnectorError as error:
        raise _failed(turn, error) from error
    return _complete({"contents": [shapes.resource_contents(part) for part in contents]})


async def list_prompts(turn: Turn) -> Json:
    """The prompts that the caller may use."""
    catalogue = await pipeline.catalogue(turn.caller)
    named = sorted(catalogue.prompts.items(), key=lambda item: item[0])
    part = _page(turn, "prompts/list", named, lambda item: item[0])
    return _listed(turn, "prompts", [shapes.prompt(name, spec) for name, (_, spec) in part])


async def get_prompt(turn: Turn) -> Json:
    """A prompt filled with its arguments."""
    name: str = turn.params["name"]
    try:
        turn.recorded = True
        description, messages = await reading.get_prompt(
            turn.caller, name, turn.params.get("arguments") or {}, channel=turn.channel, info=turn.info
        )
    except reading.UnknownPrompt:
        raise ProtocolError(
            INVALID_PARAMS, f"Unknown prompt: {name[:128]}. prompts/list shows the prompts of this key."
        ) from None
    except reading.InvalidArguments as error:
        raise ProtocolError(INVALID_PARAMS, f"The arguments of {name[:128]} are not valid: {error}") from None
    except ConnectorError as error:
        raise _failed(turn, error) from error
    return _complete(
        {"description": description, "messages": [shapes.prompt_message(message) for message in messages]}
    )


async def complete(turn: Turn) -> Json:
    """Values for an argument of a prompt or a template."""
    ref, argument = turn.params["ref"], turn.params["argument"]
    context = (turn.params.get("context") or {}).get("arguments") or {}
    of_prompt = ref["type"] == "ref/prompt"
    try:
        values = await reading.complete(
            turn.caller,
            "prompt" if of_prompt else "resource",
            ref["name"] if of_prompt else ref["uri"],
            argument["name"],
            argument["value"],
            context,
            info=turn.info,
        )
    except ConnectorError as error:
        raise _failed(turn, error) from error
    shown = values[:MAX_COMPLETIONS]
    return _complete(
        {"completion": {"values": shown, "total": len(values), "hasMore": len(values) > len(shown)}}
    )


async def ping(turn: Turn) -> Json:
    """An empty answer."""
    return {}


async def set_logging_level(turn: Turn) -> Json:
    """Which log lines a session of the handshake era wants."""
    if turn.session is not None:
        await set_level(turn.session, turn.caller.tenant.id, turn.params["level"])
    return {}


Handler = Callable[[Turn], Awaitable[Json]]
HANDLERS: Final[dict[str, Handler]] = {
    "tools/list": list_tools,
    "tools/call": call_tool,
    "resources/list": list_resources,
    "resources/templates/list": list_templates,
    "resources/read": read_resource,
    "resources/subscribe": subscriptions.subscribe,
    "resources/unsubscribe": subscriptions.unsubscribe,
    "prompts/list": list_prompts,
    "prompts/get": get_prompt,
    "completion/complete": complete,
    "logging/setLevel": set_logging_level,
    "ping": ping,
}


async def instructions(turn: Turn) -> str | None:
    """How to use this tenant's tools together, for the model."""
    return (await pipeline.catalogue(turn.caller)).instructions or None


def list_position(turn: Turn) -> Any:
    """Where the asked page begins. Raises ProtocolError for a cursor that is not this caller's."""
    try:
        return position(turn.params.get("cursor"), purpose=turn.method, bind=turn.bind)
    except BadCursor as error:
        raise ProtocolError(INVALID_PARAMS, f"Invalid cursor: {error}") from None


def _page(turn: Turn, purpose: str, items: Sequence[T], key: Callable[[T], str]) -> Sequence[T]:
    part, turn.next_position = page(items, list_position(turn), size=settings.PORTICO_PAGE_SIZE, key=key)
    return part


def _listed(turn: Turn, name: str, rows: list[Json]) -> Json:
    made = _complete({name: rows})
    if turn.next_position is not None:
        made["nextCursor"] = cursor(turn.next_position, purpose=turn.method, bind=turn.bind)
    return made


def _complete(made: Json) -> Json:
    made["resultType"] = "complete"
    return made


def _failed(turn: Turn, error: ConnectorError) -> ProtocolError:
    """A connector's failure where the protocol has no error result."""
    code = INVALID_PARAMS if isinstance(error, InvalidInput) else INTERNAL_ERROR
    said = f"{error.message} {error.hint}".strip()
    return ProtocolError(code, said, error.as_dict(turn.info.request_id))
