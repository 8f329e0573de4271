"""What one caller may use of a tenant's snapshot: the lists it sees and the tools it may call."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from connectors import deferred
from connectors.base import PromptSpec, ResourceSpec
from connectors.permissions import Decision, Subject, decide
from connectors.snapshot import ConnectionView, TenantSnapshot, ToolEntry
from tenants.principals import Caller

MAX_CATALOGUES = 256


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The permitted part of a snapshot, in the order of the lists (by exposed name).

    ``tools`` are those that can be called by name; ``listed`` are what ``tools/list`` shows,
    which in deferred mode are the two of :mod:`connectors.deferred`.
    ``digest`` changes whenever a list may have changed, so it keys cached list answers;
    ``lists`` holds one of each list, of the tools, prompts and resources, for whoever is to be
    told which one changed.
    """

    tools: tuple[ToolEntry, ...]
    listed: tuple[ToolEntry, ...]
    callable_tools: Mapping[str, ToolEntry]
    prompts: Mapping[str, tuple[ConnectionView, PromptSpec]]
    resources: tuple[tuple[ConnectionView, ResourceSpec], ...]
    instructions: str
    digest: str
    lists: tuple[str, str, str]
    confirm: frozenset[str]  # exposed names of the tools that the person must agree to

    def find(self, name: str) -> ToolEntry | None:
        """The tool with this exposed name or alias, if the caller may use it."""
        return self.callable_tools.get(name)

    @property
    def templates(self) -> tuple[tuple[ConnectionView, ResourceSpec], ...]:
        """The permitted resource templates."""
        return tuple(pair for pair in self.resources if pair[1].variables)


def explain(
    snapshot: TenantSnapshot, caller: Caller, connection: ConnectionView, subject: Subject
) -> Decision:
    """The decision with all its steps, for "why may or may not this caller use it"."""
    return decide(
        caller,
        connection.rules,
        subject,
        tenant=snapshot.tenant,
        role_rules=snapshot.role_rules,
        endpoints=snapshot.endpoints,
    )


def tool_subject(entry: ToolEntry) -> Subject:
    """A tool as the decision function knows it."""
    spec = entry.spec
    return Subject(spec.name, spec.writes, spec.toolset, spec.default_on, spec.confirm)


def catalogue_of(snapshot: TenantSnapshot, caller: Caller) -> Catalogue:
    """What the caller may use; compiled once for all callers with the same rights."""
    key = caller.rights_key
    found: Catalogue | None = snapshot.catalogues.get(key)
    if found is None:
        found = snapshot.catalogues[key] = _compiled(snapshot, caller)
        if len(snapshot.catalogues) > MAX_CATALOGUES:
            snapshot.catalogues.popitem(last=False)
    return found


def _compiled(snapshot: TenantSnapshot, caller: Caller) -> Catalogue:
    """Ask the decision function about everything in the snapshot."""
    decisions = (
        (entry, explain(snapshot, caller, entry.connection, tool_subject(entry)))
        for entry in snapshot.tools.values()
    )
    allowed = [(entry, decision.confirm) for entry, decision in decisions if decision.allowed]
    tools = tuple(entry for entry, _ in allowed)
    permitted = {id(entry) for entry in tools}
    by_alias = {name: entry for name, entry in snapshot.aliases.items() if id(entry) in permitted}
    prompts = {
        name: (view, spec)
        for name, (view, spec) in snapshot.prompts.items()
        if explain(snapshot, caller, view, Subject(spec.name)).allowed
    }
    resources = tuple(
        (view, spec)
        for view, spec in snapshot.resources
        if explain(snapshot, caller, view, Subject(spec.name)).allowed
    )
    searched = is_deferred(snapshot, caller)
    instructions = _instructions(tools)
    if searched:
        instructions = f"{deferred.INSTRUCTIONS}\n{instructions}"
    digest = _digest(snapshot, tools, prompts, resources, instructions)
    listed = deferred.entries(snapshot.tenant, tools, digest) if searched else tools
    return Catalogue(
        tools=tools,
        listed=listed,
        callable_tools={**by_alias, **{entry.name: entry for entry in (*tools, *listed)}},
        prompts=prompts,
        resources=resources,
        instructions=instructions,
        digest=digest,
        lists=_list_digests(listed, prompts, resources),
        confirm=frozenset(entry.name for entry, confirm in allowed if confirm),
    )


def is_deferred(snapshot: TenantSnapshot, caller: Caller) -> bool:
    """Whether tools are to be searched for instead of listed: a named endpoint says so for itself."""
    selection = caller.selection
    if selection is not None and selection.endpoint:
        rules = snapshot.endpoints.get(selection.endpoint)
        return rules is not None and rules.deferred
    return snapshot.tenant.deferred_tools


def _instructions(tools: tuple[ToolEntry, ...]) -> str:
    """How to use the connections together, from those that the caller can reach."""
    seen: dict[str, str] = {}
    for entry in tools:
        view = entry.connection
        if view.ref.slug not in seen:
            seen[view.ref.slug] = (
                f"{view.ref.name}: {view.connector.instructions or view.connector.description}"
            )
    return "\n".join(seen.values())


def _digest(
    snapshot: TenantSnapshot,
    tools: tuple[ToolEntry, ...],
    prompts: Mapping[str, tuple[ConnectionView, PromptSpec]],
    resources: tuple[tuple[ConnectionView, ResourceSpec], ...],
    instructions: str,
) -> str:
    parts = [snapshot.tenant.id.hex, instructions]
    parts += [f"t:{e.name}:{e.connection.connector_slug}:{e.connection.connector.version}" for e in tools]
    parts += [f"p:{name}" for name in prompts]
    parts += [f"r:{view.ref.slug}:{spec.uri}" for view, spec in resources]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _list_digests(
    tools: tuple[ToolEntry, ...],
    prompts: Mapping[str, tuple[ConnectionView, PromptSpec]],
    resources: tuple[tuple[ConnectionView, ResourceSpec], ...],
) -> tuple[str, str, str]:
    """One digest of each list, as clients see it: its names, and the connectors that describe them."""

    def of(view: ConnectionView, shown: str) -> str:
        return f"{shown}:{view.connector_slug}:{view.connector.version}"

    rows = (
        [of(entry.connection, entry.name) for entry in tools],
        [of(view, name) for name, (view, _) in prompts.items()],
        [of(view, view.exposed_uri(spec.uri)) for view, spec in resources],
    )
    tools_digest, prompts_digest, resources_digest = (
        hashlib.sha256("\n".join(part).encode()).hexdigest()[:32] for part in rows
    )
    return tools_digest, prompts_digest, resources_digest
