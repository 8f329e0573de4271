"""The value that every room hands to the audit: one thing that happened."""

import time
from dataclasses import dataclass, field
from random import getrandbits
from typing import Any
from uuid import UUID


def now_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def new_call_id() -> str:
    """A UUID of version 7 (RFC 9562): ordered by time, so that its index grows at one end.

    It names a call and guards nothing, so ordinary random bits do (no system call).
    """
    stamp = f"{time.time_ns() // 1_000_000:012x}"
    tail = f"{0x8000 | getrandbits(14):04x}-{getrandbits(48):012x}"
    return f"{stamp[:8]}-{stamp[8:]}-{0x7000 | getrandbits(12):04x}-{tail}"


# The outcome of a call that ended with questions to the person: nothing was executed yet.
ASKED = "asked"
# Of a write that was sent and then given up: the system may have been changed.
UNKNOWN = "unknown"
PLATFORM_CHAIN = "platform"


def chain_of(tenant: Any) -> str:
    """The name of a tenant's chain (an instance, its id, or None for the platform)."""
    key = getattr(tenant, "pk", tenant)
    return PLATFORM_CHAIN if key is None else UUID(str(key)).hex


@dataclass(slots=True)
class Event:
    """One event to be written; see :class:`audit.models.AuditEvent` for the fields.

    ``arguments`` is the value as it came in: the writer redacts, cuts and digests it.
    ``tenant_id`` None is an event of the platform. ``secret_paths`` names argument fields
    whose values are secret beyond the usual names (``"credentials.token"``).
    """

    tenant_id: UUID | None
    kind: str
    name: str = ""
    phase: str = "done"
    outcome: str = "ok"
    call_id: str = field(default_factory=new_call_id)
    at_us: int = field(default_factory=now_us)
    principal_id: str = ""
    principal_kind: str = ""
    principal_name: str = ""
    actor_id: str = ""
    actor_name: str = ""
    key_id: str = ""
    via: str = ""
    client_name: str = ""
    client_version: str = ""
    connection: str = ""
    arguments: Any = None
    secret_paths: tuple[str, ...] = ()
    error_type: str = ""
    message: str = ""
    duration_us: int = 0
    cache: str = ""
    upstream_status: int = 0
    request_id: str = ""
    trace_id: str = ""
    address: str = ""
    count: int = 1
