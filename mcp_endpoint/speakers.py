"""Which stream of a session speaks: a client of the handshake era may hold several, on any workers.

The specification (2025-11-25, Streamable HTTP, "Multiple Connections") lets a client stay on
several streams at once and forbids to send one message on more than one of them. So the
newest one speaks and the older ones stand by, until the newest has gone.
"""

import time
from typing import Any
from uuid import UUID

from common.bus import bus
from mcp_endpoint.open_stream import Stream

KIND = "stream"


class Speakers:
    """The sessions' streams of one event loop, and what was heard of streams elsewhere."""

    def __init__(self) -> None:
        self._here: dict[str, list[Stream]] = {}  # by session, the newest last
        self._elsewhere: dict[str, float] = {}  # the newest stream of other workers

    def of(self, session: str) -> list[Stream]:
        """The streams of a session that are open here."""
        return self._here.get(session, [])

    def speaks(self, stream: Stream) -> bool:
        """Whether news of its session goes out on this stream."""
        here = self._here.get(stream.session)
        if not here:
            return True
        return here[-1] is stream and stream.opened_at > self._elsewhere.get(stream.session, 0.0)

    async def enter(self, stream: Stream) -> None:
        """Take a new stream in; from now on it speaks for its session."""
        self._here.setdefault(stream.session, []).append(stream)
        await self._announce(stream, closed=False)

    def leave(self, stream: Stream) -> bool:
        """Let a stream go; True where the other workers must be told (:meth:`left`)."""
        here = self._here.get(stream.session, [])
        if stream not in here:
            return False
        here.remove(stream)
        if not here:
            del self._here[stream.session]
            self._elsewhere.pop(stream.session, None)
        return True

    async def left(self, stream: Stream) -> None:
        """Tell the other workers that a stream has gone."""
        await self._announce(stream, closed=True)

    async def heard(self, session: str, opened_at: float, closed: bool) -> None:
        """Take note of a stream of another worker; the newest one tells the others so."""
        here = self._here.get(session)
        if not here or any(stream.opened_at == opened_at for stream in here):
            return
        if closed:
            if self._elsewhere.get(session) == opened_at:
                del self._elsewhere[session]
                await self._announce(here[-1], closed=False)
        elif opened_at > here[-1].opened_at:
            self._elsewhere[session] = max(opened_at, self._elsewhere.get(session, 0.0))
        else:
            await self._announce(here[-1], closed=False)

    @staticmethod
    async def _announce(stream: Stream, *, closed: bool) -> None:
        body = {"session": stream.session, "at": stream.opened_at, "closed": closed}
        await bus.publish_async(stream.caller.tenant.id, KIND, body)


def moment() -> float:
    """When a stream is opened, as no other one is: seconds since 1970."""
    global _last
    _last = max(time.time(), _last + 0.000_001)
    return _last


_last = 0.0


def read(tenant_id: UUID, body: dict[str, Any]) -> tuple[str, float, bool] | None:
    """A message of :data:`KIND`, None where it is not one."""
    session, opened_at = body.get("session"), body.get("at")
    if not isinstance(session, str) or not isinstance(opened_at, float):
        return None
    return session, opened_at, body.get("closed") is True
