"""What tests of tokens share: connections to a token server, calls, and a look at what is stored."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from pydantic import SecretStr

from connectors.call_info import CallInfo
from connectors.models import Credential
from connectors.pipeline import call_tool
from connectors.services import tokens as rows
from connectors.services.tokens import Lease, token_lease, token_store
from connectors.upstream.token_values import Token, TokenPlace
from connectors.upstream.tokens import memory
from tests.factories import make_caller, make_connection, make_tenant
from tests.upstream.token_server import FIRST, SECRET

ENTRY = "rotating=tests.upstream.rotating:Rotating"
if ENTRY not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(ENTRY)


class Seat:
    """A tenant with one connection to a token server, and somebody who calls."""

    def __init__(self, server: Any, *, rotates: bool = True, client: str = "c1", **fields: Any) -> None:
        self.tenant = make_tenant()
        credential = {"client": client, **({"refresh": FIRST} if rotates else {"token": SECRET})}
        fields.setdefault("credential", credential)
        self.connection = make_connection(
            self.tenant, "rotating", settings={"url": server.url}, cache={"enabled": False}, **fields
        )
        self.caller = make_caller(self.tenant)

    async def get(self, caller: Any = None, info: CallInfo | None = None) -> Any:
        """The answer of a call, which must be good."""
        result = await self.call(caller, info)
        assert not result.is_error, result.content
        return result.structured

    async def call(self, caller: Any = None, info: CallInfo | None = None) -> Any:
        return await call_tool(caller or self.caller, "rotating_get", {}, info=info or CallInfo("r1"))

    async def fail(self, caller: Any = None) -> dict[str, Any]:
        """The error of a call, which must fail."""
        result = await self.call(caller)
        assert result.is_error, result.structured
        error: dict[str, Any] = json.loads(result.content[0].text)
        return error

    def row(self) -> Credential:
        """The stored token of this connection, which must be the only one."""
        return Credential.objects.for_tenant(self.tenant).get(kind="token")

    def rows(self) -> int:
        return Credential.objects.for_tenant(self.tenant).filter(kind="token").count()

    def place(self) -> TokenPlace:
        """Where the shared credential's tokens belong."""
        self.connection.refresh_from_db()
        own = Credential.objects.for_tenant(self.tenant).get(kind="settings", principal=None)
        identity = f"{own.pk.hex}-{own.version}"
        return TokenPlace(
            self.tenant.pk, self.connection.pk, self.connection.version, identity, None, stored=True
        )

    def age(self, *, left_s: float) -> None:
        """Make the stored token an hour old, with so many seconds left; no process remembers it."""
        place = self.place()
        found = rows.token_read(place)
        assert found is not None
        now = datetime.now(UTC)
        old = Token(
            found.token.value, now + timedelta(seconds=left_s), found.token.refresh, found.token.extra,
            now - timedelta(hours=1),
        )  # fmt: skip
        lease = token_lease(place, lambda _: False, 5)
        assert isinstance(lease, Lease) and token_store(place, lease, old)
        long_ago = timezone.now() - timedelta(hours=1)
        Credential.objects.for_tenant(self.tenant).filter(kind="token").update(updated_at=long_ago)
        memory.forget(self.connection.pk)


def brought(token: str) -> CallInfo:
    """A call with a token of the caller's own."""
    return CallInfo("r1", tokens={"rotating": SecretStr(token)})
