"""What a connector's method meets while it runs: its connection, its context, and what it hands out.

:mod:`connectors.base` gives these names to authors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from connectors.asking import Answer, Ask
from connectors.connection_settings import NETWORK_DEFAULTS, NetworkSettings


@dataclass(frozen=True, slots=True)
class ConnectionRef:
    """A tenant's configured connector as a plain value: identity for keys, locks and rows."""

    id: UUID
    tenant_id: UUID
    slug: str
    name: str
    is_primary: bool
    version: int
    time_zone: str = "UTC"
    connector: str = ""
    network: NetworkSettings = NETWORK_DEFAULTS


class Context(Protocol):
    """What a tool, resource or prompt method gets besides its arguments."""

    caller: Any  # a tenants.principals.Caller; providers read principal_id and principal_name
    connection: ConnectionRef
    request_id: str
    deadline: float  # of time.monotonic()
    sent: bool  # whether a request went to the system; its client says so

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell how far the work is; costs nothing where nobody listens."""
        ...

    async def log(self, level: str, message: str) -> None:
        """Send a log line to the client, where it asked for that level."""
        ...

    def check_cancelled(self) -> None:
        """Raise ``asyncio.CancelledError`` when the client gave up (for long loops in threads)."""
        ...

    @property
    def state(self) -> Any:
        """What an earlier round of this call kept with ``ask(..., state=...)``; None at first."""
        ...

    async def elicit(self, message: str, schema: dict[str, Any], *, key: str = "answer") -> Answer:
        """Ask the person behind the client, with a form of the schema's properties.

        Ask before you change anything: in revision 2026-07-28 the method is run again from
        its start once the person has answered. Raises NotPermitted or CapabilityMissing
        (which you let pass) where the client cannot ask.
        """
        ...

    async def ask(self, requests: Mapping[str, Ask], *, state: Any = None) -> dict[str, dict[str, Any]]:
        """Put several questions at once; the client's raw results by key.

        Answers of earlier rounds stay known. What this client cannot be asked is missing
        from the result; where it can be asked none of it, raises as :meth:`elicit` does.
        ``state`` is a JSON value for the next round of this call, under 8 KB.
        """
        ...

    def trace_headers(self) -> Mapping[str, str]:
        """``traceparent`` (and ``tracestate``) for the requests that this call sends to its system.

        They continue the caller's trace (W3C Trace Context) below a span of this call's own,
        so that the system's records and Portico's can be put together. Without a trace of the
        caller's a new one begins. They name no tenant and no person; a shared client adds them
        to each request, never to its defaults.
        """
        ...

    @property
    def identity(self) -> str:
        """Whose credential serves this call, as a short text without a secret in it.

        Equal for calls that the system cannot tell apart: what is kept for one of them (a
        cached result, a breaker's state, a pause) holds for the others, and for nobody else.
        """
        ...

    def remember(self, tool: str, arguments: Mapping[str, Any], value: Any) -> None:
        """Have what a writing tool got back answer the next call of a reading tool.

        ``value`` is what the method of ``tool`` would return for ``arguments`` now. It is kept
        after this call has succeeded, for as long as that tool's results are.
        """
        ...

    async def credential(self) -> dict[str, Any]:
        """The credential for this call, or an empty dict where there is none.

        It may be made of a token that the caller brought for this request alone
        (:meth:`Connector.token_credential`): never keep it beyond the call.
        """
        ...

    async def save_file(self, name: str, mime_type: str, data: bytes) -> "SavedFile":
        """Keep a file that the tool made, for 24 hours, readable by this tenant alone."""
        ...


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A stored file: its resource URI, its download URL (needs the access key), its size."""

    uri: str
    url: str
    name: str
    mime_type: str
    size: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What "test connection" found."""

    ok: bool
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
