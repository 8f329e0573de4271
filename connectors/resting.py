"""Which calls of a connection rest, since its system keeps failing or its vendor asks for it; for people."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from connectors.models import Connection
from connectors.upstream.breaker import Opened, opened_of
from connectors.upstream.pauses import paused_of
from connectors.upstream.quota import VENDOR_LIMIT
from tenants.models import Principal

Whose = Literal["shared", "personal", "token", "none"]


@dataclass(frozen=True, slots=True)
class Resting:
    """An open breaker or a vendor's pause: whose credential's, why, and for how many seconds yet.

    ``whose`` is the kind of credential, ``name`` the principal's where it is personal.
    With no seconds left the next call tries the system.
    """

    whose: Whose
    name: str
    reason: str
    seconds: float


def resting_of(connection: Connection) -> list[Resting]:
    """A connection's open breakers and pauses, the longest first; none where Redis is away.

    A pause's ``reason`` is vendor_limit.
    """
    place = connection.tenant_id, connection.pk
    pauses = [Opened(each.credential, VENDOR_LIMIT, each.seconds) for each in paused_of(*place)]
    opened = [*opened_of(*place), *pauses]
    if not opened:
        return []
    kinds = [(_whose(each.credential), each) for each in opened]
    ids = [_principal_id(each) for whose, each in kinds if whose == "personal"]
    rows = Principal.objects.for_tenant(connection.tenant_id).filter(pk__in=[pk for pk in ids if pk])
    names = {row.pk: row.display_name for row in rows.select_related("user")}
    found = [
        Resting(whose, names.get(pk, "") if (pk := _principal_id(each)) else "", each.reason, each.seconds)
        for whose, each in kinds
    ]
    return sorted(found, key=lambda each: -each.seconds)


def _whose(identity: str) -> Whose:
    """The kind of a :attr:`connectors.context.CallContext.identity`."""
    if not identity:
        return "none"
    kind = identity.partition("-")[0]
    return "token" if kind == "token" else "personal" if kind == "of" else "shared"


def _principal_id(opened: Opened) -> UUID | None:
    kind, _, rest = opened.credential.partition("-")
    try:
        return UUID(rest[:32]) if kind == "of" else None
    except ValueError:
        return None
