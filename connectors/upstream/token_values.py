"""Tokens that systems give out for a while, and who knows how to get one: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, Self
from uuid import UUID

from pydantic import SecretStr

from connectors.calling import Context

AHEAD: Final = timedelta(seconds=300)  # renewed so long before its end, at most
SHARE: Final = 10  # and at most the last tenth of a short life


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Token:
    """What a system accepts for a while in place of a credential.

    ``expires_at`` is None where the system does not say: it is then used until it is refused.
    ``refresh`` gets the next one, where the system works that way. ``extra`` is what else came
    with it and is no secret: an instance's URL, a site's id.
    """

    value: SecretStr
    expires_at: datetime | None = None
    refresh: SecretStr | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    made_at: datetime = field(default_factory=_now)

    @classmethod
    def of(
        cls,
        value: str,
        *,
        lives_s: float | None = None,
        refresh: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Self:
        """A token that was given out just now and lives for so many seconds (None: nobody knows)."""
        now = _now()
        return cls(
            SecretStr(value),
            None if lives_s is None else now + timedelta(seconds=lives_s),
            SecretStr(refresh) if refresh else None,
            dict(extra or {}),
            now,
        )

    def is_valid(self, now: datetime) -> bool:
        """Whether the system should still accept it."""
        return self.expires_at is None or now < self.expires_at

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to renew it: five minutes before its end, later where it lives shortly."""
        if self.expires_at is None:
            return False
        return now >= self.expires_at - min(AHEAD, (self.expires_at - self.made_at) / SHARE)

    def same(self, other: "Token | None") -> bool:
        """Whether the system cannot tell the two apart."""
        return other is not None and self.value.get_secret_value() == other.value.get_secret_value()

    def secrets(self) -> tuple[str, ...]:
        """What of it must not be told."""
        own = [self.value] if self.refresh is None else [self.value, self.refresh]
        return tuple(secret.get_secret_value() for secret in own)


class TokenSource(Protocol):
    """What a connector writes to get tokens."""

    async def fetch(self, ctx: Context, credential: Mapping[str, Any], former: Token | None) -> Token:
        """A new token: minted from the credential, or in exchange for ``former.refresh``.

        ``former`` is the last token that was stored, also where it has expired. One request,
        through the connection's client: once a system has exchanged a refresh token, every
        further step that can fail may lose the new one. ``ctx`` has a deadline of its own.
        Raises AuthenticationFailed where the system does not accept the credential any more.
        """
        ...


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where the tokens of a call's credential belong.

    ``identity`` is :attr:`Context.identity`. ``stored`` is False for a credential that the
    caller brought and for none at all: their tokens stay in this process's memory.
    """

    tenant_id: UUID
    connection_id: UUID
    connection_version: int
    identity: str
    principal_id: UUID | None
    stored: bool
