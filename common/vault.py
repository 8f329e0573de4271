"""The vault: AES-256-GCM with one data key per tenant, wrapped by the key ring.

Layouts (binary, all versions start with one version byte):

- wrapped data key: ``1 | len(kid) | kid | nonce(12) | AES-GCM(data key)``
- ciphertext:       ``1 | key id(8) | nonce(12) | AES-GCM(plaintext)``

The key id of a ciphertext is a digest of its data key: it tells which of a tenant's data
keys to use while they are exchanged, and says nothing about the key. The associated data is a
fixed purpose with the tenant's and the row's UUID, so a ciphertext pasted onto another row,
tenant or purpose does not decrypt. Rotating the ring touches one wrapped key per tenant;
destroying a tenant's wrapped key shreds all its secrets.
"""

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.keyring import KEY_BYTES, ring

_VERSION = 1
_NONCE = 12
_KEY_ID = 8
_CACHED = 1024


class VaultError(RuntimeError):
    """A secret cannot be read; the message never has any part of it."""


class KeyHolder(Protocol):
    """What the vault needs of a tenant."""

    @property
    def pk(self) -> UUID:
        """The tenant's UUID."""

    @property
    def wrapped_data_key(self) -> bytes | memoryview:
        """Its data key as :func:`new_data_key` made it."""


class _DataKeys:
    """Unwrapped data keys of recently used tenants, keyed by their wrapped form."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._keys: OrderedDict[tuple[UUID, bytes], tuple[bytes, AESGCM]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<{len(self._keys)} data keys>"

    def get(self, tenant_id: UUID, wrapped: bytes) -> tuple[bytes, AESGCM]:
        with self._lock:
            found = self._keys.get((tenant_id, wrapped))
            if found is not None:
                self._keys.move_to_end((tenant_id, wrapped))
                return found
        key = _unwrap(tenant_id, wrapped)
        found = _key_id(key), AESGCM(key)
        with self._lock:
            self._keys[tenant_id, wrapped] = found
            while len(self._keys) > self._size:
                self._keys.popitem(last=False)
        return found

    def forget(self, tenant_id: UUID | None) -> None:
        with self._lock:
            for held in list(self._keys):
                if tenant_id is None or held[0] == tenant_id:
                    del self._keys[held]


_data_keys = _DataKeys(_CACHED)


def new_data_key(tenant_id: UUID) -> bytes:
    """A new data key of a tenant, wrapped by the ring's first key."""
    return _wrap(tenant_id, os.urandom(KEY_BYTES))


def rewrap(tenant_id: UUID, wrapped: bytes | memoryview) -> bytes:
    """The same data key wrapped by the ring's first key; what it encrypted stays readable."""
    return _wrap(tenant_id, _unwrap(tenant_id, bytes(wrapped)))


def wrapped_kid(wrapped: bytes | memoryview) -> str:
    """The id of the ring key that wrapped a data key; raises :class:`VaultError`."""
    data = bytes(wrapped)
    if len(data) < 2 or data[0] != _VERSION or len(data) <= 2 + data[1] + _NONCE:
        raise VaultError("The tenant has no readable data key: its secrets were destroyed or never existed.")
    return data[2 : 2 + data[1]].decode("ascii", "replace")


def missing_kids(wrapped: Iterable[bytes | memoryview]) -> set[str]:
    """Ids of ring keys that wrapped these data keys but are not in the ring.

    The start check refuses to run while there is one: some secrets could not be read.
    Destroyed data keys (empty) are skipped.
    """
    return {kid for kid in {wrapped_kid(key) for key in wrapped if key} if kid not in ring()}


def encrypt(tenant: KeyHolder, row_id: UUID, purpose: str, plaintext: bytes) -> bytes:
    """Encrypt a row's secret under its tenant's data key.

    ``purpose`` is a fixed text such as ``connection-credential``, never a class name or a
    slug. Raises :class:`VaultError` where the tenant has no data key.
    """
    key_id, cipher = _data_keys.get(tenant.pk, bytes(tenant.wrapped_data_key))
    nonce = os.urandom(_NONCE)
    return (
        bytes([_VERSION])
        + key_id
        + nonce
        + cipher.encrypt(nonce, plaintext, _aad(purpose, tenant.pk, row_id))
    )


def decrypt(tenant: KeyHolder, row_id: UUID, purpose: str, ciphertext: bytes | memoryview) -> bytes:
    """Decrypt what :func:`encrypt` made for the same tenant, row and purpose.

    Raises :class:`VaultError` for anything else, and
    :class:`common.keyring.UnknownKeyError` where the ring lacks the key.
    """
    data = bytes(ciphertext)
    key_id, cipher = _data_keys.get(tenant.pk, bytes(tenant.wrapped_data_key))
    start = 1 + _KEY_ID
    if len(data) <= start + _NONCE or data[0] != _VERSION:
        raise VaultError("The stored secret is damaged; enter it again.")
    if data[1:start] != key_id:
        raise VaultError("The stored secret belongs to another data key; enter it again.")
    try:
        return cipher.decrypt(
            data[start : start + _NONCE], data[start + _NONCE :], _aad(purpose, tenant.pk, row_id)
        )
    except InvalidTag as error:
        raise VaultError("The stored secret does not belong to this row; enter it again.") from error


def forget(tenant_id: UUID | None = None) -> None:
    """Drop unwrapped data keys from memory: of one tenant, or all."""
    _data_keys.forget(tenant_id)


def _aad(purpose: str, tenant_id: UUID, row_id: UUID) -> bytes:
    return b"portico/" + purpose.encode() + b"\0" + tenant_id.bytes + row_id.bytes


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"portico/data-key-id\0" + key).digest()[:_KEY_ID]


def _wrap(tenant_id: UUID, key: bytes) -> bytes:
    keys = ring()
    kid, nonce = keys.current.encode(), os.urandom(_NONCE)
    sealed = AESGCM(keys.derive(keys.current, "wrap")).encrypt(
        nonce, key, _aad("data-key", tenant_id, tenant_id)
    )
    return bytes([_VERSION, len(kid)]) + kid + nonce + sealed


def _unwrap(tenant_id: UUID, wrapped: bytes) -> bytes:
    kid = wrapped_kid(wrapped)
    start = 2 + len(kid)
    cipher = AESGCM(ring().derive(kid, "wrap"))
    try:
        return cipher.decrypt(
            wrapped[start : start + _NONCE],
            wrapped[start + _NONCE :],
            _aad("data-key", tenant_id, tenant_id),
        )
    except InvalidTag as error:
        raise VaultError(
            f"The key {kid!r} in PORTICO_KEYS is not the one that wrapped this tenant's data key."
        ) from error
