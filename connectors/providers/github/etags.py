"""What GitHub answered before, so that it can be asked whether that still holds.

A 304 answer does not count against the credential's limit (docs.github.com, "Best practices for
using the REST API"). Bodies stay in this process's memory: each belongs to a tenant, a
connection and the credential that was allowed to read it, is asked about again every time,
and is gone after an hour. They are not shared with other processes: results are, for their time
(docs/caching.md), and what another process would save is a request of 5,000 now and then.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from connectors.upstream.answers import Answer

MAX_BYTES: Final = 16_000_000
MAX_BODY: Final = 500_000
KEPT_S: Final = 3600.0
OVERHEAD: Final = 2_000  # bytes of an entry itself, and of each of its many small texts

Key = tuple[UUID, UUID, str, str]  # tenant, connection, whose credential, what was asked


@dataclass(frozen=True, slots=True)
class _Kept:
    tag: str
    answer: Answer
    until: float
    size: int


class Etags:
    """Answers by what was asked, the oldest forgotten first. Safe for several threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._rows: OrderedDict[Key, _Kept] = OrderedDict()
        self._max = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> tuple[str, Answer] | None:
        """The tag and the answer that is known, or None."""
        with self._lock:
            kept = self._rows.get(key)
            if kept is None:
                return None
            if kept.until < time.monotonic():
                self._drop(key)
                return None
            self._rows.move_to_end(key)
            return kept.tag, kept.answer

    def put(self, key: Key, answer: Answer) -> None:
        """Keep an answer that has a tag and is not too large."""
        tag = answer.headers.get("etag", "")
        if not tag or len(tag) > 200 or len(answer.body) > MAX_BODY:
            return
        kept = Answer(answer.status, dict(answer.headers), answer.body, answer.url)  # without the secrets
        with self._lock:
            self._drop(key)
            self._rows[key] = row = _Kept(tag, kept, time.monotonic() + KEPT_S, _size(key, kept))
            self._bytes += row.size
            while self._bytes > self._max:
                self._drop(next(iter(self._rows)))

    def _drop(self, key: Key) -> None:
        kept = self._rows.pop(key, None)
        if kept is not None:
            self._bytes -= kept.size


def _size(key: Key, answer: Answer) -> int:
    """What an answer takes of memory, also one with hardly a body."""
    headers = sum(len(name) + len(value) for name, value in answer.headers.items())
    return OVERHEAD + len(answer.body) + headers + len(key[3])


etags = Etags()
