"""HTTP: one message out, frames back, and what can go wrong on the way, told apart.

What matters to a caller is whether a request may have reached the server: only what surely
did not is sent again by itself.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2

CONNECT_S = 10.0
# The server sends at least a comment every 15 s from the first 15 s on.
SILENCE_S = 60.0

Frame = dict[str, Any]
OnFrame = Callable[[Frame], Awaitable[bool]]


class NotSent(Exception):
    """The server could not be reached: it has not seen the message."""


class Lost(Exception):
    """The connection broke after the message had been sent, perhaps."""


class Refused(Exception):
    """An HTTP answer other than success. ``error`` is the JSON-RPC error in it, where there is one."""

    def __init__(self, status: int, error: dict[str, Any] | None, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.error = error
        self.sentence = sentence


class Remote:
    """The tenant's endpoint. Use it as an asynchronous context manager."""

    def __init__(self, url: str, secrets: Mapping[str, str]) -> None:
        self.url = url
        self._http = httpx2.AsyncClient(
            headers={**secrets, "User-Agent": "portico-stdio"},
            timeout=httpx2.Timeout(SILENCE_S, connect=CONNECT_S, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
            follow_redirects=False,  # a key goes nowhere but where it was meant to go
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *details: Any) -> None:
        await self._http.__aexit__(*details)

    async def post(self, message: Frame, headers: Mapping[str, str], on_frame: OnFrame) -> Mapping[str, str]:
        """Send a message and pass on the frames of its answer until ``on_frame`` has enough.

        Returns the answer's headers. Raises NotSent, Lost and Refused.
        """
        content = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
        made = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            **headers,
        }
        async with self._answer("POST", made, content) as response:
            if response.status_code == 202:
                return response.headers
            if _media_type(response) == "text/event-stream":
                async for frame in _frames(response):
                    if await on_frame(frame):
                        return response.headers
                if "id" in message and "method" in message:
                    raise Lost("The stream of the answer ended early.")
                return response.headers
            whole = _parsed(await response.aread())
            if whole is not None:
                await on_frame(whole)
            elif "id" in message and "method" in message:
                raise Refused(response.status_code, None, "The answer is not JSON.")
            return response.headers

    async def listen(
        self, headers: Mapping[str, str], opened: Callable[[], Awaitable[None]], on_frame: OnFrame
    ) -> None:
        """Hold the stream of a session of the handshake era. Raises NotSent, Lost and Refused."""
        async with self._answer("GET", {"Accept": "text/event-stream", **headers}, None) as response:
            if _media_type(response) != "text/event-stream":
                raise Refused(405, None, "There is no stream here.")
            await opened()
            async for frame in _frames(response):
                await on_frame(frame)
        raise Lost("The stream ended.")

    @asynccontextmanager
    async def _answer(
        self, method: str, headers: Mapping[str, str], content: bytes | None
    ) -> AsyncIterator[httpx2.Response]:
        try:
            async with self._http.stream(method, self.url, headers=headers, content=content) as response:
                if not response.is_success:
                    raise await self._refusal(response)
                yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            raise NotSent(_said(error)) from None
        except (httpx2.TransportError, httpx2.SSEError) as error:
            raise Lost(_said(error)) from None

    async def _refusal(self, response: httpx2.Response) -> Refused:
        if response.is_redirect:
            where = response.headers.get("location", "")[:300]
            return Refused(
                response.status_code, None,
                f"The server redirects to {where}, where the key is not sent; write that URL as --url if it is right.",
            )  # fmt: skip
        frame = _parsed(await response.aread()) or {}
        error = frame.get("error")
        error = error if isinstance(error, dict) and isinstance(error.get("message"), str) else None
        if response.status_code == 401:
            sentence = (
                "The server refused the access key (401). Set PORTICO_ACCESS_KEY in this client's configuration "
                "to a valid key of this tenant, and check the URL; an admin of the tenant makes keys."
            )
        else:
            sentence = error["message"] if error else f"The server answered with HTTP {response.status_code}."
        return Refused(response.status_code, error, sentence)


def _media_type(response: httpx2.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


async def _frames(response: httpx2.Response) -> AsyncIterator[Frame]:
    async for event in httpx2.EventSource(response, max_event_size=None):
        frame = _parsed(event.data.encode("utf-8", "surrogatepass")) if event.data else None
        if frame is not None:
            yield frame


def _parsed(text: bytes) -> Frame | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
