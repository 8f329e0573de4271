"""One sending of a request: an answer, or where it was lost."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpcore2
import httpx2

from connectors.errors import ConnectionFailed, ConnectorError, InvalidInput, TimedOut, UpstreamError
from connectors.upstream.answers import Answer, error_of, masked
from connectors.upstream.network import ForbiddenAddressError
from connectors.upstream.requests import Request
from connectors.upstream.retry import Kind, Lost, may_have_happened
from connectors.upstream.transport import Http

MAX_REDIRECTS: Final = 5
MARGIN_S: Final = 0.05  # before the call's end, so that who waited too long is known here
LOOK_FIRST: Final = "It may have taken effect; look before you try again."
TOO_LARGE: Final = "too_large"  # the code of an answer that came, and is not read
UNKNOWN: Final = "outcome_unknown"  # the code of a write that nobody can tell the outcome of
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Headers that go to another origin.
_HARMLESS: Final = frozenset(
    {"accept", "accept-language", "if-modified-since", "if-none-match", "range", "traceparent", "tracestate"}
)
NOT_SENT: Final = frozenset(
    {"bad_character", "bad_header", "bad_url", "forbidden_address"}
)  # codes that say so


@dataclass(frozen=True, slots=True)
class Missing:
    """A request that got no answer; ``waited`` so many seconds where time ran out, else for good."""

    lost: Lost
    error: ConnectorError
    waited: float = math.inf


def time_left(deadline: float) -> float:
    """Seconds that a call with this deadline (of time.monotonic()) may still wait for its system."""
    return deadline - time.monotonic() - MARGIN_S


async def send_once(
    http: Http,
    url: str,
    request: Request,
    headers: tuple[Mapping[str, str], Mapping[str, str]],
    secrets: tuple[str, ...],
    *,
    seconds: float,
    attempt: int,
) -> Answer | Missing:
    """Send a request within so many seconds.

    ``headers`` are the open ones and those of the credential. Raises ConnectorError for what no
    repetition mends: a forbidden address, an answer that is too large, a redirect in a circle.
    """
    started = time.monotonic()
    host = urlsplit(url).hostname
    try:
        async with asyncio.timeout(seconds):
            return await _exchange(http, url, request, headers, secrets, attempt, seconds)
    except ConnectorError as error:
        if request.kind is Kind.ONCE and error.code not in NOT_SENT:
            unsettle(error, request)
        raise
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
        cause = _guard_of(error)
        if cause is not None:
            raise ConnectionFailed(str(cause), code="forbidden_address") from error
        failure = ConnectionFailed(f"{host} cannot be reached: {_words(error, secrets)}", retryable=True)
        in_time = isinstance(error, httpcore2.ConnectError)
        return Missing(Lost.BEFORE, failure, math.inf if in_time else time.monotonic() - started)
    except (httpcore2.TimeoutException, TimeoutError):
        late = TimedOut("The system did not answer in time.", **_after_loss(request, "Ask for less."))
        return Missing(Lost.LATE, late, time.monotonic() - started)
    except httpcore2.LocalProtocolError:
        # Its words quote the header, escaped; nothing was sent.
        raise ConnectionFailed(
            "A header of the request cannot be sent: it has a character that headers may not have.",
            code="bad_header",
            hint="An admin stores the connection's credential again, without line breaks.",
        ) from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
        words = f"The connection to {host} broke: {_words(error, secrets)}"
        return Missing(Lost.BROKEN, ConnectionFailed(words, **_after_loss(request)))
    except (httpx2.InvalidURL, httpcore2.UnsupportedProtocol) as error:
        raise ConnectionFailed("The connection's address is no URL.", code="bad_url") from error


def doubtful(request: Request) -> dict[str, Any]:
    """What an error says of a creation that may have happened: do not repeat it blindly."""
    hint = f"The request may have succeeded. {request.look_first}" if request.look_first else LOOK_FIRST
    return {"code": UNKNOWN, "retryable": False, "hint": hint}


def failure_of(got: Answer, request: Request) -> ConnectorError:
    """The error of an answer; where a creation may have happened, one that says so."""
    failure = error_of(got, request.explain)
    known = request.before_commit is not None and request.before_commit(got)
    if request.kind is Kind.ONCE and may_have_happened(got) and not known:
        unsettle(failure, request)
    return failure


def unsettle(failure: ConnectorError, request: Request) -> None:
    """Have an error say that a creation may have happened, unless its status says that it did not."""
    if 300 <= failure.upstream_status < 500:
        return
    said = doubtful(request)
    failure.retryable, failure.hint = said["retryable"], said["hint"]
    if failure.code != TOO_LARGE:
        failure.code = said["code"]


def _after_loss(request: Request, less: str = "") -> dict[str, Any]:
    if request.kind is Kind.ONCE:
        return doubtful(request)
    if request.kind is Kind.READ:
        return {"retryable": True, "hint": f"Try again. {less}".strip()}
    return {"retryable": True, "hint": "It may have taken effect; the same once more does no harm."}


async def _exchange(
    http: Http,
    url: str,
    request: Request,
    headers: tuple[Mapping[str, str], Mapping[str, str]],
    secrets: tuple[str, ...],
    attempt: int,
    seconds: float,
) -> Answer:
    """Send, follow redirects of reads by hand, and take the body."""
    method, params, json, content = request.method, request.params, request.json, request.content
    sent = {**headers[0], **headers[1]}
    # Who finds no way in time has sent nothing, and must be told so before the call ends.
    connect_s = seconds * 0.9 if seconds <= http.times["connect"] else None
    for _ in range(MAX_REDIRECTS + 1):
        try:
            built = http.request(
                method, url, sent, params=params, json=json, content=content, connect_s=connect_s
            )
        except ValueError:  # a lone surrogate, NaN, a letter in a header that has only ASCII
            raise InvalidInput(
                "The request has a value that cannot be sent.",
                code="bad_character",
                hint="Leave odd characters out; if there are none, an admin stores the credential again.",
            ) from None
        status, received, body = await http.exchange(built, request.max_bytes)
        target = received.get("location", "")
        if status not in _REDIRECTS or not target or request.kind is not Kind.READ:
            return Answer(status, received, body, url, attempt, secrets)
        following = urljoin(url, target)
        if _origin(following) != _origin(url):
            # Neither a credential goes to another origin, nor a body that may hold one, as a token
            # request does, nor a header that may be a key.
            if status != 303 and (json is not None or content is not None):
                raise ConnectionFailed(
                    "The system redirects what was sent to it to another address.", code="redirect"
                )
            sent = {name: value for name, value in headers[0].items() if name.lower() in _HARMLESS}
        if urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https":
            raise ConnectionFailed("The system redirects to an address without TLS.", code="redirect")
        url, params = following, None
        if status == 303:  # RFC 9110, 15.4.4: look there, with GET
            method, json, content = "GET", None, None
    raise ConnectionFailed("The system redirects in a circle.", code="redirect")


def outcome_of(got: Answer | Missing | ConnectorError) -> str:
    """How a sending ended, as metrics count it."""
    if isinstance(got, Answer):
        return f"{got.status // 100}xx"
    if isinstance(got, Missing):
        return "timeout" if isinstance(got.error, TimedOut) else "connection"
    return "too_large" if isinstance(got, UpstreamError) and got.code == TOO_LARGE else "connection"


def _guard_of(error: BaseException) -> ForbiddenAddressError | None:
    """The guard's refusal behind an error of the HTTP library, which wraps it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ForbiddenAddressError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _words(error: Exception, secrets: tuple[str, ...]) -> str:
    return masked(str(error), secrets)[:200] or type(error).__name__


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)
