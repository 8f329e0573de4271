"""The one way from a connector to its system over HTTP: guarded, bounded, with a deadline.

A client belongs to one connection in one process. It carries no credential, no cookie and
nothing of the environment: what identifies the caller is added to each request by its
:class:`Auth` and masked in every error.
"""

import asyncio
import logging
import ssl
import time
import weakref
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import urljoin, urlsplit
from uuid import UUID

import httpcore2
import httpx2
from django.conf import settings

from connectors.base import ConnectionRef, Context
from connectors.connection_settings import NetworkSettings
from connectors.errors import ConnectionFailed, ConnectorError, RateLimited, TimedOut, UpstreamError
from connectors.upstream.answers import Answer, error_of, masked
from connectors.upstream.network import ForbiddenAddressError, GuardedBackend
from connectors.upstream.retry import LONGEST_WAIT_S, Budget, Kind, Lost, may_repeat, wait_before

logger = logging.getLogger(__name__)

MAX_CLIENTS: Final = 512
IDLE_S: Final = 300.0
MAX_BYTES: Final = 10_000_000
MAX_REDIRECTS: Final = 5
USER_AGENT: Final = f"Portico/{settings.PORTICO_VERSION}"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Auth(Protocol):
    """What identifies the caller to the system."""

    async def headers(self, *, renewed: bool) -> Mapping[str, str]:
        """The headers of one request; ``renewed`` after the system refused the former ones.

        Raises AuthenticationFailed where there is nothing to renew.
        """
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``path`` is below the connection's base URL, its parts already quoted.

    ``kind`` says what a repetition would do; ``max_bytes`` bounds the decoded body;
    ``before_commit`` and ``explain`` know the system's own codes and words.
    """

    method: str
    path: str
    kind: Kind
    params: Mapping[str, Any] | None = None
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] | None = None
    max_bytes: int = MAX_BYTES
    before_commit: Callable[[Answer], bool] | None = None
    explain: Callable[[Answer], str] | None = None
    accept: frozenset[int] = frozenset()  # statuses beside 2xx that the connector deals with itself


@dataclass(frozen=True, slots=True)
class _Missing:
    """A request that got no answer."""

    lost: Lost
    error: ConnectorError


class Client:
    """A connection's client; see :func:`client_of`."""

    def __init__(self, base_url: str, options: NetworkSettings) -> None:
        self.base_url = base_url.rstrip("/") + "/"
        self.options = options
        self.budget = Budget()
        self.used = time.monotonic()
        self.active = 0
        self._http = _http_client(options)

    async def send(self, ctx: Context, request: Request, auth: Auth | None = None) -> Answer:
        """Send a request, repeating it where the rules allow; the answer is ``ok`` or accepted.

        Raises ConnectorError: what the system said, that it could not be reached, that it did
        not answer in time, or that it asks for more patience than the call has.
        """
        self.budget.call()
        self.active += 1
        try:
            return await self._send(ctx, request, auth)
        finally:
            self.active -= 1
            self.used = time.monotonic()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _send(self, ctx: Context, request: Request, auth: Auth | None) -> Answer:
        headers = dict(await auth.headers(renewed=False)) if auth is not None else {}
        request = replace(request, headers={**ctx.trace_headers(), **(request.headers or {})})
        secrets = tuple(headers.values())
        attempt, renewed = 1, False
        while True:
            got = await self._attempt(ctx, request, headers, secrets, attempt)
            outcome: Answer | Lost
            if isinstance(got, _Missing):
                outcome, failure = got.lost, got.error
            else:
                outcome = got
                if got.ok or got.status in request.accept:
                    return got
                if got.status == 404 and request.method == "DELETE" and attempt > 1:
                    return got  # the first one, whose answer was lost, has deleted it
                if got.status == 401 and auth is not None and not renewed:
                    headers, renewed = dict(await auth.headers(renewed=True)), True
                    secrets += tuple(headers.values())  # the former one may still be quoted
                    continue  # a refused request was not executed, so any kind may be repeated
                failure = error_of(got, request.explain)
            if not may_repeat(request.kind, outcome, attempt, before_commit=request.before_commit):
                raise failure
            await self._rest(ctx, outcome, attempt, failure)
            attempt += 1

    async def _rest(
        self, ctx: Context, outcome: Answer | Lost, attempt: int, failure: ConnectorError
    ) -> None:
        """Wait before a repetition. Raises the failure where the call has no time or no budget for it."""
        wait = wait_before(outcome, attempt)
        if wait > LONGEST_WAIT_S or wait > ctx.deadline - time.monotonic():
            if isinstance(outcome, Answer) and outcome.retry_after is not None:
                raise RateLimited(
                    failure.message, retryable=True, retry_after=wait, hint="Come back then.",
                    upstream_status=outcome.status,
                ) from failure  # fmt: skip
            raise failure
        if not self.budget.take():
            logger.warning("A connection has used up its repetitions; its calls fail at the first try")
            raise failure
        await asyncio.sleep(wait)

    async def _attempt(
        self,
        ctx: Context,
        request: Request,
        headers: Mapping[str, str],
        secrets: tuple[str, ...],
        attempt: int,
    ) -> "Answer | _Missing":
        """One sending: an answer, or where it was lost and what to say of it."""
        left = ctx.deadline - time.monotonic()
        url = urljoin(self.base_url, request.path.lstrip("/"))
        if left <= 0:
            raise TimedOut("The call's time is over; nothing was sent.", retryable=True)
        try:
            async with asyncio.timeout(left):
                return await self._exchange(request, url, headers, secrets, attempt)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            cause = _guard_of(error)
            if cause is not None:
                raise ConnectionFailed(str(cause), code="forbidden_address") from error
            failure = ConnectionFailed(
                f"{urlsplit(url).hostname} cannot be reached: {_words(error, secrets)}", retryable=True
            )
            return _Missing(Lost.BEFORE, failure)
        except (httpx2.TimeoutException, TimeoutError):
            return _Missing(Lost.AFTER, _too_late(request))
        except (httpx2.TransportError, OSError) as error:
            failure = ConnectionFailed(
                f"The connection to {urlsplit(url).hostname} broke: {_words(error, secrets)}",
                retryable=request.kind is not Kind.ONCE,
                hint="" if request.kind is Kind.READ else _LOOK_FIRST,
            )
            return _Missing(Lost.AFTER, failure)

    async def _exchange(
        self, request: Request, url: str, headers: Mapping[str, str], secrets: tuple[str, ...], attempt: int
    ) -> Answer:
        """Send, follow redirects of reads by hand, and take the body."""
        sent = {**(request.headers or {}), **headers}
        params: Mapping[str, Any] | None = request.params
        for _ in range(MAX_REDIRECTS + 1):
            built = self._http.build_request(
                request.method, url, params=params, json=request.json, content=request.content, headers=sent
            )
            response = await self._http.send(built, stream=True)
            try:
                body = await _bounded(response, request.max_bytes)
            finally:
                await response.aclose()
            target = response.headers.get("location", "")
            if response.status_code not in _REDIRECTS or not target or request.kind is not Kind.READ:
                return Answer(
                    response.status_code,
                    {name.lower(): value for name, value in response.headers.items()},
                    body, url, attempt, secrets,
                )  # fmt: skip
            following = urljoin(url, target)
            if _origin(following) != _origin(url):
                sent = dict(request.headers or {})  # a credential never goes to another origin
            if urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https":
                raise ConnectionFailed("The system redirects to an address without TLS.", code="redirect")
            url, params = following, None
        raise ConnectionFailed("The system redirects in a circle.", code="redirect")


