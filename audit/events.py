"""The value that every room hands to the audit: one thing that happened."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


def now_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


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
    call_id: str = field(default_factory=lambda: str(uuid.uuid4()))
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
