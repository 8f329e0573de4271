"""From a presented key to a Caller. A known key costs a hash, a comparison and a few look-ups.

Every stranger gets one identical answer: to a missing, malformed, unknown, revoked or expired
key, from a network that is not allowed, and whether the tenant exists, is suspended or
belongs to others. The database is asked for the key alone, never for the slug, so the work is
the same too.
"""

import asyncio
import contextlib
import math
import os
import re
import threading
import time
from hmac import compare_digest
from uuid import UUID

from django.db import Error as DatabaseError

from audit import services as audit
from common.db import in_db
from common.writer import QueueFullError, writer
from tenants import key_cache
from tenants.addresses import client_address
from tenants.changes import watcher
from tenants.key_cache import Bounded, KeyEntry
from tenants.models import TENANT_SLUG, Tenant
from tenants.principals import Caller

__all__ = [
    "AccessDenied",
    "AccessUnavailable",
    "authenticate",
    "authenticate_blocking",
    "client_address",
    "expires_at",
    "presented_key",
    "recheck",
]

_KEY = re.compile(r"ptc_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_SLUG = re.compile(TENANT_SLUG)

# Failed look-ups of one address: this many at once, this many a second after that.
LOOKUP_BURST = 30.0
LOOKUPS_PER_S = 5.0
MAX_WAITING_FAILURES = 2_000
ASK_AGAIN_S = 5.0  # a job that met a database that was away is gone; what was counted stays


class AccessDenied(Exception):
    """Refused. ``str()`` is the public sentence, the same for all; ``reason`` stays inside."""

    PUBLIC = (
        "This address needs a valid access key. Send it as 'Authorization: Bearer ptc_…'; "
        "an admin of the tenant makes keys on its Access keys page."
    )

    def __init__(self, reason: str) -> None:
        super().__init__(self.PUBLIC)
        self.reason = reason


class AccessUnavailable(Exception):
    """The key could not be checked because the database does not answer: HTTP 503."""

    def __init__(self) -> None:
        super().__init__(
            "Keys cannot be checked right now because the database does not answer; try again soon."
        )


def presented_key(authorization: str | None) -> str | None:
    """The secret in an ``Authorization`` header, None where it holds no bearer."""
    if authorization is None:
        return None
    scheme, _, secret = authorization.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


async def authenticate(slug: str, presented: str | None, *, address: str, via: str = "mcp") -> Caller:
    """The caller behind a bearer secret at a tenant's URL.

    Raises :class:`AccessDenied` (one identical answer for every stranger) or
    :class:`AccessUnavailable`.
    """
    attempt = _Attempt(slug, presented, address, via)
    entry = attempt.known()
    if entry is None:
        entry = await _load_once(attempt.key_id)
    return attempt.finish(entry)


def authenticate_blocking(slug: str, presented: str | None, *, address: str, via: str = "api") -> Caller:
    """As :func:`authenticate`, for code that runs in threads."""
    attempt = _Attempt(slug, presented, address, via)
    entry = attempt.known()
    if entry is None:
        try:
            entry = key_cache.load(attempt.key_id)
        except DatabaseError as error:
            raise AccessUnavailable from error
    return attempt.finish(entry)


async def recheck(caller: Caller) -> Caller | None:
    """The caller as its key makes it now, for what outlives a request; None where it may no longer come.

    That is: its key was revoked or has expired, its principal or tenant is gone or suspended, or
    its address left the key's networks. From memory unless the tenant changed since. Raises
    :class:`AccessUnavailable`.
    """
    if not caller.key_id:
        try:
            return await in_db(key_cache.load_principal, caller)
        except DatabaseError as error:
            raise AccessUnavailable from error
    entry = key_cache.entries.get(caller.key_id)
    if entry is None or not entry.is_current:
        entry = await _load_once(caller.key_id)
    return None if entry is None else entry.renewed(caller)


def expires_at(caller: Caller) -> float:
    """When the caller's key ends by the clock, in seconds since 1970; 0 where it is not remembered."""
    if not caller.key_id:
        return math.inf
    entry = key_cache.entries.get(caller.key_id)
    return 0.0 if entry is None else entry.expires


class _Attempt:
    """One presented secret on its way; holds its digest, not the secret."""

    __slots__ = ("address", "digest", "key_id", "slug", "via")

    def __init__(self, slug: str, presented: str | None, address: str, via: str) -> None:
        if not watcher.running:
            watcher.start()  # without it a revocation elsewhere would not be heard
        self.slug, self.address, self.via = slug, address, via
        self.key_id = ""
        if presented is None:
            raise self.denied("missing")
        found = _KEY.fullmatch(presented)
        if found is None:
            raise self.denied("malformed")
        self.key_id = found[1]
        self.digest = key_cache.digest_of(presented)

    def known(self) -> KeyEntry | None:
        """The remembered key, or None where it has to be looked up (which may be refused here)."""
        entry = key_cache.entries.get(self.key_id)
        if entry is not None and entry.is_current:
            return entry
        if key_cache.is_unknown(self.digest):
            raise self.denied("unknown")
        if entry is None and not _budget.has_some(self.address):
            raise self.denied("too_many")
        return None

    def finish(self, entry: KeyEntry | None) -> Caller:
        """Compare and build the caller."""
        if entry is None:
            key_cache.note_unknown(self.digest)
            _budget.spend(self.address)
            raise self.denied("unknown")
        now = time.time()
        if not compare_digest(entry.digest, self.digest):
            raise self.denied("unknown")
        if entry.slug != self.slug:
            raise self.denied("foreign")
        if entry.refusal:
            raise self.denied(entry.refusal)
        if entry.expires <= now:
            raise self.denied("expired")
        caller = entry.caller(self.address, self.via)
        if caller is None:
            raise self.denied("network")
        entry.note_use(now)
        return caller

    def denied(self, reason: str) -> AccessDenied:
        """The one answer; what it was is counted for the audit."""
        _failures.add(self.slug, self.key_id, self.address, reason)
        return AccessDenied(reason)


_loading: dict[tuple[int, str], "asyncio.Task[KeyEntry | None]"] = {}


async def _load_once(key_id: str) -> KeyEntry | None:
    """Look a key up, once for all calls that wait for the same one. Raises AccessUnavailable."""
    flight = (id(asyncio.get_running_loop()), key_id)
    task = _loading.get(flight)
    if task is None:
        task = asyncio.create_task(in_db(key_cache.load, key_id))
        _loading[flight] = task
        task.add_done_callback(lambda _: _loading.pop(flight, None))
    try:
        entry = await asyncio.shield(task)
        if entry is not None and not entry.is_current:
            # It was read just before a change that has been announced since: read again.
            entry = await in_db(key_cache.load, key_id)
    except DatabaseError as error:
        raise AccessUnavailable from error
    return entry


class _Budget:
    """A bucket of failed look-ups per address, so that guessing keys cannot load the database."""

    def __init__(self) -> None:
        self._buckets: Bounded[str, tuple[float, float]] = Bounded(10_000)

    def _left(self, address: str) -> float:
        left, since = self._buckets.get(address) or (LOOKUP_BURST, time.monotonic())
        return min(LOOKUP_BURST, left + (time.monotonic() - since) * LOOKUPS_PER_S)

    def has_some(self, address: str) -> bool:
        """Whether a key that is not known here may be looked up for this address."""
        return self._left(address) >= 1

    def spend(self, address: str) -> None:
        """Count a look-up that found nothing."""
        self._buckets.put(address, (self._left(address) - 1, time.monotonic()))


class _Failures:
    """Failed authentications on their way to the audit, which needs the tenant's id.

    The slug is resolved by the writer thread, for many at once: a request never does more or
    less work because a tenant exists.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start empty: at first, and in a forked child, whose parent reports its own."""
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str, str], int] = {}
        self._ask_again = 0.0  # when the writer is asked next, unless it answers before

    def add(self, slug: str, key_id: str, address: str, reason: str) -> None:
        if not _SLUG.fullmatch(slug):  # no tenant can have it, and no database has to see it
            slug = ""
        what = (slug, key_id, address, reason)
        with self._lock:
            if what not in self._counts and len(self._counts) >= MAX_WAITING_FAILURES:
                what = (slug, "", "", reason)
            self._counts[what] = self._counts.get(what, 0) + 1
            now = time.monotonic()
            ask = now >= self._ask_again
            if ask:
                self._ask_again = now + ASK_AGAIN_S
        if ask:
            with contextlib.suppress(QueueFullError):
                writer.submit_later("auth_failures", None)

    def write(self, payloads: list[None]) -> list[None]:
        """Resolve what was counted and hand it to the audit; in the writer thread."""
        with self._lock:
            waiting, self._counts, self._ask_again = self._counts, {}, 0.0
        try:
            ids = self._ids({slug for slug, *_ in waiting} - {""})
        except Exception:
            with self._lock:
                self._counts = {**waiting, **self._counts}
            raise
        for (slug, key_id, address, reason), count in waiting.items():
            for _ in range(min(count, 1000)):
                audit.note_failed_authentication(ids.get(slug), address=address, reason=reason, key_id=key_id)
        return [None] * len(payloads)

    @staticmethod
    def _ids(slugs: set[str]) -> dict[str, UUID]:
        return dict(Tenant.objects.filter(slug__in=slugs).values_list("slug", "pk")) if slugs else {}


_budget = _Budget()
_failures = _Failures()
os.register_at_fork(after_in_child=_failures.reset)
writer.register("auth_failures", _failures.write, order=45)  # type: ignore[arg-type]
