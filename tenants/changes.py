"""Telling every worker that a tenant's configuration changed.

A service bumps ``Tenant.version`` in its own transaction. Every process asks the database
each half second, in one indexed query, which tenants changed: that is the upper bound, and it
needs nothing but the database. Where Redis is there, a message on commit makes it faster.

The watcher is a thread of its own with a database connection of its own, and the bus another:
neither a busy event loop nor a full thread pool can delay a revocation.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from common.bus import bus
from tenants.models import Tenant

logger = logging.getLogger(__name__)

POLL_S = 0.5
# A transaction stamps its time when it writes and is seen when it commits; asking for what
# changed in the last minute (and comparing versions) misses none that took less.
OVERLAP = timedelta(seconds=60)
# Everything is compared once in a while: deleted tenants, and transactions beyond the overlap.
SWEEP_S = 10.0
GONE = 2**62  # the version of a deleted tenant: newer than whatever anybody holds

Callback = Callable[[UUID, int], None]


def tenant_changed(tenant_id: UUID) -> None:
    """Bump a tenant's version inside the caller's transaction; on commit tell everybody.

    Takes the tenant's row lock, so it comes after the changed objects and before the audit
    row (the house's lock order).
    """
    rows = Tenant.objects.filter(pk=tenant_id)
    rows.update(version=F("version") + 1, changed_at=Now())
    version = rows.values_list("version", flat=True).first()
    announce_on_commit(tenant_id, GONE if version is None else version)


def announce_on_commit(tenant_id: UUID, version: int) -> None:
    """Once the surrounding transaction commits, tell this process and all others."""
    transaction.on_commit(lambda: _announce(tenant_id, version))


def _announce(tenant_id: UUID, version: int) -> None:
    bus.publish(tenant_id, "tenant", {"version": version})


class Watcher:
    """Knows each tenant's latest version as far as this process has heard.

    Subscribers are called as ``callback(tenant_id, version)`` in the watcher's thread or in
    the thread of the service that changed something: they must be quick and thread-safe.
    """

    def __init__(self) -> None:
        self._versions: dict[UUID, int] = {}
        self._lock = threading.Lock()
        self._callbacks: list[Callback] = []
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._stop = threading.Event()
        self.last_poll = 0.0  # time.monotonic() of the last answered poll, for health
        self.last_error: str | None = None

    def start(self, loop: object = None) -> None:
        """Start the thread in this process unless it runs; the loop is not needed."""
        with self._lock:
            if self.running:
                return
            bus.start()
            self._pid = os.getpid()
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stop,), name="portico-watcher", daemon=True
            )
            self._thread.start()

    @property
    def running(self) -> bool:
        """Whether this process watches (a forked child does not inherit it)."""
        return self._thread is not None and self._pid == os.getpid() and self._thread.is_alive()

    def stop(self) -> None:
        """End the thread and close its connections."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(5)

    def subscribe(self, callback: Callback) -> None:
        """Have changes told to a callback; registering the same one twice is harmless."""
        if callback not in self._callbacks:
            self._callbacks.append(callback)

    def current_version(self, tenant_id: UUID) -> int:
        """The latest version heard of, 0 where nothing was: anything older is stale."""
        return self._versions.get(tenant_id, 0)

    def heard(self, tenant_id: UUID, version: int) -> None:
        """Take note of a version and tell the subscribers if it is news."""
        with self._lock:
            if version <= self._versions.get(tenant_id, 0):
                return
            self._versions[tenant_id] = version
        for callback in self._callbacks:
            try:
                callback(tenant_id, version)
            except Exception:
                logger.exception("A subscriber failed on a change of tenant %s", tenant_id)

    def poll(self, *, sweep: bool = False) -> None:
        """Ask the database once: for recent changes, or (``sweep``) for all tenants.

        A sweep also finds tenants that are gone.
        """
        rows = Tenant.objects.order_by().values_list("pk", "version")
        if sweep:
            known = list(self._versions)
            there = dict(rows)
            for tenant_id in known:
                if tenant_id not in there:
                    self.heard(tenant_id, GONE)
            found = list(there.items())
        else:
            found = list(rows.filter(changed_at__gt=Now() - OVERLAP))
        for tenant_id, version in found:
            self.heard(tenant_id, version)
        self.last_poll = time.monotonic()

    def _run(self, stop: threading.Event) -> None:
        next_sweep = 0.0
        try:
            while not stop.is_set():
                sweep = time.monotonic() >= next_sweep
                try:
                    self.poll(sweep=sweep)
                    self.last_error = None
                    if sweep:
                        next_sweep = time.monotonic() + SWEEP_S
                except Exception as error:  # the database is away: keep serving, keep asking
                    if self.last_error is None:
                        logger.warning("Changes of tenants cannot be read: %s", type(error).__name__)
                    self.last_error = type(error).__name__
                    with contextlib.suppress(Exception):
                        connection.close()
                stop.wait(POLL_S)
        finally:
            connection.close()


def _heard(tenant_id: UUID, body: dict[str, Any]) -> None:
    version = body.get("version")
    if isinstance(version, int):
        watcher.heard(tenant_id, version)


watcher = Watcher()
bus.subscribe("tenant", _heard)
