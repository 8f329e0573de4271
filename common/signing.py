"""Opaque tokens that clients carry for us: cursors, session ids.

``seal`` makes ``base64url(payload).base64url(mac)`` whose mac is HMAC-SHA256 cut to 20
bytes, under a key derived from the key ring. The mac covers the purpose and what the token
is bound to (a tenant and principal, say), so a token of one place or caller is worthless in
another. The payload is readable by whoever holds the token: no secrets in it.
"""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from common.keyring import UnknownKeyError, ring

_MAC_BYTES = 20
_MAC_CHARS = 27
MAX_TOKEN = 4096


class BadToken(ValueError):
    """The token was not made here, not for this purpose or holder, or is too old."""


def seal(purpose: str, value: Any, *, bind: str, max_age: float | None = None) -> str:
    """A token of a JSON value for one purpose, bound to a text and, if given, short-lived.

    ``max_age`` is in seconds from now; the end is part of the token.
    """
    keys = ring()
    until = 0 if max_age is None else int(time.time() + max_age)
    payload = orjson.dumps([keys.current, until, value])
    mac = _mac(keys.derive(keys.current, "signing"), purpose, bind, payload)
    return f"{_text(payload)}.{_text(mac)}"


def unseal(purpose: str, token: str, *, bind: str) -> Any:
    """The value of a token; raises :class:`BadToken` for every other text."""
    if not isinstance(token, str) or len(token) > MAX_TOKEN or not token.isascii():
        raise BadToken("This token is not valid here.")
    head, dot, tail = token.partition(".")
    try:
        payload = urlsafe_b64decode(head + "=" * (-len(head) % 4))
        mac = urlsafe_b64decode(tail + "=" * (-len(tail) % 4))
        kid, until, value = orjson.loads(payload)
        key = ring().derive(kid, "signing")
    except (ValueError, TypeError, UnknownKeyError) as error:
        raise BadToken("This token is not valid here.") from error
    if not dot or not hmac.compare_digest(mac, _mac(key, purpose, bind, payload)):
        raise BadToken("This token is not valid here.")
    if until and until < time.time():
        raise BadToken("This token has expired.")
    return value


def _mac(key: bytes, purpose: str, bind: str, payload: bytes) -> bytes:
    # Lengths first: no choice of purpose and bind can be read as another one.
    text = b"%d:%s%d:%s%s" % (len(purpose), purpose.encode(), len(bind), bind.encode(), payload)
    return hmac.digest(key, text, "sha256")[:_MAC_BYTES]


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
