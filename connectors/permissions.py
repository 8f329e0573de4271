"""May this caller use this tool, and why (not): the one function that filters lists and decides calls.

Rules only narrow, so the strictest wins and their order does not matter for the verdict;
it is the order in which a person wants to read them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings

from tenants.patterns import matches
from tenants.principals import Caller, Role, Selection, TenantRef


@dataclass(frozen=True, slots=True)
class RoleRule:
    """A role's patterns in a tenant; see :class:`connectors.models.ToolPermission`."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    confirm: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectionRules:
    """What the settings of one connection say of its tools."""

    slug: str
    enabled: bool = True
    read_only: bool = False
    toolsets: Mapping[str, bool] = field(default_factory=dict)
    tools: Mapping[str, bool] = field(default_factory=dict)
    seen_tools: frozenset[str] = frozenset()
    # Tools that the connection's credential may not use, with the right each lacks ("" if unknown).
    lacking: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """What a named endpoint offers; ``toolsets`` and ``include`` both empty means everything.

    ``toolsets`` holds slugs of connections and ``connection:toolset``, ``include`` patterns
    ``connection:tool``; being in one of them is enough.
    """

    slug: str
    name: str = ""
    enabled: bool = True
    toolsets: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    read_only: bool = False
    deferred: bool = False


CREDENTIAL = "credential"  # the rule that hides what a connection's credential may not use
NO_ENDPOINTS: Mapping[str, EndpointRules] = {}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be used: a tool, or a resource or prompt (which only ever read)."""

    name: str
    writes: bool = False
    toolset: str = ""
    default_on: bool = True
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One rule's verdict, in a sentence that a person can act on."""

    rule: str
    allowed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict with every rule that was asked.

    ``confirm``: where it is allowed, the person behind the client must agree to each call.
    """

    allowed: bool
    steps: tuple[Step, ...]
    confirm: bool = False

    @property
    def reason(self) -> str:
        """The first refusing rule's sentence, or the sentence of the grant."""
        return next((step.text for step in self.steps if not step.allowed), "Allowed by every rule.")

    @property
    def credential_lacks(self) -> bool:
        """Whether nothing forbids it but that the connection's credential lacks a right for it."""
        return not self.allowed and all(step.allowed or step.rule == CREDENTIAL for step in self.steps)


def decide(
    caller: Caller,
    connection: ConnectionRules,
    subject: Subject,
    *,
    tenant: TenantRef,
    role_rules: Mapping[Role, RoleRule],
    endpoints: Mapping[str, EndpointRules] = NO_ENDPOINTS,
) -> Decision:
    """Decide for ``caller``, and for its actor where it is a run-as: both must be allowed."""
    steps = list(_ground_rules(connection, subject, tenant))
    steps += _caller_rules(caller, connection, subject, role_rules)
    if caller.selection is not None:
        steps += _selection_rules(caller.selection, connection, subject, endpoints)
    actor = caller.actor
    while actor is not None:  # a run-as started by a run-as: everybody in the row must be allowed
        steps += [
            Step(f"actor's {step.rule}", step.allowed, f"{actor.principal_name}: {step.text}")
            for step in _caller_rules(actor, connection, subject, role_rules)
        ]
        actor = actor.actor
    asking = list(_confirm_steps(caller, connection, subject, role_rules))
    return Decision(all(step.allowed for step in steps), (*steps, *asking), bool(asking))


def _confirm_steps(
    caller: Caller, connection: ConnectionRules, subject: Subject, role_rules: Mapping[Role, RoleRule]
) -> Iterator[Step]:
    """Why the person behind the client must agree to each call, where they must."""
    if subject.confirm:
        yield Step("tool confirm", True, f"{subject.name} asks the person to confirm each call.")
    row: Caller | None = caller
    while row is not None:
        rule = role_rules.get(row.role)
        for pattern in rule.confirm if rule else ():
            if matches(pattern, connection.slug, subject.name):
                text = f"The role {row.role.value} has to confirm each call of {pattern}."
                yield Step(f"role {row.role.value} confirm", True, text)
                break
        row = row.actor


