"""A small real Context for calling a connector's methods directly in tests.

It records what a tool sends to its client (``progressed``, ``logged``) and keeps saved files
in memory (``files``), so that a test can open them.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.asking import Answer, Ask
from connectors.base import ConnectionRef, SavedFile
from connectors.errors import NotPermitted
from connectors.models import Connection
from tenants.principals import Caller, PrincipalKind, Role, TenantRef


def ref_of(connection: Connection) -> ConnectionRef:
    """A connection's row as the plain value that connectors get."""
    return ConnectionRef(
        id=connection.pk,
        tenant_id=connection.tenant_id,
        slug=connection.slug,
        name=connection.name,
        is_primary=connection.is_primary,
        version=connection.version,
        time_zone=connection.tenant.time_zone,
    )


@dataclass
class FakeContext:
    """What a tool gets besides its arguments; ``FakeContext(connection_row)`` is enough."""

    row: Connection
    principal_name: str = "tester"
    principal_id: uuid.UUID = field(default_factory=uuid.uuid4)
    role: Role = Role.OPERATOR
    timeout: float = 60.0
    secret: dict[str, Any] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)  # what the person replies to elicit()
    cancelled: bool = False
    request_id: str = "test-request"
    progressed: list[tuple[float, float | None, str]] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)  # by uri

    def __post_init__(self) -> None:
        tenant = self.row.tenant
        self.connection = ref_of(self.row)
        self.deadline = time.monotonic() + self.timeout
        self.caller = Caller(
            tenant=TenantRef(tenant.pk, tenant.slug, tenant.name, tenant.time_zone, tenant.read_only),
            principal_id=self.principal_id,
            principal_kind=PrincipalKind.SERVICE_ACCOUNT,
            principal_name=self.principal_name,
            role=self.role,
        )

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        self.progressed.append((done, total, message))

    async def log(self, level: str, message: str) -> None:
        self.logged.append((level, message))

    def check_cancelled(self) -> None:
        if self.cancelled:
            raise asyncio.CancelledError

    @property
    def state(self) -> Any:
        return None

    async def elicit(self, message: str, schema: dict[str, Any], *, key: str = "answer") -> Answer:
        self.asked.append((message, schema))
        if not self.answers:
            raise NotPermitted("The client cannot ask its user.")
        return Answer("accept", self.answers.pop(0))

    async def ask(self, requests: Mapping[str, Ask], *, state: Any = None) -> dict[str, dict[str, Any]]:
        if not self.answers:
            raise NotPermitted("The client cannot ask its user.")
        return {key: self.answers.pop(0) for key in requests}

    def trace_headers(self) -> Mapping[str, str]:
        return {}

    async def credential(self) -> dict[str, Any]:
        return dict(self.secret)

    async def save_file(self, name: str, mime_type: str, data: bytes) -> SavedFile:
        uri = f"portico://files/{uuid.uuid4()}"
        self.files[uri] = data
        return SavedFile(
            uri=uri,
            url=f"http://portico.test/t/{self.caller.tenant.slug}/files/{uri.rsplit('/', 1)[1]}",
            name=name,
            mime_type=mime_type,
            size=len(data),
            expires_at=datetime.now(UTC) + timedelta(hours=24),
        )
