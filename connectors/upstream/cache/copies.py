"""This process's own copies of kept results: a hit is a look into its memory.

Copies live for a short time and are bounded, per tenant and together. What another process
forgets is dropped when its message comes; while messages may be lost, copies are trusted for
a second at most. A result that was read before something was forgotten is never put here
afterwards: each reader notes :func:`moment` first, and :func:`keep` compares.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from common.bus import bus
from connectors.results import Content, ToolResult
from connectors.upstream.cache.plans import EVERYTHING

KIND: Final = "cache"
LIFE_S: Final = 10.0
ALONE_S: Final = 1.0  # where messages of others may be missing
MAX_BYTES: Final = 32 * 1024 * 1024  # of JSON, in all; as Python values some times more
MAX_TENANT_BYTES: Final = 4 * 1024 * 1024
MAX_COPY: Final = 256 * 1024
MAX_ROOMS: Final = 2_000
OVERHEAD: Final = 1_000
REMEMBERED: Final = 256  # how many forgettings of a tenant a slow reader can look back on


class Copy:
    """One result, already shaped."""

    __slots__ = ("at", "content", "heard", "key", "made", "marks", "meta", "size", "structured", "until")

    def __init__(
        self, key: bytes, marks: Iterable[str], result: ToolResult, size: int, age_s: float, fresh_s: float
    ) -> None:
        now = time.monotonic()
        self.key = key
        self.marks = frozenset(marks)
        self.structured: Any = result.structured
        self.content: tuple[Content, ...] = result.content
        self.meta = {name: value for name, value in result.meta.items() if name not in ("cache", "age_s")}
        self.size = size + OVERHEAD
        self.made = now
        self.at = now - age_s
        self.until = now + min(fresh_s, LIFE_S)
        self.heard = bus.times

    def answer(self) -> ToolResult:
        """The result, saying that it was kept and since when."""
        meta = {**self.meta, "cache": "hit", "age_s": int(time.monotonic() - self.at)}
        return ToolResult(self.structured, self.content, meta, False, "", "hit")


class _Room:
    """One tenant's copies, and what of it was forgotten lately."""

    __slots__ = ("copies", "forgotten", "lost", "size")

    def __init__(self, lost: int) -> None:
        self.copies: OrderedDict[bytes, Copy] = OrderedDict()
        self.size = 0
        self.forgotten: deque[tuple[int, frozenset[str]]] = deque(maxlen=REMEMBERED)
        self.lost = lost  # of forgettings up to this moment nothing is known

    def drop(self, copy: Copy) -> None:
        if self.copies.pop(copy.key, None) is not None:
            self.size -= copy.size


class Copies:
    """All tenants' copies; used by event loops and by the bus's thread."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[UUID, _Room] = OrderedDict()
        self._lock = threading.Lock()
        self._moment = 0
        self._closed = 0  # the moment of the last closing of a room, with what it remembered
        self.size = 0

    def find(self, tenant_id: UUID, key: bytes) -> Copy | None:
        """The copy, where there is one that can be trusted now."""
        room = self._rooms.get(tenant_id)
        copy = room.copies.get(key) if room is not None else None
        if room is None or copy is None:
            return None
        now = time.monotonic()
        if copy.until <= now or (
            now - copy.made > ALONE_S and (copy.heard != bus.times or not bus.connected.is_set())
        ):
            self._drop(room, (copy,))
            return None
        try:  # noqa: SIM105  suppress() costs ten times as much
            room.copies.move_to_end(key)
        except KeyError:  # another thread dropped it just now
            pass
        return copy

    @property
    def moment(self) -> int:
        """Now, for :meth:`keep` and :meth:`forgotten_since`: taken before a result is read."""
        return self._moment

    def forgotten_since(self, tenant_id: UUID, moment: int, marks: Iterable[str]) -> bool:
        """Whether one of the marks was forgotten after ``moment``, or may have been."""
        with self._lock:
            return self._forgotten_since(self._rooms.get(tenant_id), moment, frozenset(marks))

    def _forgotten_since(self, room: _Room | None, moment: int, marks: frozenset[str]) -> bool:
        if room is None:
            return self._closed > moment
        if room.lost > moment:
            return True
        return any(at > moment and marks & forgotten for at, forgotten in room.forgotten)

    def keep(self, tenant_id: UUID, copy: Copy, moment: int) -> None:
        """Put a result here that was read after ``moment``, unless it was forgotten since or is large."""
        if copy.size > MAX_COPY:
            return
        bus.start()
        with self._lock:
            room = self._rooms.get(tenant_id)
            if self._forgotten_since(room, moment, copy.marks):
                return
            if room is None:
                room = self._open(tenant_id)
            self._rooms.move_to_end(tenant_id)
            former = room.copies.get(copy.key)
            before = room.size
            if former is not None:
                room.drop(former)
            room.copies[copy.key] = copy
            room.size += copy.size
            while room.size > MAX_TENANT_BYTES:
                room.drop(next(iter(room.copies.values())))
            self.size += room.size - before
            while self.size > MAX_BYTES:
                self._close_oldest()

    def _open(self, tenant_id: UUID) -> _Room:
        room = self._rooms[tenant_id] = _Room(self._closed)
        if len(self._rooms) > MAX_ROOMS:
            self._close_oldest()
        return room

    def _close_oldest(self) -> None:
        _, room = self._rooms.popitem(last=False)
        self.size -= room.size
        self._moment += 1
        self._closed = self._moment

    def _drop(self, room: _Room, copies: Iterable[Copy]) -> None:
        with self._lock:
            before = room.size
            for copy in copies:
                if room.copies.get(copy.key) is copy:
                    room.drop(copy)
            self.size += room.size - before

    def forget(self, tenant_id: UUID, marks: Iterable[str]) -> int:
        """Drop what has one of the marks; how many that were."""
        found = frozenset(marks)
        with self._lock:
            self._moment += 1
            room = self._rooms.get(tenant_id)
            if room is None:
                room = self._open(tenant_id)
            if len(room.forgotten) == REMEMBERED:
                room.lost = room.forgotten[0][0]
            room.forgotten.append((self._moment, found))
            # Of a list, made in one step: a hit, which takes no lock, changes the order meanwhile.
            gone = [copy for copy in list(room.copies.values()) if copy.marks & found]
            before = room.size
            for copy in gone:
                room.drop(copy)
            self.size += room.size - before
        return len(gone)

    def clear(self) -> None:
        """Drop all of it, and trust nothing that is being read (for tests, and after a fork)."""
        with self._lock:
            self._moment += 1
            self._closed = self._moment
            self._rooms.clear()
            self.size = 0


copies = Copies()


def _heard(tenant_id: UUID, body: dict[str, Any]) -> None:
    """Obey what another process forgot; in the bus's thread."""
    copies.forget(tenant_id, body.get("marks") or (EVERYTHING,))


bus.subscribe(KIND, _heard)