def _ground_rules(connection: ConnectionRules, subject: Subject, tenant: TenantRef) -> Iterator[Step]:
    """The rules that hold for every caller of the tenant."""
    if subject.writes:
        yield Step(
            "platform read-only",
            not settings.PORTICO_READ_ONLY,
            "The whole platform is read-only (PORTICO_READ_ONLY)."
            if settings.PORTICO_READ_ONLY
            else "The platform allows writing.",
        )
        yield Step(
            "tenant read-only",
            not tenant.read_only,
            f"The tenant {tenant.slug} is read-only." if tenant.read_only else "The tenant allows writing.",
        )
        yield Step(
            "connection read-only",
            not connection.read_only,
            f"The connection {connection.slug} is read-only."
            if connection.read_only
            else f"The connection {connection.slug} allows writing.",
        )
    yield Step(
        "connection enabled",
        connection.enabled,
        f"The connection {connection.slug} is {'enabled' if connection.enabled else 'disabled'}.",
    )
    yield switch_step(connection, subject)
    if subject.toolset and subject.name in connection.lacking:
        what = connection.lacking[subject.name]
        text = f"The credential of {connection.slug} lacks {what or 'a right'}, as the connection's last test found."
        yield Step(CREDENTIAL, False, text)


def switch_step(connection: ConnectionRules, subject: Subject) -> Step:
    """Whether the connection's switches leave a tool on: its own, its toolset's, else its default."""
    own = connection.tools.get(subject.name)
    if own is not None:
        return Step("tool switch", own, f"{subject.name} is switched {'on' if own else 'off'}.")
    toolset = connection.toolsets.get(subject.toolset)
    if toolset is not None:
        return Step(
            "toolset switch",
            toolset,
            f"The toolset {subject.toolset} is switched {'on' if toolset else 'off'}.",
        )
    if subject.writes and connection.seen_tools and subject.name not in connection.seen_tools:
        return Step(
            "new tool",
            False,
            f"{subject.name} came with an update and writes: it stays off until an admin switches it on.",
        )
    return Step(
        "default",
        subject.default_on,
        f"{subject.name} is {'on' if subject.default_on else 'off'} by default.",
    )


def _caller_rules(
    caller: Caller, connection: ConnectionRules, subject: Subject, role_rules: Mapping[Role, RoleRule]
) -> list[Step]:
    """What the caller's role and key say."""
    role_may = caller.role.may_write or not subject.writes
    steps = [
        Step(
            "role",
            role_may,
            f"The role {caller.role.value} {'may' if role_may else 'may not'} use tools that "
            f"{'write' if subject.writes else 'read'}.",
        )
    ]
    rule = role_rules.get(caller.role)
    if rule is not None:
        steps += _pattern_rules(
            f"role {caller.role.value}", rule.allow, rule.deny, connection.slug, subject.name
        )
    if caller.key_id:
        if caller.rights.read_only and subject.writes:
            steps.append(Step("key read-only", False, "The access key is read-only."))
        steps += _pattern_rules(
            "access key", caller.rights.allow, caller.rights.deny, connection.slug, subject.name
        )
    return steps


def _selection_rules(
    selection: Selection,
    connection: ConnectionRules,
    subject: Subject,
    endpoints: Mapping[str, EndpointRules],
) -> Iterator[Step]:
    """What the address that the caller uses leaves of it."""
    what = f"{connection.slug}:{subject.name}"
    for names in selection.chosen:
        hit = _in_toolsets(names, connection, subject)
        text = f"The request's toolsets ({', '.join(names)}) have {'' if hit else 'not '}{what}."
        yield Step("request toolsets", hit, text)
    if not selection.endpoint:
        return
    rules = endpoints.get(selection.endpoint)
    if rules is None or not rules.enabled:
        yield Step("endpoint", False, f"There is no endpoint {selection.endpoint} that is switched on.")
        return
    if rules.toolsets or rules.include:
        hit = _in_toolsets(rules.toolsets, connection, subject) or any(
            matches(pattern, connection.slug, subject.name) for pattern in rules.include
        )
        text = f"The endpoint {rules.slug} {'has' if hit else 'does not have'} {what}."
        yield Step("endpoint", hit, text)
    if rules.read_only and subject.writes:
        yield Step("endpoint read-only", False, f"The endpoint {rules.slug} is read-only.")


def _in_toolsets(names: Sequence[str], connection: ConnectionRules, subject: Subject) -> bool:
    """Whether the connection is named, or its toolset that this belongs to."""
    return connection.slug in names or (
        bool(subject.toolset) and f"{connection.slug}:{subject.toolset}" in names
    )


def _pattern_rules(
    owner: str, allow: Sequence[str], deny: Sequence[str], connection: str, name: str
) -> Iterator[Step]:
    for pattern in deny:
        if matches(pattern, connection, name):
            yield Step(f"{owner} deny", False, f"The {owner} denies {pattern}.")
            return
    if not allow:
        return
    hit = next((pattern for pattern in allow if matches(pattern, connection, name)), None)
    yield Step(
        f"{owner} allow",
        hit is not None,
        f"The {owner} allows {hit}."
        if hit
        else f"No pattern that the {owner} allows matches {connection}:{name}.",
    )