_LOOK_FIRST: Final = "It may have taken effect; look before you try again."


def _too_late(request: Request) -> TimedOut:
    return TimedOut(
        "The system did not answer in time.",
        retryable=request.kind is Kind.READ,
        hint="Try again, or ask for less." if request.kind is Kind.READ else _LOOK_FIRST,
    )


def _guard_of(error: BaseException) -> ForbiddenAddressError | None:
    """The guard's refusal behind an error of the HTTP library, which wraps it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ForbiddenAddressError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _words(error: Exception, secrets: tuple[str, ...]) -> str:
    return masked(str(error)[:200], secrets) or type(error).__name__


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)


async def _bounded(response: httpx2.Response, most: int) -> bytes:
    """The decoded body. Raises UpstreamError where it is larger than ``most`` bytes, decoded or not."""
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(most, response.status_code)
    parts: list[bytes] = []
    size = 0
    async for part in _decoded(response, most):
        size += len(part)
        if size > most:
            raise _too_large(most, response.status_code)
        parts.append(part)
    return b"".join(parts)


async def _decoded(response: httpx2.Response, most: int) -> AsyncIterator[bytes]:
    """The body's pieces, decompressed little by little: a small bomb must not fill the memory."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        async for part in response.aiter_raw():
            yield part
        return
    if encoding not in ("gzip", "deflate"):
        raise UpstreamError(f"The system answered in an encoding that was not asked for: {encoding[:40]}")
    inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is
    try:
        async for part in response.aiter_raw():
            while part:
                yield inflate.decompress(part, most + 1)
                part = inflate.unconsumed_tail
        yield inflate.flush()
    except zlib.error as error:
        raise UpstreamError("The system's compressed answer is damaged.", retryable=True) from error


