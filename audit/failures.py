"""Failed authentications, counted: one row per tenant, key, address, reason and minute.

A stranger who tries keys all day must not fill the audit, so failures are added up in the
process and written when their minute ends, and when the process stops. Memory is bounded:
beyond :data:`MAX_ENTRIES` a tenant's further addresses share one row. Each process counts
for itself, so two workers that saw the same stranger leave one row each.
"""

import os
import threading
import time
from collections.abc import Callable
from uuid import UUID

from audit.events import Event
from audit.rows import prepare
from common.writer import QueueFullError, writer

MAX_ENTRIES = 5_000
MINUTE_US = 60_000_000
# A database that is away is tried again for this long before counted failures are given up.
PATIENCE_S = 300.0

_Key = tuple[UUID, str, str, str, int]


class FailureCounter:
    """Adds up failed authentications and hands them to the writer."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[_Key, int] = {}
        self._timer: threading.Timer | None = None
        self.unknown_slugs = 0  # for metrics: such failures belong to no tenant and leave no row
        self.dropped = 0  # failures that could not even be counted in a shared row

    def unknown_slug(self) -> None:
        """Count a failure at an address that belongs to no tenant."""
        self.unknown_slugs += 1

    def add(self, tenant_id: UUID, *, key_id: str, address: str, reason: str) -> None:
        """Count one failure; cheap, never blocks on the database, never raises."""
        now = self._clock()
        minute = int(now // 60)
        with self._lock:
            key: _Key = (tenant_id, key_id[:12], address[:45], reason[:20], minute)
            if key not in self._counts and len(self._counts) >= MAX_ENTRIES:
                key = (tenant_id, "", "", reason[:20], minute)
                if key not in self._counts and len(self._counts) >= 2 * MAX_ENTRIES:
                    self.dropped += 1
                    return
            self._counts[key] = self._counts.get(key, 0) + 1
            if self._timer is None:
                self._timer = threading.Timer(max(0.05, 60 - now % 60 + 0.05), self._minute_ended)
                self._timer.daemon = True
                self._timer.start()

    def _minute_ended(self) -> None:
        with self._lock:
            self._timer = None
        self.flush()

    def flush(self) -> None:
        """Hand all that was counted to the writer now."""
        with self._lock:
            counts, self._counts = self._counts, {}
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for (tenant_id, key_id, address, reason, minute), count in counts.items():
            event = Event(
                tenant_id, "auth", name="authenticate", outcome="denied", at_us=minute * MINUTE_US,
                key_id=key_id, address=address, error_type=reason, count=count,
                message="" if address else "Several addresses",
            )  # fmt: skip
            try:
                writer.submit_later(
                    "audit", prepare(event), owner=tenant_id.hex, deadline=time.monotonic() + PATIENCE_S
                )
            except QueueFullError:
                self.dropped += count


failures = FailureCounter()
