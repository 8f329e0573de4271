"""Taking secrets and bulk out of values before they are stored, logged or shown.

A value is secret by the name it stands under (``password``, ``api_key``, ``authorization``),
by a path that its tool declared, or by how it looks (an access key or API token, a bearer value, a JWT, a
private key, a password inside a URL). What is too long is replaced by its beginning and a
keyed digest, so that equal values still look equal and nothing large is copied.
"""

import hmac
import re
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from typing import Any

import orjson

MASK = "[redacted]"
MAX_TEXT = 2_000  # characters kept of one string
MAX_NODES = 1_000  # values looked at; the rest is digested unseen
MAX_DEPTH = 64
MAX_NAME = 120

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ALWAYS = frozenset(
    {"password", "passwords", "passwd", "pwd", "passphrase", "passcode", "secret", "secrets"}
    | {"otp", "pin", "cvv", "authorization", "cookie"}
)
_UNLESS_NUMBER = frozenset(
    {"token", "tokens", "jwt", "bearer", "credential", "credentials", "apikey", "csrf"}
)
_PAIRS = frozenset(
    {"api_key", "private_key", "access_key", "secret_key", "signing_key", "encryption_key", "client_key"}
    | {"master_key", "ssh_key", "session_id", "session_key", "account_key", "shared_key", "webhook_key"}
    | {"service_key", "auth_key"}
)
_ENDINGS = ("password", "secret", "token", "apikey", "privatekey", "accesskey", "secretkey", "passphrase")

_LOOKS_SECRET = re.compile(
    r"pt[ac]_[A-Za-z0-9]+_[A-Za-z0-9_-]{8,}"
    r"|\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
    r"|\b(?:password|passwd|pwd|token|secret|api_?key|access_token|client_secret)=[^\s&;\"']+",
    re.IGNORECASE,
)
# One of these is in every text that the pattern can match; looking for them is much cheaper.
_TRACES = ("ptc_", "pta_", "bearer", "basic", "eyj", "-----begin", "://", "=")


def redact_text(text: str) -> str:
    """The text with everything masked that looks like a secret."""
    if len(text) < 9:
        return text
    small = text.lower()
    for trace in _TRACES:
        if trace in small:
            return _LOOKS_SECRET.sub(MASK, text)
    return text


@lru_cache(maxsize=4096)
def _secrecy(name: str) -> int:
    """0: harmless; 1: secret unless a number (``token_count``); 2: secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not _ALWAYS.isdisjoint(words):
        return 2
    if not _UNLESS_NUMBER.isdisjoint(words):
        return 1
    if any(f"{a}_{b}" in _PAIRS for a, b in pairwise(words)):
        return 2
    return 2 if "".join(words).endswith(_ENDINGS) else 0


def is_secret_name(name: str) -> bool:
    """Whether values under this name are secret."""
    return _secrecy(name[:MAX_NAME]) > 0


def fingerprint(value: Any, key: bytes) -> str:
    """A keyed digest (32 hex digits) of a string or JSON value of any size."""
    if isinstance(value, str):
        mac = hmac.new(key, digestmod="sha256")
        for start in range(0, len(value), 1 << 18):
            mac.update(value[start : start + (1 << 18)].encode("utf-8", "surrogatepass"))
        return mac.hexdigest()[:32]
    return hmac.digest(key, dump(value), "sha256").hex()[:32]


def dump(value: Any) -> bytes:
    """Compact JSON of anything; what JSON cannot say becomes its text."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):  # lone surrogates, integers over 64 bits, too deep
        import json

        try:
            return json.dumps(value, default=str, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError):
            return b'"(cannot be shown)"'


class _Walk:
    __slots__ = ("key", "left", "paths")

    def __init__(self, key: bytes, paths: Collection[str]) -> None:
        self.key = key
        self.left = MAX_NODES
        self.paths = frozenset(paths)

    def text(self, value: str) -> str:
        if len(value) <= MAX_TEXT:
            return redact_text(value)
        # The slack lets a secret that begins before the cut be seen whole.
        head = redact_text(value[: MAX_TEXT + 4096])[:MAX_TEXT]
        return f"{head}… [{len(value)} characters, {fingerprint(value, self.key)}]"

    def rest(self, value: Any, count: int) -> str:
        return f"… [{count} more, {fingerprint(value, self.key)}]"

    def value(self, value: Any, path: str, depth: int) -> Any:
        self.left -= 1
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.mapping(value, path, depth + 1)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self.sequence(list(value), path, depth + 1)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        return self.text(str(value))

    def mapping(self, value: dict[Any, Any], path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return self.rest(str(len(value)), len(value))
        out: dict[str, Any] = {}
        for position, (name, item) in enumerate(value.items()):
            if self.left <= 0:
                out["…"] = self.rest(list(value.items())[position:], len(value) - position)
                break
            label = name if isinstance(name, str) else str(name)
            if len(label) > MAX_NAME:
                label = f"{label[:MAX_NAME]}… [{fingerprint(label, self.key)}]"
            label = redact_text(label) if len(label) > 12 else label
            secrecy = _secrecy(label)
            here = (f"{path}.{label}" if path else label) if self.paths else ""
            if (
                (secrecy == 2 and item is not None and not isinstance(item, bool))
                or (secrecy == 1 and item is not None and not isinstance(item, (bool, int, float)))
                or here in self.paths
            ):
                self.left -= 1
                out[label] = MASK
            else:
                out[label] = self.value(item, here, depth)
        return out

    def sequence(self, value: list[Any], path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return self.rest(str(len(value)), len(value))
        out: list[Any] = []
        for position, item in enumerate(value):
            if self.left <= 0:
                out.append(self.rest(value[position:], len(value) - position))
                break
            out.append(self.value(item, path, depth))
        return out


def redact(value: Any, *, key: bytes = b"portico", secret_paths: Collection[str] = ()) -> Any:
    """A bounded copy of a JSON-like value without its secrets.

    ``secret_paths`` are dotted names (``credentials.token``); lists are transparent. ``key``
    is for the digests that stand for what was left out. Never raises for odd values.
    """
    return _Walk(key, secret_paths).value(value, "", 0)
