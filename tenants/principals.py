"""Who is calling: plain, frozen values that every room may pass around.

They hold no secret and no ORM object, so they can be logged, compared and kept in caches.
"""

import enum
from dataclasses import dataclass, field, replace
from typing import Self
from uuid import UUID


class Role(enum.StrEnum):
    """What a principal may do in its tenant; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """0 for a viewer up to 3 for an owner."""
        return _RANKS[self]

    @property
    def may_write(self) -> bool:
        """Whether tools that change something are within this role."""
        return self.rank >= 1

    @property
    def may_administer(self) -> bool:
        """Whether connections, members and keys are within this role."""
        return self.rank >= 2


_RANKS = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2, Role.OWNER: 3}


class PrincipalKind(enum.StrEnum):
    """A person in a tenant, or a program."""

    MEMBERSHIP = "membership"
    SERVICE_ACCOUNT = "service_account"


@dataclass(frozen=True, slots=True)
class TenantRef:
    """A tenant as the hot path knows it."""

    id: UUID
    slug: str
    name: str
    time_zone: str = "UTC"
    read_only: bool = False
    deferred_tools: bool = False
    sse_enabled: bool = True


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What an access key takes away from its principal: it only ever narrows.

    Patterns are ``connection:tool`` with ``*`` in either half. An empty ``allow`` means
    all that the role may use; ``deny`` always wins.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of its tools that a caller asked for, by a named endpoint, a query or a header: it only narrows.

    ``endpoint`` is the slug of a named endpoint ("" for the tenant's own). Each member of
    ``chosen`` is one list of connections (their slugs) and toolsets (``connection:toolset``);
    what is used has to be in every list.
    """

    endpoint: str = ""
    chosen: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes configuration, for the audit and for the rules of the services.

    ``id`` is the user's primary key (admin) or the principal's UUID (an access key, a
    token). What the actor may do is never taken from this value: services read it from the
    database inside their transaction. ``platform`` marks the platform itself, a command run
    by the operator: only :meth:`system` sets it, and it may do everything.
    """

    id: str
    name: str
    address: str = ""
    via: str = "admin"
    platform: bool = False

    @classmethod
    def system(cls, name: str) -> Self:
        """The operator's command, or a task of the platform, of this name."""
        return cls(id="", name=name, via="system", platform=True)


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What a client says of itself; for display and audit, never for a decision."""

    name: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal in one tenant: role ∩ key ∩ scopes.

    ``actor`` names the person behind a run-as ("try a tool"): the decision is then the
    intersection of both, and the audit has both.
    """

    tenant: TenantRef
    principal_id: UUID
    principal_kind: PrincipalKind
    principal_name: str
    role: Role
    rights: KeyRights = field(default_factory=KeyRights)
    key_id: str = ""
    address: str = ""
    client: ClientInfo = field(default_factory=ClientInfo)
    actor: "Caller | None" = None
    via: str = "mcp"  # mcp, api, admin, chat or task: the door this caller came through
    selection: Selection | None = None  # None for everything

    def using(self, client: ClientInfo) -> Self:
        """The same caller with its client's name and version."""
        return replace(self, client=client)

    @property
    def rights_key(self) -> tuple[object, ...]:
        """Equal for callers that may use exactly the same tools: the key of memoised lists."""
        own: tuple[object, ...] = (self.role, self.rights)
        if self.selection is not None:
            own = (*own, self.selection)
        return own if self.actor is None else (*own, *self.actor.rights_key)
