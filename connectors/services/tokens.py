"""Tokens of systems in the database: one row per credential, encrypted, renewed by one process at a time.

A renewal takes the row's lease, asks the system without any transaction, and stores what it
got where it still holds the lease. Nothing here makes the connection or its tenant newer: a
token that is renewed every hour must not throw away caches and snapshots.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from pydantic import SecretStr

from common.vault import VaultError, decrypt, encrypt
from connectors.models import Connection, Credential
from connectors.upstream.token_values import Token, TokenPlace
from tenants.models import Tenant

logger = logging.getLogger(__name__)

KIND: Final = "token"
PURPOSE: Final = "credential-token"


class ConnectionChanged(Exception):
    """The connection is not any more what the call that asks knows of it."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token that was read. ``current`` says whether it was made under the connection's settings of now."""

    token: Token
    current: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to renew a token, until it is stored or given back, or the lease is over."""

    row_id: UUID
    version: int
    former: Token | None


def token_read(place: TokenPlace) -> StoredToken | None:
    """The stored token. Raises ConnectionChanged where it was made under newer settings than the call's."""
    row = _row_of(place)
    return None if row is None else _opened(Tenant.objects.get(pk=place.tenant_id), row, place)


def token_lease(
    place: TokenPlace, good: Callable[[StoredToken], bool], seconds: float
) -> "StoredToken | Lease | None":
    """The stored token where it is ``good``, else the lease to renew it; None while another has that.

    Raises ConnectionChanged.
    """
    now = timezone.now()
    with transaction.atomic():
        # Whoever changes the credential holds this row as well, and removes the token then.
        version = (
            Connection.objects.for_tenant(place.tenant_id)
            .select_for_update(of=("self",), no_key=True)
            .filter(pk=place.connection_id)
            .values_list("version", flat=True)
            .first()
        )
        if version != place.connection_version:
            raise ConnectionChanged
        row = _row_of(place)
        if row is None:
            row = Credential(
                tenant_id=place.tenant_id, connection_id=place.connection_id, principal_id=place.principal_id,
                kind=KIND, version=0, ciphertext=b"",
            )  # fmt: skip
        found = _opened(Tenant.objects.get(pk=place.tenant_id), row, place)
        if found is not None and good(found):
            return found
        if row.leased_until is not None and row.leased_until > now:
            return None
        row.version += 1
        row.leased_until = now + timedelta(seconds=seconds)
        row.save()
    return Lease(row.pk, row.version, found.token if found else None)


def token_store(place: TokenPlace, lease: Lease, token: Token) -> bool:
    """Store a renewed token and end the lease; False where the lease, or the whole row, is gone."""
    plain = {
        "value": token.value.get_secret_value(),
        "refresh": token.refresh.get_secret_value() if token.refresh else None,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "made_at": token.made_at.isoformat(),
        "extra": dict(token.extra),
        "identity": place.identity,
        "connection_version": place.connection_version,
    }
    tenant = Tenant.objects.get(pk=place.tenant_id)
    stored = _leased(place, lease).update(
        ciphertext=encrypt(tenant, lease.row_id, PURPOSE, json.dumps(plain).encode()),
        expires_at=token.expires_at,
        leased_until=None,
        updated_at=timezone.now(),
    )
    return bool(stored)


def token_release(place: TokenPlace, lease: Lease) -> None:
    """Give the lease back after a renewal that failed."""
    _leased(place, lease).update(leased_until=None, updated_at=timezone.now())


def tokens_forget(tenant_id: UUID, connection_id: UUID, principal_id: UUID | None) -> None:
    """Remove what was got with a credential, in the transaction that changes it."""
    rows = Credential.objects.for_tenant(tenant_id)
    rows.filter(connection_id=connection_id, principal=principal_id, kind=KIND).delete()


def tokens_near_their_end(before: datetime, tried: datetime, most: int) -> list[tuple[UUID, UUID, UUID]]:
    """Tenant, connection and row of stored tokens of all tenants that end soon, the next first.

    ``before`` is the moment until which they end, ``tried`` the one since which nobody has
    tried to renew them. Those that ended a day ago wait for a call that needs them.
    """
    rows = Credential.unscoped.filter(
        kind=KIND,
        expires_at__lte=before,
        expires_at__gt=before - timedelta(days=1),
        updated_at__lte=tried,
        connection__enabled=True,
        tenant__status=Tenant.Status.ACTIVE,
    )
    found = rows.order_by("expires_at").values_list("tenant_id", "connection_id", "pk")
    return list(found[:most])


def _leased(place: TokenPlace, lease: Lease) -> Any:
    return Credential.objects.for_tenant(place.tenant_id).filter(
        pk=lease.row_id, version=lease.version, leased_until__isnull=False
    )


def _row_of(place: TokenPlace) -> Credential | None:
    rows = Credential.objects.for_tenant(place.tenant_id)
    found: Credential | None = rows.filter(
        connection_id=place.connection_id, principal=place.principal_id, kind=KIND
    ).first()
    return found


def _opened(tenant: Tenant, row: Credential, place: TokenPlace) -> StoredToken | None:
    """The row's token; None where it has none yet, or one that was made with another credential."""
    if not row.ciphertext:
        return None
    try:
        plain: dict[str, Any] = json.loads(decrypt(tenant, row.pk, PURPOSE, row.ciphertext))
    except VaultError as error:
        logger.warning("A stored token of connection %s cannot be read: %s", place.connection_id, error)
        return None
    if plain["identity"] != place.identity:
        return None
    if plain["connection_version"] > place.connection_version:
        raise ConnectionChanged
    token = Token(
        SecretStr(plain["value"]),
        datetime.fromisoformat(plain["expires_at"]) if plain["expires_at"] else None,
        SecretStr(plain["refresh"]) if plain["refresh"] else None,
        plain["extra"],
        datetime.fromisoformat(plain["made_at"]),
    )
    return StoredToken(token, plain["connection_version"] == place.connection_version)
