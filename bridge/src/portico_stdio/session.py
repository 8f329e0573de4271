"""The handshake era: a session that outlives lost connections and the server's forgetting it.

The server names the session in ``Mcp-Session-Id``; an unknown one is answered with 404, and
nothing ran then. So the bridge initializes again by itself, with the client's own words, and
sends the request once more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from portico_stdio.patience import backoff
from portico_stdio.remote import Frame, Lost, NotSent, OnFrame, Refused, Remote

_KINDS = ("tools", "prompts", "resources")


class Session:
    """What was negotiated, and the stream of what the server says by itself."""

    def __init__(
        self, remote: Remote, emit: Callable[[Frame], Awaitable[None]], log: Callable[[str], None]
    ) -> None:
        self._remote, self._emit, self._log = remote, emit, log
        self._lock = asyncio.Lock()
        self._number = 0  # of handshakes so far
        self._token = self._version = ""
        self._hello: Frame | None = None  # the client's own initialize
        self._capabilities: Mapping[str, Any] = {}
        self._level: Frame | None = None
        self._uris: dict[str, None] = {}
        self._stream: asyncio.Task[None] | None = None

    async def request(self, message: Frame, on_frame: OnFrame) -> None:
        """Send a request and pass on its frames. Raises NotSent, Lost and Refused."""
        if message["method"] == "initialize":
            await self._greet(message, on_frame)
            return
        number = self._number
        try:
            await self._remote.post(message, self._headers, on_frame)
        except Refused as error:
            if error.status != 404 or not self._token:
                raise
            await self._renew(number)
            await self._remote.post(message, self._headers, on_frame)
        self._remember(message)

    async def tell(self, message: Frame) -> None:
        """Send a notification, or the answer to a question of the server; a failure is logged."""
        what = message.get("method", "an answer")
        try:
            await self._remote.post(message, self._headers, _ignore)
        except (NotSent, Lost, Refused) as error:
            self._log(f"{what} did not reach the server: {error}")
        if what == "notifications/initialized" and self._stream is None and self._token:
            self._stream = asyncio.create_task(self._hold_stream())

    def close(self) -> None:
        """End the stream."""
        if self._stream is not None:
            self._stream.cancel()

    @property
    def _headers(self) -> dict[str, str]:
        headers = {"Mcp-Session-Id": self._token} if self._token else {}
        return {**headers, "MCP-Protocol-Version": self._version} if self._version else headers

    async def _greet(self, message: Frame, on_frame: OnFrame) -> None:
        self._token = self._version = ""
        answers: list[Frame] = []

        async def note(frame: Frame) -> bool:
            if "result" in frame or "error" in frame:
                answers.append(frame)
                return True
            return await on_frame(frame)

        headers = await self._remote.post(message, {}, note)
        result = answers[0].get("result") if answers else None
        if isinstance(result, dict):
            self._hello = message
            self._token = headers.get("mcp-session-id", "")
            self._version = str(result.get("protocolVersion", ""))
            capabilities = result.get("capabilities")
            self._capabilities = capabilities if isinstance(capabilities, dict) else {}
            self._number += 1
        for frame in answers:  # the client may go on only now that the session is known
            await on_frame(frame)

    async def _renew(self, number: int) -> None:
        """Initialize again, once for all that found the session gone."""
        async with self._lock:
            if self._number != number or self._hello is None:
                return
            self._log("the server does not know the session any more; a new one is made")
            await self._greet({**self._hello, "id": f"portico-stdio-{number}"}, _enough)
            if self._number == number:
                raise Refused(404, None, "The session was lost, and the server refused to make a new one.")
            again: list[Frame] = [{"method": "notifications/initialized"}]
            if self._level is not None:
                again.append({**self._level, "id": f"portico-stdio-{number}-level"})
            for place, uri in enumerate(self._uris):
                again.append(
                    {
                        "method": "resources/subscribe",
                        "id": f"portico-stdio-{number}-{place}",
                        "params": {"uri": uri},
                    }
                )
            for message in again:
                try:
                    await self._remote.post({"jsonrpc": "2.0", **message}, self._headers, _enough)
                except Refused as error:
                    self._log(f"{message['method']} could not be restored: {error}")

    def _remember(self, message: Frame) -> None:
        params = message.get("params")
        uri = params.get("uri") if isinstance(params, dict) else None
        if message["method"] == "logging/setLevel":
            self._level = message
        elif message["method"] == "resources/subscribe" and isinstance(uri, str):
            self._uris[uri] = None
        elif message["method"] == "resources/unsubscribe" and isinstance(uri, str):
            self._uris.pop(uri, None)

    async def _hold_stream(self) -> None:
        """Stay on the session's stream until the end, however often it is lost."""
        delays, opened_before = backoff(), False

        async def opened() -> None:
            nonlocal delays
            delays = backoff()
            if opened_before:
                await self._tell_missed()

        while True:
            number = self._number
            try:
                await self._remote.listen(self._headers, opened, self._pass_on)
            except (NotSent, Lost) as error:
                self._log(f"the stream of notifications is opened again ({error})")
            except Refused as error:
                if error.status == 404:
                    try:
                        await self._renew(number)
                    except (NotSent, Lost, Refused) as failure:
                        self._log(f"no new session yet: {failure}")
                elif error.status not in (429, 502, 503, 504):
                    if error.status != 405:  # a server may have no stream
                        self._log(f"there is no stream of notifications: {error.sentence}")
                    return
            opened_before = True
            await asyncio.sleep(next(delays))

    async def _pass_on(self, frame: Frame) -> bool:
        await self._emit(frame)
        return False

    async def _tell_missed(self) -> None:
        """Have the client look again at all that may have changed while nobody listened."""
        for kind in _KINDS:
            offered = self._capabilities.get(kind)
            if isinstance(offered, dict) and offered.get("listChanged"):
                await self._emit({"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"})
        for uri in list(self._uris):
            await self._emit(
                {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}
            )


async def _ignore(frame: Frame) -> bool:
    return False


async def _enough(frame: Frame) -> bool:
    return "result" in frame or "error" in frame
