"""The keys that seal the audit chains, derived from the key ring and never stored.

Not the tenant's data key: destroying that one shreds secrets, and the audit must outlive it.
A retired key must stay in the ring as long as rows that it sealed are kept.
"""

import hmac

from common import keyring

_PURPOSE = "audit-chain"


def chain_key(kid: str) -> bytes:
    """The chain key (32 bytes) under a key of the ring.

    Raises :class:`common.keyring.UnknownKeyError` when the ring lacks it.
    """
    return keyring.ring().derive(kid, _PURPOSE)


def current_kid() -> str:
    """The id of the key that seals new rows."""
    return keyring.ring().current


def seal(kid: str, purpose: str, *parts: object) -> str:
    """A signature (64 hex digits) over values under one purpose, so that none serves as another."""
    text = "\x1f".join([purpose, *map(str, parts)])
    return hmac.digest(chain_key(kid), text.encode(), "sha256").hex()