def _too_large(most: int, status: int) -> UpstreamError:
    return UpstreamError(
        f"The system's answer is larger than {most:,} bytes.",
        code="too_large",
        upstream_status=status,
        hint="Ask for less: a narrower filter, fewer fields, a smaller page.",
    )


@lru_cache(maxsize=64)
def _tls(ca: str, verify: bool) -> ssl.SSLContext:
    """A shared TLS context: making one costs 16 ms and most of a megabyte."""
    context = ssl.create_default_context(cadata=ca or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _http_client(options: NetworkSettings) -> httpx2.AsyncClient:
    context = _tls(options.ca, options.verify)
    limits = httpx2.Limits(
        max_connections=options.connections, max_keepalive_connections=options.kept_alive, keepalive_expiry=30
    )
    transport = httpx2.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)
    # The library takes no network backend of ours; a test pins that this attribute is what it uses.
    transport._pool = httpcore2.AsyncConnectionPool(
        ssl_context=context,
        max_connections=options.connections,
        max_keepalive_connections=options.kept_alive,
        keepalive_expiry=30,
        network_backend=GuardedBackend(),
    )
    return httpx2.AsyncClient(
        transport=transport,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one that takes none
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(
            connect=options.connect_s, read=options.read_s, write=options.write_s, pool=options.pool_s
        ),
        headers={"user-agent": USER_AGENT, "accept-encoding": "gzip", "accept": "application/json"},
    )


_Key: TypeAlias = tuple[UUID, int, str, NetworkSettings]
_Kept: TypeAlias = "OrderedDict[_Key, Client]"
_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept]" = weakref.WeakKeyDictionary()


def client_of(connection: ConnectionRef, base_url: str) -> Client:
    """The connection's client in this process, made at first use; changed settings make a new one."""
    loop = asyncio.get_running_loop()
    kept = _clients.setdefault(loop, OrderedDict())
    key = (connection.id, connection.version, base_url, connection.network)
    client = kept.get(key)
    if client is None:
        client = kept[key] = Client(base_url, key[3])
        _drop_idle(loop, kept)
    kept.move_to_end(key)
    return client


def _drop_idle(loop: asyncio.AbstractEventLoop, kept: _Kept) -> None:
    """Close clients that nobody used for a while, and the oldest beyond the limit."""
    old = time.monotonic() - IDLE_S
    for key, client in list(kept.items())[:-1]:
        if client.active or (client.used > old and len(kept) <= MAX_CLIENTS):
            continue
        del kept[key]
        loop.create_task(client.aclose())


async def close_all() -> None:
    """Close this loop's clients, at the end of the process."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.aclose()
