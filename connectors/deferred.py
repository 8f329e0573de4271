"""Deferred mode: two tools stand for all, one that searches the caller's tools and one that calls them.

They belong to no connection of a tenant. The search knows the tools of one catalogue, so it
finds what its caller may use and nothing else. Calling is no second way: the pipeline opens
the wrapping (:func:`opened`) and goes on with the tool inside, under its own name.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from connectors.base import ConnectionRef, Connector, Context, NoSettings, tool
from connectors.errors import InvalidInput
from connectors.permissions import ConnectionRules
from connectors.search import index_of
from connectors.snapshot import ConnectionView, TenantKey, ToolEntry, validator_of
from tenants.principals import TenantRef

SEARCH: Final = "platform_search_tools"
CALL: Final = "platform_call_tool"
NOT_A_CONNECTION: Final = ""  # the slug of what is no tenant's connection
MAX_FOUND: Final = 20
MAX_NAME: Final = 128  # characters of a tool's name
INSTRUCTIONS: Final = (
    f"Most tools are not listed: find them with {SEARCH}, then call them with {CALL}. They belong to:"
)


class PlatformTools(Connector):
    """The two tools of the deferred mode, over the tools of one catalogue."""

    slug = "platform"
    title = "Portico"
    description = "Finds and calls the tools that are not listed."
    built_in = True

    def __init__(self, connection: ConnectionRef, tools: Sequence[ToolEntry], digest: str) -> None:
        super().__init__(connection, NoSettings())
        self._by_name = {entry.name: entry for entry in tools}
        self._digest = digest

    @tool(title="Search tools", hint="R")
    async def platform_search_tools(
        self,
        ctx: Context,
        query: Annotated[
            str,
            Field(
                min_length=1,
                max_length=500,
                description="What you want to do, in a few words: the action, the thing and the system.",
            ),
        ],
        limit: Annotated[int, Field(ge=1, le=MAX_FOUND, description="How many tools at most.")] = 5,
    ) -> dict[str, Any]:
        """Find tools by what they do. Each result has the name and the input schema that platform_call_tool needs.

        Search before you conclude that something cannot be done.
        """
        found = await asyncio.to_thread(self._search, query, limit)
        answer: dict[str, Any] = {
            "tools": [_shown(self._by_name[name]) for name in found],
            "total": len(self._by_name),
        }
        if not found:
            answer["hint"] = "Nothing matches. Try other words; these systems are connected."
            answer["systems"] = sorted({e.connection.ref.name for e in self._by_name.values()})
        return answer

    def _search(self, query: str, limit: int) -> list[str]:
        return index_of(self._digest, tuple(self._by_name.values())).search(query, limit)

    @tool(title="Call a tool", hint="D", open_world=True)
    async def platform_call_tool(
        self,
        ctx: Context,
        name: Annotated[
            str,
            Field(
                min_length=1,
                max_length=MAX_NAME,
                description="The tool's name as platform_search_tools gave it.",
            ),
        ],
        arguments: Annotated[
            dict[str, Any] | None, Field(description="The arguments, by the tool's own input schema.")
        ] = None,
    ) -> dict[str, Any]:
        """Call a tool that platform_search_tools found. It answers exactly as the tool itself does."""
        # Only what has nothing sound inside comes here: the pipeline opened everything else.
        raise InvalidInput(
            f"{CALL} cannot call itself.", code="invalid_arguments", hint=f"Find a tool with {SEARCH}."
        )


def _shown(entry: ToolEntry) -> dict[str, Any]:
    spec = entry.spec
    return {
        "name": entry.name,
        "title": spec.title,
        "description": spec.description,
        "connection": entry.connection.ref.name,
        "read_only": spec.hints.read_only,
        "destructive": spec.hints.destructive,
        "input_schema": spec.input_schema,
    }


def entries(tenant: TenantRef, tools: Sequence[ToolEntry], digest: str) -> tuple[ToolEntry, ...]:
    """The two tools over these ones, as a catalogue lists them."""
    ref = ConnectionRef(
        UUID(int=0), tenant.id, NOT_A_CONNECTION, PlatformTools.title, is_primary=True, version=1,
        time_zone=tenant.time_zone,
    )  # fmt: skip
    connector = PlatformTools(ref, tools, digest)
    view = ConnectionView(
        ref=ref,
        connector=connector,
        connector_slug=PlatformTools.slug,
        rules=ConnectionRules(NOT_A_CONNECTION),
        credential_mode="none",
        credential=None,
        key=TenantKey(tenant.id, b""),
    )
    return tuple(
        ToolEntry(spec.name, spec, view, getattr(connector, spec.method), validator_of(view, spec))
        for spec in sorted(PlatformTools.tools.values(), key=lambda spec: spec.name)
    )


def opened(
    callable_tools: Mapping[str, ToolEntry], name: str, arguments: Any
) -> tuple[str, dict[str, Any]] | None:
    """The tool's name and the arguments inside a call of :data:`CALL`; None where there is nothing to open.

    Whether there is such a tool for this caller is still to be asked.
    """
    wrapper = callable_tools.get(CALL) if name == CALL else None
    if wrapper is None or not isinstance(wrapper.connection.connector, PlatformTools):
        return None
    if not isinstance(arguments, dict) or not arguments.keys() <= {"name", "arguments"}:
        return None
    inner, given = arguments.get("name"), arguments.get("arguments")
    if not isinstance(inner, str) or not 0 < len(inner) <= MAX_NAME or inner == CALL:
        return None
    return (inner, given or {}) if isinstance(given, dict | None) else None


def not_found(name: str) -> InvalidInput:
    """The error of a call of a tool that the caller does not have; a model can go on from it."""
    return InvalidInput(
        f"There is no tool {name} for this key.",
        code="unknown_tool",
        hint=f"Find tools with {SEARCH}, and take the name from there.",
    )
