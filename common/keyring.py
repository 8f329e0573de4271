"""The key ring: the few keys of the installation from which all secrets hang.

``PORTICO_KEYS`` is ``kid:base64(32 bytes),kid2:…``. The first key encrypts and signs, all
decrypt and verify, so a key is rotated by putting a new one in front, running
``manage.py rotate_keys`` and removing the old one later. A ring never uses its keys
directly: each purpose has a key of its own, derived with HKDF-SHA256 (RFC 5869).
"""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32
_KID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.-]{0,15}$")


class UnknownKeyError(LookupError):
    """Something was encrypted or signed with a key that the ring does not hold."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"PORTICO_KEYS has no key {kid!r}; add the key back to the ring.")
        self.kid = kid


class KeyProvider(Protocol):
    """Where the ring's keys come from: the environment now, a key service later."""

    def keys(self) -> Mapping[str, bytes]:
        """Key id to 32 bytes, the encrypting key first."""


class EnvironmentProvider:
    """Keys from the setting ``PORTICO_KEYS``."""

    def keys(self) -> Mapping[str, bytes]:
        """Key id to 32 bytes, the encrypting key first; raises :class:`ImproperlyConfigured`."""
        return parse_keys(settings.PORTICO_KEYS)


def generate_key(kid: str = "k1") -> str:
    """A new entry for ``PORTICO_KEYS``: ``kid:base64``."""
    return f"{kid}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def parse_keys(text: str) -> dict[str, bytes]:
    """The keys of a ring written as ``kid:base64,kid:base64``.

    Raises :class:`ImproperlyConfigured` with a sentence that says what to write and never
    repeats key material.
    """
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        kid, colon, encoded = entry.partition(":")
        if not colon or not _KID.match(kid):
            raise ImproperlyConfigured(
                f"Entry {number} of PORTICO_KEYS has no key id: write <id>:<base64 of 32 bytes>, "
                "the id being 1 to 16 letters, digits, dots or hyphens."
            )
        if kid in keys:
            raise ImproperlyConfigured(f"PORTICO_KEYS names the key {kid!r} twice; give each key its own id.")
        try:
            key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=None, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise ImproperlyConfigured(
                f"The key {kid!r} in PORTICO_KEYS is not 32 bytes in base64; "
                "make one with: openssl rand -base64 32"
            )
        keys[kid] = key
    if not keys:
        raise ImproperlyConfigured(
            "PORTICO_KEYS is not set; write k1:<key>, the key made with: openssl rand -base64 32. "
            "Keep a copy: without it stored credentials cannot be read."
        )
    return keys


class KeyRing:
    """The keys by id, and what is derived from them. Its ``repr`` shows ids alone."""

    def __init__(self, provider: KeyProvider) -> None:
        self._keys = MappingProxyType(dict(provider.keys()))
        self._derived: dict[tuple[str, str], bytes] = {}
        self.current = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self._keys)}>"

    def __contains__(self, kid: object) -> bool:
        return kid in self._keys

    @property
    def kids(self) -> tuple[str, ...]:
        """The ids of all keys, the encrypting one first."""
        return tuple(self._keys)

    def derive(self, kid: str, purpose: str) -> bytes:
        """The 32-byte key of one purpose; raises :class:`UnknownKeyError`."""
        found = self._derived.get((kid, purpose))
        if found is None:
            if kid not in self._keys:
                raise UnknownKeyError(kid)
            hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=b"portico", info=purpose.encode())
            found = self._derived[kid, purpose] = hkdf.derive(self._keys[kid])
        return found


@cache
def ring() -> KeyRing:
    """The installation's ring, read once per process; raises :class:`ImproperlyConfigured`."""
    return KeyRing(EnvironmentProvider())


def forget_ring() -> None:
    """Read the ring anew at its next use (after a change of the setting, in tests)."""
    ring.cache_clear()


def derive(kid: str, purpose: str) -> bytes:
    """The installation ring's key of one purpose; raises :class:`UnknownKeyError`."""
    return ring().derive(kid, purpose)
