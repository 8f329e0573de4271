"""From an event to a row: cleaned, cut, redacted, and the bytes that are sealed.

This runs once per call on the event loop, so it works on plain lists and tells the common
case (short, plain text) from the rest with a few operations in C.
"""

import hmac
from hashlib import blake2b
from operator import attrgetter, gt
from typing import Any

import orjson

from audit.events import PLATFORM_CHAIN, Event
from audit.keys import chain_key, current_kid
from common.redaction import dump, redact, redact_text
from common.text import clean_text

SCHEMA = 1
MAX_ARGUMENTS = 8_000  # characters kept of the arguments' JSON

TEXTS = {
    "kind": 10, "phase": 8, "call_id": 36, "principal_id": 36, "principal_kind": 16, "principal_name": 150,
    "actor_id": 36, "actor_name": 150, "key_id": 12, "via": 8, "client_name": 64, "client_version": 64,
    "connection": 32, "name": 200, "outcome": 12, "error_type": 20, "message": 500, "cache": 6,
    "request_id": 64, "trace_id": 64, "address": 45,
}  # fmt: skip
NUMBERS = {"at_us": 2**63 - 1, "duration_us": 2**63 - 1, "upstream_status": 2**31 - 1, "count": 2**31 - 1}

# The sealed columns first, in the order in which they are sealed; SCHEMA changes with this list.
SEALED = (
    "schema", "key_ring_id", "tenant_id", "chain", "seq", *NUMBERS, *TEXTS, "arguments_digest",
)  # fmt: skip
COLUMNS = (*SEALED, "arguments", "hash")
SEQ = COLUMNS.index("seq")
CHAIN = COLUMNS.index("chain")
CALL_ID = COLUMNS.index("call_id")
KID = COLUMNS.index("key_ring_id")
DIGEST = COLUMNS.index("arguments_digest")
ARGUMENTS = COLUMNS.index("arguments")
HASH = COLUMNS.index("hash")
_FREE = [COLUMNS.index(field) for field in ("message", "name")]

_texts = attrgetter(*TEXTS)
_numbers = attrgetter(*NUMBERS)
_LIMITS = tuple(TEXTS.values())
_MAXIMA = tuple(NUMBERS.values())

Row = list[Any]


def prepare(event: Event) -> Row:
    """The event's row in the order of :data:`COLUMNS`, all but its number and hash. Never raises."""
    kid = current_kid()
    key = chain_key(kid)
    texts = _texts(event)
    try:
        joined = "".join(texts)
        plain = joined.isascii() and "\x00" not in joined and not any(map(gt, map(len, texts), _LIMITS))
    except TypeError:
        plain = False
    if not plain:
        texts = tuple(map(clean_text, ("" if text is None else text for text in texts), _LIMITS))
    numbers = _numbers(event)
    if set(map(type, numbers)) != {int} or any(map(gt, map(abs, numbers), _MAXIMA)):
        numbers = tuple(map(_number, numbers, _MAXIMA))
    tenant = None if event.tenant_id is None else event.tenant_id.hex
    stored, digest = stored_arguments(event.arguments, event.secret_paths, key)
    row = [SCHEMA, kid, tenant, tenant or PLATFORM_CHAIN, 0, *numbers, *texts, digest, stored, ""]
    for position in _FREE:
        if row[position]:
            row[position] = redact_text(row[position])[: TEXTS[COLUMNS[position]]]
    return row


def _number(value: Any, top: int) -> int:
    try:
        return max(-top, min(int(value), top))
    except (TypeError, ValueError, OverflowError):
        return 0


def stored_arguments(arguments: Any, secret_paths: tuple[str, ...], key: bytes) -> tuple[str, str]:
    """What is kept of a call's arguments, and its keyed digest; both empty where there are none.

    What does not fit is replaced by its length and keyed digest, so the digest of the text
    stands for the whole value.
    """
    if arguments is None:
        return "", ""
    data = dump(redact(arguments, key=key, secret_paths=secret_paths))
    if len(data) > MAX_ARGUMENTS:
        whole = hmac.digest(key, data, "sha256").hex()[:32]
        text = data.decode()
        if len(text) > MAX_ARGUMENTS:
            data = f"{text[: MAX_ARGUMENTS - 100]}… [{len(text)} characters, {whole}]".encode()
    return data.decode(), arguments_digest(data, key)


def arguments_digest(data: bytes, key: bytes) -> str:
    """The keyed digest of stored arguments (BLAKE2b, RFC 7693: half the cost of an HMAC)."""
    return blake2b(data, digest_size=32, key=key).hexdigest()


def seal_row(row: Row, previous: str, key: bytes) -> str:
    """The hash of a numbered row: an HMAC-SHA256 over the hash before it and its sealed columns."""
    return hmac.digest(key, orjson.dumps([previous, *row[:ARGUMENTS]]), "sha256").hex()
