"""A conversation over one stream: JSON-RPC messages without an HTTP request around each.

HTTP+SSE and stdio share it. Messages are taken in order; requests run concurrently, and
their frames go out as they come. ``initialize`` binds version, client and capabilities to
the stream (no ``Mcp-Session-Id`` is shown); requests of 2026-07-28 carry all that themselves.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from common.log_context import request_context, tenant_context
from connectors.call_info import CallInfo
from mcp_endpoint import sessions, streams
from mcp_endpoint.channel import LiveChannel
from mcp_endpoint.eras import Arrival, turn_of
from mcp_endpoint.outlets import FrameOutlet
from mcp_endpoint.running import execute, failure
from mcp_endpoint.sdk import progress_token
from mcp_endpoint.sessions import Session
from mcp_endpoint.subscriptions import LISTEN
from mcp_endpoint.turn import RequestId, Turn
from mcp_endpoint.visit import note, unavailable
from mcp_endpoint.wire import INVALID_REQUEST, ProtocolError, error_frame
from tenants import access
from tenants.changes import watcher
from tenants.principals import Caller

logger = logging.getLogger(__name__)

SendFrame = Callable[[bytes], Awaitable[None]]


class Dialogue:
    """One client's conversation.

    ``send`` writes a frame to the client and drops it where the client has gone; ``end`` asks
    the transport to close the stream, ``ping`` keeps a quiet one alive. ``headers`` are those
    that count for all messages: the upstream tokens of the request that opened the stream.
    """

    def __init__(
        self,
        caller: Caller,
        send: SendFrame,
        end: Callable[[], None],
        *,
        headers: Mapping[bytes, bytes] | None = None,
        ping: Callable[[], Awaitable[None]] | None = None,
        transport: str = "stdio",
    ) -> None:
        self.caller = caller
        self.session: Session | None = None
        self._send = send
        self._end = end
        self._headers = headers or {}
        self._turns: dict[RequestId, tuple[Turn, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._version = 0  # of the tenant, when the caller was looked at last
        self._ping = ping
        self._transport = transport
        self._news: streams.Stream | None = None

    async def start(self) -> None:
        """Have the stream end with its key and its server. Raises ProtocolError."""
        self._news = await streams.open(
            self.caller, None, self._send, self._end, ping=self._ping, wants=frozenset()
        )

    async def take(self, message: dict[str, Any], key_id: str = "", address: str = "") -> None:
        """Deal with a message, or begin to; what it is answered goes out over the stream.

        ``key_id`` and ``address`` are those of the request that brought it, where they may
        differ from the stream's: the message then runs with the rights of that key.
        """
        given = message.get("id")
        request_id = given if type(given) in (int, str) else None
        method = message["method"] if type(message.get("method")) is str else ""
        info = CallInfo(f"{random.getrandbits(96):024x}")
        request_context.set(info.request_id)
        tenant_context.set(self.caller.tenant.slug)
        caller: Caller | None = None
        try:
            caller = await self._current(key_id, address)
            if method == "notifications/cancelled":
                self._cancel(message)
                return
            turn = await turn_of(
                Arrival(caller, message, info.request_id, self._headers, None, self.session, self._transport)
            )
        except ProtocolError as error:
            note(caller, info, method, error)
            await self._refuse(message, request_id, error)
            return
        except Exception as error:
            await self._refuse(message, request_id, failure("a message of a stream", error, info.request_id))
            return
        if turn is not None:
            await self._begin(turn, message)

    async def refuse(self, error: ProtocolError) -> None:
        """Answer what is no message at all (JSON-RPC 2.0: with a null id)."""
        note(self.caller, CallInfo(), "", error)
        await self._send(error_frame(None, error.code, error.message, error.data))

    async def check(self) -> bool:
        """Whether the caller may still come; where not, the stream is asked to end."""
        try:
            await self._current("", "")
        except ProtocolError as error:
            return error.status == 503  # what cannot be asked now is asked again
        return True

    async def finish(self, seconds: float) -> None:
        """Let what runs come to its end, but no longer than ``seconds``; then :meth:`close`."""
        ending = {task for task in self._tasks if task.get_name() != LISTEN}  # those end with the stream
        if ending and seconds > 0:
            await asyncio.wait(ending, timeout=seconds)
        await self.close()

    async def close(self) -> None:
        """End what still runs; each call's record says that it was cancelled."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._news is not None:
            self._news.leave()

    async def _current(self, key_id: str, address: str) -> Caller:
        """The caller as it is now. Raises ProtocolError, and ends the stream of a dead key."""
        try:
            caller = await self._rechecked(self.caller)
            if caller is None:
                self._end()
                raise ProtocolError(INVALID_REQUEST, access.AccessDenied.PUBLIC, status=401)
            self.caller = caller
            if key_id and (key_id, address) != (caller.key_id, caller.address):
                other = await access.recheck(replace(caller, key_id=key_id, address=address))
                if other is None:
                    raise ProtocolError(INVALID_REQUEST, access.AccessDenied.PUBLIC, status=401)
                return other
        except access.AccessUnavailable as error:
            raise unavailable(str(error)) from None
        return caller

    async def _rechecked(self, caller: Caller) -> Caller | None:
        if caller.key_id:
            return await access.recheck(caller)
        version = watcher.current_version(caller.tenant.id)
        if version == self._version:
            return caller
        found = await access.recheck(caller)
        self._version = version
        return found

    async def _refuse(
        self, message: dict[str, Any], request_id: RequestId | None, error: ProtocolError
    ) -> None:
        if "id" in message or "method" not in message:  # a notification is never answered
            await self._send(error_frame(request_id, error.code, error.message, error.data))

    def _cancel(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        wanted = params.get("requestId") if type(params) is dict else None
        found = self._turns.get(wanted) if isinstance(wanted, int | str) else None
        if found is None:
            return
        turn, task = found
        if turn.running:
            turn.cancel()
        else:  # it has not begun, or its answer is on the way out
            task.cancel()
            del self._turns[turn.id]

    async def _begin(self, turn: Turn, message: dict[str, Any]) -> None:
        if turn.method == "initialize":  # what follows depends on what it negotiates
            await self._run(turn, message)
            return
        task = asyncio.create_task(self._run(turn, message), name=turn.method)
        self._turns[turn.id] = (turn, task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, turn: Turn, message: dict[str, Any]) -> None:
        turn.channel = LiveChannel(self._send, progress_token(turn.params), turn.level)
        turn.outlet = FrameOutlet(self._send)
        try:
            outcome = await execute(turn, message)
            if outcome.frame and not turn.cancelled:  # a cancelled request is not answered (both eras)
                await self._send(outcome.frame)
            if turn.method == "initialize" and outcome.headers:
                await self._bind(turn.caller, outcome.headers)
        except Exception as error:
            logger.exception("an answer could not be sent", exc_info=error)
        finally:
            if self._turns.get(turn.id, (None,))[0] is turn:
                del self._turns[turn.id]

    async def _bind(self, caller: Caller, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        """Keep what ``initialize`` negotiated, and tell the client's news; the session's id stays here."""
        token = dict(headers).get(b"mcp-session-id", b"").decode()
        self.session = sessions.open_session(token, caller)
        if self.session is None or self._news is None:
            return
        try:
            news = await streams.open(self.caller, self.session, self._send, self._end, ping=self._ping)
        except ProtocolError as error:
            logger.warning("A stream goes on without notifications: %s", error.message)
            return
        self._news.leave()
        self._news = news
