"""Counting for people, and what was not told to Redis while it was away.

One thread per process writes both every few seconds, so that a hit costs no request and a
forgetting is never lost: what a write has made wrong stays wrong until Redis knows it.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import redis

from common import metrics
from common.bus import bus
from common.redis import sync_client, tenant_key
from connectors.upstream.cache.copies import KIND, copies
from connectors.upstream.cache.scripts import FORGET
from connectors.upstream.cache.store import ROOM, forget_arguments, run_sync

logger = logging.getLogger(__name__)

EVERY_S: Final = 2.0
REST_S: Final = 1.0  # so long nobody asks a Redis that was just found to be away
STATS_S: Final = 30 * 86_400
EVENTS: Final = {"hit": "hits", "miss": "misses", "stale": "stale"}


class Keeper:
    """A process's counters and debts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[UUID, str], int] = {}
        self._owed: dict[UUID, set[str]] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._away_until = 0.0
        self._away = False

    def count(self, tenant_id: UUID, connector: str, event: str) -> None:
        """A call was answered from the cache (hit, stale) or beside it (miss)."""
        metrics.cached(connector, event)
        key = (tenant_id, event)
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1
        if self._thread is None:
            self._start()

    @property
    def resting(self) -> bool:
        """Whether Redis was away a moment ago, and is not asked yet."""
        return self._away_until > time.monotonic()

    def lost(self) -> None:
        """Redis did not answer."""
        self._away_until = time.monotonic() + REST_S
        if not self._away:
            self._away = True
            metrics.away("cache", True)
            logger.warning("Redis is not reachable: results are kept per process, for a second each.")

    def found(self) -> None:
        """Redis answered."""
        if self._away:
            self._away, self._away_until = False, 0.0
            metrics.away("cache", False)
            logger.info("Redis is back: results are kept for all processes again.")

    def owe(self, tenant_id: UUID, marks: Iterable[str]) -> None:
        """Have the marks forgotten in Redis as soon as it is back."""
        with self._lock:
            self._owed.setdefault(tenant_id, set()).update(marks)
        if self._thread is None:
            self._start()

    def owes(self, tenant_id: UUID) -> bool:
        """Whether what Redis has of this tenant is not to be believed yet."""
        return tenant_id in self._owed

    def flush(self) -> None:
        """Pay what is owed, then write the counters; from a thread. What cannot be told now stays."""
        with self._lock:
            counts, self._counts = self._counts, {}
            owed = list(self._owed)
        try:
            for tenant_id in owed:
                self._pay(tenant_id)
            if counts:
                pipe = sync_client().pipeline(transaction=False)
                for (tenant_id, event), number in counts.items():
                    name = tenant_key(tenant_id, ROOM, "stats")
                    pipe.hincrby(name, EVENTS[event], number)
                    pipe.expire(name, STATS_S)
                pipe.execute()
            if self._away:
                sync_client().ping()
                self.found()
        except (redis.RedisError, OSError):
            self.lost()
            with self._lock:
                for key, number in counts.items():
                    self._counts[key] = self._counts.get(key, 0) + number

    def _pay(self, tenant_id: UUID) -> None:
        marks = set(self._owed[tenant_id])
        run_sync(FORGET, tenant_id, *forget_arguments(marks))
        with self._lock:
            self._owed[tenant_id] -= marks
            if not self._owed[tenant_id]:
                del self._owed[tenant_id]
        bus.publish(tenant_id, KIND, {"marks": sorted(marks)})

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stop,), name="portico-cache", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Write what is left and end the thread."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            thread.join(5)
            self.flush()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_S):
            try:
                self.flush()
            except Exception:
                logger.exception("The cache's counters stumbled and go on")


keeper = Keeper()


def _after_fork() -> None:
    keeper.__init__()  # type: ignore[misc]  # threads and held locks do not come along
    copies.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)
