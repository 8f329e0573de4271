"""What a system answered, and what went wrong on the way, in the words of connectors."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, quote_plus

import orjson

from connectors.errors import (
    AuthenticationFailed,
    Conflict,
    ConnectorError,
    InvalidInput,
    NotFound,
    NotPermitted,
    RateLimited,
    UpstreamError,
)
from connectors.upstream.quota import VENDOR_LIMIT, Quota, quota_of, seconds_until, wish_of

MAX_EXCERPT = 300  # characters of a system's own words in an error
MASK = "***"
_LONGEST_SECRET: Final = 8_192  # what an HTTP header may be long at most, in most servers
_BLANKS = re.compile(r"\s+")
_MARKUP = re.compile(r"<[^>]{0,500}>")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer: its body is decoded and within the limit that the request named.

    ``headers`` have lowercase names. ``attempts`` says how often it was sent; ``request_id``
    is ours, for error messages.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str  # without query: it may hold secrets
    attempts: int = 1
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """Whether the system did what it was asked."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises UpstreamError where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise UpstreamError(
                f"The system answered with something that is no JSON: {self.excerpt() or 'nothing'}",
                code="invalid_json",
                upstream_status=self.status,
                retryable=False,
            ) from error

    def excerpt(self) -> str:
        """The beginning of the body as one masked line, for a message."""
        # Masked before it is cut: half a secret at the edge would not be found.
        whole = self.body[: MAX_EXCERPT * 8 + _LONGEST_SECRET].decode("utf-8", "replace")
        text = masked(whole, self.secrets)[: MAX_EXCERPT * 8]
        if "html" in self.headers.get("content-type", ""):
            text = _MARKUP.sub(" ", text)
        return _BLANKS.sub(" ", text).strip()[:MAX_EXCERPT]

    @property
    def retry_after(self) -> float | None:
        """Seconds that the system asks to wait (RFC 9110, 10.2.3: seconds or a date), or None."""
        return seconds_until(self.headers.get("retry-after", ""))

    @property
    def quota(self) -> Quota | None:
        """What the vendor says is left of its limit, or None; for tests of connections."""
        return quota_of(self.headers)


def masked(text: str, secrets: Iterable[str]) -> str:
    """A text in which none of the secrets is left, nor a piece after a scheme like ``Bearer``.

    Also not in the forms in which systems quote what they were sent: escaped as in JSON or in a
    URL, and the password of Basic credentials by itself.
    """
    found: set[str] = set()
    for secret in secrets:
        for piece in _pieces(secret):
            if len(piece) >= 4:
                found.update(_forms(piece))
    for form in sorted(found, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _pieces(secret: str) -> tuple[str, ...]:
    scheme, _, last = secret.rpartition(" ")
    if scheme.lower() != "basic":
        return secret, secret.strip(), last
    try:
        plain = base64.b64decode(last, validate=True).decode()
    except (binascii.Error, ValueError):
        return secret, last
    return secret, last, plain, plain.partition(":")[2]


def _forms(piece: str) -> tuple[str, ...]:
    if piece.isalnum():
        return (piece,)
    escaped = json.dumps(piece)[1:-1]
    return (
        piece, escaped, escaped.replace("/", "\\/"), json.dumps(piece, ensure_ascii=False)[1:-1],
        quote(piece, safe="", errors="replace"), quote_plus(piece, errors="replace"),
    )  # fmt: skip


_KINDS: Final[dict[int, type[ConnectorError]]] = {
    400: InvalidInput,
    401: AuthenticationFailed,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    422: InvalidInput,
    429: RateLimited,
}
_SENTENCES: Final[dict[int, str]] = {
    400: "The system did not accept the request",
    401: "The system refused the credential",
    403: "The credential may not do this",
    404: "The system does not know this",
    409: "Somebody else changed it meanwhile, or its state forbids the step",
    412: "Somebody else changed it meanwhile",
    413: "This is larger than the system takes",
    422: "The system did not accept the values",
    429: "The system has had too many requests",
}
_HINTS: Final[dict[int, str]] = {
    401: "An admin checks the connection's credential (Test connection says what is wrong).",
    403: "An admin gives the account this right in the system, or uses another account.",
    412: "Read it again and repeat the change on what it is now.",
    409: "Read it again and repeat the change on what it is now.",
}


def error_of(answer: Answer, explain: Callable[[Answer], str] | None = None) -> ConnectorError:
    """The error of an answer that is not ``ok``; ``explain`` gives the system's own words."""
    said = masked(explain(answer), answer.secrets)[:1000] if explain else answer.excerpt()
    status, wait = answer.status, answer.retry_after
    if status in (403, 429):
        wish, quota = wish_of(status, answer.headers), answer.quota
        wait = wish or wait
        if wish or (quota is not None and quota.remaining == 0):
            status = 429  # GitHub refuses with 403 whom it limits, and says so in the headers alone
    kind = _KINDS.get(status, UpstreamError)
    sentence = _SENTENCES.get(status, f"The system answered with HTTP {status}")
    return kind(
        f"{sentence}: {said}" if said else f"{sentence}.",
        code=VENDOR_LIMIT if kind is RateLimited else "",
        upstream_status=answer.status,
        retryable=status in (408, 425, 429, 500, 502, 503, 504, 529),
        retry_after=wait,
        hint=_HINTS.get(status, ""),
    )
