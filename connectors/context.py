"""What a running call is given: the implementation of :class:`connectors.base.Context`."""

import asyncio
import copy
import hmac
import json
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings

from common.db import in_db
from common.keyring import ring
from common.tracing import Trace, onward
from common.vault import decrypt
from connectors.artifacts import artifact_save
from connectors.asking import Answer, Ask, Elicit
from connectors.base import SavedFile
from connectors.channel import Channel
from connectors.connecting import have_connected
from connectors.errors import AuthenticationFailed
from connectors.models import Connection, Credential
from connectors.snapshot import ConnectionView, StoredCredential, TenantKey
from connectors.tokens import Tokens, discreet, header_of, token_for
from connectors.upstream.token_values import TokenPlace
from tenants.models import Tenant
from tenants.principals import Caller

T = TypeVar("T")
IDENTITY_PURPOSE = "identity"
CREDENTIAL_PURPOSE = "credential"


class CallContext:
    """One call's caller, connection, deadline and ways to speak; see :class:`connectors.base.Context`."""

    __slots__ = (
        "_call_id",
        "_channel",
        "_identity",
        "_onward",
        "_token",
        "_trace",
        "_view",
        "asked",
        "caller",
        "connection",
        "deadline",
        "remembered",
        "request_id",
        "sent",
    )

    def __init__(
        self,
        caller: Caller,
        view: ConnectionView,
        channel: Channel,
        request_id: str,
        deadline: float,
        *,
        trace: Trace | None = None,
        call_id: str = "",
        tokens: Tokens | None = None,
    ) -> None:
        self.caller = caller
        self.connection = view.ref
        self.request_id = request_id
        self.deadline = deadline
        self._channel = channel
        self._view = view
        self._trace = trace
        self._call_id = call_id
        self._onward: dict[str, str] | None = None
        self._identity: str | None = None
        self.asked = False  # whether the result may rest on what this caller's client was asked
        self.sent = False
        self.remembered: list[tuple[str, Mapping[str, Any], Any]] = []
        self._token = token_for(view, tokens) if tokens else None

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell how far the work is."""
        await self._channel.progress(done, total, message)

    async def log(self, level: str, message: str) -> None:
        """Send a log line to the client."""
        await self._channel.log(level, message)

    def check_cancelled(self) -> None:
        """Raise ``asyncio.CancelledError`` when the client gave up."""
        if self._channel.cancelled:
            raise asyncio.CancelledError

    @property
    def state(self) -> Any:
        """What an earlier round of this call kept."""
        kept = self._channel.kept()
        self.asked = self.asked or kept is not None
        return kept

    async def elicit(self, message: str, schema: dict[str, Any], *, key: str = "answer") -> Answer:
        """Ask the person behind the client."""
        self.asked = True
        return Answer.of((await self._channel.ask({key: Elicit(message, schema)}))[key])

    async def ask(self, requests: Mapping[str, Ask], *, state: Any = None) -> dict[str, dict[str, Any]]:
        """Put several questions at once."""
        self.asked = True
        return await self._channel.ask(requests, state)

    def trace_headers(self) -> Mapping[str, str]:
        """The headers that continue the caller's trace in the system."""
        if self._onward is None:
            self._onward = onward(self._trace, self._call_id).headers()
        return self._onward

    @property
    def identity(self) -> str:
        """Whose credential serves this call, without a secret in it."""
        if self._identity is None:
            self._identity = self._identified()
        return self._identity

    @property
    def brought(self) -> str:
        """Tells the token apart that the caller brought for this call; empty where it brought none."""
        return self.identity if self._token is not None else ""

    def _identified(self) -> str:
        if self._token is not None:
            return f"token-{fingerprint(self._token.get_secret_value())}"
        mode = self._view.credential_mode
        if mode == Connection.CredentialMode.SHARED:
            stored = self._view.credential
            return f"{stored.id.hex}-{stored.version}" if stored is not None else ""
        return "" if mode == Connection.CredentialMode.NONE else f"of-{self.caller.principal_id.hex}"

    def token_place(self) -> TokenPlace:
        """Where tokens that are got with this call's credential belong.

        Raises AuthenticationFailed where the credential is somebody else's.
        """
        mode = self._view.credential_mode
        personal = mode == Connection.CredentialMode.PRINCIPAL and self._token is None
        if personal:
            self._demand_own()
        return TokenPlace(
            self.connection.tenant_id,
            self.connection.id,
            self.connection.version,
            self.identity,
            self.caller.principal_id if personal else None,
            stored=self._token is None and mode != Connection.CredentialMode.NONE,
        )

    def for_tokens(self, deadline: float) -> "CallContext":
        """This call as it asks for a token: with a deadline, a breaker and pauses of its own.

        A caller that has little time must not end the exchange of a refresh token; and the call
        that may try whether the system is back must be able to get a token first.
        """
        own = copy.copy(self)
        own.deadline = deadline
        own._identity = f"{self.identity}.token"
        return own

    def _demand_own(self) -> None:
        if self.caller.actor is not None and self.caller.actor.principal_id != self.caller.principal_id:
            raise AuthenticationFailed(
                "A personal credential is never used on behalf of somebody else.", code="run_as_credential"
            )

    def remember(self, tool: str, arguments: Mapping[str, Any], value: Any) -> None:
        """Have what a writing tool got back answer the next call of a reading tool."""
        self.remembered.append((tool, arguments, value))

    async def credential(self) -> dict[str, Any]:
        """The credential for this call: the shared one, or the caller's own; never another person's.

        A token that the caller brought for this request stands before all others. Raises
        AuthenticationFailed where the connection needs one and has none.
        """
        if self._token is not None:
            return self._view.connector.token_credential(self._token.get_secret_value())
        mode = self._view.credential_mode
        if mode == Connection.CredentialMode.NONE:
            if self._view.token_names and self._view.connector.Credentials is not None:
                raise AuthenticationFailed(
                    f"The connection {self.connection.slug} has no credential of its own.",
                    code="token_required",
                    hint=f"Send the system's token with the request, in the header {header_of(self._view.ref.slug)}.",
                )
            return {}
        if mode == Connection.CredentialMode.SHARED:
            stored, key = self._view.credential, self._view.key
        else:
            self._demand_own()
            stored, key = await in_db(
                _personal_credential, self.connection.tenant_id, self.connection.id, self.caller.principal_id
            )
            if stored is None:
                await have_connected(self.caller, self.connection, self._channel)
        if stored is None:
            raise AuthenticationFailed(
                f"The connection {self.connection.slug} has no credential yet.",
                code="no_credential",
                hint="An admin adds it on the connection's page.",
            )
        return decrypted(key, stored)

    def discreet(self, work: Awaitable[T], what: str) -> Awaitable[T]:
        """The work of this call; where it has a caller's token, nothing that goes wrong tells it."""
        return work if self._token is None else discreet(work, self._token, what)

    async def save_file(self, name: str, mime_type: str, data: bytes) -> SavedFile:
        """Keep a file that the tool made; see :func:`connectors.artifacts.artifact_save`."""
        row = await in_db(
            artifact_save,
            tenant_id=self.connection.tenant_id,
            connection_id=self.connection.id,
            principal_id=self.caller.principal_id,
            name=name,
            mime_type=mime_type,
            data=data,
        )
        return SavedFile(
            uri=f"portico://files/{row.pk}",
            url=f"{settings.PORTICO_PUBLIC_URL}/t/{self.caller.tenant.slug}/files/{row.pk}",
            name=row.name,
            mime_type=row.mime_type,
            size=row.size,
            expires_at=row.expires_at,
        )


def fingerprint(secret: str) -> str:
    """A text that tells two secrets apart and nothing about them: keyed, so that nobody can try guesses."""
    keys = ring()
    digest = hmac.digest(keys.derive(keys.current, IDENTITY_PURPOSE), secret.encode(), "sha256")
    return digest.hex()[:32]


def _personal_credential(
    tenant_id: UUID, connection_id: UUID, principal_id: UUID
) -> tuple[StoredCredential | None, TenantKey]:
    """The principal's own credential with the data key of the same moment."""
    tenant = Tenant.objects.get(pk=tenant_id)
    row = Credential.objects.filter(
        tenant_id=tenant_id, connection_id=connection_id, principal_id=principal_id, kind="settings"
    ).first()
    stored = StoredCredential(row.pk, row.version, bytes(row.ciphertext)) if row else None
    return stored, TenantKey(tenant_id, bytes(tenant.wrapped_data_key))


def decrypted(key: TenantKey, stored: StoredCredential) -> dict[str, Any]:
    """A stored credential in the clear, for one call. Raises VaultError when it is damaged."""
    value: dict[str, Any] = json.loads(decrypt(key, stored.id, CREDENTIAL_PURPOSE, stored.ciphertext))
    return value
