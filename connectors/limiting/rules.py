"""Which limits apply to a tool, compiled once into the tenant's snapshot.

What is unlimited has None here, so that a call of it costs one look at an attribute.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from common.redis import tenant_key
from connectors.calling import ConnectionRef
from connectors.limiting.calendar import Month, month_of
from connectors.models import UsageLimit
from connectors.specs import ToolSpec
from tenants.principals import Caller

Scope = Literal["caller", "tenant", "key", "connection", "tool"]
ROOM: Final = "limit"
PERIODS_MS: Final[Mapping[str, int]] = {
    "second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "month": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``calls`` in a moving window of ``period_ms``, or in a calendar month where that is 0."""

    key: str  # of Redis; a caller's id or the month is added where one is needed
    scope: Scope
    calls: int
    period: str  # second ... month, or "5/300s" of a tool's own limit
    period_ms: int
    connection: str = ""  # by slug, where it limits one
    tool: str = ""
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """What one call owes to one rule: ``cost`` on ``key``; ``ends`` is when a month is over (Unix time)."""

    rule: Rule
    key: str
    cost: int
    month: Month | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """All that limits one tool, or the readings of one connection."""

    tenant_id: UUID
    time_zone: str
    always: tuple[Rule, ...]
    by_key: Mapping[str, tuple[Rule, ...]]
    weight: int
    interval_ms: int
    interval_key: str
    connection: str

    def dues(self, caller: Caller, now: float | None = None) -> list[Due]:
        """What a call of this caller owes; ``now`` (Unix time) decides the month."""
        rules: Sequence[Rule] = self.always
        if self.by_key and caller.key_id in self.by_key:
            rules = (*rules, *self.by_key[caller.key_id])
        return [due_of(rule, self, caller.principal_id, now) for rule in rules]


def due_of(rule: Rule, limits: Limits, principal_id: UUID, now: float | None) -> Due:
    """One rule's part of a call."""
    if rule.scope == "caller":
        return Due(rule, f"{rule.key}:{principal_id.hex}", 1)
    if rule.period_ms:
        return Due(rule, rule.key, 1)
    month = month_of(limits.time_zone, now)
    return Due(rule, f"{rule.key}:{month.label}", limits.weight, month)


def rule_of(row: UsageLimit, slugs: Mapping[UUID, str]) -> Rule:
    """A row as a rule; ``slugs`` are the tenant's connections'."""
    slug = slugs.get(row.connection_id, "") if row.connection_id else ""
    scope: Scope = "key" if row.key_id else "tool" if row.tool else "connection" if slug else "tenant"
    return Rule(
        key=tenant_key(row.tenant_id, ROOM, row.pk.hex, row.period),
        scope=scope,
        calls=row.calls,
        period=row.period,
        period_ms=PERIODS_MS[row.period],
        connection=slug,
        tool=row.tool,
        key_id=row.key_id or "",
    )


class Compiler:
    """A tenant's rows, cut up by what they limit."""

    def __init__(
        self, tenant_id: UUID, time_zone: str, rows: Iterable[UsageLimit], slugs: Mapping[UUID, str]
    ) -> None:
        self.tenant_id = tenant_id
        self.time_zone = time_zone
        self.rules = [rule_of(row, slugs) for row in rows if row.enabled]

    def of_tool(self, ref: ConnectionRef, spec: ToolSpec) -> Limits | None:
        """What limits a tool, with the limit that its author gave it; None for nothing."""
        own = []
        if limit := spec.limit:
            key = tenant_key(ref.tenant_id, ROOM, "caller", ref.id.hex, spec.name, limit.seconds)
            said = f"{limit.calls}/{limit.seconds}s"
            own = [Rule(key, "caller", limit.calls, said, limit.seconds * 1_000, ref.slug, spec.name)]
        return self._limits(ref, own, spec.name, spec.weight)

    def of_connection(self, ref: ConnectionRef) -> Limits | None:
        """What limits a connection's resources and prompts; None for nothing."""
        return self._limits(ref, [], "", 1)

    def _limits(self, ref: ConnectionRef, own: list[Rule], tool: str, weight: int) -> Limits | None:
        interval = ref.network.min_interval_ms
        if not (own or self.rules or interval):
            return None
        always, by_key = own, dict[str, tuple[Rule, ...]]()
        for rule in self.rules:
            if rule.connection not in ("", ref.slug) or rule.tool not in ("", tool):
                continue
            if rule.key_id:
                by_key[rule.key_id] = (*by_key.get(rule.key_id, ()), rule)
            else:
                always.append(rule)
        if not (always or by_key or interval):
            return None
        return Limits(
            tenant_id=self.tenant_id,
            time_zone=self.time_zone,
            always=tuple(always),
            by_key=by_key,
            weight=weight,
            interval_ms=interval,
            interval_key=tenant_key(ref.tenant_id, ROOM, "interval", ref.id.hex),
            connection=ref.slug,
        )
