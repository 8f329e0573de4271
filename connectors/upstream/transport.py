"""HTTP as Portico speaks it: guarded, without cookies, environment or credential."""

import re
import ssl
from collections.abc import AsyncIterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

import httpcore2
import httpx2
from django.conf import settings

from connectors.connection_settings import NetworkSettings
from connectors.errors import ConnectionFailed
from connectors.upstream.bodies import bounded
from connectors.upstream.pool import Pool

USER_AGENT: Final = f"Portico/{settings.PORTICO_VERSION}"


_DEFAULTS: Final = {
    "user-agent": USER_AGENT,
    "accept-encoding": "gzip",
    "accept": "application/json",
    "connection": "keep-alive",
}
# Addresses that the library would write as they stand: parsing them anew is a tenth of a request.
_PLAIN: Final = re.compile(
    r"(?P<origin>https?://[^/?#@\\]+)(?P<path>(?:/(?!\.{1,2}(?:/|\Z))[\w.~!$&'()*+,;=:@-]*)*)", re.ASCII
)
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "DELETE"})


class Http:
    """Guarded connections, and requests over them as they are.

    It follows nothing, keeps no cookie and reads nothing of the environment. The library's client
    does all that, and costs a third of a request; of the library this uses how requests are
    written (:class:`httpx2.Request`) and the connections below.
    """

    def __init__(self, options: NetworkSettings) -> None:
        """Raises ConnectionFailed where ``options.ca`` is no PEM."""
        self.times = {"connect": options.connect_s, "read": options.read_s, "write": options.write_s}
        self._pool = Pool(_tls(options.ca, options.verify), options.kept_alive)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, Any] | None,
        json: Any,
        content: bytes | None,
        connect_s: float | None,
    ) -> httpcore2.Request:
        """A request ready to be sent; ``connect_s`` in place of the usual time.

        Raises ValueError for what cannot be written, httpx2.InvalidURL and httpcore2.UnsupportedProtocol.
        """
        own = {**_DEFAULTS, **{name.lower(): value for name, value in headers.items()}}
        times = self.times if connect_s is None else {**self.times, "connect": connect_s}
        extensions = {"timeout": times}
        if json is None and content is None and method in _WITHOUT_BODY and (plain := _PLAIN.fullmatch(url)):
            scheme, host, port, name = _origin(plain["origin"])
            query = f"?{httpx2.QueryParams(params)}" if params else ""
            raw = [(b"host", name), *((key.encode("ascii"), own[key].encode("ascii")) for key in own)]
            target = ((plain["path"] or "/") + query).encode("ascii")
            to = httpcore2.URL(scheme=scheme, host=host, port=port, target=target)
            return httpcore2.Request(method, to, headers=raw, extensions=extensions)
        built = httpx2.Request(method, url, params=params, headers=own, json=json, content=content)
        if built.url.scheme not in ("http", "https"):
            raise httpcore2.UnsupportedProtocol("Neither http nor https.")
        return httpcore2.Request(
            built.method,
            httpcore2.URL(
                scheme=built.url.raw_scheme,
                host=built.url.raw_host,
                port=built.url.port,
                target=built.url.raw_path,
            ),
            headers=built.headers.raw,
            content=cast("AsyncIterable[bytes]", built.stream),
            extensions=extensions,
        )

    async def exchange(self, request: httpcore2.Request, most: int) -> tuple[int, dict[str, str], bytes]:
        """Send a request; status, headers and body of its answer.

        Raises what the library raises, and UpstreamError where the body is larger than ``most`` bytes.
        """
        connection = await self._pool.take(request.url.origin)
        try:
            response = await connection.handle_async_request(request)
            status, headers = response.status, headers_of(response.headers)
            stream = cast("AsyncIterable[bytes]", response.stream)
            body = await bounded(stream, status, headers, most)
            await response.aclose()
        finally:
            await self._pool.give_back(connection)
        return status, headers, body

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def headers_of(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lowercase name; several of one name as one list (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


@lru_cache(maxsize=256)
def _origin(text: str) -> tuple[bytes, bytes, int | None, bytes]:
    """Scheme, host and port of an origin, and how a Host header names it."""
    url = httpx2.URL(text)
    return url.raw_scheme, url.raw_host, url.port, url.netloc


@lru_cache(maxsize=64)
def _tls(ca: str, verify: bool) -> ssl.SSLContext:
    """A shared TLS context: making one costs 16 ms and most of a megabyte.

    A connection's own authority stands in for the public ones; it does not join them.
    """
    try:
        context = ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise ConnectionFailed(
            "The connection's certificate authority is no certificate in PEM form.",
            code="bad_ca",
            hint="An admin pastes it again, from BEGIN CERTIFICATE to END CERTIFICATE.",
        ) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
